from collections.abc import Mapping

import pytest

from lab import enginenodes
from lab.container import Thing
from lab.engine import Engine
from lab.errors import HostError
from lab.owner import Mark, Owner

OWNER = Owner(run_id="r1", pid=1, started="s")
MINE, OTHER = (Mark(owner=OWNER, cell="c", slot=slot) for slot in (0, 1))


class TwoSlots(Engine):
    """An engine with the things of two slots of one run; it writes down what it is told to remove."""

    def __init__(self) -> None:
        super().__init__("fake", None)
        self.removed: list[str] = []

    def _things(self, kind: str) -> tuple[Thing, ...]:
        return tuple(
            Thing(kind=kind, name=mark.name(kind), labels=mark.labels(), subnets=(f"10.231.{mark.slot}.0/24",))  # type: ignore[arg-type]
            for mark in (MINE, OTHER)
        )

    def containers(self, label: str) -> tuple[Thing, ...]:
        return self._things("container")

    def volumes(self, label: str = "") -> tuple[Thing, ...]:
        return self._things("volume")

    def networks(self, label: str = "") -> tuple[Thing, ...]:
        return self._things("network")

    def remove_container(self, name: str) -> None:
        self.removed.append(name)

    remove_volume = remove_network = remove_container

    def first_pid(self, name: str) -> int:
        return 0


def test_only_what_carries_the_mark_is_removed() -> None:
    engine = TwoSlots()
    enginenodes.remove(engine, MINE)
    assert engine.removed == ["spraylab-r1-s0-container", "spraylab-r1-s0-volume"]
    enginenodes.remove_network(engine, MINE)
    assert engine.removed[2:] == ["spraylab-r1-s0-network"]


def test_subnets_are_told_with_who_uses_them() -> None:
    told = enginenodes.networks(TwoSlots())
    assert told == (("10.231.0.0/24", "network spraylab-r1-s0-network"), ("10.231.1.0/24", "network spraylab-r1-s1-network"))


def test_a_node_that_is_off_takes_no_memory() -> None:
    assert enginenodes.memory_mib(TwoSlots(), "cp1") == 0.0


def test_without_root_it_is_said_whose_nodes_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Somebody:
        is_root = False

    monkeypatch.setattr(enginenodes, "facts", Somebody)
    with pytest.raises(HostError, match="container nodes need root"):
        enginenodes.see_root("container nodes")


def test_a_mark_is_on_what_carries_all_of_it() -> None:
    labels: Mapping[str, str] = {**MINE.labels(), "more": "yes"}
    assert MINE.is_on(labels) and not OTHER.is_on(labels) and not MINE.is_on({})
