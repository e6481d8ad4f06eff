"""The fixed subnets of parallel places on a host: which are free, and holding one against other runs."""

import ipaddress
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.command import run
from lab.errors import BedError, HostError
from lab.model import Node, Role, Slot, Topology

COUNT = 16
LIMIT_S = 10
# Host parts of the addresses of a role, before the VIP's. Together 64 nodes, as many as kube_pods_subnet has networks for.
ROOM: Mapping[Role, range] = {"control-plane": range(10, 30), "worker": range(30, 74)}
LOCK = "\0spraylab-slot-{}"  # abstract socket: one per network namespace, free as soon as its process dies


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A slot held by this process until `release`. `lock`: file descriptor of a socket; of nodes that are kept it stays open until
    the process ends, and their network holds the place from then on."""

    slot: Slot
    lock: int

    def release(self) -> None:
        os.close(self.lock)


def slot(number: int) -> Slot:
    """The addresses of place `number`; always the same."""
    net = f"10.231.{number}"
    return Slot(number=number, subnet=f"{net}.0/24", gateway=f"{net}.1", client=f"{net}.2", vip=f"{net}.100", pool=f"{net}.200-{net}.220")


def address(place: Slot, host_part: int) -> str:
    """Address `host_part` in the subnet of `place`."""
    return str(ipaddress.ip_network(place.subnet)[host_part])


def mac_of(address: str) -> str:
    """The MAC that a node at that IPv4 address has from its first packet on, and after each start: the one its entry script gives it.

    A neighbour that had learned another one would ask for that for half a minute.
    """
    return ":".join(["02", "53", *(f"{int(part):02x}" for part in address.split("."))])


def lacking(topology: Topology) -> str:
    """Why no place has an address for each node of `topology`; empty where every place has."""
    if topology.control_planes <= len(ROOM["control-plane"]) and topology.workers <= len(ROOM["worker"]):
        return ""
    return f"there are addresses for {len(ROOM['control-plane'])} control planes and {len(ROOM['worker'])} workers at most"


def layout(topology: Topology, place: Slot) -> tuple[Node, ...]:
    """The nodes of `topology`, which is `lacking` nothing, with their fixed addresses in `place`: control planes first, the client last."""
    counts: tuple[tuple[Role, str, int], ...] = (("control-plane", "cp", topology.control_planes), ("worker", "w", topology.workers))
    nodes = [
        Node(name=f"{short}{number + 1}", role=role, address=address(place, ROOM[role][number]))
        for role, short, count in counts
        for number in range(count)
    ]
    return (*nodes, Node(name="client", role="client", address=place.client))


def in_the_way(place: Slot, taken: Iterable[tuple[str, str]]) -> str:
    """Who already uses addresses of `place`, or nothing. taken: subnet and who uses it."""
    wanted = ipaddress.ip_network(place.subnet)
    for subnet, who in taken:
        try:
            if ipaddress.ip_network(subnet, strict=False).overlaps(wanted):
                return f"{who} uses {subnet}"
        except (ValueError, TypeError):
            continue  # an IPv6 subnet, or not an address at all
    return ""


def hold(wanted: int | None, taken: tuple[tuple[str, str], ...]) -> Held:
    """Hold the slot `wanted`, or the first free one. taken: subnets in use, each with who uses it.

    Raises BedError when that one, or every one, is in use.
    """
    if wanted is not None and wanted not in range(COUNT):
        raise BedError(f"there is no slot {wanted}", f"a host has slots 0 to {COUNT - 1}", "name one of them or none")
    reasons = []
    for number in range(COUNT) if wanted is None else (wanted,):
        place = slot(number)
        if reason := in_the_way(place, taken):
            reasons.append(reason)
        elif (lock := _lock(number)) is not None:
            return Held(slot=place, lock=lock)
        else:
            reasons.append(f"another run on this host holds slot {number}")
    what = "every slot of this host is in use" if wanted is None else f"slot {wanted} ({slot(wanted).subnet}) is in use"
    raise BedError(
        what, "; ".join(dict.fromkeys(reasons)), "wait for the other run, name another slot, or remove what a killed run left: spraylab gc"
    )


def of_host() -> tuple[tuple[str, str], ...]:
    """Subnets of this host's interfaces and routes, each with who uses it. Raises HostError without iproute2."""
    interfaces, routes = _asked("addr"), _asked("route")
    found = [
        (f"{one['local']}/{one['prefixlen']}", f"interface {interface['ifname']}")
        for interface in interfaces
        for one in interface.get("addr_info", [])
        if one.get("family") == "inet"
    ]
    found += [(route["dst"], f"a route over {route.get('dev', 'this host')}") for route in routes if route["dst"] != "default"]
    return tuple(found)


def _asked(what: str) -> list[dict[str, Any]]:
    done = run(("ip", "-j", what), limit_s=LIMIT_S)
    if done.rc != 0:
        raise HostError(f"`ip -j {what}` ended with {done.rc}", done.stderr.strip(), "install iproute2")
    answer: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return answer


def _lock(number: int) -> int | None:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind(LOCK.format(number))
    except OSError:
        lock.close()
        return None
    return lock.detach()
