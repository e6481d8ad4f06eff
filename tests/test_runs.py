"""Which results a run has and what it announces; that it runs them is seen on real nodes, in tests/real."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from lab import journal, matrix, runs
from lab.course import courses
from lab.engine import Engine
from lab.errors import HostError, LabError, ScenarioError
from lab.estimate import Forecast
from lab.host import node_needs
from lab.hostload import HostLoad
from lab.journal import Journal
from lab.matrix import CellResult
from lab.model import Cell, Outcome
from lab.over import Over
from lab.ready import Options
from lab.runs import Asked, Run
from lab.schedule import Need, Schedule
from lab.shared import Lab
from tests import made

HOST = Need(memory_mib=16000, cores=4, inotify=128)
CELLS = tuple(made.cell(ordering, kube_version="v1.29.99") for ordering in ("metallb > kube-vip", "metallb", "base"))  # cannot be built


def asked(cells: tuple[Cell, ...] = CELLS, *, known: tuple[str, ...] = ()) -> Asked:
    return Asked(scenarios=("one",), cells=cells, because={}, left_out=(), known=lambda _cell, finding: known if finding else ())


def run(folder: Path, *, kept: tuple[CellResult, ...] = (), known: tuple[str, ...] = ()) -> Run:
    lab = Lab(run_id="r", folder=folder, journal=Journal(folder), engine=cast("Engine", None), load=HostLoad())
    of = courses(cell for cell in CELLS if cell.id not in {one.id for one in kept})
    return Run(lab, asked(known=known), empty=made.matrix(), kept=kept, of=of, forecast=Forecast(of, [], capacity=HOST, limit=None))


def test_every_cell_gets_its_result_whatever_runs_beside_it(tmp_path: Path) -> None:
    made_run = run(tmp_path)
    with Schedule(made_run.jobs(), capacity=HOST, over=made_run.lab.over):
        results = [made_run.result(cell) for cell in CELLS]
    assert [one.id for one in results] == [cell.id for cell in CELLS]
    assert {one.verdict.outcome for one in results} == {Outcome.ERROR}
    read = matrix.read(tmp_path)
    assert [one.id for one in read.cells] == [cell.id for cell in CELLS]  # in the order asked for, not that of their ends
    made_run.lab.journal.close()


def test_an_engine_is_asked_for_only_where_nodes_are_its(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with pytest.raises(HostError, match="Docker engine"), runs.opened(Options(runs=tmp_path / "runs"), asked(), tell=lambda _: None):
        pytest.fail("no engine answers")
    assert not (tmp_path / "runs").exists()
    monkeypatch.setattr("lab.bed.find", lambda _name: SimpleNamespace(by_engine=False, needs=node_needs, conditions=lambda: ()))
    options = Options(runs=tmp_path / "runs", asked="verdicts")
    with runs.opened(options, asked(), tell=lambda _: None) as made_run:
        assert made_run.matrix.asked == "verdicts"
        assert made_run.result(CELLS[0]).verdict.outcome is Outcome.ERROR, "it cannot be built"
        assert made_run.lab.engine is None
        assert made_run.matrix.host["engine"] == "none"


def test_what_was_kept_is_not_run_again(tmp_path: Path) -> None:
    kept = made.result(name=CELLS[1].id)
    made_run = run(tmp_path, kept=(kept,))
    assert made_run.result(CELLS[1]) == kept
    assert CELLS[1] not in [cell for of in made_run.courses for cell in of.cells]
    told = runs.announced(made_run, asked(), Options(seed=7))
    assert told.startswith("2 cells (1 more have their verdict), 3 stages on 2 sets of nodes, seed 7; about ")
    assert "a guess" in told
    made_run.lab.journal.close()


@pytest.mark.parametrize("known", [(), ("kubespray#11338",)])
def test_what_is_known_of_a_kept_result_is_what_its_scenario_says_today(tmp_path: Path, known: tuple[str, ...]) -> None:
    before = tuple(made.result(made.RED, name=cell.id, known=("from before",)) for cell in CELLS)
    made_run = run(tmp_path, kept=(*before, made.result(made.RED, name="not asked for", known=("from before",))), known=known)
    assert made_run.result(CELLS[0]).known == known
    assert [one.known for one in made_run.matrix.cells] == [known, known, known, ("from before",)]
    assert made_run.exit_code(asked="green") == (0 if known else 1)
    made_run.lab.journal.close()


def test_a_kept_result_that_was_not_asked_for_has_no_say_in_the_exit_code(tmp_path: Path) -> None:
    made_run = run(tmp_path, kept=(*(made.result(name=cell.id) for cell in CELLS), made.result(made.BROKEN, name="not asked for")))
    assert made_run.exit_code(asked="green") == 0
    made_run.lab.journal.close()


def test_a_run_is_signed_while_it_is_open_and_can_be_gone_on_with_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.bed.find", lambda _name: SimpleNamespace(by_engine=False, needs=node_needs, conditions=lambda: ()))
    options = Options(runs=tmp_path / "runs", patience="early")
    with runs.opened(options, asked(), tell=lambda _: None) as first:
        for cell in CELLS:
            first.result(cell)
        with pytest.raises(ScenarioError, match="still works in it"), runs.opened(replace(options, going_on=True), asked(), tell=print):
            pytest.fail("it is in use")
    told: list[journal.Line] = []
    with runs.opened(replace(options, going_on=True), asked(CELLS[:1]), tell=told.append) as again:
        assert again.lab.folder == first.lab.folder
    assert [line.more for line in told if line.kind == "resumed"] == [{"cells": 1}]


def test_a_run_without_a_result_leaves_nothing_that_one_could_go_on_with(tmp_path: Path) -> None:
    made_run = run(tmp_path)
    made_run.close()
    made_run.lab.journal.close()
    assert not (tmp_path / matrix.FILE).exists()
    assert (tmp_path / "matrix.html").exists()


def test_who_waits_for_a_result_that_will_not_come_is_told(tmp_path: Path) -> None:
    made_run = run(tmp_path)
    threading.Timer(0.1, made_run.give_up).start()
    with pytest.raises(KeyboardInterrupt):
        made_run.result(CELLS[0])
    made_run.lab.journal.close()


def test_a_run_that_is_over_gives_up(tmp_path: Path) -> None:
    made_run = run(tmp_path)
    over = Over()
    over.ask()
    with Schedule(made_run.jobs(), capacity=HOST, over=over):
        made_run.give_up()
    with pytest.raises(KeyboardInterrupt):
        made_run.result(CELLS[0])
    made_run.lab.journal.close()


def test_a_report_that_cannot_be_written_costs_no_result_and_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "matrix.part").mkdir()
    made_run = run(tmp_path)
    with Schedule(made_run.jobs(), capacity=HOST, over=made_run.lab.over):
        assert [made_run.result(cell).id for cell in CELLS] == [cell.id for cell in CELLS]
    made_run.close()
    made_run.lab.journal.close()
    said = next(one for one in made_run.matrix.troubles if "matrix.part" in one)
    assert said.startswith("a report cannot be written: ")
    assert [line.said for line in journal.read(tmp_path / journal.FILE, kinds=("said",))].count(said) == 1
    assert "beside the cells" in (tmp_path / "junit.xml").read_text(), "the other reports tell it"
    assert made_run.exit_code(asked="green") == 3


def test_what_goes_wrong_after_the_last_result_stands_in_the_reports_and_ends_the_run_with_3(tmp_path: Path) -> None:
    made_run = run(tmp_path, kept=tuple(made.result(name=cell.id) for cell in CELLS))
    assert made_run.exit_code(asked="green") == 0
    made_run.lab.trouble("nodes were not taken down")
    made_run.close()
    made_run.lab.journal.close()
    assert made_run.exit_code(asked="verdicts") == 3
    assert matrix.read(tmp_path).troubles == ("nodes were not taken down",)


def test_a_course_that_ends_without_a_result_leaves_nobody_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "run_course", lambda *_, **__: None)
    made_run = run(tmp_path)
    with Schedule(made_run.jobs(), capacity=HOST, over=made_run.lab.over), pytest.raises(LabError, match="ended without a result"):
        made_run.result(CELLS[0])
    made_run.lab.journal.close()
    assert made_run.exit_code(asked="green") == 3
