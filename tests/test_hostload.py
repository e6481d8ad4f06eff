from pathlib import Path

import pytest

from lab import hostload
from lab.deadline import until
from lab.hostload import HostLoad, Load

IDLE = Load(at_s=0, seconds=2, idle_percent=80, iowait_percent=0, steal_percent=0, runnable=1, free_mib=9000)


def load(**changed: float) -> Load:
    given = {"at_s": 0, "seconds": 2, "idle_percent": 80, "iowait_percent": 0, "steal_percent": 0, "runnable": 1, "free_mib": 9000}
    return Load(**{**given, **changed})  # type: ignore[arg-type]


def root(folder: Path, *, stat: str = "cpu  10 0 10 60 10 0 0 10 0 0\ncpu0 1\n") -> Path:
    (folder / "proc").mkdir(exist_ok=True)
    (folder / "proc/stat").write_text(stat)
    (folder / "proc/meminfo").write_text("MemTotal: 2048000 kB\nMemAvailable: 1024000 kB\n")
    (folder / "proc/loadavg").write_text("3.43 3.22 1.98 8/108 5170\n")
    return folder


def test_a_load_is_what_passed_between_two_readings(tmp_path: Path) -> None:
    before = hostload.ticks(root(tmp_path))
    after = hostload.ticks(root(tmp_path, stat="cpu  20 0 20 80 20 0 0 60 0 0\n"))
    made = hostload.between(before, after, at_s=5.0, seconds=2.0, root=tmp_path)
    assert made == Load(at_s=5.0, seconds=2.0, idle_percent=20, iowait_percent=10, steal_percent=50, runnable=8, free_mib=1000)


@pytest.mark.parametrize(
    ("seen", "what"),
    [
        (load(), ""),
        (load(idle_percent=0, runnable=4), ""),
        (load(idle_percent=0, runnable=9), "cores"),
        (load(idle_percent=0, iowait_percent=50, runnable=1), "disk"),
        (load(steal_percent=30), "time on its cores, which the machine below took"),
        (load(free_mib=100), "memory"),
    ],
)
def test_a_host_is_short_of_what_leaves_tasks_waiting(seen: Load, what: str) -> None:
    assert seen.short_of(2) == what


def test_a_short_moment_is_no_starvation_and_a_pause_ends_one() -> None:
    busy = load(idle_percent=0, runnable=9)
    assert hostload.starved([busy, busy], cores=2) == ""
    assert hostload.starved([busy, busy, IDLE, busy, busy], cores=2) == ""
    assert hostload.starved([IDLE, busy, busy, busy, IDLE], cores=2) == "short of cores for 6 s without a pause"
    assert hostload.starved([busy, busy, busy], cores=4) == ""


def test_shortages_that_follow_each_other_are_told_each_with_its_own_seconds() -> None:
    busy, slow = load(idle_percent=0, runnable=9), load(iowait_percent=50)
    assert hostload.starved([busy, busy, slow], cores=2) == "short of cores for 4 s and disk for 2 s without a pause"
    assert (
        hostload.starved([slow, busy, busy, busy, IDLE, slow, slow, slow, slow, slow], cores=2) == "short of disk for 10 s without a pause"
    )


def test_all_of_it_is_told_in_lines() -> None:
    busy = load(idle_percent=0, runnable=9, free_mib=700)
    lines = hostload.told([IDLE, busy, busy, busy], cores=2).splitlines()
    assert "starved: short of cores for 6 s without a pause" in lines
    assert "runnable: 7.0 on average, 9 at most" in lines
    assert "memory: 700 MiB free at least" in lines
    assert hostload.told([], cores=2) == "samples: 0"


def test_the_host_is_sampled_while_the_block_runs() -> None:
    seen: list[Load] = []
    with HostLoad(tell=seen.append) as sampled:
        until(lambda: seen, bool, limit_s=20)
    assert sampled.since(0) == tuple(seen)
    assert sampled.since(seen[-1].at_s + 1) == ()
    assert sampled.since(0, until_s=seen[0].at_s - 1) == ()
    assert 0 <= seen[0].idle_percent <= 100
