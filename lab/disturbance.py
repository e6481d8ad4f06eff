"""What is broken on purpose to see whether the cluster gets over it; the lookup of disturbances/, and the one way to run them.

They come after all checks, one after the other, each once, and only on a cluster that was green: on another one they would prove nothing.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab.bed import Power
from lab.check import Answer, Scope, Target, asked, targets
from lab.deadline import ticks_s
from lab.model import CheckResult, Outcome, Site

OUTCOME = {True: Outcome.PASS, False: Outcome.FAIL, None: Outcome.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """One thing to break. `lacks`: why it does not apply, or nothing; `act`: breaks, watches from the client and mends, and
    says whether the cluster got over it; `needs_power`: it switches nodes off."""

    name: str
    lacks: Callable[[Scope], str]
    act: Callable[[Target, Power | None], Answer]
    needs_power: bool = False


def everything() -> tuple[Disturbance, ...]:
    """Those of every file of lab/disturbances/, each of which exports DISTURBANCES."""
    names = sorted(path.stem for path in (Path(__file__).parent / "disturbances").glob("[!_]*.py"))
    return tuple(one for name in names for one in importlib.import_module(f"lab.disturbances.{name}").DISTURBANCES)


def run_all(
    scope: Scope,
    site: Site,
    *,
    power: Power | None,
    green: bool,
    on_result: Callable[[CheckResult], None],
    stop: Event | None = None,
    disturbances: tuple[Disturbance, ...] | None = None,
) -> tuple[CheckResult, ...]:
    """Every disturbance; `on_result` is told each result. One that would prove nothing is SKIP with its reason.

    power: of the bed, None where it cannot stop one node alone; green: whether all checks before were; stop: when set, it ends by
    KeyboardInterrupt, and what is broken stays so, for the nodes go too.
    """
    target = next(one for one in targets(scope, site, stop=stop or Event()) if one.node == site.client)
    results = []
    for one in disturbances if disturbances is not None else everything():
        if why := _why_not(one, scope, power=power, green=green):
            result = CheckResult(check=one.name, node=site.client.name, outcome=Outcome.SKIP, said=why)
        else:
            result = _result(one, target, power)
        on_result(result)
        results.append(result)
    return tuple(results)


def _why_not(one: Disturbance, scope: Scope, *, power: Power | None, green: bool) -> str:
    if not scope.cluster:
        return "there is no cluster after a reset"
    if why := one.lacks(scope):
        return why
    if one.needs_power and power is None:
        return f"the bed {scope.cell.bed!r} cannot stop one node alone"
    return "" if green else "the cluster was not green before"


def _result(one: Disturbance, target: Target, power: Power | None) -> CheckResult:
    began_s = ticks_s()
    answer = asked(lambda target: one.act(target, power), target)
    return CheckResult(
        check=one.name,
        node=target.node.name,
        outcome=OUTCOME[answer.ok],
        said=answer.said,
        duration_s=ticks_s() - began_s,
        measured=answer.measured,
    )
