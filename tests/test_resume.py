import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab import matrix, owner, resume
from lab.errors import ScenarioError
from lab.matrix import CellResult
from lab.model import Cell, Ref
from lab.resume import Earlier
from tests import made

CELL = made.cell()
MITIGATED = replace(CELL, mitigations=("slow",), variables=(("kube_vip_leaseduration", "15"),))


def a_run(runs: Path, name: str, *results: CellResult) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    matrix.write(made.matrix(*(results or (made.result(name="green"), made.result(made.RED, name="red")))), folder)
    return folder


def found(runs: Path, *cells: Cell, failed: bool = False, say: Callable[[str], None] = lambda _: None) -> Earlier:
    return resume.find(runs, scenarios=("kubespray-11338",), patience="early", failed=failed, cells=cells, say=say)


def test_a_run_goes_on_with_what_has_a_verdict(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    newest = a_run(tmp_path, "20261102-000000")
    earlier = found(tmp_path)
    assert earlier.folder == newest
    assert [one.id for one in earlier.kept] == ["green", "red"]


def test_what_was_red_is_run_again_when_asked(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    assert [one.id for one in found(tmp_path, failed=True).kept] == ["green"]


def test_a_result_from_before_a_branch_moved_does_not_stand(tmp_path: Path) -> None:
    before, now = (Ref(source="kubespray", name="master", release="v2.25.0", commit=commit * 40) for commit in "01")
    cell = replace(CELL, ref=now)
    for ref, stands in ((before, []), (now, [cell.id])):
        runs = tmp_path / ref.commit
        a_run(runs, "20261101-000000", replace(made.result(name=cell.id), ref=ref.label))
        assert [one.id for one in found(runs, cell).kept] == stands


def test_a_result_of_other_variables_does_not_stand(tmp_path: Path) -> None:
    result = replace(made.result(name=MITIGATED.id), variables=dict(MITIGATED.variables))
    a_run(tmp_path, "20261101-000000", result)
    assert found(tmp_path, MITIGATED).kept == (result,)
    assert found(tmp_path, replace(MITIGATED, variables=(("kube_vip_leaseduration", "30"),))).kept == ()


def test_a_run_that_cannot_be_read_is_passed_over_and_said(tmp_path: Path) -> None:
    older = a_run(tmp_path, "20261101-000000")
    broken, other = (a_run(tmp_path, name) / matrix.FILE for name in ("20261102-000000", "20261103-000000"))
    broken.write_text("{")
    other.write_text(other.read_text().replace('"version": 1', '"version": 2'))
    said: list[str] = []
    assert found(tmp_path, say=said.append).folder == older
    assert [one.partition(":")[0] for one in said] == [f"run {name} is passed over" for name in ("20261103-000000", "20261102-000000")]


def test_a_run_in_which_somebody_works_is_left_alone(tmp_path: Path) -> None:
    a_run(tmp_path, "20261101-000000")
    newest = a_run(tmp_path, "20261102-000000")
    said = rf"20261102-000000 cannot be gone on with\n.*process {os.getpid()} still works in it\n.*leave --resume"
    with owner.signed(newest, run_id="r1"), pytest.raises(ScenarioError, match=said):
        found(tmp_path)
    assert found(tmp_path).folder == newest


def test_a_run_whose_process_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    newest = a_run(tmp_path, "20261102-000000")
    (newest / owner.OWNER_FILE).write_text(json.dumps({"run_id": "r1", "pid": os.getpid(), "started": "of another process"}))
    assert found(tmp_path).folder == newest


@pytest.mark.parametrize(
    ("scenarios", "patience", "said"), [(("other",), "early", "no run of other"), (("kubespray-11338",), "full", "patience")]
)
def test_another_question_is_no_run_to_go_on_with(tmp_path: Path, scenarios: tuple[str, ...], patience: str, said: str) -> None:
    a_run(tmp_path, "20261101-000000")
    with pytest.raises(ScenarioError, match=said):
        resume.find(tmp_path, scenarios=scenarios, patience=patience, failed=False, cells=())


def test_what_an_earlier_try_left_is_kept_aside(tmp_path: Path) -> None:
    for text in ("first", "second"):
        folder = tmp_path / "cells" / "a"
        folder.mkdir(parents=True)
        (folder / "ansible.log").write_text(text)
        resume.set_aside(tmp_path, "a")
        assert not folder.exists()
    assert [(tmp_path / "before" / f"a.{number}" / "ansible.log").read_text() for number in (1, 2)] == ["first", "second"]
    resume.set_aside(tmp_path, "never run")
