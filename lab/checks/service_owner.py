"""Who writes to a Service of type LoadBalancer: one controller, which then leaves it alone, and gives it an address that is nobody else's.

A look makes a Service without pods, watches it, and deletes it: the cluster is left as it was found.
"""

import json
from typing import Any

from lab.check import Answer, Check, Target
from lab.deadline import until
from lab.model import Cell
from lab.plan import addons_of

KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 10s"
NAMESPACE = "spraylab-owner"
ADDRESS_LIMIT_S = 30.0  # until the Service has an address; MetalLB needs 1 to 4 s
WATCH_S = 6  # a reconcile loop writes several times a second
FEW = 2  # writes after the address is there: its status and its annotation may come apart
USERS = ("kubectl",)  # who writes by hand


def _without_metallb(cell: Cell) -> str:
    return "" if "metallb" in addons_of(cell) else "metallb is off: nobody is meant to give addresses to Services"


def manifest() -> str:
    """A namespace and a Service in it, as JSON."""
    spec = {"type": "LoadBalancer", "selector": {"app": "nobody"}, "ports": [{"port": 80}]}
    items = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "owned", "namespace": NAMESPACE}, "spec": spec},
    )
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _look(target: Target) -> Answer:
    control_plane = target.site.control_planes[0]
    applied = target.run("sh -c %s", f"printf %s '{manifest()}' | {KUBECTL} apply -f -", node=control_plane)
    try:
        if applied.rc != 0:
            return Answer(ok=False, said=f"the Service cannot be made: {applied.text}")
        return _watched(target)
    finally:
        target.run(f"{KUBECTL} delete namespace {NAMESPACE} --timeout=15s", node=control_plane)


def _watched(target: Target) -> Answer:
    first = until(lambda: _service(target), lambda found: bool(_addresses(found)), limit_s=ADDRESS_LIMIT_S)
    if not _addresses(first):
        return Answer(ok=False, said=f"no address after {ADDRESS_LIMIT_S:.0f} s; written by {_names(_writers(first))}")
    watch = f"timeout {WATCH_S} {KUBECTL} -n {NAMESPACE} get service owned -w --no-headers -o custom-columns=V:.metadata.resourceVersion"
    seen = target.run("sh -c %s", watch, node=target.site.control_planes[0]).text.split()
    last = _service(target)
    address, writers, writes = _addresses(first)[0], _writers(last), max(0, len(set(seen)) - 1)
    taken = [node.name for node in target.site.members if address in target.addresses(node)]
    on_nodes = f"; {address} is an address of {_names(taken)}" if taken else ""
    said = f"{address}, written by {_names(writers)}; {writes} writes in {WATCH_S} s{on_nodes}"
    return Answer(ok=len(writers) == 1 and writes <= FEW and not taken, said=said)


def _service(target: Target) -> dict[str, Any]:
    """The Service as the API has it; empty where it cannot be read."""
    command = f"{KUBECTL} -n {NAMESPACE} get service owned -o json --show-managed-fields"
    done = target.run(command, node=target.site.control_planes[0])
    found: dict[str, Any] = json.loads(done.text) if done.rc == 0 else {}
    return found


def _addresses(service: dict[str, Any]) -> list[str]:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [one["ip"] for one in ingress if "ip" in one]


def _writers(service: dict[str, Any]) -> list[str]:
    """Programs that own fields of the Service, but for who made it."""
    fields = service.get("metadata", {}).get("managedFields", [])
    return sorted({one["manager"] for one in fields if not one["manager"].startswith(USERS)})


def _names(names: list[str]) -> str:
    return " and ".join(names) or "nobody"


CHECKS = (Check(name="LoadBalancer Service has one owner", on="client", lacks=_without_metallb, look=_look),)
