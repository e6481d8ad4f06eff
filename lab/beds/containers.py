"""Nodes as privileged systemd containers on an internal bridge, reached by SSH: kind's way, for Docker and podman."""

import shutil
from collections.abc import Callable
from pathlib import Path

from lab import memory, nodeimage, slots
from lab.command import run, ssh
from lab.deadline import until
from lab.engine import Engine, NodeSpec
from lab.errors import BedError
from lab.host import HostFacts, NodeNeeds, facts, node_needs
from lab.model import Completed, Node, Site, Slot, Topology
from lab.owner import CELL, OWNER, SLOT, make_folder, this_process

UP_LIMIT_S = 180.0  # to SSH on a node; 3 s is usual on 2 cores, over 60 s was seen where five nodes load images on a host with other work
ASK_LIMIT_S = 5.0  # one try
MODULES = Path("/lib/modules")
SSH_CONFIG = """\
Host *
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  BatchMode yes
  ConnectTimeout 5
  ServerAliveInterval 5
  ServerAliveCountMax 3
  ControlMaster auto
  ControlPath {control}/%n
  ControlPersist 60
"""


class Containers:
    """The bed `containers`.

    artifacts: mounted read-only at /opt/lab of the members; folder: gets ssh_config; slot: None takes a free one;
    say: told what takes long.
    """

    name = "containers"

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
    ) -> None:
        self._cell_id, self._topology, self._artifacts = cell_id, topology, artifacts
        self._owner, self._folder, self._engine = this_process(run_id), folder, engine
        self._wanted, self._say = slot, say
        self._held: slots.Held | None = None
        self._control: Path | None = None
        self._site: Site | None = None

    def up(self) -> Site:
        """Nodes with systemd and SSH, control planes first, the client last. Raises BedError; `down` removes what it made."""
        self._held = slots.hold(self._wanted, (*slots.of_host(), *self._networks()))
        image = nodeimage.ensure(self._engine, say=self._say)
        place = self._held.slot
        nodes = slots.layout(self._topology, place)
        labels = {**self._owner.labels(), CELL: self._cell_id, SLOT: str(place.number)}
        self._engine.make_network(self._thing("net"), subnet=place.subnet, gateway=place.gateway, labels=labels)
        public_key = self._keys(nodes)
        seen = facts()
        for node in reversed(nodes):  # the client first: it is everybody's route
            self._engine.start_node(
                NodeSpec(
                    name=self._thing(node.name),
                    hostname=node.name,
                    image=image,
                    network=self._thing("net"),
                    address=node.address,
                    labels=labels,
                    env=entry_env(node, place, public_key=public_key, needs=node_needs(seen)),
                    mounts=mounts(node, self._artifacts),
                    nameserver=place.client,
                )
            )
        self._site = Site(nodes=nodes, slot=place, ssh_config=self._folder / "ssh_config")
        for node in nodes:
            self._await(self._site, node)
        return self._site

    def down(self) -> None:
        """Remove connections, containers with their volumes, the network and the slot of this cell."""
        if self._control:
            for node in self._site.nodes if self._site else ():
                self._hang_up(node)
            shutil.rmtree(self._control, ignore_errors=True)
            self._control = None
        if self._held is None:
            return
        mine = {**self._owner.labels(), SLOT: str(self._held.slot.number)}
        for container in self._engine.containers(f"{OWNER}={self._owner.run_id}"):
            if mine.items() <= container.labels.items():
                self._engine.remove_container(container.name)
        for network in self._engine.networks(f"{OWNER}={self._owner.run_id}"):
            if mine.items() <= network.labels.items():
                self._engine.remove_network(network.name)
        (self._folder / "ssh_config").unlink(missing_ok=True)
        self._held.release()
        self._held = None

    def stop(self, node: Node) -> None:
        """Take the power of `node` away: all its processes end at once, its disk stays."""
        self._hang_up(node)
        self._engine.kill_container(self._thing(node.name))

    def start(self, node: Node) -> None:
        """Boot `node` again, under its address; returns when it answers by SSH. Raises BedError."""
        self._engine.start_container(self._thing(node.name))
        if self._site:
            self._await(self._site, node)

    def memory_mib(self, node: Node) -> float:
        """Memory that `node` could not do without now, in MiB; 0 when it is off."""
        pid = self._engine.first_pid(self._thing(node.name))
        return memory.used_mib(pid) if pid else 0.0

    def limits(self) -> tuple[str, ...]:
        """What these nodes cannot show on this host, in whole sentences."""
        return limits(facts(), self._engine.name)

    def _networks(self) -> tuple[tuple[str, str], ...]:
        return tuple((subnet, f"network {network.name}") for network in self._engine.networks() for subnet in network.subnets)

    def _thing(self, name: str) -> str:
        number = self._held.slot.number if self._held else 0
        return f"spraylab-{self._owner.run_id}-s{number}-{name}"

    def _keys(self, nodes: tuple[Node, ...]) -> str:
        """Make the key and the SSH configuration of this cell; tells the public key."""
        self._control = make_folder("ssh", run_id=self._owner.run_id)
        key = self._control / "key"
        done = run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "spraylab", "-f", str(key)), limit_s=ASK_LIMIT_S)
        if done.rc != 0:
            raise BedError("ssh-keygen made no key", done.stderr.strip(), f"check that {self._control} can be written")
        hosts = "".join(f"Host {node.name}\n  HostName {node.address}\n" for node in nodes)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "ssh_config").write_text(hosts + SSH_CONFIG.format(key=key, control=self._control))
        return key.with_suffix(".pub").read_text().strip()

    def _hang_up(self, node: Node) -> None:
        """End the shared connection to `node`: once nobody is at its other end, what asks through it would wait for seconds."""
        if self._control and (self._control / node.name).exists():
            run(("ssh", "-F", str(self._folder / "ssh_config"), "-O", "exit", node.name), limit_s=ASK_LIMIT_S)

    def _await(self, site: Site, node: Node) -> None:
        done = _answer(site, node)
        if done.rc != 0:
            last = self._engine.last_lines(self._thing(node.name))
            raise BedError(
                f"node {node.name} ({node.address}) did not answer by SSH within {UP_LIMIT_S:.0f} s",
                f"ssh: {done.stderr.strip() or f'rc {done.rc}'}; its console ended with:\n{last}",
                "`spraylab doctor` shows what this host lacks",
            )


def _answer(site: Site, node: Node) -> Completed:
    """The last answer of `node` by SSH, the first good one if it came in time."""
    return until(lambda: ssh(site, node, "true", limit_s=ASK_LIMIT_S), lambda done: done.rc == 0, limit_s=UP_LIMIT_S, every_s=0.2)


def entry_env(node: Node, place: Slot, *, public_key: str, needs: NodeNeeds) -> dict[str, str]:
    """What the node's entry script reads. The client has no route on: what the nodes send to the world ends there."""
    return {
        "SPRAYLAB_AUTHORIZED_KEY": public_key,
        "SPRAYLAB_ROUTE": "" if node.role == "client" else place.client,
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


BED = Containers
