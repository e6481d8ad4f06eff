from pathlib import Path
from threading import Event

import pytest

from lab import kindsteps
from lab.kindcluster import CILIUM, CLUSTER, POOLS
from lab.kindsteps import Step, steps
from lab.model import TaskEvent
from tests import made

SSH = """#!/bin/sh
while [ $# -gt 1 ]; do shift; done
exec sh -c "$1"
"""


@pytest.fixture(autouse=True)
def _ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ssh whose only node is this host."""
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def test_only_what_is_there_is_applied_cilium_first() -> None:
    assert steps({CLUSTER: ""}, kube_version="v1.29.5") == ()
    tasks = [one.task.partition(" ")[0] for one in steps({CLUSTER: "", POOLS: "p", CILIUM: "c"}, kube_version="v1.29.5")]
    assert tasks == ["Cilium", "Cilium", "MetalLB", "MetalLB", "MetalLB"]


def test_values_and_pools_are_what_the_steps_read() -> None:
    made_of = {one.task: one.stdin for one in steps({POOLS: "the pools", CILIUM: "the values"}, kube_version="v1.29.5")}
    assert made_of["Cilium | Apply its chart"] == "the values"
    assert made_of["MetalLB | Address pools and layer 2 advertisements"] == "the pools"


def applied(tmp_path: Path, *wanted: Step, stop: Event | None = None) -> tuple[int | None, list[TaskEvent]]:
    told: list[TaskEvent] = []
    done = kindsteps.apply(wanted, made.site(tmp_path), tell=told.append, stop=stop or Event())
    return (done.rc if done else None), told


def test_a_step_that_fails_is_the_last_one_and_says_why(tmp_path: Path) -> None:
    rc, told = applied(
        tmp_path, Step(task="a", script="cat", stdin="read"), Step(task="b", script="echo no >&2; exit 3"), Step(task="c", script="true")
    )
    assert rc == 3
    assert [(one.task, one.kind, one.said) for one in told] == [
        ("a", "start", ""),
        ("a", "changed", "read"),
        ("b", "start", ""),
        ("b", "failed", "no"),
    ]


def test_without_steps_there_is_no_end_to_tell(tmp_path: Path) -> None:
    assert applied(tmp_path) == (None, [])


def test_a_step_ends_when_the_run_does(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    rc, told = applied(tmp_path, Step(task="a", script="sleep 60"), stop=stop)
    assert rc is not None
    assert rc != 0
    assert told[-1].kind == "failed"
