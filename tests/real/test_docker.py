"""What the lab does with a Docker engine, as far as that needs no privileged node."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import component, gc, slots
from lab.engine import Engine, connect
from lab.errors import BedError
from lab.owner import CELL, Owner, this_process
from tests.real.dockerd import docker

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
GONE = Owner(run_id="gone", pid=1, started="another boot")
SLOT = slots.slot(slots.COUNT - 1)  # far from where runs begin


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    folder = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/run"))  # short: a socket's path may have 107 bytes
    patch = pytest.MonkeyPatch()
    try:
        with docker(folder) as address:
            patch.setenv("DOCKER_HOST", address)
            with connect() as connected:
                yield connected
    finally:
        patch.undo()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with one program that waits."""
    root = tmp_path_factory.mktemp("image") / "root.tar"
    with tarfile.open(root, "w") as tar:
        tar.add(component.build(["pause"])["pause"] / "bin" / "pause", "pause")
    engine.import_root(root, repository="localhost/spraylab/test", tag="1", changes=())
    return "localhost/spraylab/test:1"


def start(engine: Engine, image: str, name: str, labels: dict[str, str], network: str = "none") -> None:
    engine.run_plain(image, ("/pause",), name=name, labels=labels, network=network)


def test_docker_host_names_the_engine(engine: Engine) -> None:
    assert engine.name == "docker"
    assert engine.version()[0].isdigit()


def test_images_are_found_by_their_tag(engine: Engine, image: str) -> None:
    assert engine.has_image(image)
    assert not engine.has_image("localhost/spraylab/test:2")


def test_a_network_has_the_slots_subnet_and_is_in_the_way_of_another(engine: Engine) -> None:
    engine.make_network("one", subnet=SLOT.subnet, gateway=SLOT.gateway, labels=this_process("alive").labels())
    try:
        (found,) = [network for network in engine.networks() if network.name == "one"]
        assert found.subnets == (SLOT.subnet,)
        taken = tuple((subnet, f"network {found.name}") for subnet in found.subnets)
        with pytest.raises(BedError, match="network one uses"):
            slots.hold(SLOT.number, taken)
        with pytest.raises(BedError, match="could not"):
            engine.make_network("two", subnet=SLOT.subnet, gateway=SLOT.gateway, labels={})
    finally:
        engine.remove_network("one")
    engine.remove_network("one")  # harmless when it is gone


def test_gc_deletes_what_a_dead_run_left_and_nothing_else(engine: Engine, image: str, tmp_path: Path) -> None:
    engine.make_network("left-net", subnet=SLOT.subnet, gateway=SLOT.gateway, labels=GONE.labels())
    start(engine, image, "left", {**GONE.labels(), CELL: "a cell"}, "left-net")
    start(engine, image, "alive", this_process("alive").labels())
    start(engine, image, "foreign", {"app": "web"})
    volumes = len(engine.volumes())
    try:
        found = [one for one in gc.leftovers(engine, run_folder=tmp_path) if one.run_id == "gone"]
        assert [(one.kind, one.name) for one in found] == [("container", "left"), ("network", "left-net")]
        gc.delete(engine, tuple(found))
        assert not [one for one in gc.leftovers(engine, run_folder=tmp_path) if one.run_id == "gone"]
        assert [thing.name for thing in engine.containers("app=web")] == ["foreign"]
        assert [thing.name for thing in engine.containers("spraylab.owner=alive")] == ["alive"]
        assert len(engine.volumes()) == volumes - 1, "the container's volume went with it"
    finally:
        for name in ("left", "alive", "foreign"):
            engine.remove_container(name)
        engine.remove_network("left-net")
