"""The container engine behind the docker SDK: Docker, or podman through a service of the lab's own.

Only this module knows the SDK. It makes what a spec says and finds things by label; whose they are is not its business.
"""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import docker
from docker.errors import APIError, DockerException, NotFound
from docker.types import IPAMConfig, IPAMPool

from lab import podman, slots
from lab.container import NodeSpec, OnceSpec, Thing
from lab.errors import BedError, HostError
from lab.host import facts

Choice = Literal["auto", "docker", "podman"]
DOCKER_SOCKET = "/var/run/docker.sock"
API_LIMIT_S = 600  # one request; importing a root with all images takes the longest, minutes on a host with other work
PIECE_BYTES = 1 << 20


class Engine:
    """A connection to one engine; made by `connect`."""

    def __init__(self, name: str, client: Any) -> None:
        self.name = name
        self._client = client

    def version(self) -> str:
        """The engine's own version."""
        return str(self._client.version().get("Version", "unknown"))

    def has_image(self, tag: str) -> bool:
        try:
            self._client.images.get(tag)
        except NotFound:
            return False
        return True

    def import_root(self, archive: Path, *, repository: str, tag: str, changes: tuple[str, ...]) -> None:
        """Make the image `repository:tag` of a tar file with a root file system; changes: lines as of a Dockerfile."""
        with _asked(f"import the image {repository}:{tag}"), archive.open("rb") as stream:
            pieces = iter(lambda: stream.read(PIECE_BYTES), b"")  # an open file would be sent with a length and as chunks at once
            said = self._client.api.import_image_from_stream(pieces, changes=list(changes))
            image = json.loads(said.strip().splitlines()[-1])["status"]
            self._client.api.tag(image, repository, tag)  # podman 4.3 forgets a tag given to the import

    def make_network(self, name: str, *, subnet: str, gateway: str, labels: Mapping[str, str], internal: bool = True) -> None:
        """Make a bridge; `internal`: one that reaches nothing beyond this host."""
        ipam = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=gateway)])
        with _asked(f"make the network {name}"):
            self._client.networks.create(name, driver="bridge", internal=internal, ipam=ipam, labels=dict(labels))

    def start_node(self, spec: NodeSpec) -> None:
        """Make and start the privileged container of `spec`, its /var on a volume of its own."""
        place = self._client.api.create_endpoint_config(ipv4_address=spec.address, mac_address=slots.mac_of(spec.address))
        with _asked(f"start the node {spec.name}"):
            container = self._client.containers.create(
                spec.image,
                name=spec.name,
                hostname=spec.hostname,
                labels=dict(spec.labels),
                environment={"container": self.name, **spec.env},
                network=spec.network,
                networking_config={spec.network: place},
                dns=[spec.nameserver] if spec.nameserver else None,
                privileged=True,
                cgroupns="private",
                tmpfs={"/run": "exec,mode=755", "/tmp": "exec,mode=1777"},  # noqa: S108 - of the node
                volumes=[f"{spec.volume}:/var" if spec.volume else "/var", *(f"{outside}:{inside}:ro" for outside, inside in spec.mounts)],
                stop_signal="SIGRTMIN+3",
            )
            container.start()

    def run_once(self, spec: OnceSpec, *, limit_s: float) -> None:
        """Run a privileged container without a network and remove it. Raises BedError, with its last words, unless it ends well in time."""
        with _asked(f"run {spec.name}"):
            container = self._client.containers.create(
                spec.image,
                entrypoint=list(spec.argv),
                name=spec.name,
                labels=dict(spec.labels),
                network_mode="none",
                privileged=True,
                volumes=[f"{spec.volume}:/var", *(f"{outside}:{inside}:ro" for outside, inside in spec.mounts)],
            )
        try:
            with _asked(f"run {spec.name}"):
                container.start()
                rc = container.wait(timeout=limit_s)["StatusCode"]
            if rc:
                raise BedError(
                    f"the container {spec.name} ended with {rc}", self.last_lines(spec.name), "`spraylab doctor` shows what this host lacks"
                )
        finally:
            self.remove_container(spec.name)

    def run_plain(self, image: str, argv: tuple[str, ...], *, name: str, labels: Mapping[str, str], network: str = "none") -> None:
        """Start an unprivileged container that only holds its labels, a volume and a place in a network."""
        with _asked(f"start the container {name}"):
            self._client.containers.run(
                image, entrypoint=list(argv), name=name, labels=dict(labels), network=network, volumes=["/var"], detach=True
            )

    def containers(self, label: str) -> tuple[Thing, ...]:
        """Containers in any state that carry `label` (a name, or name=value)."""
        with _asked("list containers"):
            found = self._client.api.containers(all=True, filters={"label": label})
        return tuple(
            Thing(kind="container", name=one["Names"][0].lstrip("/"), labels=one["Labels"] or {}, detail=one.get("State", ""))
            for one in found
        )

    def networks(self, label: str = "") -> tuple[Thing, ...]:
        """All networks, or those that carry `label`."""
        with _asked("list networks"):
            found = self._client.api.networks(filters={"label": label} if label else None)
        return tuple(
            Thing(kind="network", name=one["Name"], labels=one.get("Labels") or {}, subnets=_subnets(one), detail=one.get("Driver", ""))
            for one in found
        )

    def volumes(self, label: str = "") -> tuple[Thing, ...]:
        """All volumes, or those that carry `label`."""
        with _asked("list volumes"):
            found = self._client.api.volumes(filters={"label": label} if label else None)["Volumes"] or []
        return tuple(Thing(kind="volume", name=one["Name"], labels=one.get("Labels") or {}) for one in found)

    def images(self, label: str) -> tuple[Thing, ...]:
        """Images that carry `label`, by their identity."""
        with _asked("list images"):
            found = self._client.api.images(filters={"label": label})
        return tuple(Thing(kind="image", name=one["Id"], labels=one.get("Labels") or {}, detail=str(one["Size"])) for one in found)

    def make_volume(self, name: str, *, labels: Mapping[str, str]) -> Path:
        """Make an empty volume; tells where on this host it lies."""
        with _asked(f"make the volume {name}"):
            return Path(self._client.api.create_volume(name, labels=dict(labels))["Mountpoint"])

    def var_of(self, name: str) -> Path:
        """Where on this host the /var of a container lies."""
        with _asked(f"inspect {name}"):
            there = self._client.api.inspect_container(name)["Mounts"]
        return next(Path(one["Source"]) for one in there if one["Destination"] == "/var")

    def commit(self, name: str, *, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Make an image of the root of a container that is off; tells its identity. It has the container's labels too."""
        with _asked(f"keep the root of {name}"):
            changes = [f"LABEL {label}={json.dumps(value)}" for label, value in labels.items()]
            return str(self._client.api.commit(name, repository, tag, pause=False, changes=changes)["Id"])

    def kill_container(self, name: str) -> None:
        """End all processes of a container at once and keep its disk; harmless when it does not run."""
        with _asked(f"kill {name}"):
            if self._client.api.inspect_container(name)["State"]["Running"]:
                self._client.api.kill(name)
                self._client.api.wait(name, timeout=API_LIMIT_S)

    def start_container(self, name: str) -> None:
        """Start a container that was there before; harmless when it runs."""
        with _asked(f"start {name} again"):
            self._client.api.start(name)

    def remove_container(self, name: str) -> None:
        """Kill and remove a container with its anonymous volumes; harmless when it is not there."""
        with _asked(f"remove the container {name}"), suppress(NotFound):
            self._client.api.remove_container(name, v=True, force=True)

    def remove_network(self, name: str) -> None:
        """Remove a network; harmless when it is not there."""
        with _asked(f"remove the network {name}"), suppress(NotFound):
            self._client.api.remove_network(name)

    def remove_volume(self, name: str) -> None:
        """Remove a volume; harmless when it is not there."""
        with _asked(f"remove the volume {name}"), suppress(NotFound):
            self._client.api.remove_volume(name, force=True)

    def remove_image(self, image: str) -> None:
        """Remove an image under all its names and not what it stands on; harmless when it is not there."""
        with _asked(f"remove the image {image}"), suppress(NotFound):
            self._client.api.remove_image(image, noprune=True)

    def first_pid(self, name: str) -> int:
        """The host's number of the container's first process; 0 when it does not run."""
        with _asked(f"inspect {name}"):
            return int(self._client.api.inspect_container(name)["State"]["Pid"])

    def last_lines(self, name: str, *, lines: int = 15) -> str:
        """What the container said last on its console."""
        with _asked(f"read the log of {name}"):
            return str(self._client.api.logs(name, tail=lines).decode(errors="replace"))


@contextmanager
def connect(choice: Choice = "auto") -> Iterator[Engine]:
    """An engine for as long as the block runs. `auto`: what DOCKER_HOST names, else Docker if it answers, else podman.

    Raises HostError when this process is not root or there is no such engine.
    """
    if client := _found(choice):
        with closing(client):
            yield Engine("podman" if _is_podman(client) else "docker", client)
        return
    with podman.service(facts(), _answers) as path, closing(_client(f"unix://{path}")) as client:
        yield Engine("podman", client)


def see(choice: Choice = "auto") -> None:
    """Raise the HostError of `connect`, without starting anything."""
    if client := _found(choice):
        client.close()


def _found(choice: Choice) -> Any:
    """A client of an engine that answers; None where podman has to be started. Raises HostError."""
    if not facts().is_root:
        raise HostError(
            "container nodes need root", "this process runs as another user; nodes are privileged containers", "run it with sudo"
        )
    named = os.environ.get("DOCKER_HOST", "")
    if choice != "podman" and (client := _answering(named or None)):
        return client
    if choice == "docker" or (named and choice == "auto"):
        where = f"at DOCKER_HOST={named}" if named else "at its usual socket"
        raise HostError("no Docker engine", f"nothing answers {where}", "start Docker, correct DOCKER_HOST, or use --engine podman")
    if not shutil.which("podman"):
        raise HostError(
            "no container engine",
            "no Docker answers at its usual socket and there is no program podman",
            "install one, for example: apt-get install podman netavark aardvark-dns iptables runc",
        )
    return None


def _client(url: str | None) -> Any:
    """The SDK's client for `url`, or for what the environment names."""
    if url:
        return docker.DockerClient(base_url=url, timeout=API_LIMIT_S)
    return docker.from_env(timeout=API_LIMIT_S)


def _answering(url: str | None) -> Any:
    """A client for `url` if an engine answers there, else None."""
    if not _listens((url or DOCKER_SOCKET).removeprefix("unix://")):
        return None
    client = None
    try:
        client = _client(url)
        client.ping()
    except (DockerException, OSError, ValueError):
        if client is not None:
            client.close()
        return None
    return client


def _listens(path: str) -> bool:
    """Whether someone listens on the socket `path`; for other addresses the SDK finds out. It leaks sockets where nobody does."""
    if not path.startswith("/"):
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _answers(url: str) -> bool:
    if client := _answering(url):
        client.close()
    return client is not None


def _is_podman(client: Any) -> bool:
    return any("podman" in part.get("Name", "").lower() for part in client.version().get("Components", []))


def _subnets(network: Mapping[str, Any]) -> tuple[str, ...]:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return tuple(pool["Subnet"] for pool in pools if pool.get("Subnet"))


@contextmanager
def _asked(purpose: str) -> Iterator[None]:
    """Turns what the SDK raises into a BedError that names the purpose."""
    try:
        yield
    except (DockerException, OSError) as error:
        said = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
        raise BedError(
            f"the container engine could not {purpose}",
            said,
            "`spraylab doctor` shows what this host lacks; `spraylab gc` what is left over",
        ) from error
