"""How long a client is without the API when the holder of the VIP fails, by the way it fails.

    python bench/failover.py [--count 10] [--ref replica@v2.25.1] [--topology 3cp] [--write]

Makes one cluster through the lab, fails the holder over `count` times in each way, prints every failover and a table, and with --write
puts the table into docs/failover.md between its two marks.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from statistics import median
from threading import Event

import click

from bench import page
from bench.cluster import Cluster, cell_of, cluster_of, see_green
from lab import artifacts, bed, check, looks, plan
from lab.command import interrupted_by_sigterm
from lab.deadline import ticks_s
from lab.disturbances.failover import WAYS, Failover, Way, fail_over
from lab.errors import BedError
from lab.model import Cell
from lab.notation import parse_ordering, parse_ref, parse_topology

PAGE = page.DOCS / "failover.md"
HEAD = (
    "| way | n | without the API, median | maximum | minimum | failovers with a gap | most holders at once | most MACs at once"
    " | another node took the VIP | as before after, median |\n|---|---|---|---|---|---|---|---|---|---|"
)
Fail = Callable[[Way], Failover | str]


@click.command()
@click.option("--count", default=10, show_default=True, help="Failovers of each way.")
@click.option("--ref", default="replica@v2.25.1", show_default=True)
@click.option("--topology", default="3cp", show_default=True)
@click.option("--write", is_flag=True, help="Put the table into docs/failover.md.")
def main(*, count: int, ref: str, topology: str, write: bool) -> None:
    """Measure and print; 3 where the cluster could not be made."""
    cell = cell_of(parse_ref(ref), parse_ordering("kube-vip"), parse_topology(topology))
    found: dict[str, list[Failover]] = {way.name: [] for way in WAYS}
    with interrupted_by_sigterm(), cluster_of(cell, bench="failover", say=partial(print, flush=True)) as cluster:
        ended = _repeat(count, _green(cluster), found)
    table = "\n".join([_about(cell), "", HEAD, *_rows(found)]) + "\n"
    print(f"\n{table}")
    if write:
        page.write(PAGE, table, bench="failover")
    sys.exit(3 if ended else 0)


def _green(cluster: Cluster) -> Fail:
    """Make a cluster of the nodes; what fails it over, once it is seen to be green. Raises BedError."""
    nodes, scope = cluster.nodes, check.Scope(cell=cluster.cell, on=plan.addons_of(cluster.cell))
    if not isinstance(nodes, bed.Power):
        raise BedError(f"the bed {cluster.cell.bed!r} cannot do this", "it cannot stop one node alone", "use another bed")
    began_s = ticks_s()
    site = nodes.up()
    cluster.install(site)
    results = looks.run_all(scope, site, on_result=lambda _: None)
    see_green(results, what="the cluster is not green before anything is broken")
    print(f"cluster up and green after {ticks_s() - began_s:.0f} s", flush=True)
    for node in site.nodes:
        print(f"  {node.name}: {nodes.memory_mib(node):.0f} MiB" if isinstance(nodes, bed.Meter) else f"  {node.name}", flush=True)
    target = next(one for one in check.targets(scope, site, stop=Event()) if one.node == site.client)
    return lambda way: fail_over(way, target, nodes)


def _repeat(count: int, fail: Fail, found: Mapping[str, list[Failover]]) -> str:
    """Fail over `count` times in each way; why it came to an end before that, or nothing."""
    for number in range(1, count + 1):
        for way in WAYS:  # in turn, so that a host that grows slower does so for all of them
            one = _one(way, fail)
            if isinstance(one, Failover):
                found[way.name].append(one)
            told = one if isinstance(one, str) else _told(one)
            print(f"{number}/{count} {way.name}: {told}", flush=True)
            if why := one if isinstance(one, str) else one.whole:
                print(f"the cluster is not as it was, which is the end: {why}", flush=True)
                return why
    return ""


def _one(way: Way, fail: Fail) -> Failover | str:
    try:
        found = fail(way)
        return f"could not tell: {found.missed}" if isinstance(found, Failover) and found.missed else found
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


def _about(cell: Cell) -> str:
    versions = artifacts.versions(cell.kube_version, plan.addons_of(cell))
    return page.about(cell, {"kube-vip": versions["kube-vip"], "Kubernetes": cell.kube_version})


if __name__ == "__main__":
    main()
