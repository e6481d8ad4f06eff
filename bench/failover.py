"""How long a client is without the API when the holder of the VIP fails, by the way it fails.

    python bench/failover.py [--count 10] [--ref replica@v2.25.1] [--topology 3cp] [--write]

Makes one cluster through the lab, fails the holder over `count` times in each way, prints every failover and a table, and with --write
puts the table into docs/failover.md between its two marks.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

import click

from lab import artifacts, bed, check, engine, host, installer, network, plan, playbooks, release
from lab.check import Target
from lab.command import interrupted_by_sigterm
from lab.deadline import now_s, ticks_s
from lab.disturbances.failover import WAYS, Failover, Way, fail_over
from lab.errors import BedError
from lab.model import Cell, Outcome, Site
from lab.notation import parse_ordering, parse_ref, parse_topology

PAGE = Path(__file__).parent.parent / "docs" / "failover.md"
BEGIN, END = "<!-- table: bench/failover.py --write -->\n", "<!-- end of the table -->\n"
STAGE_LIMIT_S = 1800.0
HEAD = (
    "| way | n | without the API, median | maximum | minimum | failovers with a gap | most holders at once | most MACs at once"
    " | another node took the VIP | as before after, median |\n|---|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster that is up: what checks ask it through, and the versions in it."""

    target: Target
    power: bed.Power
    versions: Mapping[str, str]


@click.command()
@click.option("--count", default=10, show_default=True, help="Failovers of each way.")
@click.option("--ref", default="replica@v2.25.1", show_default=True)
@click.option("--topology", default="3cp", show_default=True)
@click.option("--write", is_flag=True, help="Put the table into docs/failover.md.")
def main(*, count: int, ref: str, topology: str, write: bool) -> None:
    """Measure and print; 3 where the cluster could not be made."""
    cell = Cell(
        ref=parse_ref(ref),
        kube_version="v1.29.5",
        topology=parse_topology(topology),
        ordering=parse_ordering("kube-vip"),
        endpoint="vip",
    )
    found: dict[str, list[Failover]] = {way.name: [] for way in WAYS}
    with interrupted_by_sigterm(), _cluster(cell) as cluster:
        ended = _repeat(count, cluster, found)
        about = _about(cell, cluster)
    table = "\n".join([about, "", HEAD, *_rows(found)]) + "\n"
    print(f"\n{table}")
    if write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(before + BEGIN + table + END + rest.partition(END)[2])
    sys.exit(3 if ended else 0)


def _repeat(count: int, cluster: Cluster, found: dict[str, list[Failover]]) -> str:
    """Fail over `count` times in each way; why it came to an end before that, or nothing."""
    for number in range(1, count + 1):
        for way in WAYS:  # in turn, so that a host that grows slower does so for all of them
            one = _one(way, cluster)
            if isinstance(one, Failover):
                found[way.name].append(one)
            told = one if isinstance(one, str) else _told(one)
            print(f"{number}/{count} {way.name}: {told}", flush=True)
            if why := one if isinstance(one, str) else one.whole:
                print(f"the cluster is not as it was, which is the end: {why}", flush=True)
                return why
    return ""


def _one(way: Way, cluster: Cluster) -> Failover | str:
    try:
        return fail_over(way, cluster.target, cluster.power)
    except RuntimeError as error:  # a node did not answer: what was measured until then is not lost
        return f"could not tell: {error}"


def _told(one: Failover) -> str:
    seen, after = one.seen, one.after
    return (
        f"{one.lost}{' (led etcd)' if one.led else ''} -> {one.holder}, "
        f"without the API {seen.without_s:.2f} s in {seen.gaps} gap(s) of {seen.samples} samples, "
        f"{max(seen.holders, after.holders)} holder(s), {max(seen.macs, after.macs)} MAC(s); "
        f"mended in {one.mended_s:.0f} s, without the API {after.without_s:.2f} s; load {os.getloadavg()[0]:.0f}"
    )


def _rows(found: Mapping[str, list[Failover]]) -> Iterator[str]:
    """A row per way; and for a node that went off, whose member of etcd goes with it, one for each of what that member was."""
    for name, all_of in found.items():
        yield _row(name, all_of)
        if any(way.needs_power for way in WAYS if way.name == name):
            yield _row(f"{name}: it led etcd", [one for one in all_of if one.led])
            yield _row(f"{name}: it did not", [one for one in all_of if one.led is False])


def _row(name: str, all_of: list[Failover]) -> str:
    if not all_of:
        return f"| {name} | 0 |" + " - |" * 8
    without = [one.seen.without_s for one in all_of]
    holders = max(max(one.seen.holders, one.after.holders) for one in all_of)
    macs = max(max(one.seen.macs, one.after.macs) for one in all_of)
    moved = sum(one.holder != one.lost for one in all_of)
    gaps = sum(one.seen.gaps > 0 for one in all_of)
    mended = median(one.mended_s for one in all_of)
    seconds = f"{median(without):.1f} s | {max(without):.1f} s | {min(without):.1f} s"
    return f"| {name} | {len(all_of)} | {seconds} | {gaps} | {holders} | {macs} | {moved} | {mended:.0f} s |"


def _about(cell: Cell, cluster: Cluster) -> str:
    seen = host.facts()
    versions = ", ".join(f"{name} {version}" for name, version in sorted(cluster.versions.items()))
    when = datetime.fromtimestamp(now_s(), UTC).strftime("%Y-%m-%d")
    return f"{when}, {cell.ref.label}, topology {cell.topology}, {versions}, {seen.cores} cores, kernel {seen.kernel}."


@contextmanager
def _cluster(cell: Cell) -> Iterator[Cluster]:
    """A green cluster of `cell` for as long as the block runs."""
    facts, needs = release.load(cell.ref.release), host.node_needs(host.facts())
    plan.check(cell)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="spraylab-failover-")))
        connected = stack.enter_context(engine.connect())
        made = artifacts.prepare(cell.kube_version, plan.addons_of(cell), on_progress=lambda _: None)
        run_id = f"failover-{folder.name.rpartition('-')[2]}"
        nodes = bed.find(cell.bed)(
            cell_id=cell.id,
            topology=cell.topology,
            artifacts=made.path,
            run_id=run_id,
            folder=folder,
            engine=connected,
            say=partial(print, flush=True),
        )
        if not isinstance(nodes, bed.Power):
            raise BedError(f"the bed {cell.bed!r} cannot do this", "it cannot stop one node alone", "use another bed")
        stack.callback(nodes.down)
        began_s = ticks_s()
        site = nodes.up()
        if plan.has_plain_network(cell, plan.addons_of(cell)):
            network.place(site)
        for stage in plan.stages(cell, facts, needs=needs, versions=made.versions):
            source = playbooks.replica(facts)
            run = installer.install(
                stage, site=site, playbooks=source, folder=folder, on_event=lambda _: None, stop=Event(), limit_s=STAGE_LIMIT_S
            )
            if run.rc != 0:
                raise BedError(f"stage {stage.name!r} ended with {run.rc}", f"{run.failed_task}: {run.failed_said}", "run it as a cell")
        scope = check.Scope(cell=cell, on=plan.addons_of(cell))
        _see_green(scope, site)
        print(f"cluster up and green after {ticks_s() - began_s:.0f} s", flush=True)
        for node in site.nodes:
            print(f"  {node.name}: {nodes.memory_mib(node):.0f} MiB" if isinstance(nodes, bed.Meter) else f"  {node.name}", flush=True)
        target = next(one for one in check.targets(scope, site) if one.node == site.client)
        yield Cluster(target=target, power=nodes, versions={"kube-vip": made.versions["kube-vip"], "Kubernetes": cell.kube_version})


def _see_green(scope: check.Scope, site: Site) -> None:
    results = check.run_all(scope.cell, site, addons=scope.on, on_result=lambda _: None)
    if red := [one for one in results if one.outcome not in (Outcome.PASS, Outcome.SKIP)]:
        said = "; ".join(f"{one.check} on {one.node}: {one.said}" for one in red)
        raise BedError("the cluster is not green before anything is broken", said, "run it as a cell")


if __name__ == "__main__":
    main()
