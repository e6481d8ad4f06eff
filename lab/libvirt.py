"""What virtual machines need of libvirt beside Vagrant: a network with fixed leases, a pool of disks, power, and whose each thing is.

Everything is asked of `virsh`. Marks of the owner stand in a machine's description and in a network's metadata.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as ET

from lab import undo
from lab.command import run
from lab.errors import BedError, HostError
from lab.host import HOST, arguments, processes
from lab.model import Completed, Node, Slot
from lab.owner import Mark

POOL = "spraylab"
POOL_FOLDER = Path("/var/lib/libvirt/images/spraylab")  # where the user that runs machines may read, and security modules let it
MARK = "https://github.com/kubernetes-sigs/kubespray#spraylab"  # a name space of XML: nothing is asked of it
LIMIT_S = 60.0
INSTALL = "apt-get install libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils"
GONE = ("failed to get domain", "failed to get network", "no domain with", "no network with", "is not running", "is not active")
QEMU = re.compile(r"(^|/)(qemu-(system-\w+|kvm)|kvm)$")
State = Literal["running", "paused", "shut off", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that libvirt knows. `disks`: paths of what it writes to; `boots`: of what else it needs, its kernel, its ramdisk and, while
    it runs, what its disks stand on; `labels`: whose it is, empty when it is not the lab's."""

    name: str
    labels: Mapping[str, str]
    disks: tuple[Path, ...] = ()
    boots: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network that libvirt knows, whether it is up or not."""

    name: str
    labels: Mapping[str, str]
    subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Libvirt:
    """One libvirt. `start`: starts virsh."""

    uri: str = field(default_factory=lambda: os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///system")
    start: Callable[..., Completed] = run

    def see(self) -> str:
        """The version of libvirt; HostError when it does not answer."""
        done = self._virsh("version")
        if done.rc != 0:
            why = done.stderr.strip() or f"virsh ended with {done.rc}"
            fix = "start it: systemctl start libvirtd; where it is not installed: " + INSTALL
            raise HostError("libvirt does not answer", why, fix)
        return next((line.rpartition(" ")[2] for line in done.stdout.splitlines() if line.startswith("Using library")), "")

    def networks(self) -> tuple[Network, ...]:
        """All networks, also those that are not up. Raises BedError."""
        return tuple(_network(self._asked("net-dumpxml", name)) for name in self._names("net-list"))

    def make_network(self, name: str, place: Slot, nodes: tuple[Node, ...], *, macs: Mapping[str, str], labels: Mapping[str, str]) -> None:
        """Make a network that reaches nothing outside, where each node finds its own address by DHCP. Raises BedError."""
        self._asked("net-create", "/dev/stdin", stdin=network_xml(name, place, nodes, macs=macs, labels=labels))

    def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is gone. Raises BedError."""
        self._gone(self._virsh("net-destroy", name), f"remove the network {name}")

    def ensure_pool(self) -> None:
        """Make the folder of the lab's disks known; harmless when it is. Raises BedError and HostError."""
        try:
            POOL_FOLDER.mkdir(parents=True, exist_ok=True)
            POOL_FOLDER.chmod(0o711)
        except OSError as error:
            raise HostError(f"{POOL_FOLDER} cannot be written", str(error), "virtual machines need root: run it with sudo") from error
        if POOL not in self._names("pool-list"):
            done = self._virsh("pool-create-as", POOL, "dir", "--target", str(POOL_FOLDER))
            if done.rc != 0 and POOL not in self._names("pool-list"):  # another run may have made it in this moment
                raise _refused(done, f"make the pool {POOL}")
        self._asked("pool-refresh", POOL)

    def machines(self) -> tuple[Machine, ...]:
        """All machines, also those that are off. Raises BedError."""
        found = []
        for name in self._names("list"):
            done = self._virsh("dumpxml", name)
            if done.rc == 0:  # else it went away meanwhile
                found.append(_machine(done.stdout))
        return tuple(found)

    def state(self, name: str) -> State:
        """What the machine does now; `other` also when there is none."""
        said = self._virsh("domstate", name).stdout.strip()
        return "running" if said == "running" else "paused" if said == "paused" else "shut off" if said == "shut off" else "other"

    def power_off(self, name: str) -> None:
        """Take the power of a machine away; harmless when it is off. Raises BedError."""
        self._gone(self._virsh("destroy", name), f"stop {name}")

    def power_on(self, name: str) -> None:
        """Let a machine boot from its disk. Raises BedError."""
        self._asked("start", name)

    def pause(self, name: str) -> None:
        """Hold a machine still. Raises BedError."""
        self._asked("suspend", name)

    def go_on(self, name: str) -> None:
        """Let a machine that was held still go on. Raises BedError."""
        self._asked("resume", name)

    def remove_machine(self, machine: Machine) -> None:
        """Remove a machine, its snapshots and its disks in the lab's pool; harmless when it is gone. Raises BedError."""
        self.power_off(machine.name)
        self._gone(self._virsh("undefine", machine.name, "--managed-save", "--snapshots-metadata", "--nvram"), f"remove {machine.name}")
        for disk in machine.disks:
            if disk.parent == POOL_FOLDER:
                disk.unlink(missing_ok=True)

    def remove_machine_named(self, name: str) -> None:
        """As `remove_machine`, of the machine `name`; harmless when there is none."""
        for machine in self.machines():
            if machine.name == name:
                self.remove_machine(machine)

    def remove_all(self, mark: Mark) -> None:
        """Remove the machines and networks that carry `mark`, and the disks named by it; harmless where there are none. Raises BedError."""
        machines = [partial(self.remove_machine, one) for one in self.machines() if mark.is_on(one.labels)]
        networks = [partial(self.remove_network, one.name) for one in self.networks() if mark.is_on(one.labels)]
        disks = [partial(disk.unlink, missing_ok=True) for disk in POOL_FOLDER.glob(f"{mark.name('')}*")]
        undo.all_of(*machines, *networks, *disks)

    def memory_mib(self, name: str) -> float:
        """Memory of the host that a machine holds, in MiB; 0 when it is off."""
        rows = (line.split() for line in self._virsh("dommemstat", name).stdout.splitlines())
        return next((int(row[1]) / 1024 for row in rows if row[:1] == ["rss"]), 0.0)

    def _names(self, verb: str) -> list[str]:
        return [line.strip() for line in self._asked(verb, "--all", "--name").splitlines() if line.strip()]

    def _virsh(self, *words: str, stdin: str = "") -> Completed:
        return self.start(("virsh", "--quiet", "-c", self.uri, *words), limit_s=LIMIT_S, env={"LC_ALL": "C"}, stdin=stdin)

    def _asked(self, *words: str, stdin: str = "") -> str:
        done = self._virsh(*words, stdin=stdin)
        if done.rc != 0:
            raise _refused(done, " ".join(words[:2]))
        return done.stdout

    def _gone(self, done: Completed, what: str) -> None:
        if done.rc != 0 and not any(word in done.stderr for word in GONE):
            raise _refused(done, what)


def answering() -> Libvirt | None:
    """This host's libvirt, where one answers; nobody needs one who has no machines."""
    try:
        (there := Libvirt()).see()
    except HostError:
        return None
    return there


def emulators(*, root: Path = HOST) -> tuple[tuple[int, str], ...]:
    """Every qemu that runs a machine, as process and machine's name: they outlive a libvirt that is killed. root: has /proc."""
    found = []
    for pid in processes(root=root):
        program, *words = arguments(pid, root=root)
        if QEMU.search(program) and "-name" in words[:-1]:
            found.append((pid, words[words.index("-name") + 1].partition(",")[0].removeprefix("guest=")))
    return tuple(found)


def _refused(done: Completed, what: str) -> BedError:
    return BedError(
        f"libvirt could not {what}", done.stderr.strip() or f"virsh ended with {done.rc}", "see `virsh list --all` and libvirtd's log"
    )


def network_xml(name: str, place: Slot, nodes: tuple[Node, ...], *, macs: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """A network without a way out, where each MAC finds the address of its node. The host has the gateway's address."""
    top = ET.Element("network")
    ET.SubElement(top, "name").text = name
    owner = ET.SubElement(ET.SubElement(top, "metadata"), f"{{{MARK}}}owner")
    for key, value in labels.items():
        owner.set(key, value)
    ET.SubElement(top, "bridge", name=f"spraylab{place.number}", stp="off", delay="0")
    ET.SubElement(top, "dns", enable="no")
    subnet, _, length = place.subnet.partition("/")
    address = ET.SubElement(top, "ip", address=place.gateway, prefix=length)
    leases = ET.SubElement(address, "dhcp")
    prefix = subnet.rpartition(".")[0]
    ET.SubElement(leases, "range", start=f"{prefix}.2", end=f"{prefix}.99")
    for node in nodes:
        ET.SubElement(leases, "host", mac=macs[node.name], name=node.name, ip=node.address)
    return ET.tostring(top, encoding="unicode")


def described(labels: Mapping[str, str]) -> str:
    """What a machine's description says of its owner."""
    return " ".join(f"{name}={value}" for name, value in labels.items())


def _network(xml: str) -> Network:
    top = ET.fromstring(xml)  # noqa: S314 - libvirt's own
    owner = top.find(f"metadata/{{{MARK}}}owner")
    subnets = [f"{ip.get('address')}/{ip.get('prefix') or ip.get('netmask')}" for ip in top.findall("ip") if ip.get("family") != "ipv6"]
    return Network(name=top.findtext("name", ""), labels=dict(owner.attrib) if owner is not None else {}, subnets=tuple(subnets))


def _machine(xml: str) -> Machine:
    top = ET.fromstring(xml)  # noqa: S314 - libvirt's own
    pairs = (word.partition("=") for word in top.findtext("description", "").split())
    labels = {name: value for name, equals, value in pairs if equals and name.startswith("spraylab.")}
    sources = (disk.find("source") for disk in top.findall("devices/disk"))
    disks = tuple(Path(source.get("file", "")) for source in sources if source is not None and source.get("file"))
    booted = [top.findtext(f"os/{name}", "") for name in ("kernel", "initrd")]
    booted += [below.get("file", "") for below in top.findall("devices/disk//backingStore/source")]
    boots = tuple(Path(path) for path in booted if path)
    return Machine(name=top.findtext("name", ""), labels=labels, disks=disks, boots=boots)
