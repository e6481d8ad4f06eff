from pathlib import Path

import pytest

from lab import matrix, runfolder
from lab.errors import HostError, ScenarioError
from lab.journal import Journal
from tests import made


def test_the_newest_run_is_the_one_with_the_latest_name(tmp_path: Path) -> None:
    for name in ("20261101-000000", "20261102-000000"):
        (tmp_path / name).mkdir()
        matrix.write(made.matrix(made.result()), tmp_path / name)
    (tmp_path / "20261103-000000").mkdir()  # one that was killed before its first cell ended
    assert runfolder.newest(tmp_path).name == "20261102-000000"


def test_a_run_that_ended_before_any_verdict_is_told_with_what_it_left(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with pytest.raises(
        ScenarioError, match=rf"no cell of the run {tmp_path.name} got its verdict\n.*no cell had begun, and .*journal.jsonl says"
    ):
        runfolder.shown(tmp_path)
    (tmp_path / "cells" / "a").mkdir(parents=True)
    with pytest.raises(ScenarioError, match="cells/ has what there is of a, and "):
        runfolder.shown(tmp_path)
    matrix.write(made.matrix(made.result()), tmp_path)
    assert runfolder.shown(tmp_path) == made.matrix(made.result())
    assert runfolder.shown(tmp_path / "matrix.json") == made.matrix(made.result())


def test_where_nothing_ran_there_is_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no run to show"):
        runfolder.newest(tmp_path)


def test_two_runs_of_one_second_have_a_folder_each(tmp_path: Path) -> None:
    first, second = (runfolder.make(tmp_path / "runs", 0.0) for _ in range(2))
    assert (first.name, second.name) == ("19700101-000000", "19700101-000000-1")
    assert runfolder.run_id(first) != runfolder.run_id(second)


def test_where_no_folder_can_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(HostError, match="cannot make a folder for the run"):
        runfolder.make(tmp_path / "runs", 0.0)
