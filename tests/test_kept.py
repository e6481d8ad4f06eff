from pathlib import Path

import pytest

from lab import kept
from lab.errors import HostError, ScenarioError

CELL = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"


def left(tmp_path: Path, run: str, *, control: Path) -> Path:
    folder = tmp_path / run / "cells" / CELL
    folder.mkdir(parents=True)
    (folder / "ssh_config").write_text(f"Host *\n  ControlPath {control}/%n\n")
    return folder / "ssh_config"


def test_the_newest_run_with_such_a_cell_is_meant(tmp_path: Path) -> None:
    left(tmp_path, "20261125-090000", control=tmp_path)
    newer = left(tmp_path, "20261126-090000", control=tmp_path)
    assert kept.way("kube-vip:vip", tmp_path) == newer


def test_a_cell_that_no_run_has_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"no nodes of a cell 'cilium'\n.*no run in "):
        kept.way("cilium", tmp_path)


def test_nodes_that_were_removed_are_told(tmp_path: Path) -> None:
    left(tmp_path, "20261126-090000", control=tmp_path / "gone")
    with pytest.raises(HostError, match=r"the nodes of .* are gone\n.*gone was removed with them"):
        kept.way(CELL, tmp_path)
