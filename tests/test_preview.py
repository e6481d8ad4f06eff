from dataclasses import replace
from pathlib import Path

import pytest

from lab import named, plan, preview, ready, scenario
from lab.scenario import LeftOut

READ = scenario.load(named.scenario_file("kubespray-11338"), check=ready.installable)


def shown(capsys: pytest.CaptureFixture[str], folder: Path, read: scenario.Scenario = READ, *, in_full: bool = False) -> str:
    preview.show(read, plan.OWN, known=folder, limit=None, reuse=True, in_full=in_full)
    return capsys.readouterr().out


def test_a_run_is_shown_by_its_cells_and_in_full_by_their_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, whole = shown(capsys, tmp_path), shown(capsys, tmp_path, in_full=True)
    assert all(cell.id in short for cell in READ.cells)
    assert "ansible-playbook" not in short
    assert whole.count("ansible-playbook") == len(READ.cells)
    assert "predicted (" in whole


def test_a_scenario_without_a_cell_to_run_is_shown_by_its_reasons(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = replace(READ, cells=(), left_out=(LeftOut(cell=READ.cells[0], because="it is older"),))
    text = shown(capsys, tmp_path, out)
    assert f"{READ.cells[0].id}: not run, it is older\n" in text
    assert "no cell runs, so that nothing can be told" in text
    assert "about" not in text
