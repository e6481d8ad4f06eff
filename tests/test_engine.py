import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engine import Engine, connect, see
from lab.errors import BedError, HostError
from lab.host import cmdline, processes
from tests.machine import real_engine


def test_without_root_there_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match=r"container nodes need root\n.*\n.*sudo"), connect():
        pass
    with pytest.raises(HostError, match="container nodes need root"):
        see()


def test_a_docker_host_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(HostError, match=r"no Docker engine\n.*nothing answers at DOCKER_HOST=.*none.sock"), connect():
        pass


def test_no_engine_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no container engine\n.*\n.*apt-get install podman"), connect("podman"):
        pass
    with pytest.raises(HostError, match="no container engine"):
        see("podman")


def test_seeing_an_engine_starts_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "podman").write_text(f"#!/bin/sh\n: > {tmp_path}/started\n")
    (tmp_path / "podman").chmod(0o755)
    see("podman")
    assert not (tmp_path / "started").exists()


@pytest.fixture
def engine() -> Iterator[Engine]:
    with real_engine() as engine:
        yield engine


@pytest.mark.real
def test_networks_carry_labels_and_subnets_and_go_when_told(engine: Engine) -> None:
    name, label = f"spraylab-t{os.getpid()}", f"t{os.getpid()}"
    engine.make_network(name, subnet="10.231.250.0/24", gateway="10.231.250.1", labels={"spraylab.test": label})
    try:
        (network,) = engine.networks(f"spraylab.test={label}")
        assert (network.name, network.subnets) == (name, ("10.231.250.0/24",))
        with pytest.raises(BedError, match=f"could not make the network {name}"):
            engine.make_network(name, subnet="10.231.250.0/24", gateway="10.231.250.1", labels={})
    finally:
        engine.remove_network(name)
    assert engine.networks(f"spraylab.test={label}") == ()
    engine.remove_network(name)  # harmless


@pytest.mark.real
def test_podmans_service_ends_with_its_block() -> None:
    with real_engine() as engine:
        if engine.name != "podman":
            pytest.skip("this machine's engine is not podman")
        mine = [pid for pid in processes() if "podman system service" in cmdline(pid)]
        assert mine
    assert [pid for pid in mine if "podman system service" in cmdline(pid) and os.getpid() == parent(pid)] == []


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
