"""The control plane of a node: its static pods, kubelet, etcd, its API on its own address and by the VIP."""

import json
from functools import partial

from lab.alike import etcdctl, without_network
from lab.check import Answer, Check, Target, always, without_vip

STATIC_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
READY = '{.status.conditions[?(@.type=="Ready")].status}'


def _static_pod(name: str, target: Target) -> Answer:
    """Running once, and the same container at both looks; a second attempt is usual while a control plane starts."""
    done = target.run("crictl ps -a --output json --name %s", f"^{name}$")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    containers = json.loads(done.out)["containers"]
    running = [one for one in containers if one["state"] == "CONTAINER_RUNNING"]
    attempts = [one["metadata"]["attempt"] for one in running]
    told = f"{len(running)} running, attempt {', '.join(map(str, attempts))}" if running else f"none of {len(containers)} containers runs"
    return Answer(ok=len(running) == 1, said=told, state=" ".join(one["id"][:12] for one in running))


def _kubelet(target: Target) -> Answer:
    runs = target.service_runs("kubelet")
    restarts = target.run("systemctl show kubelet --value -p NRestarts").out
    return Answer(ok=runs, said=f"{'runs' if runs else 'does not run'}, {restarts} restarts", state=restarts)


def _etcd(target: Target) -> Answer:
    done = etcdctl(target, "endpoint health", node=target.node, members=(target.node,))
    return Answer(ok=done.rc == 0 and "is healthy" in done.text, said=done.text)


def _ready(target: Target) -> Answer:
    done = target.kubectl("get node %s -o jsonpath=%s", target.node.name, READY)
    return Answer(ok=done.rc == 0 and done.out == "True", said=f"Ready is {done.text or 'not said'}")


def _version(target: Target) -> Answer:
    """Kubelet and API server are of the Kubernetes that the installer was told last; it may be written without its v."""
    wanted = "v" + str(target.variables.get("kube_version", target.scope.cell.kube_version)).removeprefix("v")
    kubelet = target.kubectl("get node %s -o jsonpath=%s", target.node.name, "{.status.nodeInfo.kubeletVersion}")
    server = target.kubectl("get --raw /version")
    if kubelet.rc != 0 or server.rc != 0:
        return Answer(ok=None, said=kubelet.text if kubelet.rc else server.text)
    found = {"kubelet": kubelet.out, "the API server": str(json.loads(server.out)["gitVersion"])}
    same = set(found.values()) == {wanted}
    said = ", ".join(f"{name} is {version}" for name, version in found.items())
    return Answer(ok=same, said=said if same else f"{said}; wanted: {wanted}")


def _members(target: Target) -> Answer:
    done = target.kubectl("get nodes -o name")
    found = {line.removeprefix("node/") for line in done.out.splitlines()}
    wanted = {node.name for node in target.site.members}
    said = f"the cluster has {', '.join(sorted(found)) or 'no node'}"
    said += f"; wanted: {', '.join(sorted(wanted))}" if found != wanted else ""
    return Answer(ok=done.rc == 0 and found == wanted, said=said)


CHECKS = (
    *(Check(name=name, on="control-plane", lacks=always, look=partial(_static_pod, name)) for name in STATIC_PODS),
    Check(name="kubelet", on="member", lacks=always, look=_kubelet),
    Check(name="etcd", on="control-plane", lacks=always, look=_etcd),
    Check(name="API on the node's address", on="control-plane", lacks=always, look=lambda target: target.livez(target.node.address)),
    Check(name="API through the VIP", on="control-plane", lacks=without_vip, look=lambda target: target.livez(target.site.slot.vip)),
    Check(name="kube-vip", on="control-plane", lacks=without_vip, look=partial(_static_pod, "kube-vip")),
    Check(name="every node is a member", on="control-plane", lacks=always, look=_members),
    Check(name="Kubernetes in the version of the stage", on="member", lacks=always, look=_version),
    Check(name="node Ready", on="member", lacks=without_network, look=_ready),
)
