"""Nodes by plain kind, which is the installer too: a cluster in a network of the run's own, and a client beside it."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event

from lab import (
    access,
    component,
    containernode,
    enginenodes,
    fidelity,
    installer,
    kindcluster,
    kindimage,
    kindsteps,
    kindway,
    nodeimage,
    release,
    slots,
    undo,
)
from lab.access import Access
from lab.command import ssh
from lab.container import NodeSpec
from lab.deadline import now_s, pausing, ticks_s, until
from lab.engine import Engine
from lab.errors import BedError
from lab.host import NodeNeeds, facts, node_needs
from lab.installer import OnEvent
from lab.kindcluster import Place
from lab.kindrun import Creation
from lab.kindsteps import steps
from lab.model import API_PORT, Cell, Completed, Node, Site, Stage, StageRun, TaskEvent, Topology
from lab.owner import Mark, make_folder, this_process

UP_LIMIT_S = 180.0  # to SSH on a node, and to kubeadm at the gate; 10 s is usual on 2 cores
ASK_LIMIT_S = 5.0  # one try
EVERY_S = 0.2
SAID_LINES = 15  # of kind, its last ones
LOG = "kind.log"  # in the folder of a stage
CREATE = ("create", "cluster", "--retain")  # what failed is to be looked at


class Kind:
    """The bed `kind`: nodes are up before kubeadm init begins, and `install` lets it.

    artifacts: mounted read-only at /opt/lab of the members; folder: gets ssh_config and what kind is given; slot: None takes a free one;
    say: told what takes long.
    """

    name = "kind"
    by_engine = True
    init_tasks = (kindcluster.init().task,)
    full = kindcluster.full()

    room_bytes = staticmethod(enginenodes.room_bytes)
    prepare = staticmethod(enginenodes.prepare)
    has_kernel = staticmethod(enginenodes.has_kernel)
    conditions = staticmethod(enginenodes.conditions)
    needs = staticmethod(node_needs)

    @staticmethod
    def ready(_topologies: Sequence[Topology]) -> None:
        """Raise HostError without root."""
        enginenodes.see_root("nodes of the bed kind")

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
        self._wanted, self._say, self._stop = slot, say, stop or Event()
        self._held: slots.Held | None = None
        self._access: Access | None = None
        self._way: Path | None = None
        self._creation: Creation | None = None
        self._cell, self._stage = kindcluster.bare(topology)
        self._versions: Mapping[str, str] = {}
        self._files: Mapping[str, str] = {}
        self._nodes: tuple[Node, ...] = ()
        self._names: Mapping[str, str] = {}

    def takes(self, cell: Cell, stage: Stage, *, versions: Mapping[str, str]) -> None:
        """Say what `install` is to make; kind has to know it when it makes the nodes. versions: component -> its own."""
        self._cell, self._stage, self._versions = cell, stage, versions

    def up(self) -> Site:
        """Nodes with systemd and SSH, kubeadm held back, and the client. Raises BedError; `down` removes what it made."""
        if self._topology.control_planes > 1:
            raise BedError(f"kind makes no nodes for {self._topology}", kindcluster.LOAD_BALANCER, "ask another bed: --bed containers")
        self._held = slots.hold(self._wanted, (*slots.of_host(), *enginenodes.networks(self._engine)))
        needs, program = node_needs(facts()), component.build(("kind",))["kind"] / "bin" / "kind"
        images = nodeimage.ensure(self._engine, say=self._say), kindimage.ensure(self._engine, needs, say=self._say)
        place = self._held.slot
        nodes = slots.layout(self._topology, place)
        self._engine.make_network(self._thing("net"), subnet=place.subnet, gateway=place.gateway, labels=self._mark().labels())
        self._access = access.make(nodes, folder=self._folder, run_id=self._owner.run_id)
        site = Site(nodes=nodes, slot=place, ssh_config=self._access.config)
        self._nodes, self._names = nodes, kindway.named(site, self._thing("kind"))
        self._start_client(site, images[0], needs)
        self._way = way = make_folder("kind", run_id=self._owner.run_id)
        config = self._configure(way, site, needs)
        self._creation = Creation(
            (str(program), *CREATE, "--config", str(config), "--image", images[1], "--kubeconfig", str(way / kindway.KUBECONFIG)),
            env=kindway.environment(way, engine=self._engine.name, network=self._thing("net")),
            gate=way / kindway.GATE,
            node=site.control_planes[0].name,
        )
        self._creation.begin()
        for node in site.nodes:
            self._await(site, node)
        self._await_gate(self._creation)
        return site

    def install(self, stage: Stage, *, site: Site, folder: Path, on_event: OnEvent, stop: Event, limit_s: float) -> StageRun:
        """Let kubeadm init begin, wait until kind has ended, then apply what comes after it. Nodes stay as they are when `stop` is set."""
        if self._creation is None:
            raise BedError("there is no cluster to install", "the nodes of this bed are not up", "call up first")
        began_s, began_at_s = ticks_s(), now_s()
        done, events = self._creation.finish(on_event=on_event, stop=stop, limit_s=limit_s)
        (folder / LOG).write_text(done.stdout + done.stderr)
        applied = list(events)

        def tell(event: TaskEvent) -> None:
            applied.append(event)
            on_event(event)

        if done.rc == 0:
            done = kindsteps.apply(steps(self._files, kube_version=self._cell.kube_version), site, tell=tell, stop=stop) or done
        whole = replace(done, started_at_s=began_at_s, duration_s=ticks_s() - began_s)
        return installer.outcome(stage, whole, tuple(applied), init_tasks=self.init_tasks)

    def down(self) -> None:
        """End kind; remove connections, containers with their volumes, the network and the slot of this cell."""
        if self._held is None:
            return
        try:
            undo.all_of(self._end, self._remove, self._close, self._held.release)
        finally:
            self._held = self._access = self._way = self._creation = None

    def memory_mib(self, node: Node) -> float:
        """Memory that `node` could not do without now, in MiB; 0 when it is off."""
        return enginenodes.memory_mib(self._engine, self._container(node))

    def limits(self) -> tuple[str, ...]:
        """What these nodes cannot show on this host, in whole sentences."""
        return fidelity.sentences(self.name, facts(), engine=self._engine.name)

    def _start_client(self, site: Site, image: str, needs: NodeNeeds) -> None:
        client, key = site.client, self._access.public_key if self._access else ""
        self._engine.start_node(
            NodeSpec(
                name=self._container(client),
                hostname=client.name,
                image=image,
                network=self._thing("net"),
                address=client.address,
                labels=self._mark().labels(),
                env=containernode.entry_env(client, site.slot, public_key=key, needs=needs),
                mounts=containernode.mounts(client, self._artifacts),
                nameserver=site.slot.client,
            )
        )

    def _configure(self, way: Path, site: Site, needs: NodeNeeds) -> Path:
        """What kind and the program before the engine's read; tells the path of the cluster's configuration."""
        key = self._access.public_key if self._access else ""
        kindway.lay_out(
            way,
            site,
            engine=self._engine.name,
            cluster=self._thing("kind"),
            labels=self._mark().labels(),
            public_key=key,
            kube_version=self._cell.kube_version,
            needs=needs,
        )
        self._files = kindcluster.files(
            self._cell, self._stage, site, release.load(self._cell.ref.release), place=self._place(way, site, needs)
        )
        for name, text in self._files.items():
            (way / name).write_text(text)
            (self._folder / name).write_text(text)  # to be read; a cell's folder has colons, which engines take in no path
        return way / kindcluster.CLUSTER

    def _place(self, way: Path, site: Site, needs: NodeNeeds) -> Place:
        usual = {name: component.load(name).version for name in ("kube-vip", "cilium", "etcd", "coredns")}
        versions = {**usual, **self._versions}
        return Place(
            name=self._thing("kind"),
            manifest=str(way / kindcluster.MANIFEST),
            versions=versions,
            mounts=((str(self._artifacts.absolute()), kindimage.LAB), (str(way / kindway.VERSION), "/kind/version")),
            endpoint=f"{site.control_planes[0].address}:{API_PORT}",
            etcd_tag=f"{versions['etcd'].removeprefix('v')}-0",
            coredns_tag=versions["coredns"],
            cgroup2=needs.cgroup2,
        )

    def _await(self, site: Site, node: Node) -> None:
        """Until `node` answers by SSH; no longer than kind runs."""

        def look() -> Completed:
            return ssh(site, node, "true", limit_s=ASK_LIMIT_S, stop=self._stop)

        over, sleep = self._creation.over if self._creation else lambda: None, pausing(self._stop)
        done = until(look, lambda done: done.rc == 0 or over() is not None, limit_s=UP_LIMIT_S, every_s=EVERY_S, sleep=sleep)
        if done.rc != 0:
            said = self._engine.last_lines(self._container(node)) if over() is None else _last(over())
            why = f"ssh: {done.stderr.strip() or f'rc {done.rc}'}; {'its console' if over() is None else 'kind'} ended with:\n{said}"
            raise BedError(
                f"node {node.name} ({node.address}) of kind did not answer by SSH", why, "`spraylab doctor` shows what this host lacks"
            )

    def _await_gate(self, creation: Creation) -> None:
        sleep = pausing(self._stop)
        until(lambda: creation.held() or creation.over() is not None, bool, limit_s=UP_LIMIT_S, every_s=EVERY_S, sleep=sleep)
        if not creation.held() or creation.over() is not None:
            raise BedError(
                "kind did not come as far as kubeadm init", _last(creation.over()), "`spraylab doctor` shows what this host lacks"
            )

    def _mark(self) -> Mark:
        return Mark(owner=self._owner, cell=self._cell_id, slot=self._held.slot.number if self._held else 0)

    def _thing(self, name: str) -> str:
        return self._mark().name(name)

    def _container(self, node: Node) -> str:
        """The name of its container."""
        return self._thing("client") if node.role == "client" else self._names[node.name]

    def _remove(self) -> None:
        """Remove connections, containers, volumes and the network; what else this run has in other slots stays."""
        connections = [partial(self._access.hang_up, node) for node in self._nodes] if self._access else []
        made = [partial(remove, self._engine, self._mark()) for remove in (enginenodes.remove, enginenodes.remove_network)]
        undo.all_of(*connections, *made)

    def _end(self) -> None:
        if self._creation:
            self._creation.end()

    def _close(self) -> None:
        if self._access:
            self._access.close()
        if self._way:
            shutil.rmtree(self._way, ignore_errors=True)


def _last(done: Completed | None) -> str:
    """The last lines of kind."""
    return "\n".join(done.stdout.strip().splitlines()[-SAID_LINES:]) if done else "it still runs, and said nothing of it"


BED = Kind
