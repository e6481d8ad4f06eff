"""What the host was short of while cells ran: busy cores, waiting tasks, steal, IO wait and memory, read from /proc every two seconds.

A cell that is red because its host was starved says nothing about what was installed; so the shortage is a fact of the cell.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from lab.deadline import now_s, pause_unless
from lab.host import HOST

EVERY_S = 2.0
STARVED_S = 5.0  # kube-vip's lease and etcd's election run out after 5 s
IDLE_PERCENT = 5.0  # below it the cores have nothing left to give
RUNNABLE_PER_CORE = 3  # tasks that want a core; more than that each wait for seconds
STEAL_PERCENT = 25.0
IOWAIT_PERCENT = 40.0
FREE_MIB = 512.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The host over `seconds` until `at_s` (Unix time). Percentages are of all cores together."""

    at_s: float
    seconds: float
    idle_percent: float
    iowait_percent: float
    steal_percent: float
    runnable: int
    free_mib: float

    def short_of(self, cores: int) -> str:
        """What the host had too little of, or nothing."""
        if self.free_mib < FREE_MIB:
            return "memory"
        if self.steal_percent > STEAL_PERCENT:
            return "time on its cores, which the machine below took"
        if self.iowait_percent > IOWAIT_PERCENT:
            return "disk"
        waits = self.idle_percent + self.iowait_percent < IDLE_PERCENT and self.runnable > RUNNABLE_PER_CORE * cores
        return "cores" if waits else ""


class HostLoad:
    """Samples the host inside a `with` block. tell: told each sample; root: where /proc is read from."""

    def __init__(self, *, tell: Callable[[Load], None] = lambda _: None, root: Path = HOST) -> None:
        self._tell, self._root, self._over, self._lock = tell, root, Event(), Lock()
        self._loads: list[Load] = []
        self._thread = Thread(target=self._watch, name="host load", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def since(self, at_s: float, *, until_s: float = math.inf) -> tuple[Load, ...]:
        """The samples that were taken after `at_s` and not after `until_s` (Unix times)."""
        with self._lock:
            return tuple(load for load in self._loads if at_s <= load.at_s <= until_s)

    def _watch(self) -> None:
        before, before_s = ticks(self._root), now_s()
        while not pause_unless(self._over, EVERY_S):
            after, after_s = ticks(self._root), now_s()
            load = between(before, after, at_s=after_s, seconds=after_s - before_s, root=self._root)
            before, before_s = after, after_s
            with self._lock:
                self._loads.append(load)
            self._tell(load)


def ticks(root: Path = HOST) -> tuple[int, ...]:
    """The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (proc_stat(5))."""
    return tuple(int(field) for field in (root / "proc/stat").read_text().split("\n", 1)[0].split()[1:9])


def between(before: tuple[int, ...], after: tuple[int, ...], *, at_s: float, seconds: float, root: Path = HOST) -> Load:
    """The load between two readings of `ticks`."""
    spent = [max(0, late - early) for early, late in zip(before, after, strict=True)]
    whole = sum(spent) or 1
    memory = dict(line.split(":", 1) for line in (root / "proc/meminfo").read_text().splitlines() if ":" in line)
    runnable = (root / "proc/loadavg").read_text().split()[3].partition("/")[0]
    return Load(
        at_s=at_s,
        seconds=seconds,
        idle_percent=100 * spent[3] / whole,
        iowait_percent=100 * spent[4] / whole,
        steal_percent=100 * spent[7] / whole,
        runnable=int(runnable),
        free_mib=int(memory["MemAvailable"].split()[0]) / 1024,
    )


def starved(loads: Sequence[Load], *, cores: int) -> str:
    """What the host was short of for longest without a pause, in words; nothing when that was too short to matter.

    One shortage may follow the other: each is told with its own seconds.
    """
    longest, current = dict[str, float](), dict[str, float]()
    for load in loads:
        short_of = load.short_of(cores)
        current = {**current, short_of: current.get(short_of, 0.0) + load.seconds} if short_of else {}
        longest = max(longest, current, key=lambda seconds: sum(seconds.values()))
    what = " and ".join(f"{name} for {seconds:.0f} s" for name, seconds in longest.items())
    return f"short of {what} without a pause" if sum(longest.values()) >= STARVED_S else ""


def told(loads: Sequence[Load], *, cores: int) -> str:
    """All of it in lines of `name: value`, for the evidence of a cell."""
    if not loads:
        return "samples: 0"
    rows = (
        ("samples", f"{len(loads)} over {sum(load.seconds for load in loads):.0f} s on {cores} cores"),
        ("busy", f"{100 - _mean(load.idle_percent + load.iowait_percent for load in loads):.0f} % on average"),
        ("runnable", f"{_mean(load.runnable for load in loads):.1f} on average, {max(load.runnable for load in loads)} at most"),
        ("steal", f"{max(load.steal_percent for load in loads):.0f} % at most"),
        ("iowait", f"{max(load.iowait_percent for load in loads):.0f} % at most"),
        ("memory", f"{min(load.free_mib for load in loads):.0f} MiB free at least"),
        ("starved", starved(loads, cores=cores) or "no"),
    )
    return "\n".join(f"{name}: {value}" for name, value in rows)


def _mean(values: Iterable[float]) -> float:
    given = tuple(values)
    return sum(given) / len(given)
