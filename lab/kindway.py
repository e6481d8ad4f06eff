"""What stands between kind and the container engine: the folder that the program in front of the engine's reads, and kind's environment."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lab import podman, slots
from lab.containernode import entry_env
from lab.errors import HostError
from lab.host import NodeNeeds, facts
from lab.model import Node, Site

SHIM = Path(__file__).parent / "data" / "kind" / "engine.sh"
GATE, VERSION, KUBECONFIG, CONF = "gate", "version", "kubeconfig", "containers.conf"  # files of the folder
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def named(site: Site, cluster: str) -> Mapping[str, str]:
    """Member -> the name that kind gives its container in the cluster of that name."""
    workers = [node for node in site.members if node.role == "worker"]
    return {site.control_planes[0].name: f"{cluster}-control-plane"} | {
        node.name: f"{cluster}-worker{number if number > 1 else ''}" for number, node in enumerate(workers, start=1)
    }


def lay_out(
    way: Path, site: Site, *, engine: str, cluster: str, labels: Mapping[str, str], public_key: str, kube_version: str, needs: NodeNeeds
) -> None:
    """Fill the folder `way`. engine: name of its program; labels: of all that is made; public_key: what nodes must accept."""
    (way / "bin").mkdir()
    shutil.copy(SHIM, way / "bin" / engine)
    (way / "bin" / engine).chmod(0o755)
    names = named(site, cluster)
    told: dict[str, list[str]] = {
        "nodes": [_line(node, names[node.name]) for node in site.members],
        "labels": [f"--label={name}={value}" for name, value in labels.items()],
        "node": [f"--dns={site.slot.client}", *(f"--env={name}={value}" for name, value in _env(site, public_key, needs).items())],
        VERSION: [kube_version],
        CONF: [podman.containers_conf(facts(), runc=shutil.which("runc"))],
    }
    for name, lines in told.items():
        (way / name).write_text("\n".join([*lines, ""]))


def environment(way: Path, *, engine: str, network: str) -> dict[str, str]:
    """What kind is started with. Raises HostError when the engine has no program, which kind needs."""
    program = shutil.which(engine)
    if program is None:
        why = f"kind talks to {engine} by its program, and there is none"
        raise HostError(f"no program {engine}", why, "install it, or name another engine: --engine")
    return {
        "KIND_EXPERIMENTAL_PROVIDER": engine,
        "KIND_EXPERIMENTAL_DOCKER_NETWORK": network,
        "KIND_EXPERIMENTAL_PODMAN_NETWORK": network,
        "PATH": f"{way / 'bin'}:{PATH}",
        "SPRAYLAB_ENGINE": program,
        "SPRAYLAB_WAY": str(way),
        **({"CONTAINERS_CONF": str(way / CONF)} if engine == "podman" else {}),
    }


def _line(node: Node, by_kind: str) -> str:
    return f"{by_kind} {node.name} {node.address} {slots.mac_of(node.address)}"


def _env(site: Site, public_key: str, needs: NodeNeeds) -> Mapping[str, str]:
    return entry_env(site.control_planes[0], site.slot, public_key=public_key, needs=needs)
