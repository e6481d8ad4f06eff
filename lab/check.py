"""What a check is, and the one way to run them: by testinfra over the bed's SSH, each looks twice.

"Ready once" is not healthy: what holds must hold at both looks, and what a check says must not change (an address that moved, a container
that was replaced) must be the same. The first look gives a cluster that the installer just left some seconds to settle.
Between the two looks of a check that needs a long time between them, the others look.
"""

import importlib
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Literal

from lab import nodehost
from lab.deadline import pausing, ticks_s, until
from lab.errors import CheckError
from lab.mask import mask
from lab.model import Cell, CheckResult, Node, Outcome, Role, Site

BETWEEN_S = 5.0  # between the two looks of every check; kube-vip's lease runs out after 5 s
SETTLE_S = 60.0  # in which the first look of all checks together must come true; 15 s are usual on 2 cores, more beside another cell
# The same where MetalLB's speaker takes part: no installer waits for it, and kubelet tries up to every 64 s to mount its secret.
PODS_SETTLE_S = 90.0
ADMIN_CONF = "/etc/kubernetes/admin.conf"
COMMAND_LIMIT_S = 20.0  # of one command of a check
ANSWER_S = 5.0  # for one answer over HTTP
API_S = 10.0  # for one answer of the API to kubectl


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command on a node gave; `out` is stdout alone, to be read; `text`, to be told, stdout and stderr."""

    rc: int
    out: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One look. `ok` None: could not tell; `state`: what must be the same at both looks; `measured`: name with its unit -> number."""

    ok: bool | None
    said: str
    state: str = ""
    measured: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What checks are asked of: a cell, and the addons that are on by now. `cluster`: whether there is to be one; after a reset not."""

    cell: Cell
    on: tuple[str, ...]
    cluster: bool = True

    @property
    def certificates(self) -> str:
        """Where kubeadm keeps the cluster's certificates: kubespray has it another place than its own."""
        return "/etc/kubernetes/pki" if self.cell.ref.source == "kind" else "/etc/kubernetes/ssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a check may use: the node it runs on, the site, the scope, testinfra's host of every node by name, and the variables that
    the installer was told last. `stop`: once it is set, whatever asks a node raises KeyboardInterrupt."""

    node: Node
    site: Site
    scope: Scope
    hosts: Mapping[str, object] = field(repr=False)
    variables: Mapping[str, object] = field(default_factory=dict, repr=False)
    stop: Event = field(default_factory=Event, repr=False)

    def run(self, command: str, *args: str, node: Node | None = None) -> Said:
        """Run `command` (with testinfra's quoting of %s) on `node`, or on the check's own."""
        host = self.hosts[(node or self.node).name]
        done = host.run(f"timeout {COMMAND_LIMIT_S * self.site.pace:g} {command}", *args)  # type: ignore[attr-defined]
        return Said(rc=done.rc, out=mask(done.stdout.strip()), text=mask(f"{done.stdout}{done.stderr}".strip()))

    def addresses(self, node: Node) -> tuple[str, ...]:
        """All addresses of the cluster interface of `node`."""
        return tuple(self.hosts[node.name].interface(node.interface).addresses)  # type: ignore[attr-defined]

    def service_runs(self, name: str) -> bool:
        """Whether the systemd service `name` of the check's node runs."""
        return bool(self.hosts[self.node.name].service(name).is_running)  # type: ignore[attr-defined]

    def kubectl(self, command: str, *args: str, stdin: str = "") -> Said:
        """What kubectl says on the first control plane, by the API server of that node alone: no VIP and no Service stand in between."""
        first = self.site.control_planes[0]
        server, limit = f"https://{first.address}:{self.site.api_port}", f"{API_S * self.site.pace:g}s"
        line = f"kubectl --kubeconfig {ADMIN_CONF} --server {server} --request-timeout {limit} {command}"
        return self.run("sh -c %s", f"printf %s {shlex.quote(stdin)} | {line}", node=first) if stdin else self.run(line, *args, node=first)

    def get(self, url: str, *, node: Node | None = None) -> Said:
        """What curl on `node`, or on the check's own, gets from `url`, whoever signed its certificate."""
        return self.run(f"curl -sSk --max-time {ANSWER_S * self.site.pace:g} %s", url, node=node)

    def livez(self, address: str) -> Answer:
        """/livez of the API server at `address`, asked from the check's node."""
        url = f"https://{address}:{self.site.api_port}/livez"
        done = self.get(url)
        return Answer(ok=done.rc == 0 and done.out == "ok", said=f"{url} says {done.text or 'nothing'}")

    def holders(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """The names of those `nodes` that have the VIP."""
        return tuple(node.name for node in nodes if self.site.slot.vip in self.addresses(node))

    def text_of(self, path: str, *, node: Node) -> str:
        """The text of a file of `node`."""
        return str(self.hosts[node.name].file(path).content_string)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What checks of one round need on the cluster, made once before the first look and removed after the last.

    make: says what is wrong, nothing when it is there; remove: also removes what was half made.
    """

    make: Callable[[Target], str]
    remove: Callable[[Target], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One assertion. `on`: the nodes it runs on, `member` all of the cluster; `lacks`: why it does not apply, or nothing; `look`: asks
    once; `uses`: what must be on the cluster for it; `apart_s`: seconds between its two looks, at least; `settle_s`: after the
    installer, until the first is true; `cluster`: it asks something of a cluster, else whether one is gone."""

    name: str
    on: Role | Literal["member"]
    lacks: Callable[[Scope], str]
    look: Callable[[Target], Answer]
    uses: Shared | None = None
    apart_s: float = BETWEEN_S
    settle_s: float = SETTLE_S
    cluster: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The first look of a check. `settled_s`: how long after it was first asked it came true; `at_s`: when, on the lab's clock."""

    answer: Answer
    took_s: float
    settled_s: float
    at_s: float


_Asked = tuple[Check, Target]


def always(_: Scope) -> str:
    """Of a check that applies everywhere."""
    return ""


def one_holder(target: Target) -> Answer:
    """The VIP is on one control plane; the state is which."""
    holders = target.holders(target.site.control_planes)
    said = f"{target.site.slot.vip} is on {', '.join(holders) or 'no node'}"
    return Answer(ok=len(holders) == 1, said=said, state=" ".join(holders))


def without_vip(scope: Scope) -> str:
    """Why a check of the VIP says nothing about `scope`; nothing where it does."""
    return "" if "kube-vip" in scope.on else "kube-vip is off: nobody is meant to hold a VIP"


def everything() -> tuple[Check, ...]:
    """The checks of every file of lab/checks/, each of which exports CHECKS."""
    names = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("[!_]*.py"))
    return tuple(one for name in names for one in importlib.import_module(f"lab.checks.{name}").CHECKS)


def run_all(
    scope: Scope,
    site: Site,
    *,
    on_result: Callable[[CheckResult], None],
    variables: Mapping[str, object] = MappingProxyType({}),
    checks: tuple[Check, ...] | None = None,
    settle_s: float = PODS_SETTLE_S,
    stop: Event | None = None,
    sleep: Callable[[float], None] | None = None,
) -> tuple[CheckResult, ...]:
    """Every check of `scope` on every node it is for; `on_result` is told each result once both looks are taken.

    Where there is to be no cluster, only those are asked that look whether it is gone. variables: what the installer was told
    last. A check that does not apply is SKIP with its reason; a node that does not answer makes it UNKNOWN. The cluster is left as it was.
    settle_s: the most that any check is given, on nodes of the usual pace. stop: when set, the round ends by KeyboardInterrupt, and what
    checks share stays on the cluster, which then goes too. sleep: what passes the time between the looks.
    """
    stop = stop or Event()
    there = targets(scope, site, variables=variables, stop=stop)
    of_scope = [one for one in checks or everything() if one.cluster == scope.cluster]
    asked = [(one, target) for one in of_scope for target in there if is_for(one, target.node)]
    results: dict[tuple[str, str], CheckResult] = {}

    def told(result: CheckResult) -> None:
        results[result.check, result.node] = result
        on_result(result)

    for one, target in asked:
        if why := one.lacks(scope):
            told(CheckResult(check=one.name, node=target.node.name, outcome=Outcome.SKIP, said=why))
    _looked([(one, target) for one, target in asked if not one.lacks(scope)], told, settle_s=settle_s, sleep=sleep or pausing(stop))
    return tuple(results[one.name, target.node.name] for one, target in asked)


def _looked(applies: list[_Asked], told: Callable[[CheckResult], None], *, settle_s: float, sleep: Callable[[float], None]) -> None:
    """Both looks of all that apply: what is quick and stands for itself first, then what needs time between its looks, then the rest."""
    began_s = ticks_s()
    shared = {id(one.uses): (one.uses, target) for one, target in applies if one.uses}
    try:
        for uses, target in shared.values():
            limit_s = target.site.pace * min(SETTLE_S, settle_s)
            until(partial(uses.make, target), lambda wrong: not wrong, limit_s=limit_s, sleep=pausing(target.stop))
        first = {
            (one.name, target.node.name): _settled(one, target, end_s=began_s + target.site.pace * min(one.settle_s, settle_s))
            for one, target in sorted(applies, key=_first_round)
        }
        for one, target in sorted(applies, key=lambda asked: asked[0].apart_s):
            before, apart_s = first[one.name, target.node.name], one.apart_s * target.site.pace
            sleep(max(0.0, before.at_s + apart_s - ticks_s()))
            again, again_s = _look(one, target)
            told(_result(one, target, before, again, apart_s=apart_s, duration_s=before.took_s + again_s))
    finally:
        for uses, target in shared.values():
            uses.remove(target)


def _first_round(asked: _Asked) -> int:
    one, _ = asked
    return 1 if one.apart_s > BETWEEN_S else 2 if one.uses else 0


def targets(scope: Scope, site: Site, *, stop: Event, variables: Mapping[str, object] = MappingProxyType({})) -> tuple[Target, ...]:
    """What a check gets on each node of `site`. stop: as of a Target."""
    hosts = {node.name: nodehost.host(site, node, stop=stop) for node in site.nodes}
    return tuple(Target(node=node, site=site, scope=scope, hosts=hosts, variables=variables, stop=stop) for node in site.nodes)


def is_for(check: Check, node: Node) -> bool:
    """Whether `check` is one for `node`."""
    return node.role != "client" if check.on == "member" else node.role == check.on


def _settled(check: Check, target: Target, *, end_s: float) -> _Look:
    """The first look: asked until it comes true or it is `end_s`."""
    took: list[float] = []

    def ask() -> Answer:
        answer, took_s = _look(check, target)
        took.append(took_s)
        return answer

    asked_s = ticks_s()
    answer = until(ask, lambda answer: answer.ok is True, limit_s=max(0.0, end_s - asked_s), sleep=pausing(target.stop))
    at_s = ticks_s()
    return _Look(answer=answer, took_s=sum(took), settled_s=at_s - asked_s if len(took) > 1 else 0.0, at_s=at_s)


def _look(check: Check, target: Target) -> tuple[Answer, float]:
    began_s = ticks_s()
    try:
        answer = check.look(target)
    except (RuntimeError, OSError, ValueError) as error:  # testinfra's words for: no SSH, no such program, an answer it cannot read
        answer = Answer(ok=None, said=f"could not tell: {error}")
    except (TypeError, LookupError, AttributeError) as error:
        raise CheckError(f"check {check.name!r} is wrong", repr(error), "report it with the cell's folder") from error
    return answer, ticks_s() - began_s


def _result(check: Check, target: Target, look: _Look, second: Answer, *, apart_s: float, duration_s: float) -> CheckResult:
    first = look.answer
    said = first.said if first.said == second.said else f"{first.said}; {apart_s:.0f} s later: {second.said}"
    said += f" (true after {look.settled_s:.0f} s)" if look.settled_s and first.ok else ""
    outcome = Outcome.PASS
    if first.ok is False or second.ok is False:
        outcome = Outcome.FAIL
    elif first.ok is None or second.ok is None:
        outcome = Outcome.UNKNOWN
    elif first.state != second.state:
        outcome, said = Outcome.FAIL, f"changed between two looks: {first.state} -> {second.state}; {said}"
    waited = (("true after s", round(look.settled_s, 1)),) if look.settled_s and first.ok else ()
    return CheckResult(
        check=check.name,
        node=target.node.name,
        outcome=outcome,
        said=said,
        duration_s=duration_s,
        measured=(*first.measured, *waited),
    )
