"""Which work runs beside which: as much at once as the host has memory and cores for, in the order given where both would fit."""

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from lab.over import Over


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What work takes of the host while it runs, or what the host has. `cores`: how many it keeps busy on average; `inotify`: instances,
    of which a user may have 128 where nobody raised that."""

    memory_mib: float
    cores: float
    inotify: int = 0

    def fits(self, running: Sequence["Need"], capacity: "Need", *, limit: int | None) -> bool:
        """Whether this can start beside `running`. Alone, anything may: it is the host's best try."""
        if not running:
            return True
        memory_mib = self.memory_mib + sum(one.memory_mib for one in running)
        cores = self.cores + sum(one.cores for one in running)
        inotify = self.inotify + sum(one.inotify for one in running)
        room = memory_mib <= capacity.memory_mib and cores <= capacity.cores and inotify <= capacity.inotify
        return room and (limit is None or len(running) < limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work that takes `need` of the host; `work` must not raise anything but KeyboardInterrupt, which means: it was ended."""

    need: Need
    work: Callable[[], None]


class Schedule:
    """Runs jobs on threads inside a `with` block; leaving the block before all are done asks for the end and waits for it."""

    def __init__(self, jobs: Sequence[Job], *, capacity: Need, over: Over, limit: int | None = None) -> None:
        self._waiting, self._capacity, self._over, self._limit = list(jobs), capacity, over, limit
        self._running: dict[int, Need] = {}
        self._changed = Condition()
        self._starter = Thread(target=self._start_all, name="schedule", daemon=True)

    def __enter__(self) -> Self:
        self._starter.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._waiting or self._running:
            self._over.ask()
        with self._changed:
            self._changed.notify_all()
        self._starter.join()

    def wait(self) -> None:
        """Until all jobs are done."""
        self._starter.join()

    def _start_all(self) -> None:
        with self._changed:
            while self._waiting and not self._over.asked:
                job = next((one for one in self._waiting if self._fits(one)), None)
                if job is None:
                    self._changed.wait()
                    continue
                self._waiting.remove(job)
                number = max(self._running, default=0) + 1
                self._running[number] = job.need
                Thread(target=self._run, args=(job, number), name=f"course-{number}", daemon=True).start()
            while self._running:
                self._changed.wait()

    def _fits(self, job: Job) -> bool:
        return job.need.fits(tuple(self._running.values()), self._capacity, limit=self._limit)

    def _run(self, job: Job, number: int) -> None:
        try:
            job.work()
        except KeyboardInterrupt:
            self._over.ask()
        finally:
            with self._changed:
                del self._running[number]
                self._changed.notify_all()


def forecast_s(jobs: Sequence[tuple[Need, float]], capacity: Need, *, limit: int | None = None) -> float:
    """How long a schedule of `jobs`, each with the seconds it takes, takes in all."""
    waiting: dict[Need, deque[tuple[int, float]]] = {}  # by need, of which there are few: thousands of jobs are planned at once
    for number, (need, seconds) in enumerate(jobs):
        waiting.setdefault(need, deque()).append((number, seconds))
    running: list[tuple[float, int, Need]] = []
    now_s = 0.0
    while waiting:
        beside = [need for *_, need in running]
        fitting = [need for need in waiting if need.fits(beside, capacity, limit=limit)]
        if not fitting:
            now_s = heapq.heappop(running)[0]
            continue
        need = min(fitting, key=lambda one: waiting[one][0][0])
        number, seconds = waiting[need].popleft()
        if not waiting[need]:
            del waiting[need]
        heapq.heappush(running, (now_s + seconds, number, need))
    return max((end_s for end_s, *_ in running), default=now_s)
