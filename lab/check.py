"""What a check is, and the one way to run them: by testinfra over the bed's SSH, each looks twice.

"Ready once" is not healthy: what holds must hold at both looks, and what a check says must not change (an address that moved, a container
that was replaced) must be the same. The first look gives a cluster that the installer just left some seconds to settle.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import testinfra

from lab.deadline import pause, ticks_s, until
from lab.errors import CheckError
from lab.mask import mask
from lab.model import Cell, CheckResult, Node, Outcome, Role, Site

BETWEEN_S = 5.0  # between the two looks of every check; kube-vip's lease runs out after 5 s
SETTLE_S = 30.0  # in which the first look of all checks together must come true; kube-vip needs 10 s to heal, CoreDNS as long
COMMAND_LIMIT_S = 20.0  # of one command of a check


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command on a node gave; `text` is stdout and stderr."""

    rc: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One look. `ok` None: could not tell; `state`: what must be the same at both looks; `measured`: name with its unit -> number."""

    ok: bool | None
    said: str
    state: str = ""
    measured: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a check may use: the node it runs on, the site, the cell, and testinfra's host of every node by name."""

    node: Node
    site: Site
    cell: Cell
    hosts: Mapping[str, object] = field(repr=False)

    def run(self, command: str, *args: str, node: Node | None = None) -> Said:
        """Run `command` (with testinfra's quoting of %s) on `node`, or on the check's own."""
        host = self.hosts[(node or self.node).name]
        done = host.run(f"timeout {COMMAND_LIMIT_S:g} {command}", *args)  # type: ignore[attr-defined]
        return Said(rc=done.rc, text=mask(f"{done.stdout}{done.stderr}".strip()))

    def addresses(self, node: Node) -> tuple[str, ...]:
        """All addresses of the cluster interface of `node`."""
        return tuple(self.hosts[node.name].interface(node.interface).addresses)  # type: ignore[attr-defined]

    def service_runs(self, name: str) -> bool:
        """Whether the systemd service `name` of the check's node runs."""
        return bool(self.hosts[self.node.name].service(name).is_running)  # type: ignore[attr-defined]

    def livez(self, address: str) -> Answer:
        """/livez of the API server at `address`, asked from the check's node."""
        done = self.run("curl -sSk --max-time 5 https://%s:6443/livez", address)
        return Answer(ok=done.rc == 0 and done.text == "ok", said=f"https://{address}:6443/livez says {done.text or 'nothing'}")

    def text_of(self, path: str, *, node: Node) -> str:
        """The text of a file of `node`."""
        return str(self.hosts[node.name].file(path).content_string)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One assertion. `on`: the nodes it runs on, `member` all of the cluster; `lacks`: why it does not apply to a cell, or nothing;
    `look`: asks once."""

    name: str
    on: Role | Literal["member"]
    lacks: Callable[[Cell], str]
    look: Callable[[Target], Answer]


def without_vip(cell: Cell) -> str:
    """Why a check of the VIP says nothing about `cell`; nothing where it does."""
    held = any("kube-vip" in addons for addons in cell.ordering)
    return "" if held else "kube-vip is off: nobody is meant to hold a VIP"


def everything() -> tuple[Check, ...]:
    """The checks of every file of lab/checks/, each of which exports CHECKS."""
    names = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("[!_]*.py"))
    return tuple(one for name in names for one in importlib.import_module(f"lab.checks.{name}").CHECKS)


def run_all(
    cell: Cell,
    site: Site,
    *,
    on_result: Callable[[CheckResult], None],
    checks: tuple[Check, ...] | None = None,
    between_s: float = BETWEEN_S,
    settle_s: float = SETTLE_S,
) -> tuple[CheckResult, ...]:
    """Every check on every node it is for; `on_result` is told each result once both looks are taken.

    A check that does not apply is SKIP with its reason; a node that does not answer makes it UNKNOWN.
    """
    there = targets(cell, site)
    asked = [(one, target) for one in checks or everything() for target in there if is_for(one, target.node)]
    applies = [(one, target) for one, target in asked if not one.lacks(cell)]
    first = _settled(applies, settle_s)
    if applies:
        pause(between_s)
    results = []
    for one, target in asked:
        if why := one.lacks(cell):
            result = CheckResult(check=one.name, node=target.node.name, outcome=Outcome.SKIP, said=why)
        else:
            answer, took_s, settled_s = first[one.name, target.node.name]
            again, again_s = _look(one, target)
            result = _result(one, target, answer, again, settled_s=settled_s, duration_s=took_s + again_s)
        on_result(result)
        results.append(result)
    return tuple(results)


def targets(cell: Cell, site: Site) -> tuple[Target, ...]:
    """What a check gets on each node of `site`."""
    hosts = {node.name: testinfra.get_host(f"ssh://{node.name}", ssh_config=str(site.ssh_config)) for node in site.nodes}
    return tuple(Target(node=node, site=site, cell=cell, hosts=hosts) for node in site.nodes)


def is_for(check: Check, node: Node) -> bool:
    """Whether `check` is one for `node`."""
    return node.role != "client" if check.on == "member" else node.role == check.on


def _settled(asked: list[tuple[Check, Target]], settle_s: float) -> dict[tuple[str, str], tuple[Answer, float, float]]:
    """(check, node) -> the first look, how long it took, and how long after the installer it came true."""
    began_s, answers = ticks_s(), {}
    for one, target in asked:
        took: list[float] = []

        def ask(one: Check = one, target: Target = target, took: list[float] = took) -> Answer:
            answer, took_s = _look(one, target)
            took.append(took_s)
            return answer

        asked_s = ticks_s()
        answer = until(ask, lambda answer: answer.ok is True, limit_s=max(0.0, began_s + settle_s - ticks_s()))
        answers[one.name, target.node.name] = answer, sum(took), ticks_s() - asked_s if len(took) > 1 else 0.0
    return answers


def _look(check: Check, target: Target) -> tuple[Answer, float]:
    began_s = ticks_s()
    try:
        answer = check.look(target)
    except (RuntimeError, OSError, ValueError) as error:  # testinfra's words for: no SSH, no such program, an answer it cannot read
        answer = Answer(ok=None, said=f"could not tell: {error}")
    except (TypeError, LookupError, AttributeError) as error:
        raise CheckError(f"check {check.name!r} is wrong", repr(error), "report it with the cell's folder") from error
    return answer, ticks_s() - began_s


def _result(check: Check, target: Target, first: Answer, second: Answer, *, settled_s: float, duration_s: float) -> CheckResult:
    said = first.said if first.said == second.said else f"{first.said}; {BETWEEN_S:.0f} s later: {second.said}"
    said += f" (true after {settled_s:.0f} s)" if settled_s and first.ok else ""
    outcome = Outcome.PASS
    if first.ok is False or second.ok is False:
        outcome = Outcome.FAIL
    elif first.ok is None or second.ok is None:
        outcome = Outcome.UNKNOWN
    elif first.state != second.state:
        outcome, said = Outcome.FAIL, f"changed between two looks: {first.state} -> {second.state}; {said}"
    return CheckResult(check=check.name, node=target.node.name, outcome=outcome, said=said, duration_s=duration_s, measured=second.measured)
