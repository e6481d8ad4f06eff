from pathlib import Path
from typing import cast

import pytest

from lab import bed
from lab.bed import Bed
from lab.errors import BedError, ScenarioError
from lab.host import facts
from lab.model import Node
from tests import made


def test_each_file_of_the_folder_is_a_bed_under_its_name() -> None:
    assert "containers" in bed.names()
    assert [bed.find(name).name for name in bed.names()] == list(bed.names())


@pytest.mark.parametrize("name", bed.names())
def test_a_bed_says_what_its_nodes_ask_of_the_installer_and_of_the_disk(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "empty"))
    kind = bed.find(name)
    assert kind.by_engine in (True, False)
    assert kind.room_bytes() > 0, "of an empty cache something is lacking"
    assert kind.needs(facts()).cgroup_driver in ("cgroupfs", "systemd")
    assert not (tmp_path / "empty").exists()


def test_a_wrong_bed_names_the_file_to_add() -> None:
    with pytest.raises(ScenarioError, match=r"no bed 'clouds'\n.*containers.*\n.*add lab/beds/<name>\.py"):
        bed.find("clouds")


class Scales:
    def __init__(self, mib: float) -> None:
        self._mib = mib

    def memory_mib(self, node: Node) -> float:
        return self._mib


def test_the_most_a_node_was_seen_to_use_is_kept(tmp_path: Path) -> None:
    nodes = made.site(tmp_path).nodes
    first = bed.weigh(cast("Bed", Scales(600.04)), nodes, before={})
    assert first == {"cp1": 600.0, "client": 600.0}
    assert bed.weigh(cast("Bed", Scales(500)), nodes, before={"cp1": 650.0}) == {"cp1": 650.0, "client": 500.0}


def test_a_bed_that_does_not_know_gives_nothing(tmp_path: Path) -> None:
    assert bed.weigh(cast("Bed", object()), made.site(tmp_path).nodes, before={}) == {}


class Room:
    name = "room"

    def __init__(self) -> None:
        self.open = False


class Door(Room):
    def reach_out(self) -> None:
        self.open = True


def test_nodes_are_let_out_by_a_bed_that_can_and_another_says_what_to_do() -> None:
    bed.let_out(cast("Bed", made_open := Door()))
    assert made_open.open
    with pytest.raises(BedError, match=r"nodes of the bed room reach one another alone\n.*--artifacts built"):
        bed.let_out(cast("Bed", Room()))


def test_of_a_bed_it_is_known_beforehand_whether_its_nodes_can_be_let_out() -> None:
    assert {name: bed.outward(name) for name in ("containers", "kind", "vagrant")} == {"containers": True, "kind": False, "vagrant": False}
