"""What a container node is told when it boots, what it sees of the host, and what it cannot show (pure but for a look at /lib/modules)."""

from pathlib import Path

from lab.host import HostFacts, NodeNeeds
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


def limits(seen: HostFacts, engine: str) -> tuple[str, ...]:
    """What container nodes cannot show on a host with the facts `seen`, in whole sentences."""
    found = [f"All nodes share the host's kernel {seen.kernel}; faults of another kernel cannot show."]
    found += ["Nodes share the host's clock, memory and disk; a slow disk or a clock that drifts cannot be given to one node alone."]
    if not seen.has_kernel("IP_VS", module="ip_vs"):
        found += ["The kernel has no IPVS; kube-proxy in ipvs mode and kube-vip's load balancing cannot run."]
    if not seen.has_kernel("DUMMY", module="dummy"):
        found += ["The kernel has no dummy interfaces; nodelocaldns cannot run."]
    if not seen.has_kernel("NET_SCH_NETEM", module="sch_netem"):
        found += ["The kernel has no netem; loss and delay cannot be put on a link."]
    if seen.cgroup != "v2":
        found += [f"The host's cgroups are {seen.cgroup}; the kubelet uses the cgroupfs driver instead of systemd."]
    if not seen.sys_resource:
        found += [
            f"The host gives no CAP_SYS_RESOURCE and {seen.nofile_hard} open files at most; the kubelet runs with KubeletInUserNamespace."
        ]
    if engine == "docker":
        found += ["Under Docker, nodes get the limits of its daemon."]
    return tuple(found)
