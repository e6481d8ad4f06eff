"""Services of type LoadBalancer: an address of the pool, one MAC for it, an answer through it from the client, and nothing left of it.

A look makes its own Deployment and Service, asks, and deletes both: the cluster is left as it was found.
"""

import ipaddress
import json
import re
from functools import partial

from lab import ranges
from lab.check import Answer, Check, Target
from lab.deadline import until
from lab.model import Cell
from lab.plan import addons_of
from lab.preflight import pool_texts

KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 10s"
IMAGE = "localhost/spraylab/echo:1"
NAMESPACE = "spraylab-check"
ADDRESS_LIMIT_S = 30.0  # until the Service has an address; MetalLB needs 1 to 4 s
ANSWER_LIMIT_S = 30.0  # until the pod answers through it
RELEASE_LIMIT_S = 20.0  # until nobody answers ARP for a deleted Service
_MAC = re.compile(r"\[([0-9A-Fa-f:]{17})\]")


def _without_metallb(cell: Cell) -> str:
    return "" if "metallb" in addons_of(cell) else "metallb is off: nobody is meant to give addresses to Services"


def manifest(policy: str) -> str:
    """One pod that answers HTTP with its name, and the Service for it, as JSON."""
    labels = {"app": "echo"}
    pod = {
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "echo", "image": IMAGE, "imagePullPolicy": "Never", "ports": [{"containerPort": 8080}]}],
    }
    template = {"metadata": {"labels": labels}, "spec": pod}
    items = (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "echo", "namespace": NAMESPACE},
            "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "echo", "namespace": NAMESPACE},
            "spec": {
                "type": "LoadBalancer",
                "externalTrafficPolicy": policy,
                "selector": labels,
                "ports": [{"port": 80, "targetPort": 8080}],
            },
        },
    )
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _look(policy: str, target: Target) -> Answer:
    control_plane = target.site.control_planes[0]
    applied = target.run("sh -c %s", f"printf %s '{manifest(policy)}' | {KUBECTL} apply -f -", node=control_plane)
    if applied.rc != 0:
        return Answer(ok=False, said=f"the Service cannot be made: {applied.text}")
    try:
        answer = _through(target)
    finally:
        target.run(f"{KUBECTL} delete namespace {NAMESPACE} --timeout=30s", node=control_plane)
    return _released(target, answer) if answer.ok else answer


def _through(target: Target) -> Answer:
    """What the client gets through the address of the Service; `state` is the address."""
    path = "{.status.loadBalancer.ingress[0].ip}"
    command = f"{KUBECTL} -n {NAMESPACE} get service echo -o jsonpath=%s"
    control_plane = target.site.control_planes[0]
    address = until(lambda: target.run(command, path, node=control_plane).text, _is_address, limit_s=ADDRESS_LIMIT_S)
    if not _is_address(address):
        return Answer(ok=False, said=f"no address after {ADDRESS_LIMIT_S:.0f} s: {address or 'pending'}")
    pools = pool_texts(target.variables)
    if not ranges.holding(map(ranges.parse, pools), address):
        return Answer(ok=False, said=f"{address} is of no pool: {', '.join(pools) or 'there is none'}", state=address)
    body = until(lambda: target.run("curl -sS --max-time 2 http://%s/", address), lambda said: said.rc == 0, limit_s=ANSWER_LIMIT_S)
    if body.rc != 0 or not body.text.startswith("echo-"):
        return Answer(ok=False, said=f"http://{address}/ says {body.text or 'nothing'}", state=address)
    macs = _macs(target, address)
    ok = len(macs) == 1
    return Answer(ok=ok, said=f"{address} answers HTTP; ARP for it is answered by {', '.join(macs) or 'nobody'}", state=address)


def _released(target: Target, answer: Answer) -> Answer:
    """The same answer, unless somebody still answers ARP for the address of the deleted Service."""
    macs = until(lambda: _macs(target, answer.state), lambda found: not found, limit_s=RELEASE_LIMIT_S)
    if macs:
        return Answer(ok=False, said=f"{answer.said}; {', '.join(macs)} still answers after the Service was deleted")
    return Answer(ok=True, said=f"{answer.said}; released")


def _macs(target: Target, address: str) -> tuple[str, ...]:
    done = target.run(f"arping -b -c 2 -w 3 -I {target.node.interface} %s", address)
    return tuple(sorted({mac.lower() for mac in _MAC.findall(done.text)}))


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


CHECKS = tuple(
    Check(name=f"LoadBalancer Service, externalTrafficPolicy {policy}", on="client", lacks=_without_metallb, look=partial(_look, policy))
    for policy in ("Cluster", "Local")
)
