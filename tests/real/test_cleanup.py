"""What is left of a run that was ended by a signal: nothing, or what `spraylab gc` finds and deletes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import engine, gc, host, journal, nodeimage
from lab.command import run
from lab.deadline import until
from lab.owner import CELL, OWNER
from tests.real.conftest import PROJECT, spraylab

LAB = {"PYTHONPATH": str(PROJECT)}
pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]
CELL_ID = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"


@contextmanager
def cell_in_the_middle(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The lab as a process of its own, as soon as Ansible runs on its nodes."""
    words = ("repro", "kubespray-11338", "-k", "v2.25.0 and 1.29.5 and kube-vip:vip")
    with (folder / "log").open("w") as log:
        lab = subprocess.Popen((sys.executable, "-m", "lab.cli", *words), cwd=folder, env={**os.environ, **LAB}, stdout=log, stderr=log)
    try:
        assert until(lambda: task_began(folder) or lab.poll() is not None, bool, limit_s=3000), (folder / "log").read_text()
        assert lab.poll() is None, (folder / "log").read_text()
        yield lab
    finally:
        lab.kill()
        lab.wait()


def task_began(folder: Path) -> bool:
    return any(line.kind == "task" for path in folder.glob("runs/*/journal.jsonl") for line in journal.read(path))


def owned(connected: engine.Engine, run_ids: set[str]) -> list[str]:
    things = (*connected.containers(OWNER), *connected.networks(OWNER), *connected.volumes(OWNER))
    return [thing.name for thing in things if thing.labels[OWNER] in run_ids]


def started_by(pid: int) -> list[int]:
    return [one for one in host.processes() if host.environment(one).get("SPRAYLAB_PID") == str(pid)]


def test_after_kill_9_gc_shows_then_deletes_all_of_the_run_and_nothing_else(tmp_path: Path) -> None:
    foreign = f"foreign-{os.getpid()}"
    with engine.connect() as connected:
        connected.run_plain(nodeimage.ensure(connected), ("sleep", "600"), name=foreign, labels={"app": "web"})
        try:
            with cell_in_the_middle(tmp_path) as lab:
                mine = {thing.labels[OWNER] for thing in connected.containers(CELL) if thing.labels["spraylab.pid"] == str(lab.pid)}
                os.kill(lab.pid, signal.SIGKILL)
                lab.wait()
            assert len(mine) == 1
            assert owned(connected, mine)
            shown = spraylab("gc", cwd=tmp_path)
            assert "`spraylab gc --yes` deletes them" in shown.stdout
            assert owned(connected, mine), "gc without --yes deleted something"
            assert spraylab("gc", "--yes", cwd=tmp_path).rc == 0
            assert owned(connected, mine) == []
            assert started_by(lab.pid) == []
            assert not [one for one in gc.leftovers(connected) if one.run_id in mine]
            assert foreign in [thing.name for thing in connected.containers("app=web")]
        finally:
            connected.remove_container(foreign)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_end_takes_everything_down_first(tmp_path: Path, sign: signal.Signals) -> None:
    with cell_in_the_middle(tmp_path) as lab, engine.connect() as connected:
        mine = {thing.labels[OWNER] for thing in connected.containers(CELL) if thing.labels["spraylab.pid"] == str(lab.pid)}
        lab.send_signal(sign)
        assert lab.wait(timeout=60) == 130, (tmp_path / "log").read_text()
        assert len(mine) == 1
        assert owned(connected, mine) == []
        assert started_by(lab.pid) == []
        assert not [one for one in gc.leftovers(connected) if one.run_id in mine]


def test_kept_nodes_are_opened_by_shell_and_removed_by_gc(tmp_path: Path) -> None:
    done = spraylab("repro", "kubespray-11338", "-k", "v2.25.0 and 1.29.5 and kube-vip:vip", "--keep=always", cwd=tmp_path)
    assert done.rc == 0, done.stdout
    words = (sys.executable, "-m", "lab.cli", "shell", "kube-vip:vip", "cp1")
    opened = run(words, limit_s=60, cwd=tmp_path, env=LAB, stdin="hostname; ip -4 -o addr\n")
    assert "cp1" in opened.stdout.split()
    assert "10.231." in opened.stdout
    assert spraylab("gc", "--yes", cwd=tmp_path).rc == 0
    assert spraylab("gc", cwd=tmp_path).stdout == "nothing is left over\n"
    gone = spraylab("shell", "kube-vip:vip", "cp1", cwd=tmp_path)
    assert (gone.rc, "are gone" in gone.stderr) == (4, True)


def test_a_finished_run_leaves_nothing(main_job: object) -> None:
    with engine.connect() as connected:
        assert [one for one in gc.leftovers(connected) if one.kind != "process"] == []
