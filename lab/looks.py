"""The one way to run checks: each looks twice.

"Ready once" is not healthy: what holds must hold at both looks, and what a check says must not change (an address that moved, a container
that was replaced) must be the same. The first look gives a cluster that the installer just left some seconds to settle.
Between the two looks of a check that needs a long time between them, the others look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Event
from types import MappingProxyType

from lab import check
from lab.check import BETWEEN_S, PODS_SETTLE_S, SETTLE_S, Answer, Check, Scope, Target, asked
from lab.deadline import pausing, ticks_s, until
from lab.errors import CheckError
from lab.model import CheckResult, Outcome, Site

REMOVE_S = 10.0  # in which a try to remove what checks shared may begin anew: one failed connection is no reason to leave it
REMOVED = "what checks made is removed"  # a result only where it is not, for then the cluster is not as it was


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """The first look of a check. `settled_s`: how long after it was first asked it came true; `at_s`: when, on the lab's clock."""

    answer: Answer
    took_s: float
    settled_s: float
    at_s: float


_Asked = tuple[Check, Target]


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
    last. A check that does not apply is SKIP with its reason; a node that does not answer makes it UNKNOWN. The cluster is left as it was;
    where that cannot be had, a result REMOVED says so.
    settle_s: the most that any check is given, on nodes of the usual pace. stop: when set, the round ends by KeyboardInterrupt, and what
    checks share stays on the cluster, which then goes too. sleep: what passes the time between the looks.
    """
    stop = stop or Event()
    there = check.targets(scope, site, variables=variables, stop=stop)
    of_scope = [one for one in checks or check.everything() if one.cluster == scope.cluster]
    wanted = [(one, target) for one in of_scope for target in there if check.is_for(one, target.node)]
    results: dict[tuple[str, str], CheckResult] = {}

    def told(result: CheckResult) -> None:
        results[result.check, result.node] = result
        on_result(result)

    for one, target in wanted:
        if why := one.lacks(scope):
            told(CheckResult(check=one.name, node=target.node.name, outcome=Outcome.SKIP, said=why))
    _looked([(one, target) for one, target in wanted if not one.lacks(scope)], told, settle_s=settle_s, sleep=sleep or pausing(stop))
    in_order = {(one.name, target.node.name): None for one, target in wanted}
    return tuple(results[key] for key in {**in_order, **dict.fromkeys(results)})


def _looked(applies: list[_Asked], told: Callable[[CheckResult], None], *, settle_s: float, sleep: Callable[[float], None]) -> None:
    """Both looks of all that apply: what is quick and stands for itself first, then what needs time between its looks, then the rest."""
    began_s = ticks_s()
    shared = {id(one.uses): (one.uses, target) for one, target in applies if one.uses}
    missing: dict[int, str] = {}
    try:
        for key, (uses, target) in shared.items():
            made = _asked_until(uses.make, target, limit_s=min(SETTLE_S, settle_s))
            missing[key] = "" if made.ok else made.said
        first = {
            (one.name, target.node.name): _settled(one, target, end_s=began_s + target.site.pace * min(one.settle_s, settle_s))
            for one, target in sorted(applies, key=_first_round)
        }
        for one, target in sorted(applies, key=lambda wanted: wanted[0].apart_s):
            before, apart_s = first[one.name, target.node.name], one.apart_s * target.site.pace
            sleep(max(0.0, before.at_s + apart_s - ticks_s()))
            again, again_s = _look(one, target)
            result = _result(one, target, before, again, apart_s=apart_s, duration_s=before.took_s + again_s)
            told(_explained(result, missing.get(id(one.uses), "")))
    finally:
        for uses, target in shared.values():
            gone = _asked_until(uses.remove, target, limit_s=min(REMOVE_S, settle_s))
            if not gone.ok:
                told(CheckResult(check=REMOVED, node=target.node.name, outcome=Outcome.UNKNOWN, said=gone.said))


def _asked_until(act: Callable[[Target], Answer], target: Target, *, limit_s: float) -> Answer:
    """The last answer of `act`, the first good one if it came in time. limit_s: on nodes of the usual pace."""
    limit_s *= target.site.pace
    return until(lambda: asked(act, target), lambda answer: answer.ok is True, limit_s=limit_s, sleep=pausing(target.stop))


def _explained(result: CheckResult, missing: str) -> CheckResult:
    """`result`, and why what it asks through is `missing` where that is so and it is not green."""
    if not missing or result.outcome is Outcome.PASS:
        return result
    return replace(result, said=f"{result.said}; what it asks through could not be made: {missing}")


def _first_round(wanted: _Asked) -> int:
    one, _ = wanted
    return 1 if one.apart_s > BETWEEN_S else 2 if one.uses else 0


def _settled(one: Check, target: Target, *, end_s: float) -> _Look:
    """The first look: asked until it comes true or it is `end_s`."""
    took: list[float] = []

    def ask() -> Answer:
        answer, took_s = _look(one, target)
        took.append(took_s)
        return answer

    asked_s = ticks_s()
    answer = until(ask, lambda answer: answer.ok is True, limit_s=max(0.0, end_s - asked_s), sleep=pausing(target.stop))
    at_s = ticks_s()
    return _Look(answer=answer, took_s=sum(took), settled_s=at_s - asked_s if len(took) > 1 else 0.0, at_s=at_s)


def _look(one: Check, target: Target) -> tuple[Answer, float]:
    began_s = ticks_s()
    try:
        answer = asked(one.look, target)
    except (TypeError, LookupError, AttributeError) as error:
        raise CheckError(f"check {one.name!r} is wrong", repr(error), "report it with the cell's folder") from error
    return answer, ticks_s() - began_s


def _result(one: Check, target: Target, look: _Look, second: Answer, *, apart_s: float, duration_s: float) -> CheckResult:
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
        check=one.name,
        node=target.node.name,
        outcome=outcome,
        said=said,
        duration_s=duration_s,
        measured=(*first.measured, *waited),
    )
