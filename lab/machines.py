"""The list of a cell's machines, which the top-level Vagrantfile hands to Vagrant: all that is decided about them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import slots
from lab.boxes import Box
from lab.libvirt import POOL, described
from lab.model import Node, Role, Site, Topology

MEMORY_MIB: Mapping[Role, int] = {"control-plane": 3072, "worker": 2048, "client": 512}  # kubespray refuses less than 1500 and 1024
CORES: Mapping[Role, int] = {"control-plane": 2, "worker": 2, "client": 1}
TRANSLATED_MIB = 1024  # what qemu keeps of translated code for an emulated machine; a client of 512 MiB was seen to take 1424
DISK = "vdb"  # a machine of the lab's own box finds there what it installs
BOOT_LIMIT_S = 300  # to Vagrant's first answer by SSH; 14 s with KVM, 45 s emulated on 2 cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """How a machine of the lab's own box boots. `disks`: node -> name of the disk with what it installs; `accelerated`: by KVM."""

    kernel: Path
    ramdisk: Path
    disks: Mapping[str, str]
    accelerated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the machines of a cell share. `prefix`: of their names; `public_key`: what they must accept for root; `key`: the file of its
    secret half; `network`: the name of theirs; `folder`: gets their consoles."""

    box: Box
    prefix: str
    labels: Mapping[str, str]
    key: Path
    public_key: str
    network: str
    folder: Path


def memory_mib(topology: Topology, *, emulated: bool = False) -> int:
    """Memory that the machines of `topology` take at the most, in MiB."""
    counts: Mapping[Role, int] = {"control-plane": topology.control_planes, "worker": topology.workers, "client": 1}
    more = TRANSLATED_MIB if emulated else 0
    return sum((MEMORY_MIB[role] + more) * count for role, count in counts.items())


def cores(topology: Topology) -> int:
    """Cores that the machines of `topology` are given; an emulated one keeps them busy."""
    counts: Mapping[Role, int] = {"control-plane": topology.control_planes, "worker": topology.workers, "client": 1}
    return sum(CORES[role] * count for role, count in counts.items())


def own(site: Site, wanted: Wanted, boot: Boot) -> dict[str, object]:
    """The list for machines of the lab's own box by libvirt: they boot its kernel, whose command line tells them who they are."""
    emulated = {"driver": "qemu", "cpu_mode": "custom", "cpu_model": "qemu64"}
    processor = {"driver": "kvm", "cpu_mode": "host-passthrough"} if boot.accelerated else emulated
    shared: dict[str, object] = {**processor, "default_prefix": wanted.prefix, "description": described(wanted.labels)}
    shared |= {"storage_pool_name": POOL, "kernel": str(boot.kernel), "initrd": str(boot.ramdisk), "mgmt_attach": False}
    shared |= {"graphics_type": "none", "disk_driver_opts": {"cache": "unsafe"}}  # a machine does not outlive its host
    machines: list[dict[str, object]] = []
    for node in site.nodes:
        disk = boot.disks.get(node.name)
        own: dict[str, object] = {"device": DISK, "path": disk, "pool": POOL, "allow_existing": True, "cache": "unsafe"}
        machines.append(
            {
                "name": node.name,
                "network": {**_network(node, wanted), "mac": slots.mac_of(node.address), "auto_config": False},
                "libvirt": {**_size(node), "cmd_line": command_line(node, site, public_key=wanted.public_key)},
                "disks": [own] if disk else [],
                "console": str(wanted.folder / f"console-{node.name}.log"),
            }
        )
    return {**_head(wanted), "user": wanted.box.user, "key": str(wanted.key), "libvirt": shared, "machines": machines}


def public(site: Site, wanted: Wanted, *, prepare: Path) -> dict[str, object]:
    """The list for machines of a public box, which prepare themselves by the script `prepare`, given the key and the client's address."""
    own = {"default_prefix": wanted.prefix, "description": described(wanted.labels)}
    provision = {"path": str(prepare), "args": [wanted.public_key, site.slot.client]}
    marks = [["setextradata", ":id", name, value] for name, value in wanted.labels.items()]
    machines: list[dict[str, object]] = [
        {
            "name": node.name,
            "network": _network(node, wanted),
            "libvirt": _size(node),
            "virtualbox": {**_size(node), "name": f"{wanted.prefix}{node.name}"},
            "customize": marks,
        }
        for node in site.nodes
    ]
    return {**_head(wanted), "set_hostname": True, "provision": provision, "libvirt": own, "machines": machines}


def command_line(node: Node, site: Site, *, public_key: str) -> str:
    """What the kernel of `node` is started with; `spraylab-machine` in the box reads it."""
    route = "" if node.role == "client" else site.slot.client
    words = ["root=/dev/vda", "rw", "quiet", "console=ttyS0", "net.ifnames=0", f"systemd.hostname={node.name}"]
    words += [f"spraylab.address={node.address}", f"spraylab.route={route}", f"spraylab.client={site.slot.client}"]
    return " ".join([*words, f"spraylab.key={public_key.replace(' ', ',')}"])


def _head(wanted: Wanted) -> dict[str, object]:
    return {"box": wanted.box.name, "box_version": wanted.box.version, "boot_timeout_s": BOOT_LIMIT_S}


def _network(node: Node, wanted: Wanted) -> dict[str, object]:
    named: dict[str, object] = (
        {"libvirt__network_name": wanted.network, "libvirt__always_destroy": False} if wanted.box.provider == "libvirt" else {}
    )
    return {"ip": node.address, "netmask": "255.255.255.0", **named}


def _size(node: Node) -> dict[str, object]:
    return {"memory": MEMORY_MIB[node.role], "cpus": CORES[node.role]}
