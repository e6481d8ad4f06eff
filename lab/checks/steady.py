"""Steady state: over half a minute nothing moves, changes hands, restarts or is written again and again."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lab import echo
from lab.alike import without_metallb, without_network
from lab.check import PODS_SETTLE_S, Answer, Check, Target, one_holder, without_vip
from lab.echo import ECHO, LABEL

WINDOW_S = 30.0  # six of kube-vip's lease times, and three turns of kubelet's back-off
LEASE = "plndr-cp-lock"


def _lease(target: Target) -> Answer:
    done = target.kubectl("-n kube-system get lease %s -o json", LEASE)
    if done.rc != 0:
        return Answer(ok=False, said=done.text)
    spec = json.loads(done.out)["spec"]
    holder, changes = spec.get("holderIdentity", ""), spec.get("leaseTransitions", 0)
    said = f"{holder or 'nobody'} holds it"
    return Answer(ok=bool(holder), said=said, state=f"{holder} after {changes} changes of hands")


def _services(target: Target) -> Answer:
    """The Services of the round: once they have an address, nobody has a reason to write to them."""
    done = target.kubectl("-n %s get services -l %s -o json", echo.NAMESPACE, LABEL)
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    found = [one for one in json.loads(done.out)["items"] if one["spec"]["type"] == "LoadBalancer"]
    given = [one for one in found if one["status"].get("loadBalancer", {}).get("ingress")]
    versions = " ".join(f"{one['metadata']['name']}@{one['metadata']['resourceVersion']}" for one in found)
    return Answer(ok=bool(found) and len(given) == len(found), said=f"{len(given)} of {len(found)} have an address", state=versions)


def _pods(target: Target) -> Answer:
    """Every pod that there should be, but those of the checks, is there and Ready; none is another or has started another container."""
    done = target.kubectl("get pods,deployments,daemonsets -A -l %s -o json", LABEL.replace("=", "!="))
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    items = json.loads(done.out)["items"]
    listed = [(one, one["status"].get("containerStatuses", [])) for one in items if one.get("kind", "Pod") == "Pod" and not _over(one)]
    waiting = sorted(
        f"{_name(pod)} ({pod['status'].get('phase', '?')})" for pod, its in listed if not its or not all(c["ready"] for c in its)
    )
    there = Counter(_controller(pod) for pod, its in listed if its and all(c["ready"] for c in its))
    waiting += sorted(
        f"{_name(one)} ({min(ready, there[_name(one)])} of {wanted} pods)"
        for one in items
        for ready, wanted in _counts(one)
        if min(ready, there[_name(one)]) != wanted
    )
    restarts = sorted(f"{_name(pod)}:{sum(c['restartCount'] for c in its)}" for pod, its in listed)
    said = f"not Ready: {', '.join(waiting)}" if waiting else f"all {len(listed)} are Ready"
    return Answer(ok=bool(listed) and not waiting, said=said, state=" ".join(restarts))


def _counts(one: Mapping[str, Any]) -> Iterator[tuple[int, int]]:
    """How many pods of a Deployment or DaemonSet are new and Ready, and how many should be; as `kubectl rollout status` counts them.

    Pods that are not made yet are missed, and so are those that are about to be replaced: a run that changes the API's endpoint
    leaves such a rollout behind.
    """
    status = one["status"]
    seen = status.get("observedGeneration", 0) >= one["metadata"].get("generation", 0)  # else nothing it says is of what it should be
    if one.get("kind") == "Deployment":
        wanted = one["spec"].get("replicas", 1)
        new = min(status.get("updatedReplicas", 0), status.get("readyReplicas", 0))
        surplus = status.get("replicas", 0) - status.get("updatedReplicas", 0)
        yield new - surplus if seen else -1, wanted
    elif one.get("kind") == "DaemonSet":
        new = min(status.get("updatedNumberScheduled", 0), status.get("numberReady", 0))
        yield new if seen else -1, status.get("desiredNumberScheduled", 0)


def _controller(pod: Mapping[str, Any]) -> str:
    """Namespace and name of the DaemonSet or Deployment that a pod is one of; empty when of none. What controllers say of their pods
    may be older than a pod that was just deleted, as kubespray deletes those of kube-proxy."""
    for owner in pod["metadata"].get("ownerReferences", ()):
        name = owner["name"].rpartition("-")[0] if owner["kind"] == "ReplicaSet" else owner["name"]
        if owner["kind"] in ("ReplicaSet", "DaemonSet"):
            return f"{pod['metadata']['namespace']}/{name}"
    return ""


def _over(pod: dict[str, dict[str, object]]) -> bool:
    return pod["status"].get("phase") == "Succeeded" or "deletionTimestamp" in pod["metadata"]


def _name(pod: dict[str, dict[str, object]]) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


CHECKS = (
    Check(name="the VIP does not move", on="client", lacks=without_vip, look=one_holder, apart_s=WINDOW_S),
    Check(name="the lease of the VIP does not change hands", on="client", lacks=without_vip, look=_lease, apart_s=WINDOW_S),
    Check(
        name="no reconcile loop", on="client", lacks=without_metallb, look=_services, uses=ECHO, apart_s=WINDOW_S, settle_s=PODS_SETTLE_S
    ),
    Check(
        name="every pod is Ready and none restarts",
        on="client",
        lacks=without_network,
        look=_pods,
        apart_s=WINDOW_S,
        settle_s=PODS_SETTLE_S,
    ),
)
