"""What is written down while a stage runs; the stage itself is seen on real nodes, in tests/real."""

from pathlib import Path

import pytest

from lab.errors import InstallError
from lab.journal import Journal, Line
from lab.model import StageRun, TaskEvent
from lab.stagerun import Reporter, _see_end, _Tasks


def heard(tmp_path: Path, *events: TaskEvent) -> tuple[list[Line], set[str]]:
    lines: list[Line] = []
    written = Journal(tmp_path, tell=lines.append)
    tasks = _Tasks(Reporter(journal=written, course="c"))
    for event in events:
        tasks.heard(event)
    written.close()
    return lines, tasks.ended_as


def test_a_task_is_written_with_how_long_it_took(tmp_path: Path) -> None:
    began, ended = (
        TaskEvent(at_s=10.0, kind="start", task="t", node="cp1"),
        TaskEvent(at_s=12.5, kind="failed", task="t", node="cp1", said="no", rc=1),
    )
    lines, ended_as = heard(tmp_path, began, ended)
    assert [(line.cell, line.name, line.node, line.duration_s, line.said) for line in lines] == [
        ("c", "t", "cp1", None, ""),
        ("c", "t", "cp1", 2.5, "no"),
    ]
    assert ended_as == {"failed"}


def test_what_a_task_that_went_well_said_is_not_written(tmp_path: Path) -> None:
    (line,), _ = heard(tmp_path, TaskEvent(at_s=1.0, kind="ok", task="t", node="cp1", said="a secret"))
    assert line.said == ""


def test_an_ansible_that_somebody_killed_is_an_error_of_the_lab(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="SIGKILL ended it after 12 s"):
        _see_end(StageRun(stage="kube-vip", rc=-9, duration_s=12.0), tmp_path)


@pytest.mark.parametrize("rc", [0, 2, 124, None])
def test_an_ansible_that_ended_by_itself_or_by_the_lab_is_a_result(tmp_path: Path, rc: int | None) -> None:
    _see_end(StageRun(stage="kube-vip", rc=rc, duration_s=12.0), tmp_path)
