from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from threading import Event
from typing import cast

import pytest

from lab import excuse
from lab.deadline import now_s, pausing
from lab.hostload import HostLoad, Load
from lab.model import CheckResult, Outcome, StageRun

IDLE = Load(at_s=0, seconds=2, idle_percent=80, iowait_percent=0, steal_percent=0, runnable=1, free_mib=9000)
BUSY = replace(IDLE, idle_percent=0, runnable=9)
RED = CheckResult(check="x", node="cp1", outcome=Outcome.FAIL, said="it is red")
GREEN = replace(RED, outcome=Outcome.PASS, said="it is green")
OTHER = replace(GREEN, check="y")


def sampled(*loads: Load) -> tuple[Load, ...]:
    """`loads`, one every two seconds from 1000 s on."""
    return tuple(replace(load, at_s=1000.0 + 2 * number) for number, load in enumerate(loads))


@dataclass
class Loads:
    """A host whose samples are given, and which moves by a sample each time that it is asked for the newest."""

    given: tuple[Load, ...] | None = None
    told: Iterator[tuple[Load, ...]] = field(default_factory=lambda: iter(()))

    def since(self, at_s: float, *, until_s: float = float("inf")) -> tuple[Load, ...]:
        if self.given is not None:
            return tuple(load for load in self.given if at_s <= load.at_s <= until_s)
        return next(self.told)


def stage(*, during: tuple[float, float] | None) -> StageRun:
    return StageRun(stage="kube-vip", rc=2, duration_s=60.0, failed_during=during)


def of_stage(run: StageRun, *loads: Load) -> str:
    return excuse.of_stage(run, cast("HostLoad", Loads(sampled(*loads))), cores=2)


def test_a_wait_of_which_the_host_took_most_is_excused() -> None:
    said = of_stage(stage(during=(1000.0, 1038.0)), *[BUSY] * 15, *[IDLE] * 5)
    assert said == "short of cores for 30 s of the 40 s around the task that failed"


@pytest.mark.parametrize(
    ("during", "loads"),
    [
        ((1000.0, 1038.0), [BUSY] * 5 + [IDLE] * 15),
        ((1040.0, 1060.0), [BUSY] * 14 + [IDLE] * 17),
        (None, [BUSY] * 20),
        ((1000.0, 1002.0), [BUSY] * 2),
        ((1000.0, 1038.0), []),
    ],
    ids=["most of it in peace", "long before the task", "no wait", "a moment", "nobody looked"],
)
def test_what_the_host_cannot_have_caused_is_not(during: tuple[float, float] | None, loads: list[Load]) -> None:
    assert of_stage(stage(during=during), *loads) == ""


def test_who_was_asked_may_have_been_lost_just_before() -> None:
    assert of_stage(stage(during=(1009.0, 1010.0)), *[BUSY] * 5, IDLE) != ""


def asked(
    first: tuple[CheckResult, ...], again: tuple[CheckResult, ...], *loads: Iterable[Load], limit_s: float = 60.0
) -> tuple[tuple[CheckResult, ...], list[frozenset[str]]]:
    """What comes of both rounds, and which checks each was asked for. loads: what the host gives each time that it is asked."""
    rounds, names = iter((first, again)), list[frozenset[str]]()

    def ask(of: frozenset[str]) -> tuple[CheckResult, ...]:
        names.append(of)
        return next(rounds)

    load = cast("HostLoad", Loads(told=iter([tuple(one) for one in loads])))
    return excuse.of_checks(ask, load, cores=2, limit_s=limit_s, sleep=lambda _: None), names


STARVED, CALM = [BUSY] * 3, [IDLE] * 3


def test_a_green_round_and_a_red_one_on_a_host_in_peace_are_asked_once() -> None:
    assert asked((GREEN, OTHER), (), STARVED) == ((GREEN, OTHER), [frozenset()])
    assert asked((RED, OTHER), (), CALM) == ((RED, OTHER), [frozenset()])


def test_what_is_red_in_peace_too_is_a_failure_without_excuse() -> None:
    (red, other), names = asked((RED, OTHER), (RED,), STARVED, STARVED, CALM, CALM)
    assert (red.outcome, red.excused) == (Outcome.FAIL, "")
    assert red.said == "it is red; the host was short of cores for 6 s without a pause; asked again when it was not: it is red"
    assert other == OTHER
    assert names == [frozenset(), {"x"}]


def test_what_is_green_in_peace_may_have_been_either() -> None:
    (result, _), _ = asked((RED, OTHER), (GREEN,), STARVED, CALM, CALM)
    assert result.outcome is Outcome.UNKNOWN
    assert result.said.endswith("it is green")


def test_what_only_the_second_round_says_is_told_too() -> None:
    left = replace(GREEN, check="what checks made is removed", outcome=Outcome.UNKNOWN)
    (_, other, extra), _ = asked((RED, OTHER), (GREEN, left), STARVED, CALM, CALM)
    assert (other, extra) == (OTHER, left)


def test_a_second_round_that_the_host_starved_too_leaves_the_excuse() -> None:
    (result, _), _ = asked((RED, OTHER), (RED,), STARVED, CALM, STARVED)
    assert (result.outcome, result.excused) == (Outcome.FAIL, "short of cores for 6 s without a pause")


def test_a_host_that_gives_no_peace_leaves_the_excuse_and_is_not_asked_again() -> None:
    (result, other), names = asked((RED, OTHER), (), STARVED, STARVED, limit_s=0.0)
    assert (result.outcome, result.excused, other) == (Outcome.FAIL, "short of cores for 6 s without a pause", OTHER)
    assert names == [frozenset()]


def test_the_end_of_a_run_is_heard_while_the_host_is_waited_for() -> None:
    stop = Event()
    stop.set()
    load = cast("HostLoad", Loads(given=tuple(replace(one, at_s=now_s() + 60) for one in STARVED)))
    with pytest.raises(KeyboardInterrupt):
        excuse.of_checks(lambda _: (RED,), load, cores=2, sleep=pausing(stop))


def test_only_failures_carry_an_excuse() -> None:
    assert excuse.excused((RED, OTHER), "short") == (replace(RED, excused="short"), OTHER)
    assert excuse.excused((RED, OTHER), "") == (RED, OTHER)
