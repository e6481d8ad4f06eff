"""What of the bed can be seen without an engine; nodes, red and green are in test_contract.py and tests/real/test_kind.py."""

from pathlib import Path
from threading import Event
from typing import Any, cast

import pytest

from lab import bed, component, kindcluster, kindimage, nodeimage, owner, slots
from lab.bed import Installs
from lab.beds.kind import Kind
from lab.engine import Engine
from lab.errors import BedError
from lab.host import facts, node_needs
from lab.model import Stage, Topology
from tests import made
from tests.fakes import StubbornEngine, keeps_nothing_else

NO_ENGINE = cast("Engine", None)  # no test here comes as far as needing one


def kind(tmp_path: Path, **more: Any) -> Kind:
    given = {"topology": Topology(control_planes=1), "engine": NO_ENGINE, **more}
    return Kind(cell_id="a", artifacts=tmp_path, run_id="r1", folder=tmp_path / "run", **given)


def test_it_brings_an_installer_that_tries_once(tmp_path: Path) -> None:
    one = kind(tmp_path)
    assert isinstance(one, Installs)
    assert (one.init_tasks, one.full) == (("Starting control-plane",), "rc=1 after 1 x 240 s")
    assert bed.find("kind") is Kind


def test_several_control_planes_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    one = kind(tmp_path, topology=Topology(control_planes=3))
    with pytest.raises(BedError, match=r"no nodes for 3cp\n.*load balancer of its own"):
        one.up()
    one.down()  # harmless
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_installed_on_nodes_that_are_not_up(tmp_path: Path) -> None:
    stage = Stage(index=0, name="base", addons=(), endpoint="node", variables={})
    with pytest.raises(BedError, match="no cluster to install"):
        kind(tmp_path).install(stage, site=made.site(tmp_path), folder=tmp_path, on_event=lambda _: None, stop=Event(), limit_s=1)


def test_without_a_cell_it_makes_a_cluster_without_addons() -> None:
    cell, stage = kindcluster.bare(Topology(control_planes=1, workers=1))
    assert (cell.ordering_text, cell.ref.source, stage.addons) == ("base", "kind", ())
    assert kindcluster.cannot(cell) == ()
    assert kindcluster.image(cell.kube_version)


def test_it_installs_the_versions_that_lie_on_the_nodes(tmp_path: Path) -> None:
    one = kind(tmp_path)
    cell, stage = kindcluster.bare(Topology(control_planes=1))
    usual = one._place(tmp_path, made.site(tmp_path), node_needs(facts())).versions
    told = {"kube-vip": "v1.0.0", "kubernetes": "v1.31.4"}
    one.takes(cell, stage, versions=told)
    assert one._place(tmp_path, made.site(tmp_path), node_needs(facts())).versions == {**usual, **told}


def test_one_thing_that_cannot_be_removed_keeps_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path / "r")
    monkeypatch.setattr(slots, "of_host", lambda: ())
    monkeypatch.setattr(component, "build", lambda _: {"kind": tmp_path})
    for image in (nodeimage, kindimage):
        monkeypatch.setattr(image, "ensure", lambda *_, **__: "image")
    engine = StubbornEngine()
    keeps_nothing_else(kind(tmp_path, engine=engine), engine, tmp_path / "r")
