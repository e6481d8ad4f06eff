"""Where nodes come from: the Protocol of a bed and the lookup of lab/beds/."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, Protocol, runtime_checkable

from lab.errors import BedError, ScenarioError
from lab.host import HostFacts, NodeNeeds
from lab.model import Cell, Node, Site, Stage, StageRun, TaskEvent, Topology


class Bed(Protocol):
    """Makes the nodes of one cell and takes them down. Made with the cell's keyword arguments, used once."""

    name: str

    def up(self) -> Site:
        """Nodes that answer by SSH; raises BedError. What a failed `up` made is removed by `down`."""
        ...

    def down(self) -> None:
        """Remove all that `up` made and nothing else; harmless when there is nothing. What fails ends none of the other steps, and is
        raised after them as a LabError or OSError."""
        ...

    def limits(self) -> tuple[str, ...]:
        """What nodes of this bed cannot show on this host, in whole sentences."""
        ...


@runtime_checkable
class Power(Protocol):
    """An ability that a bed may have: one node goes off and on again while the others run."""

    def stop(self, node: Node) -> None:
        """Take the power of `node` away, with no shutdown; harmless when it is off. Raises BedError."""
        ...

    def start(self, node: Node) -> None:
        """Let `node` boot from its disk, under its address; returns when it answers by SSH. Raises BedError."""
        ...


@runtime_checkable
class Snapshots(Protocol):
    """An ability that a bed may have: all nodes of a site, kept as they are and made again from that.

    A key names everything that made the nodes, their slot included (`lab.snapshot.key`). Restored nodes may have been rebooted, and so may
    those that were saved; a snapshot may be gone with its nodes. Whoever reuses a snapshot must come to the same verdicts without it.
    """

    def save(self, key: str) -> None:
        """Keep all nodes of the site under `key`: they go off together, in order, and boot again. Raises BedError and HostError.

        Harmless when it is there. What a failed or killed `save` left is never restored.
        """
        ...

    def saved(self, key: str) -> bool:
        """Whether `restore` could be asked for `key` now."""
        ...

    def restore(self, key: str) -> Site:
        """Nodes as they were saved, at their addresses, that answer by SSH: in place of `up`, or of the nodes that are up.

        Raises BedError: there is no such snapshot, or its slot is in use, or this bed has another one. `down` removes the nodes.
        """
        ...

    def forget(self, key: str) -> None:
        """Delete the snapshot `key`; harmless when it is not there. Raises BedError where nodes still stand on it."""
        ...


@runtime_checkable
class Meter(Protocol):
    """An ability that a bed may have: it knows what a node uses of the host."""

    def memory_mib(self, node: Node) -> float:
        """Memory that `node` could not do without now, in MiB; 0 when it is off."""
        ...


@runtime_checkable
class Outward(Protocol):
    """An ability that a bed may have: its nodes can reach beyond this host, to fetch what they install."""

    def reach_out(self) -> None:
        """Let the nodes of a later `up` do so; without this they reach one another and the client alone."""
        ...


@runtime_checkable
class Restocks(Protocol):
    """An ability that a bed may have: what reset.yml takes of what nodes were made with can be had again."""

    def restock(self) -> None:
        """Give the nodes that are up their container engine's images back. Raises BedError."""
        ...


@runtime_checkable
class Installs(Protocol):
    """An ability that a bed may have: it brings an installer of its own, in place of Ansible and playbooks.

    `init_tasks`: the tasks of its events that run kubeadm init; `full`: how that would end if nothing happened any more.
    """

    init_tasks: tuple[str, ...]
    full: str

    def takes(self, cell: Cell, stage: Stage, *, versions: Mapping[str, str]) -> None:
        """Be told, before `up`, what will be installed. versions: component -> the version that nodes get."""
        ...

    def install(
        self, stage: Stage, *, site: Site, folder: Path, on_event: Callable[[TaskEvent], None], stop: Event, limit_s: float
    ) -> StageRun:
        """Run `stage` on the nodes that are up; one that fails is a value. As lab.installer.install, whose words hold here too."""
        ...


class Kind(Protocol):
    """What a file of lab/beds/ exports as BED: makes a bed for one cell. slot: None takes a free one; say: told what takes long;
    stop: when set, whatever waits for a node raises KeyboardInterrupt, but `down`.

    `by_engine`: its nodes are a container engine's, which a run with such cells connects to; else `engine` may be None.
    """

    name: str
    by_engine: bool

    def ready(self, topologies: Sequence[Topology]) -> None:
        """Raise the LabError that would stop nodes of any of `topologies` on this host; makes nothing."""
        ...

    def room_bytes(self) -> int:
        """Room on the disk that takes what is not in the cache yet of which nodes are made."""
        ...

    def prepare(self, *, say: Callable[[str], None] = ...) -> None:
        """Make what the cache lacks of what all nodes of this bed are made of. Raises HostError and BuildError."""
        ...

    def has_kernel(self, option: str, *, module: str) -> bool:
        """Whether the kernel of nodes offers CONFIG_`option` on this host, built in or as `module`."""
        ...

    def conditions(self) -> tuple[str, ...]:
        """What of `when` in data/fidelity/ holds for nodes of this bed here, that the bed alone knows."""
        ...

    def needs(self, seen: HostFacts) -> NodeNeeds:
        """What the installer must be told for nodes of this bed on a host with the facts `seen`."""
        ...

    def __call__(
        self,
        *,
        cell_id: str,
        topology: Topology,
        artifacts: Path,
        run_id: str,
        folder: Path,
        engine: Any,
        slot: int | None = None,
        say: Callable[[str], None] = ...,
        stop: Event | None = None,
    ) -> Bed: ...


def outward(name: str) -> bool:
    """Whether nodes of the bed `name` can be let out."""
    return hasattr(find(name), Outward.reach_out.__name__)


def restocks(name: str) -> bool:
    """Whether nodes of the bed `name` can be installed again after reset.yml."""
    return hasattr(find(name), Restocks.restock.__name__)


def let_out(bed: Bed) -> None:
    """Let the nodes of `bed`, which are not up yet, reach beyond this host. Raises BedError where the bed cannot."""
    if not isinstance(bed, Outward):
        why = f"nodes of the bed {bed.name} reach one another alone"
        raise BedError("nodes cannot fetch what they install", why, "install what the lab builds: --artifacts built")
    bed.reach_out()


def weigh(bed: Bed, nodes: tuple[Node, ...], *, before: Mapping[str, float]) -> dict[str, float]:
    """Node -> the most memory it was seen to use, now or `before`, in MiB; empty where the bed does not know."""
    if not isinstance(bed, Meter):
        return {}
    return {node.name: max(round(bed.memory_mib(node), 1), before.get(node.name, 0.0)) for node in nodes}


def names() -> tuple[str, ...]:
    """The beds there are, one per file of lab/beds/."""
    return tuple(sorted(path.stem for path in (Path(__file__).parent / "beds").glob("[!_]*.py")))


@cache
def find(name: str) -> Kind:
    """The bed `name`, whose file exports BED; ScenarioError lists those there are."""
    if name not in names():
        raise ScenarioError(f"no bed {name!r}", f"lab/beds/ has {', '.join(names())}", "name one of them or add lab/beds/<name>.py")
    kind: Kind = importlib.import_module(f"lab.beds.{name}").BED
    return kind
