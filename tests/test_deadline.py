from datetime import UTC, datetime
from threading import Event

import pytest

from lab.deadline import heed, minutes, now_s, pause_unless, pausing, ticks_s, today, until


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


def test_what_is_there_at_once_is_not_waited_for() -> None:
    clock = Clock()
    assert until(lambda: 1, bool, limit_s=10, clock=clock, sleep=clock.sleep) == 1
    assert clock.slept == []


def test_asking_ends_as_soon_as_the_wanted_answer_comes() -> None:
    clock, answers = Clock(), iter([0, 0, 3, 4])
    assert until(lambda: next(answers), bool, limit_s=10, clock=clock, sleep=clock.sleep) == 3
    assert clock.slept == [1.0, 1.0]


def test_at_the_limit_the_last_answer_is_told() -> None:
    clock, asked = Clock(), []

    def ask() -> str:
        asked.append(clock.now_s)
        return f"not yet at {clock.now_s:.0f}"

    assert until(ask, lambda _: False, limit_s=3, every_s=2, clock=clock, sleep=clock.sleep) == "not yet at 4"
    assert asked == [0.0, 2.0, 4.0]


def test_a_pause_ends_when_it_is_told_to() -> None:
    stop = Event()
    assert not pause_unless(stop, 0.0)
    stop.set()
    assert pause_unless(stop, 3600.0)


def test_what_waits_is_interrupted_when_it_is_told_to_end() -> None:
    stop = Event()
    heed(stop)
    pausing(stop)(0.0)
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        heed(stop)
    with pytest.raises(KeyboardInterrupt):
        until(lambda: False, bool, limit_s=3600, every_s=3600, sleep=pausing(stop))


def test_clocks_go_forward() -> None:
    assert (now_s(), ticks_s()) <= (now_s(), ticks_s())


def test_seconds_are_told_as_people_say_them() -> None:
    assert [minutes(seconds) for seconds in (40.2, 240.0, "unknown")] == ["40 s", "4 min", "0 s"]


def test_today_is_the_day_in_utc() -> None:
    before, now, after = datetime.fromtimestamp(now_s(), UTC).date(), today(), datetime.fromtimestamp(now_s(), UTC).date()
    assert before <= now <= after
