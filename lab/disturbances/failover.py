"""The VIP when its holder fails: does the API answer through it again, after how long, and who held it meanwhile.

Each breaks one thing at the holder, watches from the client, mends it, and waits until the cluster is as it was before. Samplers on
the client and on every control plane look every 100 ms; they run on the nodes, so no connection of the lab is in what is measured.
"""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import outage
from lab.alike import etcdctl
from lab.bed import Power
from lab.check import Answer, Said, Scope, Target, without_vip
from lab.deadline import pausing, until
from lab.disturbance import Disturbance
from lab.errors import CheckError
from lab.model import Node

SAMPLER = Path(__file__).parent.parent / "data" / "sampler.py"
FOLDER = "/var/lib/spraylab-sampler"  # on the disk of the node, so that it is there when the node was off meanwhile
UNIT = "spraylab-sampler"
LEAST = 3  # control planes: with two of three members etcd still decides
ANSWER_S = 1.0  # for a step of a sample: a kernel repeats a lost SYN after 1 s; the samples begun since then tell sooner
LEAD_S = 1.0  # of samples before anything breaks
WATCH_S = 15.0  # at least, before it is mended: kube-vip's lease of 5 s runs out, and a second holder would show
BACK_LIMIT_S = 90.0  # until the API must answer through the VIP again
WHOLE_LIMIT_S = 180.0  # until the cluster must be as before; kubelet may wait 40 s before it starts a container for the fourth time
UNSEEN_S = 1.0  # between two samples, of which there are ten in it: what was for longer than that nobody saw
CLOCK = "date +%s.%N"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to lose the holder. `breaks` and `mends` act on that node; what heals itself has nothing to mend."""

    name: str
    breaks: Callable[[Target, Node, Power | None], None]
    mends: Callable[[Target, Node, Power | None], None]
    needs_power: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Failover:
    """What one loss of the holder gave. `led`: whether it led etcd, None where nobody told; `seen`: until it was mended; `after`: from
    then on; `holder`: who held the VIP just before; `whole`: what the cluster said at the end, empty when it is as it was; `missed`: why
    the samples do not tell what happened, empty when they do."""

    lost: str
    led: bool | None
    holder: str
    seen: outage.Outage
    after: outage.Outage
    mended_s: float
    whole: str
    missed: str = ""


def fail_over(way: Way, target: Target, power: Power | None) -> Failover | str:
    """Lose the holder that way and mend it; text, and nothing broken, where the VIP is not on exactly one node. Runs on the client."""
    holders = _holders(target)
    if len(holders) != 1:
        return f"the VIP is on {' and '.join(holders) or 'no node'} before anything is broken"
    lost = next(node for node in target.site.control_planes if node.name == holders[0])
    ready, leader, pace, pause = _ready(target), _etcd_leader(target), target.site.pace, pausing(target.stop)
    if ready.rc != 0:
        raise RuntimeError(f"which nodes are Ready is not told before anything is broken: {ready.text}")
    with _sampling(target) as sampled:
        pause(LEAD_S)
        from_s = _clock(target)
        try:
            way.breaks(target, lost, power)
            pause(WATCH_S * pace)
            vip = target.site.slot.vip
            until(lambda: target.livez(vip), lambda answer: answer.ok is True, limit_s=BACK_LIMIT_S * pace)
            to_s, holder = _clock(target), " and ".join(_holders(target, but=lost if way.needs_power else None)) or "nobody"
        finally:
            way.mends(target, lost, power)
        if way.needs_power:
            _start_sampler(target, lost, "address")
        whole = until(lambda: _unwell(target, ready.out), lambda why: not why, limit_s=WHOLE_LIMIT_S * pace)
        pause(LEAD_S)
        end_s = _clock(target)
        client, nodes = sampled()
    seen = outage.measure(client, nodes, from_s=from_s, to_s=to_s)
    after = outage.measure(client, nodes, from_s=to_s, to_s=end_s)
    led = leader == lost.name if leader else None
    missed = _missed(seen, after, pace=pace)
    return Failover(lost=lost.name, led=led, holder=holder, seen=seen, after=after, mended_s=end_s - to_s, whole=whole, missed=missed)


def _act(way: Way, target: Target, power: Power | None) -> Answer:
    found = fail_over(way, target, power)
    if isinstance(found, str):
        return Answer(ok=False, said=found)
    seen, after = found.seen, found.after
    if found.missed and not found.whole:
        return Answer(ok=None, said=f"{found.lost} held the VIP; {way.name}: {found.missed}")
    back = "never stopped answering" if not seen.gaps else f"did not answer for {seen.without_s:.1f} s"
    if seen.back_s is None:
        back = f"did not answer again within {seen.without_s:.0f} s"
    said = f"{found.lost} held the VIP{' and led etcd' if found.led else ''}; {way.name}: the API through it {back}; "
    said += f"afterwards {found.holder} held it; at most "
    said += f"{max(seen.holders, after.holders)} node(s) at once had it and {max(seen.macs, after.macs)} MAC(s) answered ARP for it"
    said += f"; mended: {after.without_s:.1f} s without the API, " if after.gaps else "; mended: "
    said += found.whole or f"all as before after {found.mended_s:.0f} s"
    measured = (
        *((("it led etcd", float(found.led)),) if found.led is not None else ()),
        ("without API s", round(seen.without_s, 2)),
        ("without API while mended s", round(after.without_s, 2)),
        ("holders at once", float(max(seen.holders, after.holders))),
        ("MACs at once", float(max(seen.macs, after.macs))),
        ("as before after s", round(found.mended_s, 1)),
    )
    return Answer(ok=seen.back_s is not None and not found.whole, said=said, measured=measured)


def _lacks(scope: Scope) -> str:
    """Why nothing can fail over in `scope`; nothing where it can."""
    few = f"{scope.cell.topology.control_planes} control plane(s): nobody could take the VIP and keep etcd deciding"
    return without_vip(scope) or (few if scope.cell.topology.control_planes < LEAST else "")


def _holders(target: Target, *, but: Node | None = None) -> tuple[str, ...]:
    """Control planes with the VIP; `but`: one that is not asked, for it may be off."""
    return target.holders(node for node in target.site.control_planes if node is not but)


def _missed(seen: outage.Outage, after: outage.Outage, *, pace: float) -> str:
    """Why the samples do not tell what happened; empty when they do. An API that nobody reaches at a VIP that nobody has is told."""
    unseen_s = max(seen.unseen_s, after.unseen_s)
    if not seen.samples or unseen_s > UNSEEN_S * pace:
        return f"the sampler of the client saw nothing for {unseen_s:.1f} s"
    return "" if seen.holders or seen.back_s is None else "the API answered through the VIP, which no sampler saw on its node"


def _ready(target: Target) -> Said:
    """Every node and whether it is Ready, as the API server of the first control plane says."""
    return target.kubectl(
        "get nodes -o jsonpath=%s", '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
    )


def _etcd_leader(target: Target) -> str:
    """The control plane whose member of etcd leads; empty where nobody told. Without a leader no lease can be taken."""
    nodes = target.site.control_planes
    done = etcdctl(target, "endpoint status -w json", node=nodes[0], members=nodes)
    if done.rc != 0:
        return ""
    leaders = [one["Endpoint"] for one in json.loads(done.out) if one["Status"]["leader"] == one["Status"]["header"]["member_id"]]
    return next((node.name for node in nodes for endpoint in leaders if f"//{node.address}:" in endpoint), "")


def _unwell(target: Target, ready: str) -> str:
    """Why the cluster is not as it was before, or does not tell; empty when it is. ready: what `_ready` said then."""
    holders = _holders(target)
    if len(holders) != 1:
        return f"the VIP is on {' and '.join(holders) or 'no node'}"
    for node in target.site.control_planes:
        if not (answer := target.livez(node.address)).ok:
            return answer.said
        running = target.run("crictl ps -q --name %s", "^kube-vip$", node=node)
        if running.rc != 0 or not running.out:
            return f"kube-vip does not run on {node.name}" + (f", or crictl does not tell: {running.text}" if running.rc else "")
        if target.run("systemctl is-active kubelet", node=node).rc != 0:
            return f"kubelet does not run on {node.name}"
    now = _ready(target)
    return "" if now.rc == 0 and now.out == ready else f"nodes were Ready before as {ready}, now as {now.text}"


def _clock(target: Target) -> float:
    return float(target.run(CLOCK).out)


@contextmanager
def _sampling(target: Target) -> Iterator[Callable[[], tuple[tuple[outage.Sample, ...], dict[str, tuple[outage.Sample, ...]]]]]:
    """Samplers on the client and every control plane while the block runs; what it gives tells the samples until then."""
    nodes = target.site.control_planes
    try:
        _start_sampler(target, target.node, "api", target.node.interface, f"{ANSWER_S * target.site.pace:g}", str(target.site.api_port))
        for node in nodes:
            _start_sampler(target, node, "address")
        yield lambda: (_samples(target, target.node), {node.name: _samples(target, node) for node in nodes})
    finally:
        for node in (target.node, *nodes):
            target.run("sh -c %s", f"systemctl stop {UNIT}; rm -rf {FOLDER}", node=node)


def _start_sampler(target: Target, node: Node, what: str, *more: str) -> None:
    script = base64.b64encode(SAMPLER.read_bytes()).decode()
    limit_s = (WATCH_S + BACK_LIMIT_S + WHOLE_LIMIT_S + 60) * target.site.pace  # so that it ends even if nobody is there to end it
    arguments = " ".join((what, f"{FOLDER}/samples", f"{limit_s:.0f}", target.site.slot.vip, *more))
    begin = f"mkdir -p {FOLDER} && echo {script} | base64 -d >{FOLDER}/sampler.py"
    start = f"systemd-run --quiet --collect --unit {UNIT} python3 {FOLDER}/sampler.py {arguments}"
    done = target.run("sh -c %s", f"{begin} && {start}", node=node)
    if done.rc != 0:
        raise RuntimeError(f"the sampler does not start on {node.name}: {done.text}")


def _samples(target: Target, node: Node) -> tuple[outage.Sample, ...]:
    return outage.read(target.run(f"cat {FOLDER}/samples", node=node).out)


def _power(_: Target, node: Node, power: Power | None, *, on: bool) -> None:
    if power is None:
        raise CheckError("a disturbance switches nodes off", "the bed cannot", "declare it with needs_power")
    (power.start if on else power.stop)(node)


def _ask(script: str, target: Target, node: Node, _: Power | None) -> None:
    done = target.run("sh -c %s", script, node=node)
    if done.rc != 0:
        raise RuntimeError(f"`{script}` on {node.name}: {done.text}")


WAYS = (
    Way(name="its node stopped", breaks=partial(_power, on=False), mends=partial(_power, on=True), needs_power=True),
    Way(name="its kubelet stopped", breaks=partial(_ask, "systemctl stop kubelet"), mends=partial(_ask, "systemctl start kubelet")),
    Way(  # kubelet starts it again
        name="its kube-vip killed",
        breaks=partial(_ask, "pkill -KILL -x kube-vip"),  # not by the runtime, which on a busy host lets crictl wait for too long
        mends=lambda _target, _node, _power: None,
    ),
)
DISTURBANCES = tuple(
    Disturbance(name=f"failover, {way.name}", lacks=_lacks, act=partial(_act, way), needs_power=way.needs_power) for way in WAYS
)
