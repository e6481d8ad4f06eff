"""What tests of several modules put in place of the real thing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from lab import slots
from lab.bed import Bed
from lab.container import NodeSpec, Thing
from lab.deadline import until
from lab.engine import Engine
from lab.errors import BedError
from lab.host import started
from lab.owner import SLOT

SILENT = "echo $$ >{folder}/pid.part && mv {folder}/pid.part {folder}/pid; exec sleep 300"  # of a program that says nothing and stays


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `name` that does `script`, in the place of the real one; `{folder}` in it is `folder`."""
    (folder / "bin").mkdir(exist_ok=True)
    one = folder / "bin" / name
    one.write_text(f"#!/bin/sh\n{script.replace('{folder}', str(folder))}\n")
    one.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def gone(folder: Path) -> bool:
    """Whether the program that did SILENT in `folder` has ended."""
    pid = int((folder / "pid").read_text())
    return until(lambda: started(pid), lambda seen: not seen, limit_s=10, every_s=0.05) == ""


@contextmanager
def set_once_there(path: Path, event: Event) -> Iterator[None]:
    """A block in which `event` is set as soon as `path` is there."""
    over = Event()

    def wait() -> None:
        if until(lambda: over.is_set() or path.exists(), bool, limit_s=60, every_s=0.02) and not over.is_set():
            event.set()

    waiting = Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()


class StubbornEngine(Engine):
    """An engine that starts no node, and of what it has for whoever made its network cannot remove the first; `removed`: the rest."""

    def __init__(self) -> None:
        super().__init__("podman", None)
        self.labels: Mapping[str, str] = {}
        self.removed: list[str] = []

    def make_network(self, name: str, *, subnet: str, gateway: str, labels: Mapping[str, str], internal: bool = True) -> None:
        self.labels = labels

    def start_node(self, spec: NodeSpec) -> None:
        raise BedError("no node starts", "the test says so", "none")

    def containers(self, label: str) -> tuple[Thing, ...]:
        return tuple(Thing(kind="container", name=name, labels=self.labels) for name in ("stuck", "other"))

    def volumes(self, label: str = "") -> tuple[Thing, ...]:
        return (Thing(kind="volume", name="volume", labels=self.labels),)

    def networks(self, label: str = "") -> tuple[Thing, ...]:
        return (Thing(kind="network", name="network", labels=self.labels),) if self.labels else ()

    def remove_container(self, name: str) -> None:
        if name == "stuck":
            raise BedError(f"{name} stays", "timeout", "none")
        self.removed.append(name)

    remove_volume = remove_network = remove_container


def keeps_nothing_else(one: Bed, engine: StubbornEngine, runs: Path) -> None:
    """See that `one`, of whose things `engine` cannot remove one, keeps no other. runs: where its run keeps sockets."""
    with pytest.raises(BedError, match="no node starts"):
        one.up()
    number = int(engine.labels[SLOT])
    with pytest.raises(BedError, match="stuck stays"):
        one.down()
    assert engine.removed == ["other", "volume", "network"]
    assert list(runs.iterdir()) == []
    slots.hold(number, ()).release()
    one.down()  # harmless
