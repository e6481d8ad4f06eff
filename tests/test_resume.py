from pathlib import Path

import pytest

from lab import matrix, resume
from lab.errors import ScenarioError
from tests import made


def a_run(runs: Path, name: str) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    matrix.write(made.matrix(made.result(name="green"), made.result(made.RED, name="red")), folder)
    return folder


def test_a_run_goes_on_with_what_has_a_verdict(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    newest = a_run(tmp_path, "20261102-000000")
    found = resume.find(tmp_path, scenarios=("kubespray-11338",), patience="early", failed=False, refs={})
    assert found.folder == newest
    assert [one.id for one in found.kept] == ["green", "red"]


def test_what_was_red_is_run_again_when_asked(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    found = resume.find(tmp_path, scenarios=("kubespray-11338",), patience="early", failed=True, refs={})
    assert [one.id for one in found.kept] == ["green"]


def test_a_result_from_before_a_branch_moved_does_not_stand(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    now = {"red": "replica of v2.25.0", "green": "kubespray master (0123456789)"}
    found = resume.find(tmp_path, scenarios=("kubespray-11338",), patience="early", failed=False, refs=now)
    assert [one.id for one in found.kept] == ["red"]


@pytest.mark.parametrize(
    ("scenarios", "patience", "said"), [(("other",), "early", "no run of other"), (("kubespray-11338",), "full", "patience")]
)
def test_another_question_is_no_run_to_go_on_with(tmp_path: Path, scenarios: tuple[str, ...], patience: str, said: str) -> None:
    a_run(tmp_path, "20261101-000000")
    with pytest.raises(ScenarioError, match=said):
        resume.find(tmp_path, scenarios=scenarios, patience=patience, failed=False, refs={})


def test_what_an_earlier_try_left_is_kept_aside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        folder = tmp_path / "cells" / "a"
        folder.mkdir(parents=True)
        (folder / "ansible.log").write_text(text)
        resume.set_aside(tmp_path, "a")
        assert not folder.exists()
    assert [(tmp_path / "before" / f"a.{number}" / "ansible.log").read_text() for number in (1, 2)] == ["first", "second"]
    resume.set_aside(tmp_path, "never run")
