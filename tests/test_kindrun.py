"""kind's part is played by a shell script that says what kind v0.29.0 said on real nodes."""

from pathlib import Path
from threading import Event

import pytest

from lab.command import RC_LIMIT, RC_STOPPED
from lab.deadline import until
from lab.kindcluster import init
from lab.kindrun import Creation, step_of
from lab.model import TaskEvent

BEFORE = """\
echo 'enabling experimental podman provider' >&2
echo ' • Preparing nodes 📦   ...' >&2
echo ' ✓ Preparing nodes 📦' >&2
echo ' • Starting control-plane 🕹️  ...' >&2
until [ -e {gate} ]; do sleep 0.05; done
"""
GREEN = "echo ' ✓ Starting control-plane 🕹️' >&2\n"
RED = """\
echo ' ✗ Starting control-plane 🕹️' >&2
echo 'ERROR: failed to init node with kubeadm: command "podman exec x kubeadm init --v=6" failed with error: exit status 1' >&2
echo 'Command Output: timed out waiting for the condition' >&2
exit 1
"""


def creation(tmp_path: Path, script: str) -> Creation:
    gate = tmp_path / "gate"
    made = Creation(("sh", "-c", script.format(gate=gate)), env={}, gate=gate, node="cp1")
    made.begin()
    assert until(lambda: made.held() or made.over(), bool, limit_s=10, every_s=0.02)
    return made


@pytest.mark.parametrize(
    ("line", "kind", "task"),
    [
        (" • Starting control-plane 🕹️  ...", "start", "Starting control-plane"),
        (" ✓ Starting control-plane 🕹️", "ok", "Starting control-plane"),
        (" ✗ Preparing nodes 📦 📦 ", "failed", "Preparing nodes"),
        (" • Ensuring node image (localhost/x:1) 🖼  ...", "start", "Ensuring node image (localhost/x:1)"),
    ],
)
def test_a_step_is_told_without_its_picture(line: str, kind: str, task: str) -> None:
    assert step_of(line, at_s=1.0, node="cp1") == TaskEvent(at_s=1.0, kind=kind, task=task, node="cp1")


@pytest.mark.parametrize("line", ["", 'Creating cluster "x" ...', "ERROR: failed to create cluster", "Have a nice day! 👋"])
def test_another_line_is_no_step(line: str) -> None:
    assert step_of(line, at_s=1.0, node="cp1") is None


def test_kubeadm_init_begins_when_it_is_let_go_and_not_before(tmp_path: Path) -> None:
    made = creation(tmp_path, BEFORE + GREEN)
    assert made.over() is None
    assert not (tmp_path / "gate").exists()
    told: list[TaskEvent] = []
    done, events = made.finish(on_event=told.append, stop=Event(), limit_s=10)
    assert done.rc == 0
    assert [(one.task, one.kind) for one in events] == [
        ("Preparing nodes", "start"),
        ("Preparing nodes", "ok"),
        (init().task, "start"),
        (init().task, "ok"),
    ]
    assert told == list(events)
    assert [one.at_s for one in events] == sorted(one.at_s for one in events)


def test_a_failed_init_has_kubeadms_exit_code_and_last_words(tmp_path: Path) -> None:
    done, events = creation(tmp_path, BEFORE + RED).finish(on_event=lambda _: None, stop=Event(), limit_s=10)
    assert done.rc == 1
    assert (events[-1].kind, events[-1].task, events[-1].rc) == ("failed", init().task, 1)
    assert events[-1].said.endswith("timed out waiting for the condition")


def test_it_is_ended_when_asked(tmp_path: Path) -> None:
    made, stop = creation(tmp_path, BEFORE + "sleep 60\n"), Event()
    stop.set()
    done, events = made.finish(on_event=lambda _: None, stop=stop, limit_s=10)
    assert done.rc == RC_STOPPED
    assert events[-1].kind == "start"


def test_a_limit_that_ran_out_is_told_from_an_end_that_was_asked_for(tmp_path: Path) -> None:
    done, _ = creation(tmp_path, BEFORE + "sleep 60\n").finish(on_event=lambda _: None, stop=Event(), limit_s=0.3)
    assert done.rc == RC_LIMIT


def test_what_fails_before_init_is_over_and_never_held(tmp_path: Path) -> None:
    made = creation(tmp_path, "echo ' • Preparing nodes 📦   ...'; echo ' ✗ Preparing nodes 📦'; echo 'ERROR: no'; exit 1")
    done = until(made.over, bool, limit_s=10, every_s=0.02)
    assert done is not None
    assert (done.rc, made.held()) == (1, False)


def test_what_never_began_is_ended_without_harm(tmp_path: Path) -> None:
    made = Creation(("false",), env={}, gate=tmp_path / "gate", node="cp1")
    made.end()
    made.end()
    assert made.over() is None
