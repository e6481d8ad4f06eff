"""Which red the host's own shortage may have caused. Only that is no verdict on what was installed; all else stays one.

A stage: only where its task failed because something did not come in time, and the host was short of something for half of the time that
the task had, or longer. With less, more than half of that time was as good as on any host, and it did not come then either.
A check: only where the host was short of something during its round. Then what was red is asked once more, when the host has been short of
nothing for a while, in a round with all the time of the first. What is red then too is a failure. What is green then may have been the
host's doing or not: it is UNKNOWN. Where the host gives no such round, the failure stays excused.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from lab.deadline import now_s, until
from lab.hostload import EVERY_S, STARVED_S, HostLoad, Load, starved
from lab.model import CheckResult, Outcome, StageRun

MOST = 0.5  # of the time that a task had
BEFORE_S = 10.0  # also looked at before the task: who was to answer may have lost a lease, or been restarted, just then
CALM_S = 10.0  # without any shortage, before what was red is asked again
CALM_LIMIT_S = 120.0  # until that must be so; other cells may be running


def of_stage(run: StageRun, load: HostLoad, *, cores: int) -> str:
    """What the host was short of, in words, where that may be all that broke `run`; else nothing."""
    if run.failed_during is None:
        return ""
    from_s, to_s = run.failed_during
    loads = load.since(from_s - BEFORE_S, until_s=to_s + EVERY_S)
    whole_s, short = sum(one.seconds for one in loads), [one for one in loads if one.short_of(cores)]
    short_s = sum(one.seconds for one in short)
    if short_s < max(STARVED_S, MOST * whole_s):
        return ""
    what = " and ".join(dict.fromkeys(one.short_of(cores) for one in short))
    return f"short of {what} for {short_s:.0f} s of the {whole_s:.0f} s around the task that failed"


def of_checks(
    ask: Callable[[frozenset[str]], tuple[CheckResult, ...]],
    load: HostLoad,
    *,
    cores: int,
    sleep: Callable[[float], None],
    limit_s: float = CALM_LIMIT_S,
) -> tuple[CheckResult, ...]:
    """The results of a round of checks, and of a second one where the host was short of something during the first.

    ask: runs a round, of the checks of these names only, of all where none is given; sleep: passes the time until the host is in peace.
    """
    began_s = now_s()
    first = ask(frozenset())
    red, short = frozenset(one.check for one in first if one.outcome is Outcome.FAIL), starved(load.since(began_s), cores=cores)
    if not red or not short:
        return first

    if not until(lambda: _quiet(load.since(now_s() - CALM_S), cores), bool, limit_s=limit_s, sleep=sleep):
        return excused(first, short)
    began_s = now_s()
    again = {(one.check, one.node): one for one in ask(red)}
    still = starved(load.since(began_s), cores=cores)
    both = [_both(one, again.pop((one.check, one.node), None), short, still) for one in first]
    return (*both, *again.values())  # what the second round alone has to say, such as what it could not remove


def excused(results: tuple[CheckResult, ...], short: str) -> tuple[CheckResult, ...]:
    """`results`, in which failures carry what the host was `short` of; as they are where that is nothing."""
    return tuple(replace(one, excused=short) if one.outcome is Outcome.FAIL else one for one in results)


def _quiet(loads: Sequence[Load], cores: int) -> bool:
    return not any(load.short_of(cores) for load in loads)


def _both(first: CheckResult, again: CheckResult | None, short: str, still: str) -> CheckResult:
    """What both rounds say of one check on one node. short, still: what the host was short of during each."""
    if again is None or Outcome.FAIL not in (first.outcome, again.outcome):
        return first
    said = f"{first.said}; the host was {short}; asked again when it was not: {again.said}"
    if again.outcome is not Outcome.FAIL:
        return replace(again, outcome=Outcome.UNKNOWN, said=said)
    return replace(again, said=said, excused=still)
