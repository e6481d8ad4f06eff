"""The one clock of the lab: nothing else sleeps or polls. It always pauses, always ends, and tells the last thing it saw."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from threading import Event
from typing import TypeVar

T = TypeVar("T")
MINUTES_FROM_S = 100.0  # durations are told in seconds below it
EVERY_S = 1.0  # kubelet and kube-vip act on scales of seconds


def minutes(seconds: object) -> str:
    """Seconds as people say them: `40 s`, `4 min`."""
    given = float(seconds) if isinstance(seconds, int | float) else 0.0
    return f"{given / 60:.0f} min" if given >= MINUTES_FROM_S else f"{given:.0f} s"


def now_s() -> float:
    """Unix time, in seconds."""
    return time.time()


def today() -> date:
    """The day it is in UTC, so that a file means the same wherever it is read."""
    return datetime.now(UTC).date()


def ticks_s() -> float:
    """A clock that never goes back, for durations, in seconds."""
    return time.monotonic()


def pause(seconds: float) -> None:
    """Sleep for `seconds`."""
    time.sleep(seconds)


def pause_unless(stop: Event, seconds: float) -> bool:
    """Sleep for `seconds` or until `stop` is set; tells whether it was set."""
    return stop.wait(seconds)


def heed(stop: Event) -> None:
    """Raise KeyboardInterrupt when `stop` is set: Ctrl-C itself reaches the main thread alone."""
    if stop.is_set():
        raise KeyboardInterrupt


def pausing(stop: Event) -> Callable[[float], None]:
    """A `pause` that KeyboardInterrupt ends as soon as `stop` is set."""

    def sleep(seconds: float) -> None:
        pause_unless(stop, seconds)
        heed(stop)

    return sleep


def until(
    seen: Callable[[], T],
    wanted: Callable[[T], bool],
    *,
    limit_s: float,
    every_s: float = EVERY_S,
    clock: Callable[[], float] = ticks_s,
    sleep: Callable[[float], None] = pause,
) -> T:
    """Ask until `wanted(seen())` or `limit_s` has passed; return the LAST answer either way."""
    end_s = clock() + limit_s
    while not wanted(answer := seen()) and clock() < end_s:
        sleep(every_s)
    return answer
