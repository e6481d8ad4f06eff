"""The nodes that a bench measures on: those of one cell, made and installed as a run does, and taken down whatever happens."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from lab import artifacts, bed, engine, groundwork, host, installer, plan, playbooks, release
from lab.artifacts import Artifacts
from lab.engine import Engine
from lab.errors import BedError
from lab.model import Cell, CheckResult, Endpoint, Outcome, Ref, Site, Stage, Topology
from lab.notation import Ordering, upgrades
from lab.supply import Supply

KUBE_VERSION = "v1.29.5"
STAGE_LIMIT_S = 1800.0
GREEN = (Outcome.PASS, Outcome.SKIP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`nodes` of `cell`, which the bench itself brings up, and the `stages` that make a cluster of them.

    `folder`: for what installers write.
    """

    cell: Cell
    supply: Supply
    nodes: bed.Bed
    stages: tuple[Stage, ...]
    artifacts: Artifacts
    engine: Engine
    folder: Path

    def lay(self, stage: Stage, site: Site) -> None:
        """Give nodes that are up what `stage` finds there, if it begins from nothing. Raises BedError."""
        if groundwork.due(self.cell, stage):
            groundwork.lay(self.cell, stage, site=site, nodes=self.nodes, supply=self.supply)

    def install(self, site: Site) -> None:
        """Run all stages by the replica on nodes that are up. Raises BedError with what failed."""
        source = playbooks.replica(release.load(self.cell.ref.release))
        for stage in self.stages:
            self.lay(stage, site)
            done = installer.install(
                stage, site=site, playbooks=source, folder=self.folder, on_event=lambda _: None, stop=Event(), limit_s=STAGE_LIMIT_S
            )
            if done.rc != 0:
                raise BedError(f"stage {stage.name!r} ended with {done.rc}", f"{done.failed_task}: {done.failed_said}", "run it as a cell")


def cell_of(ref: Ref, ordering: Ordering, topology: Topology, *, kube_version: str = KUBE_VERSION) -> Cell:
    """The cell to measure; its clients use the VIP where a stage turns kube-vip on."""
    endpoint: Endpoint = "vip" if any("kube-vip" in addons for addons in ordering) else "node"
    return Cell(ref=ref, kube_version=kube_version, topology=topology, ordering=ordering, endpoint=endpoint)


@contextmanager
def cluster_of(cell: Cell, *, bench: str, supply: Supply = plan.OWN, say: Callable[[str], None] = lambda _: None) -> Iterator[Cluster]:
    """What `cell` needs, built where it is missing, and its nodes, which are not up yet; they are taken down when the block ends.

    bench: names the folder and the owner of the nodes; say: told what takes long when they come up.
    """
    facts, needs = release.load(cell.ref.release), host.node_needs(host.facts())
    plan.check(cell, supply)
    with TemporaryDirectory(prefix=f"spraylab-{bench}-") as folder, engine.connect() as connected:
        brought = artifacts.prepare(cell.kube_version, plan.addons_of(cell), supply, later=upgrades(cell.ordering))
        nodes = bed.find(cell.bed)(
            cell_id=cell.id,
            topology=cell.topology,
            artifacts=brought.path,
            run_id=f"{bench}-{folder.rpartition('-')[2]}",
            folder=Path(folder),
            engine=connected,
            say=say,
        )
        stages = plan.stages(cell, facts, needs=needs, versions=brought.versions, supply=supply)
        try:
            yield Cluster(cell=cell, supply=supply, nodes=nodes, stages=stages, artifacts=brought, engine=connected, folder=Path(folder))
        finally:
            nodes.down()


def see_green(results: Iterable[CheckResult], *, what: str) -> None:
    """Raise BedError, which begins with `what`, unless every check passed or was skipped."""
    if red := [one for one in results if one.outcome not in GREEN]:
        raise BedError(what, "; ".join(f"{one.check} on {one.node}: {one.said}" for one in red), "run it as a cell")
