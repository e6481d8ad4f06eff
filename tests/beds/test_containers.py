from pathlib import Path

import pytest

from lab import imagestore, nodeimage, owner, slots
from lab.beds.containers import Containers
from lab.errors import BedError
from lab.model import Topology
from tests.fakes import StubbornEngine, keeps_nothing_else


def test_nodes_stand_control_planes_first_and_the_client_last_at_fixed_addresses() -> None:
    nodes = slots.layout(Topology(control_planes=3, workers=2), slots.slot(1))
    assert [(node.name, node.role, node.address) for node in nodes] == [
        ("cp1", "control-plane", "10.231.1.10"),
        ("cp2", "control-plane", "10.231.1.11"),
        ("cp3", "control-plane", "10.231.1.12"),
        ("w1", "worker", "10.231.1.30"),
        ("w2", "worker", "10.231.1.31"),
        ("client", "client", "10.231.1.2"),
    ]


def test_what_is_handed_to_the_engine_for_nodes_that_go_outward(tmp_path: Path) -> None:
    class Engine:
        name = "podman"

        def __init__(self) -> None:
            self.told: dict[str, object] = {}

        def make_network(self, _: str, **told: object) -> None:
            self.told = told
            raise BedError("enough", "seen", "none")

    for outward in (False, True):
        engine = Engine()
        nodes = Containers(
            cell_id="a",
            topology=Topology(control_planes=1),
            artifacts=tmp_path,
            run_id="r",
            folder=tmp_path,
            engine=engine,  # type: ignore[arg-type] # as much of one as is asked
        )
        if outward:
            nodes.reach_out()
        with pytest.raises(BedError):
            nodes._open(slots.slot(0))
        assert engine.told["internal"] is not outward


def test_one_thing_that_cannot_be_removed_keeps_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path / "r")
    monkeypatch.setattr(slots, "of_host", lambda: ())
    monkeypatch.setattr(nodeimage, "ensure", lambda *_, **__: "image")
    monkeypatch.setattr(imagestore, "ensure", lambda *_, **__: None)
    engine = StubbornEngine()
    one = Containers(cell_id="a", topology=Topology(control_planes=1), artifacts=tmp_path, run_id="r", folder=tmp_path / "a", engine=engine)
    keeps_nothing_else(one, engine, tmp_path / "r")
    assert not (tmp_path / "a" / "ssh_config").exists()
