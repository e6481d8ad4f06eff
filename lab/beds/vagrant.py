"""Nodes as virtual machines by Vagrant, on a network of their own, reached by SSH: libvirt with KVM or emulated, or VirtualBox."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from lab import access, box, boxes, cachedir, emulation, fidelity, labdisk, machines, nodeimage, slots, undo, vagrantfile
from lab.access import Access
from lab.command import run, ssh
from lab.deadline import heed, now_s
from lab.errors import BedError, HostError
from lab.host import HostFacts, NodeNeeds, facts
from lab.libvirt import POOL_FOLDER, Libvirt
from lab.machines import Wanted
from lab.model import Node, Site, Topology
from lab.owner import Mark, this_process

LIST = "machines.json"  # in the cell's folder: what the Vagrantfile reads
UP_LIMIT_S = 300.0  # from Vagrant's answer to the lab's; at once, where nothing is wrong
PREPARE = Path(__file__).parent.parent / "data" / "machines" / "prepare.sh"
COPY_LIMIT_S = 900.0  # 0.7 GB to a machine


class Vagrant:
    """The bed `vagrant`.

    artifacts: on a disk of the members, at /opt/lab; folder: gets ssh_config, machines.json, vagrant.log and consoles; slot: None takes a
    free one; say: told what takes long. The environment names box and provider (lab.boxes).
    """

    name = "vagrant"
    by_engine = False

    @staticmethod
    def ready(topologies: Sequence[Topology]) -> None:
        """Raise HostError where Vagrant, its provider, libvirt or memory is missing, ScenarioError for a box that is not there."""
        wanted, seen = boxes.chosen(os.environ), facts()
        vagrantfile.see(wanted.provider)
        if wanted.provider == "libvirt":
            if not seen.is_root:
                raise HostError(
                    "machines need root", "this process runs as another user; disks lie in libvirt's own pool", "run it with sudo"
                )
            Libvirt().see()
        emulated = not emulation.accelerated()
        needed = max((machines.memory_mib(one, emulated=emulated) for one in topologies), default=0)
        if (free := seen.memory_free_bytes / 2**20) < needed:
            largest = max(topologies, key=machines.memory_mib)
            why = f"machines for {largest} take {needed / 1024:.1f} GiB, {free / 1024:.1f} GiB are free"
            raise HostError("not enough memory for the machines", why, "free some, or run a smaller topology")

    @staticmethod
    def room_bytes() -> int:
        """Room for the box, where it is not built yet."""
        return 0 if box.there() else box.NEEDED_BYTES + nodeimage.NEEDED_BYTES

    @staticmethod
    def prepare(*, say: Callable[[str], None] = lambda _: None) -> None:
        """Build the lab's own box and find out whether KVM runs it, or let Vagrant fetch the public one."""
        wanted = boxes.chosen(os.environ)
        if not wanted.built:
            say(f"seeing that Vagrant has the box {wanted.name}")
            vagrantfile.add_box(wanted, version=wanted.version, catalog=lambda: wanted.name)
            return
        built = box.ensure(say=say)
        emulation.probe(built)
        POOL_FOLDER.mkdir(parents=True, exist_ok=True)
        with cachedir.aside(POOL_FOLDER / "box") as folder:
            vagrantfile.add_box(wanted, version=built.version, catalog=lambda: str(box.catalog(built, folder)))

    @staticmethod
    def has_kernel(_option: str, *, module: str) -> bool:
        """A distribution's kernel has every module that the lab asks for; tests/beds/test_machines.py sees it."""
        return bool(module)

    @staticmethod
    def conditions() -> tuple[str, ...]:
        """Whether machines are emulated here, and whether they are of the lab's own box."""
        of_box = ("box of the lab",) if boxes.chosen(os.environ).built else ()
        return of_box if emulation.accelerated() else (*of_box, "emulated")

    @staticmethod
    def needs(_seen: HostFacts) -> NodeNeeds:
        """Nothing that the host asks for: a machine has a kernel and control groups of its own. An emulated one is slow."""
        emulated = "" if emulation.accelerated() else "emulated by qemu (TCG)"
        return NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False, emulated=emulated)

    def __init__(
        self,
        *,
        cell_id: str,
        topology: Topology,
        artifacts: Path,
        run_id: str,
        folder: Path,
        engine: Any = None,  # noqa: ARG002 - other beds have one
        slot: int | None = None,
        say: Callable[[str], None] = lambda _: None,
        stop: Event | None = None,
    ) -> None:
        self._cell_id, self._topology, self._artifacts = cell_id, topology, artifacts
        self._owner, self._folder, self._slot, self._say = this_process(run_id), folder.absolute(), slot, say
        self._stop = stop or Event()
        self._box, self._libvirt = boxes.chosen(os.environ), Libvirt()
        self._held: slots.Held | None = None
        self._access: Access | None = None
        self._site: Site | None = None
        self._machines: vagrantfile.Machines | None = None
        self._kept: set[str] = set()

    def up(self) -> Site:
        """Machines with systemd and SSH, control planes first, the client last. Raises BedError and HostError; `down` removes them."""
        self.prepare(say=self._say)
        self._held = slots.hold(self._slot, (*slots.of_host(), *self._networks()))
        place, interface = self._held.slot, self._box.interface
        nodes = tuple(replace(node, interface=interface) for node in slots.layout(self._topology, place))
        pace = emulation.pace()
        self._access = access.make(nodes, folder=self._folder, run_id=self._owner.run_id, pace=pace)
        self._site = Site(nodes=nodes, slot=place, ssh_config=self._access.config, pace=pace)
        listed = self._listed(self._site, self._access)
        (self._folder / LIST).write_text(json.dumps(listed, indent=1))
        self._machines = vagrantfile.Machines(self._folder / LIST, box=self._box, folder=self._folder, say=self._say, stop=self._stop)
        self._machines.up()
        for node in nodes:
            self._await(self._site, node)
        if not self._box.built:
            self._bring(self._site)
        return self._site

    def down(self) -> None:
        """Remove machines with their disks and snapshots, the network, connections and the slot of this cell."""
        if self._held is None:
            return
        connections = [partial(self._hang_up, node) for node in (self._site.nodes if self._site else ())]
        try:
            undo.all_of(*connections, self._destroy, self._remove, self._close, self._held.release)
        finally:
            self._held = self._site = self._access = self._machines = None

    def _destroy(self) -> None:
        if self._machines:
            self._machines.destroy()

    def _close(self) -> None:
        if self._access:
            self._access.close()
        shutil.rmtree(self._folder / "vagrant", ignore_errors=True)

    def stop(self, node: Node) -> None:
        """Take the power of `node` away, with no shutdown; harmless when it is off."""
        self._hang_up(node)
        if self._box.provider == "libvirt":
            self._libvirt.power_off(self._thing(node.name))
        elif self._machines:
            self._machines.halt(node.name)

    def start(self, node: Node) -> None:
        """Let `node` boot from its disk, under its address; returns when it answers by SSH. Raises BedError."""
        if self._box.provider == "libvirt":
            self._libvirt.power_on(self._thing(node.name))
        elif self._machines:
            self._machines.start(node.name)
        if self._site:
            self._await(self._site, node)

    def save(self, key: str) -> None:
        """Keep all machines as they are, memory and disks, at one moment: they are held still meanwhile. Raises BedError."""
        if self.saved(key):
            return
        if not (self._site and self._machines):
            raise BedError("there is nothing to save", "no nodes of this bed are up", "call up first")
        self._pause(self._site)
        try:
            self._machines.save(key)
        finally:
            self._go_on(self._site)
        self._set_clocks(self._site)
        self._kept.add(key)

    def saved(self, key: str) -> bool:
        """Whether these machines were saved under `key`: a snapshot is gone with its machines."""
        return key in self._kept

    def restore(self, key: str) -> Site:
        """The machines as they were saved under `key`, their clocks set to now. Raises BedError."""
        if not (self._site and self._machines and self.saved(key)):
            raise BedError(f"there is no snapshot {key}", "a snapshot of machines is gone with them", "make the nodes anew: up")
        for node in self._site.nodes:
            self._hang_up(node)
        self._machines.restore(key)
        self._go_on(self._site)
        self._set_clocks(self._site)
        return self._site

    def forget(self, key: str) -> None:
        """Delete the snapshot `key`; harmless when it is not there. Raises BedError."""
        if self._machines and self.saved(key):
            self._machines.forget(key)
        self._kept.discard(key)

    def memory_mib(self, node: Node) -> float:
        """Memory of the host that the machine holds, in MiB; 0 when it is off or its provider does not tell."""
        return self._libvirt.memory_mib(self._thing(node.name)) if self._box.provider == "libvirt" else 0.0

    def limits(self) -> tuple[str, ...]:
        """What these machines cannot show on this host, in whole sentences."""
        return fidelity.sentences(self.name, facts(), told=self.conditions())

    def _listed(self, site: Site, reached: Access) -> dict[str, object]:
        wanted = Wanted(
            box=self._box,
            prefix=self._thing(""),
            labels=self._mark().labels(),
            key=reached.control / "key",
            public_key=reached.public_key,
            network=self._thing("net"),
            folder=self._folder,
        )
        if self._box.provider == "libvirt":
            macs = {node.name: slots.mac_of(node.address) for node in site.nodes}
            self._libvirt.make_network(wanted.network, site.slot, site.nodes, macs=macs, labels=self._mark().labels())
        if not self._box.built:
            return machines.public(site, wanted, prepare=PREPARE)
        built = box.ensure()
        wanted = replace(wanted, box=replace(self._box, version=built.version))
        self._libvirt.ensure_pool()
        accelerated = emulation.accelerated()
        boot = labdisk.lay_out(site, built, artifacts=self._artifacts, prefix=wanted.prefix, accelerated=accelerated, say=self._say)
        self._libvirt.ensure_pool()  # which then knows what lies there
        return machines.own(site, wanted, boot)

    def _bring(self, site: Site) -> None:
        """Give the members of a public box what those of the lab's own find on a disk."""
        for node in site.members:
            words = ("scp", "-q", "-r", "-F", str(site.ssh_config), f"{self._artifacts}/.", f"{node.name}:/opt/lab")
            done = run(words, limit_s=COPY_LIMIT_S, stop=self._stop)
            heed(self._stop)
            if done.rc != 0:
                raise BedError(f"what is installed could not be copied to {node.name}", done.stderr.strip(), f"see {self._folder}")

    def _remove(self) -> None:
        """What Vagrant left of this cell, were it killed in the middle; on libvirt alone, for there the lab knows whose a thing is."""
        if self._box.provider == "libvirt":
            self._libvirt.remove_all(self._mark())

    def _pause(self, site: Site) -> None:
        for node in site.nodes:
            if self._box.provider == "libvirt":
                self._libvirt.pause(self._thing(node.name))

    def _go_on(self, site: Site) -> None:
        for node in site.nodes:
            if self._box.provider == "libvirt" and self._libvirt.state(self._thing(node.name)) == "paused":
                self._libvirt.go_on(self._thing(node.name))

    def _set_clocks(self, site: Site) -> None:
        """Tell machines that were held still what time it is: leases and certificates are bound to it."""
        for node in site.nodes:
            self._await(site, node)
            ssh(site, node, f"date -s @{now_s():.0f} >/dev/null", limit_s=UP_LIMIT_S)

    def _networks(self) -> tuple[tuple[str, str], ...]:
        there = self._libvirt.networks() if self._box.provider == "libvirt" else ()
        return tuple((subnet, f"libvirt's network {network.name}") for network in there for subnet in network.subnets)

    def _mark(self) -> Mark:
        return Mark(owner=self._owner, cell=self._cell_id, slot=self._held.slot.number if self._held else 0)

    def _thing(self, name: str) -> str:
        return self._mark().name(name)

    def _hang_up(self, node: Node) -> None:
        if self._access:
            self._access.hang_up(node)

    def _await(self, site: Site, node: Node) -> None:
        done = access.answer(site, node, limit_s=UP_LIMIT_S, stop=self._stop)
        if done.rc != 0:
            console = self._folder / f"console-{node.name}.log"
            last = console.read_text(errors="replace")[-1000:] if console.exists() else "it has none"
            raise BedError(
                f"machine {node.name} ({node.address}) did not answer by SSH within {UP_LIMIT_S:.0f} s",
                f"ssh: {done.stderr.strip() or f'rc {done.rc}'}; its console ended with:\n{last}",
                f"see {self._folder / 'vagrant.log'}",
            )


BED = Vagrant
