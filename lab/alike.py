"""What several checks ask of nodes in the same words, and why those of an addon say nothing where it is off."""

import re
from collections.abc import Iterable

from lab.check import Said, Scope, Target
from lab.listeners import ETCD
from lab.model import Node
from lab.plan import has_network

_MAC = re.compile(r"\[([0-9A-Fa-f:]{17})\]")


def without_network(scope: Scope) -> str:
    """Why a check of pods that need a network says nothing about `scope`; nothing where it does."""
    return "" if has_network(scope.cell, scope.on) else "no network in this cell: pods that need one never run, and no node becomes Ready"


def without_metallb(scope: Scope) -> str:
    """Why a check of LoadBalancer Services says nothing about `scope`; nothing where it does."""
    return "" if "metallb" in scope.on else "metallb is off: nobody is meant to give addresses to Services, nor to write to them"


def macs(target: Target, address: str, *, asks: int, limit_s: float) -> tuple[str, ...]:
    """The MACs that answer ARP for `address` on the check's node, sorted. limit_s: at the usual pace."""
    # -b: after a reply it would ask the replier alone
    limit = f"{limit_s * target.site.pace:.0f}"
    done = target.run(f"arping -b -c {asks} -w {limit} -I {target.node.interface} %s", address)
    return tuple(sorted({mac.lower() for mac in _MAC.findall(done.out)}))


def etcdctl(target: Target, command: str, *, node: Node, members: Iterable[Node]) -> Said:
    """What etcdctl on `node` says to `command`, asked of the members of etcd on `members`."""
    endpoints = ",".join(f"https://{member.address}:{ETCD}" for member in members)
    folder, name = "/etc/ssl/etcd/ssl", f"admin-{node.name}"
    keys = f"--cacert {folder}/ca.pem --cert {folder}/{name}.pem --key {folder}/{name}-key.pem"
    if target.scope.cell.ref.source == "kind":  # a static pod of kubeadm's
        folder, name = f"{target.scope.certificates}/etcd", "healthcheck-client"
        keys = f"--cacert {folder}/ca.crt --cert {folder}/{name}.crt --key {folder}/{name}.key"
    return target.run(f"etcdctl --endpoints {endpoints} {keys} {command}", node=node)
