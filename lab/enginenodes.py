"""What beds have in common whose nodes are an engine's containers: they share the host's kernel, and the engine knows what is theirs."""

from collections.abc import Callable
from functools import partial

from lab import cachedir, memory, nodeimage, undo
from lab.engine import Engine
from lab.errors import HostError
from lab.host import facts
from lab.owner import OWNER, Mark


def see_root(of: str) -> None:
    """Raise HostError without root. of: whose nodes, for the message."""
    if not facts().is_root:
        raise HostError(f"{of} need root", "this process runs as another user; nodes are privileged containers", "run it with sudo")


def room_bytes() -> int:
    """Room for the root of a node, where it is not made yet."""
    return 0 if cachedir.entry(nodeimage.KIND, nodeimage.key()) else nodeimage.NEEDED_BYTES


def prepare(*, say: Callable[[str], None] = lambda _: None) -> None:
    """Nothing: the engine gets its images when nodes come up."""


def has_kernel(option: str, *, module: str) -> bool:
    """Whether the host's kernel, which the nodes share, offers it."""
    return facts().has_kernel(option, module=module)


def conditions() -> tuple[str, ...]:
    """None: the host's facts tell all."""
    return ()


def networks(engine: Engine) -> tuple[tuple[str, str], ...]:
    """The subnets that `engine` has given away, each with who uses it."""
    return tuple((subnet, f"network {network.name}") for network in engine.networks() for subnet in network.subnets)


def memory_mib(engine: Engine, container: str) -> float:
    """Memory that a node could not do without now, in MiB; 0 when it is off."""
    pid = engine.first_pid(container)
    return memory.used_mib(pid) if pid else 0.0


def remove(engine: Engine, mark: Mark) -> None:
    """Remove the containers and volumes that carry `mark`; what else the run has in other slots stays."""
    label = f"{OWNER}={mark.owner.run_id}"
    containers = [partial(engine.remove_container, one.name) for one in engine.containers(label) if mark.is_on(one.labels)]
    volumes = [partial(engine.remove_volume, one.name) for one in engine.volumes(label) if mark.is_on(one.labels)]
    undo.all_of(*containers, *volumes)


def remove_network(engine: Engine, mark: Mark) -> None:
    """Remove the networks that carry `mark`, which nothing may stand in any more."""
    there = engine.networks(f"{OWNER}={mark.owner.run_id}")
    undo.all_of(*(partial(engine.remove_network, one.name) for one in there if mark.is_on(one.labels)))
