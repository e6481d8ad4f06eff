from threading import Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.over import Over
from lab.schedule import Job, Need, Schedule, forecast_s

SMALL, LARGE = Need(memory_mib=1000, cores=1), Need(memory_mib=3000, cores=3)
HOST = Need(memory_mib=4000, cores=2)
LIMIT_S = 10.0


class Counted:
    """Work that tells how many ran at once, and goes on when all it waits for are there."""

    def __init__(self, together: int) -> None:
        self.now, self.most, self.done, self._together, self._lock, self._all = 0, 0, 0, together, Lock(), Event()

    def __call__(self) -> None:
        with self._lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now == self._together:
                self._all.set()
        assert self._all.wait(LIMIT_S)
        with self._lock:
            self.now -= 1
            self.done += 1


@pytest.mark.parametrize(
    ("need", "host", "limit", "together"),
    [
        (SMALL, HOST, None, 2),
        (SMALL, Need(memory_mib=1500, cores=8), None, 1),
        (SMALL, Need(memory_mib=3500, cores=8), None, 3),
        (SMALL, Need(memory_mib=9000, cores=8), 2, 2),
        (LARGE, HOST, None, 1),
        (Need(memory_mib=1, cores=0, inotify=30), Need(memory_mib=9000, cores=8, inotify=100), None, 3),
    ],
    ids=["cores", "memory for one", "memory for three", "limit", "more than the host has", "inotify"],
)
def test_as_much_runs_at_once_as_the_host_has_room_for(need: Need, host: Need, limit: int | None, together: int) -> None:
    work = Counted(together)
    with Schedule([Job(need=need, work=work)] * 4, capacity=host, over=Over(), limit=limit) as schedule:
        schedule.wait()
    assert (work.done, work.most) == (4, together)


def test_what_was_not_begun_when_the_end_is_asked_for_never_begins() -> None:
    over, begun = Over(), Event()
    done: list[str] = []

    def first() -> None:
        begun.set()
        with over.bound() as ended:
            assert ended.wait(LIMIT_S)
        done.append("first")
        raise KeyboardInterrupt

    jobs = [Job(need=LARGE, work=first), Job(need=LARGE, work=lambda: done.append("second"))]
    with Schedule(jobs, capacity=HOST, over=over):
        assert begun.wait(LIMIT_S)
    assert done == ["first"]
    assert over.asked


def test_a_run_that_came_to_its_end_was_not_asked_to() -> None:
    over = Over()
    with Schedule([Job(need=SMALL, work=lambda: None)], capacity=HOST, over=over) as schedule:
        schedule.wait()
    assert not over.asked


@pytest.mark.parametrize(
    ("jobs", "limit", "seconds"),
    [
        ([], None, 0.0),
        ([(SMALL, 10.0)] * 4, None, 20.0),
        ([(SMALL, 10.0)] * 4, 1, 40.0),
        ([(SMALL, 30.0), (SMALL, 10.0), (SMALL, 10.0), (SMALL, 10.0)], None, 30.0),
        ([(LARGE, 10.0), (SMALL, 5.0)], None, 15.0),
    ],
)
def test_a_forecast_is_what_the_schedule_would_take(jobs: list[tuple[Need, float]], limit: int | None, seconds: float) -> None:
    assert forecast_s(jobs, HOST, limit=limit) == seconds


@given(st.lists(st.tuples(st.sampled_from([SMALL, LARGE]), st.floats(1, 100))))
def test_a_forecast_lies_between_the_longest_job_and_all_of_them_one_by_one(jobs: list[tuple[Need, float]]) -> None:
    seconds = [seconds for _, seconds in jobs]
    assert max(seconds, default=0.0) <= forecast_s(jobs, HOST) <= sum(seconds) + 1e-6
