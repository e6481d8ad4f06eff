"""What a snapshot of a green cell costs and saves: made anew against restored, and what that means for the matrix of all orderings.

    python bench/snapshot.py [--ordering kube-vip+metallb+cilium]... [--ref replica@v2.25.1] [--topology 1cp] [--write]

For each ordering it makes the cell through the lab, judges it, saves it, restores it, and judges it again; prints one table, and with
--write puts it into docs/snapshots.md between its two marks.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TypeVar

import click

from bench import page
from bench.cluster import Cluster, cell_of, cluster_of, see_green
from lab import artifacts, bed, check, course, engine, host, inventory, looks, nodeimage, notation, plan, playbooks, release
from lab import snapshot as snapshots
from lab.command import interrupted_by_sigterm, run
from lab.deadline import pause, ticks_s
from lab.errors import BedError, LabError
from lab.model import Cell, CheckResult, Site

PAGE = page.DOCS / "snapshots.md"
GREEN_LIMIT_S = 300.0  # for a cluster that was green to be green again after a boot; 60 s are usual on 2 cores that are busy
DU_LIMIT_S = 120.0
PAYS = 0.10  # of the work of a matrix
T = TypeVar("T")
BRIEF = tuple(
    one for one in check.everything() if one.apart_s <= check.BETWEEN_S
)  # a check that looks for 30 s would be most of the figure
MIB = 1 << 20
NOT_GREEN = "the cell is not green"
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
    """A cluster that is up, and all that is needed to judge it and to keep it."""

    cluster: Cluster
    keeper: bed.Snapshots
    site: Site
    key: str
    nodes_s: float
    stages_s: float

    def judge(self, *, patient: bool) -> tuple[float, tuple[CheckResult, ...]]:
        """Seconds, and what every check says. patient: with the pauses between two looks that a run has."""
        began_s = ticks_s()
        results = looks.run_all(
            check.Scope(cell=self.cluster.cell, on=plan.addons_of(self.cluster.cell)),
            self.site,
            on_result=lambda _: None,
            variables=inventory.variables(self.cluster.stages[-1], self.site),
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
        see_green(results, what=NOT_GREEN)
        return took_s


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
            cell = cell_of(notation.parse_ref(ref), notation.parse_ordering(text), notation.parse_topology(topology))
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
        page.write(PAGE, table, bench="snapshot")
    sys.exit(3 if ended or any(one.differs for one in found) else 0)


def _measure(cell: Cell) -> Measured:
    began_load = os.getloadavg()[0]
    with _made(cell) as made:
        settled = made.settle()
        judged, before = made.judge(patient=True)
        see_green(before, what=NOT_GREEN)
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
            made.cluster.nodes.down()
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
    """A cluster of `cell` after its last stage, for as long as the block runs."""
    with cluster_of(cell, bench="snapshot", say=_tell) as cluster:
        nodes = cluster.nodes
        if not isinstance(nodes, bed.Snapshots):
            raise BedError(f"the bed {cell.bed!r} cannot do this", "it keeps no snapshots", "use another bed")
        nodeimage.ensure(cluster.engine, say=_tell)  # else what is made once for all nodes would be timed as these nodes'
        nodes_s, site = _timed(nodes.up)
        stages_s, _ = _timed(partial(cluster.install, site))
        yield Made(cluster=cluster, keeper=nodes, site=site, key=_key(cluster, site), nodes_s=nodes_s, stages_s=stages_s)


def _key(cluster: Cluster, site: Site) -> str:
    facts, seen = release.load(cluster.cell.ref.release), host.facts()
    lab = snapshots.content(Path(snapshots.__file__).parent)  # the playbooks of the replica and what the node image is made of, too
    on = (cluster.engine.name, cluster.engine.version(), seen.kernel)
    by = (lab, cluster.artifacts.path.name, str(facts), str(host.node_needs(seen)), playbooks.replica(facts).label, *on)
    return snapshots.key(cluster.stages, site, made_by=by)


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
    cells = [cell_of(found[0].cell.ref, ordering, found[0].cell.topology) for ordering in notation.every_ordering()]
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
    versions = artifacts.versions(cell.kube_version, plan.addons_of(cell))
    return page.about(cell, {name: versions[name] for name in (*plan.ADDON_VARIABLES, "kubernetes") if name in versions})


if __name__ == "__main__":
    main()
