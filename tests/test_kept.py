from pathlib import Path

import pytest

from lab import kept
from lab.errors import HostError, ScenarioError

CELL = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
CONFIG = """\
Host cp1
  HostName 10.231.0.10
Host client
  HostName 10.231.0.2
Host *
  ControlPath {}/%n
"""


def left(tmp_path: Path, run: str, *, control: Path, cell: str = CELL) -> Path:
    folder = tmp_path / run / "cells" / cell
    folder.mkdir(parents=True)
    (folder / "ssh_config").write_text(CONFIG.format(control))
    return folder / "ssh_config"


def test_the_newest_run_with_such_a_cell_is_meant(tmp_path: Path) -> None:
    left(tmp_path, "20261125-090000", control=tmp_path)
    newer = left(tmp_path, "20261126-090000", control=tmp_path)
    assert kept.way("kube-vip:vip", "cp1", tmp_path) == newer


def test_a_newer_run_whose_nodes_are_gone_does_not_hide_an_older_one(tmp_path: Path) -> None:
    older = left(tmp_path, "20261125-090000", control=tmp_path)
    left(tmp_path, "20261126-090000", control=tmp_path / "gone")
    left(tmp_path, "20261126-100000", control=tmp_path / "gone", cell=f"{CELL}:with-x")
    assert kept.way("kube-vip:vip", "cp1", tmp_path) == older


def test_where_several_cells_fit_all_are_told(tmp_path: Path) -> None:
    whole = left(tmp_path, "20261125-090000", control=tmp_path)
    left(tmp_path, "20261126-090000", control=tmp_path, cell=f"{CELL}:with-x")
    with pytest.raises(ScenarioError, match=rf"'kube-vip' fits 2 cells\n.*nodes are there of these.*\n +{CELL}\n +{CELL}:with-x\n"):
        kept.way("kube-vip", "cp1", tmp_path)
    assert kept.way(CELL, "cp1", tmp_path) == whole


def test_signs_of_the_shell_are_letters_of_an_id(tmp_path: Path) -> None:
    left(tmp_path, "20261125-090000", control=tmp_path)
    with pytest.raises(ScenarioError, match="no nodes of a cell"):
        kept.way("kube*vip", "cp1", tmp_path)


def test_a_node_that_the_cell_does_not_have_is_told_with_those_it_has(tmp_path: Path) -> None:
    left(tmp_path, "20261125-090000", control=tmp_path)
    with pytest.raises(ScenarioError, match=r"no node 'cp9' in replica.*\n.*there are cp1, client\n"):
        kept.way("kube-vip:vip", "cp9", tmp_path)


def test_a_cell_that_no_run_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"no nodes of a cell 'cilium'\n.*no run in "):
        kept.way("cilium", "cp1", tmp_path)


def test_nodes_that_were_removed_are_told(tmp_path: Path) -> None:
    left(tmp_path, "20261126-090000", control=tmp_path / "gone")
    with pytest.raises(HostError, match=r"the nodes of .* are gone\n.*gone was removed with them"):
        kept.way(CELL, "cp1", tmp_path)
