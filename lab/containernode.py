"""What a container node is told when it boots, and what it sees of the host (pure but for a look at /lib/modules)."""

from pathlib import Path

from lab.host import NodeNeeds
from lab.model import Node, Slot

MODULES = Path("/lib/modules")


def entry_env(node: Node, place: Slot, *, public_key: str, needs: NodeNeeds, outward: bool = False) -> dict[str, str]:
    """What the node's entry script reads. The client has no route on: what nodes send to the world ends there, unless they go outward."""
    return {
        "SPRAYLAB_AUTHORIZED_KEY": public_key,
        "SPRAYLAB_ROUTE": "" if node.role == "client" else place.gateway if outward else place.client,
        "SPRAYLAB_CGROUP_DRIVER": needs.cgroup_driver,
        "SPRAYLAB_RESTRICT_OOM": "true" if needs.restrict_oom else "false",
        "SPRAYLAB_CGROUP2": needs.cgroup2,
    }


def mounts(node: Node, artifacts: Path) -> tuple[tuple[Path, str], ...]:
    """What of the host the node sees, read-only. The client installs nothing, so it gets no artifacts."""
    wanted = [(artifacts.absolute(), "/opt/lab")] if node.role != "client" else []
    return (*wanted, *(((MODULES, "/lib/modules"),) if MODULES.is_dir() else ()))
