"""What a snapshot of a green cell costs and saves: made anew against restored, and what that means for the matrix of all orderings.

    python bench/snapshot.py [--ordering kube-vip+metallb+cilium]... [--ref replica@v2.25.1] [--topology 1cp] [--write]

For each ordering it makes the cell through the lab, judges it, saves it, restores it, and judges it again; prints one table, and with
--write puts it into docs/snapshots.md between its two marks.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from threading import Event
from typing import TypeVar

import click

from lab import artifacts, bed, check, course, engine, host, installer, inventory, network, nodeimage, notation, plan, playbooks, release
from lab import snapshot as snapshots
from lab.command import interrupted_by_sigterm, run
from lab.deadline import now_s, pause, ticks_s
from lab.errors import BedError, LabError
from lab.model import Cell, CheckResult, Endpoint, Outcome, Site, Stage

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "snapshots.md"
BEGIN, END = "<!-- table: bench/snapshot.py --write -->\n", "<!-- end of the table -->\n"
STAGE_LIMIT_S = 1800.0
GREEN_LIMIT_S = 300.0  # for a cluster that was green to be green again after a boot; 60 s are usual on 2 cores that are busy
DU_LIMIT_S = 120.0
PAYS = 0.10  # of the work of a matrix
T = TypeVar("T")
BRIEF = tuple(
    one for one in check.everything() if one.apart_s <= check.BETWEEN_S
)  # a check that looks for 30 s would be most of the figure
GREEN = (Outcome.PASS, Outcome.SKIP)
MIB = 1 << 20
HEAD = (
    "| cell | anew: nodes | stages | until green | together | judged | save | until green | restore | until green | together"
    " | anew / restored | on disk | same outcomes | load |\n|" + "---|" * 15
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Seconds of one cell. `settled`: until every brief check came true twice without a pause; `judged`: both looks with their pauses;
    `disk`: bytes beyond the node image; `differs`: checks with another outcome after the restore; `load`: before and after."""

    cell: Cell
    nodes: float
    stages: float
    settled: float
    judged: float
    save: float
    settled_after_save: float
    restore: float
    settled_after_restore: float
    disk: int
    checks: int
    differs: tuple[str, ...]
    load: tuple[float, float]

    @property
    def anew(self) -> float:
        """From nothing to green."""
        return self.nodes + self.stages + self.settled

    @property
    def restored(self) -> float:
        """From a snapshot to green."""
        return self.restore + self.settled_after_restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Nodes that are up, and all that is needed to judge and to name them."""

    cell: Cell
    nodes: bed.Bed
    keeper: bed.Snapshots
    site: Site
    stages: tuple[Stage, ...]
    key: str
    nodes_s: float
    stages_s: float

    def judge(self, *, patient: bool) -> tuple[float, tuple[CheckResult, ...]]:
        """Seconds, and what every check says. patient: with the pauses between two looks that a run has."""
        began_s = ticks_s()
        results = check.run_all(
            self.cell,
            self.site,
            addons=plan.addons_of(self.cell),
            on_result=lambda _: None,
            variables=inventory.variables(self.stages[-1], self.site),
            checks=None if patient else BRIEF,
            settle_s=check.SETTLE_S if patient else GREEN_LIMIT_S,
            sleep=pause if patient else lambda _: None,
        )
        took_s = ticks_s() - began_s
        slow = max(results, key=lambda one: dict(one.measured).get("true after s", 0.0))
        if waited_s := dict(slow.measured).get("true after s"):
            print(f"  of {took_s:.0f} s, {slow.check!r} on {slow.node} was waited for {waited_s:.0f} s", flush=True)
        return took_s, results

    def settle(self) -> float:
        """Seconds until every check that needs no long time between its looks is green. Raises BedError where one stays red."""
        took_s, results = self.judge(patient=False)
        _see_green(results)
        return took_s


def _see_green(results: Sequence[CheckResult]) -> None:
    if red := [one for one in results if one.outcome not in GREEN]:
        raise BedError("the cell is not green", "; ".join(f"{one.check} on {one.node}: {one.said}" for one in red), "run it as a cell")


@click.command()
@click.option("--ordering", "orderings", multiple=True, default=("kube-vip+metallb+cilium",), show_default=True, help="Cells to measure.")
@click.option("--ref", default="replica@v2.25.1", show_default=True)
@click.option("--topology", default="1cp", show_default=True)
@click.option("--write", is_flag=True, help="Put the table into docs/snapshots.md.")
def main(*, orderings: tuple[str, ...], ref: str, topology: str, write: bool) -> None:
    """Measure and print; 3 where a cell could not be made, is not green, or is judged in another way once restored."""
    found: list[Measured] = []
    ended = ""
    with interrupted_by_sigterm():
        for text in orderings:
            ordering = notation.parse_ordering(text)
            cell = Cell(
                ref=notation.parse_ref(ref),
                kube_version="v1.29.5",
                topology=notation.parse_topology(topology),
                ordering=ordering,
                endpoint=_endpoint(ordering),
            )
            try:
                found.append(_measure(cell))
                print(_row(found[-1]), flush=True)
            except LabError as error:
                ended = f"{cell.ordering_text}: {error}"
                break
            except KeyboardInterrupt:
                ended = "ended before all cells were measured"
                break
    if ended:
        print(ended)
    if not found:
        sys.exit(3)
    table = "\n".join([_about(found[0].cell), "", HEAD, *map(_row, found), "", *_matrix(found)]) + "\n"
    print(f"\n{table}")
    if write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + table + END + rest.partition(END)[2])
    sys.exit(3 if ended or any(one.differs for one in found) else 0)


def _endpoint(ordering: notation.Ordering) -> Endpoint:
    return "vip" if any("kube-vip" in addons for addons in ordering) else "node"


def _measure(cell: Cell) -> Measured:
    began_load = os.getloadavg()[0]
    with _made(cell) as made:
        settled = made.settle()
        judged, before = made.judge(patient=True)
        _see_green(before)
        _tell(f"{cell.ordering_text}: green after {made.nodes_s + made.stages_s + settled:.0f} s, judged in {judged:.0f} s")
        save, _ = _timed(lambda: made.keeper.save(made.key))
        try:
            settled_after_save = made.settle()
            _tell(f"{cell.ordering_text}: saved in {save:.1f} s, green again {settled_after_save:.0f} s later")
            restore, site = _timed(lambda: made.keeper.restore(made.key))
            again = replace(made, site=site)
            settled_after_restore = again.settle()
            _tell(f"{cell.ordering_text}: restored in {restore:.1f} s, green {settled_after_restore:.0f} s later")
            _, after = again.judge(patient=True)
            disk = _disk(made.key)
        finally:
            made.nodes.down()
            made.keeper.forget(made.key)
    was = {(one.check, one.node): one.outcome for one in before}
    return Measured(
        cell=cell,
        nodes=made.nodes_s,
        stages=made.stages_s,
        settled=settled,
        judged=judged,
        save=save,
        settled_after_save=settled_after_save,
        restore=restore,
        settled_after_restore=settled_after_restore,
        disk=disk,
        checks=len(after),
        differs=tuple(f"{one.check} on {one.node}" for one in after if was.get((one.check, one.node)) is not one.outcome),
        load=(began_load, os.getloadavg()[0]),
    )


@contextmanager
def _made(cell: Cell) -> Iterator[Made]:
    """Nodes of `cell` after its last stage, for as long as the block runs."""
    facts, needs = release.load(cell.ref.release), host.node_needs(host.facts())
    plan.check(cell)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="spraylab-snapshot-")))
        connected = stack.enter_context(engine.connect())
        made = artifacts.prepare(cell.kube_version, plan.addons_of(cell), on_progress=lambda _: None)
        nodeimage.ensure(connected, say=_tell)
        nodes = bed.find(cell.bed)(
            cell_id=cell.id,
            topology=cell.topology,
            artifacts=made.path,
            run_id=f"snapshot-{folder.name.rpartition('-')[2]}",
            folder=folder,
            engine=connected,
            say=_tell,
        )
        if not isinstance(nodes, bed.Snapshots):
            raise BedError(f"the bed {cell.bed!r} cannot do this", "it keeps no snapshots", "use another bed")
        stack.callback(nodes.down)
        nodes_s, site = _timed(nodes.up)
        stages = plan.stages(cell, facts, needs=needs, versions=made.versions)
        source = playbooks.replica(facts)
        stages_s, _ = _timed(partial(_install, cell, site, stages, source=source, folder=folder))
        lab = snapshots.content(Path(snapshots.__file__).parent)  # the playbooks of the replica and what the node image is made of, too
        by = (lab, made.path.name, str(facts), str(needs), source.label, connected.name, connected.version(), host.facts().kernel)
        key = snapshots.key(stages, site, made_by=by)
        yield Made(cell=cell, nodes=nodes, keeper=nodes, site=site, stages=stages, key=key, nodes_s=nodes_s, stages_s=stages_s)


def _install(cell: Cell, site: Site, stages: Sequence[Stage], *, source: playbooks.Playbooks, folder: Path) -> None:
    if plan.has_plain_network(cell, stages[0].addons):
        network.place(site)
    for stage in stages:
        done = installer.install(
            stage, site=site, playbooks=source, folder=folder, on_event=lambda _: None, stop=Event(), limit_s=STAGE_LIMIT_S
        )
        if done.rc != 0:
            raise BedError(f"stage {stage.name!r} ended with {done.rc}", f"{done.failed_task}: {done.failed_said}", "run it as a cell")


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began_s = ticks_s()
    answer = work()
    return ticks_s() - began_s, answer


def _tell(said: str) -> None:
    print(f"{said}; load {os.getloadavg()[0]:.0f}", flush=True)


def _disk(key: str) -> int:
    """Bytes that the snapshot `key` takes: its copies of /var, and its images without the node image they stand on."""
    with engine.connect() as connected:
        there = snapshots.find(connected, key)
        if there is None:
            return 0
        alone = {one.name: int(one.detail) for one in connected.images("spraylab.image=node")}
        images = [alone[one.name] for one in connected.images(f"{snapshots.SNAPSHOT}={key}")]
        base = min(alone.values())
    copies = int(run(("du", "-s", "-B1", str(there.folder)), limit_s=DU_LIMIT_S).stdout.split()[0])
    return copies + sum(size - base for size in images)


def _row(one: Measured) -> str:
    seconds = (one.nodes, one.stages, one.settled, one.anew, one.judged, one.save, one.settled_after_save, one.restore)
    cells = [f"`{one.cell.ordering_text}`", *(f"{value:.1f} s" for value in (*seconds, one.settled_after_restore, one.restored))]
    cells += [f"{one.anew / one.restored:.1f}", f"{one.disk / MIB:.0f} MiB"]
    same = f"no: {', '.join(one.differs)}" if one.differs else f"all {one.checks}"
    return f"| {' | '.join([*cells, same, f'{one.load[0]:.0f} to {one.load[1]:.0f}'])} |"


def _matrix(found: Sequence[Measured]) -> Iterator[str]:
    """What snapshots would change for the matrix of all orderings, in whole sentences, out of `found` alone."""
    cells = [replace(found[0].cell, ordering=ordering, endpoint=_endpoint(ordering)) for ordering in notation.every_ordering()]
    courses = course.courses(cells)
    runs = sum(len(one.longest.ordering) for one in courses)
    paths = {one for of in courses for one in course.prefixes(of.longest)}
    children = Counter(path.ordering[:-1] for path in paths if path.ordering[:-1])
    branches = [ordering for ordering, count in children.items() if count > 1]
    restores = sum(children[ordering] - 1 for ordering in branches)
    like = [one for one in found if one.cell.ordering in branches] or found  # what the tree would really spare, where it was measured
    spared = fmean(one.anew + one.judged for one in like)  # at most: both parts have looks, a run makes them once
    restored, saved = fmean(one.restored for one in like), fmean(one.save + one.settled_after_save for one in like)
    gain = restores * (spared - restored) - len(branches) * saved
    whole = len(courses) * fmean(one.nodes for one in found) + runs * fmean(one.stages + one.settled + one.judged for one in found)
    yield (
        f"The matrix of all orderings has {len(cells)} cells of a ref: {runs} stage runs on {len(courses)} sets of nodes"
        f" with shared prefixes, {len(paths)} as a tree of prefixes, which takes {len(branches)} snapshots and {restores} restores."
    )
    of_which = ", ".join(f"`{one.cell.ordering_text}`" for one in like)
    yield (
        f"A stage run that is spared costs nodes, stage and verdict: {spared:.0f} s at most. In its place comes a restore until green,"
        f" {restored:.0f} s; a snapshot costs {saved:.0f} s until its nodes are green again (from {of_which})."
    )
    yield (
        f"So on a ref snapshots would spare {gain:.0f} s of about {whole:.0f} s of nodes, stages and verdicts, {gain / whole:.0%}:"
        f" {'they pay' if gain / whole >= PAYS else 'they do not pay'} by the mark of {PAYS:.0%} that a second path to a verdict must earn."
    )


def _about(cell: Cell) -> str:
    seen = host.facts()
    versions = artifacts.versions(cell.kube_version, plan.addons_of(cell))
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if name in (*plan.ADDON_VARIABLES, "kubernetes"))
    when = datetime.fromtimestamp(now_s(), UTC).strftime("%Y-%m-%d")
    return f"{when}, {cell.ref.label}, topology {cell.topology}, {named}, {seen.cores} cores, kernel {seen.kernel}."


if __name__ == "__main__":
    main()
