"""What an installer that begins from nothing finds on the nodes."""

from pathlib import Path
from typing import cast

import pytest

from lab import fileserver, groundwork, network, ready
from lab.bed import Bed
from lab.errors import BedError
from lab.model import Cell
from lab.supply import Supply
from tests import made

BUILT = Supply(artifacts="built")


class Nodes:
    name = "nodes"

    def __init__(self, done: list[str]) -> None:
        self._done = done

    def restock(self) -> None:
        self._done.append("images")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was laid, in order."""
    laid: list[str] = []
    monkeypatch.setattr(network, "place", lambda _: laid.append("network"))
    monkeypatch.setattr(fileserver, "place", lambda _: laid.append("files"))
    return laid


def lay(cell: Cell, index: int, tmp_path: Path, nodes: object) -> None:
    stage = ready.stages(cell, BUILT)[index]
    groundwork.lay(cell, stage, site=made.site(tmp_path), nodes=cast("Bed", nodes), supply=BUILT)


def test_it_is_due_at_first_and_after_each_reset() -> None:
    cell = made.cell("kube-vip > metallb > reset > kube-vip > metallb", ref="kubespray@v2.25.1")
    stages = ready.stages(cell, BUILT)
    assert [groundwork.due(cell, stage) for stage in stages] == [True, False, False, True, False]


@pytest.mark.parametrize(
    ("ref", "kube_version", "ordering", "laid"),
    [
        ("kubespray@v2.25.1", "v1.29.5", "kube-vip", ["network"]),
        ("kubespray@v2.25.1", "v1.29.5", "cilium", []),
        ("kubespray@v2.24.1", "v1.28.6", "kube-vip", ["network", "files"]),
    ],
)
def test_nodes_get_what_their_cell_asks_for(
    tmp_path: Path, done: list[str], ref: str, kube_version: str, ordering: str, laid: list[str]
) -> None:
    cell = made.cell(ordering, ref=ref, kube_version=kube_version)
    lay(cell, 0, tmp_path, Nodes(done))
    assert done == laid


def test_after_a_reset_images_come_back_first(tmp_path: Path, done: list[str]) -> None:
    lay(made.cell("kube-vip > reset > kube-vip", ref="kubespray@v2.25.1"), 2, tmp_path, Nodes(done))
    assert done == ["images", "network"]


def test_a_bed_that_has_nothing_to_give_back_is_told_at_once(tmp_path: Path, done: list[str]) -> None:
    with pytest.raises(BedError, match=r"stage 'kube-vip' cannot begin\n.*bed dumb"):
        lay(made.cell("kube-vip > reset > kube-vip", ref="kubespray@v2.25.1"), 2, tmp_path, type("Dumb", (), {"name": "dumb"})())
    assert done == []
