"""Nodes as privileged systemd containers on an internal bridge, reached by SSH: kind's way, for Docker and podman."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event

from lab import access, enginenodes, fidelity, imagestore, nodeimage, slots, snapshot, undo
from lab.access import Access
from lab.command import ssh
from lab.container import NodeSpec
from lab.containernode import entry_env, mounts
from lab.deadline import pausing, until
from lab.engine import Engine
from lab.errors import BedError
from lab.host import cmdline, facts, node_needs
from lab.model import Node, Site, Slot, Topology
from lab.owner import Mark, this_process

UP_LIMIT_S = 180.0  # to SSH on a node; 3 s is usual on 2 cores, over 60 s was seen where five nodes load images on a host with other work
OFF_LIMIT_S = 60.0  # to an orderly end of all that runs on a node; 3 s is usual
INIT = "/sbin/init"  # first process of a node that its entry script has set up
# What a shutdown does on a machine: nobody restarts containers, each is asked to end before it is killed, etcd after those who ask it.
OFF = """\
systemctl stop kubelet 2>/dev/null
! systemctl -q is-active containerd || crictl ps -q | xargs -r -P 8 -n 1 crictl stop --timeout 2 >/dev/null || exit 1
systemctl stop etcd 2>/dev/null
systemctl stop containerd
journalctl --relinquish-var # closes its files
"""
# reset.yml stops containerd and deletes all that it keeps, the images among it, and crictl with its configuration, which comes by stdin.
RESTOCK = """\
cat >/etc/crictl.yaml && rm -f /var/lib/spraylab-images-loaded && systemctl restart containerd && systemctl restart spraylab-images
"""
CRICTL = nodeimage.NODE / "root" / "etc" / "crictl.yaml"
RESTOCK_LIMIT_S = 300.0  # 15 to 26 s for a node with Cilium


class Containers:
    """The bed `containers`.

    artifacts: mounted read-only at /opt/lab of the members; folder: gets ssh_config; slot: None takes a free one; say: told what is slow.
    """

    name = "containers"
    by_engine = True

    room_bytes = staticmethod(enginenodes.room_bytes)
    prepare = staticmethod(enginenodes.prepare)
    has_kernel = staticmethod(enginenodes.has_kernel)
    conditions = staticmethod(enginenodes.conditions)
    needs = staticmethod(node_needs)

    @staticmethod
    def ready(_topologies: Sequence[Topology]) -> None:
        """Raise HostError without root."""
        enginenodes.see_root("container nodes")

    def __init__(
        self,
        *,
        cell_id: str,
        topology: Topology,
        artifacts: Path,
        run_id: str,
        folder: Path,
        engine: Engine,
        slot: int | None = None,
        say: Callable[[str], None] = lambda _: None,
        stop: Event | None = None,
    ) -> None:
        self._cell_id, self._topology, self._artifacts = cell_id, topology, artifacts
        self._owner, self._folder, self._engine = this_process(run_id), folder, engine
        self._wanted, self._say, self._outward, self._stop = slot, say, False, stop or Event()
        self._held: slots.Held | None = None
        self._access: Access | None = None
        self._site: Site | None = None

    def reach_out(self) -> None:
        """Let the nodes of a later `up` reach beyond this host."""
        self._outward = True

    def up(self) -> Site:
        """Nodes with systemd and SSH, control planes first, the client last. Raises BedError; `down` removes what it made."""
        self._held = slots.hold(self._wanted, (*slots.of_host(), *enginenodes.networks(self._engine)))
        image = nodeimage.ensure(self._engine, say=self._say)
        site = self._open(self._held.slot)
        volumes = self._with_images(site, image)
        return self._boot(site, images={node.name: image for node in site.nodes}, labels=self._mark().labels(), volumes=volumes)

    def _with_images(self, site: Site, image: str) -> dict[str, str]:
        """Node -> volume for its /var, the images of the artifacts unpacked in it; none where the artifacts have no images."""
        name, labels = self._thing("images"), self._mark().labels()
        store = imagestore.ensure(self._engine, image=image, artifacts=self._artifacts, name=name, labels=labels, say=self._say)
        if store is None:
            return {}
        volumes = {node.name: self._thing(f"{node.name}-var") for node in site.members}
        for volume in volumes.values():
            imagestore.lay_out(self._engine, store, volume=volume, labels=labels)
        return volumes

    def _open(self, place: Slot) -> Site:
        """The network in `place` and the way to the nodes that will stand there."""
        nodes = slots.layout(self._topology, place)
        net, labels = self._thing("net"), self._mark().labels()
        self._engine.make_network(net, subnet=place.subnet, gateway=place.gateway, labels=labels, internal=not self._outward)
        self._access = access.make(nodes, folder=self._folder, run_id=self._owner.run_id)
        self._site = Site(nodes=nodes, slot=place, ssh_config=self._access.config)
        return self._site

    def _boot(self, site: Site, *, images: Mapping[str, str], labels: Mapping[str, str], volumes: Mapping[str, str] | None = None) -> Site:
        """Start every node, each of its image and with its /var where it has one; returns when all answer."""
        seen, public_key = facts(), self._access.public_key if self._access else ""
        for node in reversed(site.nodes):  # the client first: it is everybody's route
            self._engine.start_node(
                NodeSpec(
                    name=self._thing(node.name),
                    hostname=node.name,
                    image=images[node.name],
                    network=self._thing("net"),
                    address=node.address,
                    labels=labels,
                    env=entry_env(node, site.slot, public_key=public_key, needs=node_needs(seen), outward=self._outward),
                    mounts=mounts(node, self._artifacts),
                    volume=(volumes or {}).get(node.name, ""),
                    nameserver="" if self._outward else site.slot.client,
                )
            )
        for node in site.nodes:
            self._await(site, node)
        return site

    def down(self) -> None:
        """Remove connections, containers with their volumes, the network and the slot of this cell."""
        if self._held is None:
            return
        try:
            network = partial(enginenodes.remove_network, self._engine, self._mark())
            undo.all_of(self._remove_nodes, self._close, network, self._held.release)
        finally:
            self._held = self._site = self._access = None

    def stop(self, node: Node) -> None:
        """Take the power of `node` away: all its processes end at once, its disk stays."""
        self._hang_up(node)
        self._engine.kill_container(self._thing(node.name))

    def start(self, node: Node) -> None:
        """Boot `node` again, under its address; returns when it answers by SSH. Raises BedError."""
        self._engine.start_container(self._thing(node.name))
        if self._site:
            self._await(self._site, node)

    def restock(self) -> None:
        """Load the images anew that lie in the artifacts, on every member. Raises BedError."""
        if not self._site:
            return
        for node in self._site.members:
            done = ssh(self._site, node, RESTOCK, limit_s=RESTOCK_LIMIT_S, stdin=CRICTL.read_text())
            if done.rc != 0:
                why = done.stderr.strip()[-400:] or f"rc {done.rc}"
                raise BedError(
                    f"{node.name} did not get its images back after the reset", why, "look at it: --keep=failure, `spraylab shell`"
                )

    def save(self, key: str) -> None:
        """Keep all nodes under `key`: they go off together, in order, and boot again. Raises BedError and HostError."""
        if self.saved(key):
            return
        if not self._site:
            raise BedError("there is nothing to save", "no nodes of this bed are up", "call up first")
        self.forget(key)  # of what is not whole
        try:
            for node in self._site.members:
                self._shut_down(self._site, node)
            for node in self._site.nodes:
                self.stop(node)
            containers = {node.name: self._thing(node.name) for node in self._site.nodes}
            slot, topology = self._site.slot.number, str(self._topology)
            snapshot.keep(self._engine, key, containers, slot=slot, topology=topology, owner=self._owner)
        finally:
            for node in reversed(self._site.nodes):
                self._engine.start_container(self._thing(node.name))
        for node in self._site.nodes:
            self._await(self._site, node)

    def _shut_down(self, site: Site, node: Node) -> None:
        done = ssh(site, node, OFF, limit_s=OFF_LIMIT_S)
        if done.rc != 0:
            why = done.stderr.strip()[-400:] or f"rc {done.rc}"
            raise BedError(f"node {node.name} could not be shut down in order", why, "look at it: `spraylab shell`")

    def saved(self, key: str) -> bool:
        """Whether there is a whole snapshot `key`."""
        return snapshot.find(self._engine, key) is not None

    def forget(self, key: str) -> None:
        """Delete the snapshot `key`; harmless when it is not there. Raises BedError where nodes still stand on it."""
        snapshot.forget(self._engine, key)

    def restore(self, key: str) -> Site:
        """Nodes as they were saved under `key`, in place of `up` or of those that are up. Raises BedError."""
        there = snapshot.find(self._engine, key)
        if there is None:
            raise BedError(f"there is no snapshot {key}", "it was never finished, or was deleted", "make the nodes anew: up")
        mine = self._held.slot.number if self._held else there.slot if self._wanted is None else self._wanted
        if (there.slot, there.topology) != (mine, str(self._topology)):
            why = f"it was made of {there.topology} in slot {there.slot}, this bed is {self._topology} in slot {mine}"
            raise BedError(f"the snapshot {key} does not fit this bed", why, "name that slot, or make the nodes anew: up")
        if self._held is None:
            self._held = slots.hold(there.slot, (*slots.of_host(), *enginenodes.networks(self._engine)))
        site = self._site or self._open(self._held.slot)
        self._remove_nodes()
        volumes = {node.name: self._thing(f"{node.name}-var") for node in site.nodes}
        for node, volume in volumes.items():
            snapshot.lay_out(self._engine, there, node, volume=volume, labels=self._mark().labels())
        return self._boot(site, images=there.images, labels={**self._mark().labels(), snapshot.SNAPSHOT: key}, volumes=volumes)

    def memory_mib(self, node: Node) -> float:
        """Memory that `node` could not do without now, in MiB; 0 when it is off."""
        return enginenodes.memory_mib(self._engine, self._thing(node.name))

    def limits(self) -> tuple[str, ...]:
        """What these nodes cannot show on this host, in whole sentences."""
        return fidelity.sentences(self.name, facts(), engine=self._engine.name)

    def _mark(self) -> Mark:
        return Mark(owner=self._owner, cell=self._cell_id, slot=self._held.slot.number if self._held else 0)

    def _remove_nodes(self) -> None:
        """Remove connections, containers and volumes; what else this run has in other slots stays."""
        connections = [partial(self._hang_up, node) for node in (self._site.nodes if self._site else ())]
        undo.all_of(*connections, partial(enginenodes.remove, self._engine, self._mark()))

    def _close(self) -> None:
        if self._access:
            self._access.close()

    def _hang_up(self, node: Node) -> None:
        if self._access:
            self._access.hang_up(node)

    def _thing(self, name: str) -> str:
        return self._mark().name(name)

    def _await(self, site: Site, node: Node) -> None:
        # Asked before its entry script gave it its MAC, a node would stand under another one in the host's table for half a minute.
        name, sleep = self._thing(node.name), pausing(self._stop)
        until(lambda: cmdline(self._engine.first_pid(name)), INIT.__eq__, limit_s=UP_LIMIT_S, every_s=0.1, sleep=sleep)
        done = access.answer(site, node, limit_s=UP_LIMIT_S, stop=self._stop)
        if done.rc != 0:
            last = self._engine.last_lines(self._thing(node.name))
            raise BedError(
                f"node {node.name} ({node.address}) did not answer by SSH within {UP_LIMIT_S:.0f} s",
                f"ssh: {done.stderr.strip() or f'rc {done.rc}'}; its console ended with:\n{last}",
                "`spraylab doctor` shows what this host lacks",
            )


BED = Containers
