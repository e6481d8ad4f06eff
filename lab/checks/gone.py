"""After reset.yml: whether a cluster is gone from the nodes that carried it, so that the next run begins from nothing."""

import re

from lab.check import Answer, Check, Target, always
from lab.listeners import ETCD, ETCD_PEERS, KUBELET, in_question

PROCESSES = ("kubelet", "etcd", "containerd-shim")  # every container has a shim; the kernel keeps 15 characters of a name
FOLDERS = ("/etc/kubernetes", "/var/lib/etcd", "/var/lib/kubelet", "/etc/cni/net.d")
PORTS = (ETCD, ETCD_PEERS, KUBELET)  # beside those of its static pods, whose API server's is the cell's
INTERFACES = re.compile(r"^\d+: (cilium_\w+|lxc\w+|kube-ipvs0|nodelocaldns)", re.MULTILINE)  # cni0 is of the lab's own network
_PORT = re.compile(r":(\d+)$")


def _processes(target: Target) -> Answer:
    done = target.run("ps -eo comm=")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    left = sorted({line.strip() for line in done.out.splitlines()} & {name[:15] for name in PROCESSES})
    return Answer(ok=not left, said=f"still running: {', '.join(left)}" if left else "no kubelet, no etcd and no container runs")


def _folders(target: Target) -> Answer:
    script = f"find {' '.join(FOLDERS)} ! -type d -o -name '*.conf' 2>/dev/null || test $? -eq 1"  # 1: one of them is not there
    done = target.run("sh -c %s", script)
    if done.rc != 0:
        return Answer(ok=None, said=done.text or f"find ended with {done.rc}")
    left = done.out.splitlines()
    return Answer(ok=not left, said=f"{len(left)} file(s) are left, such as {left[0]}" if left else f"no file in {', '.join(FOLDERS)}")


def _ports(target: Target) -> Answer:
    done = target.run("ss -Hltn")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    local = (line.split()[3] for line in done.out.splitlines() if len(line.split()) > 3)
    there = {int(found[1]) for address in local if (found := _PORT.search(address))}
    left = sorted(there & {*in_question(target.site.api_port), *PORTS})
    return Answer(ok=not left, said=f"somebody listens on {', '.join(map(str, left))}" if left else "nobody listens where the cluster did")


def _interfaces(target: Target) -> Answer:
    done = target.run("ip -o link")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    left = INTERFACES.findall(done.out)
    return Answer(ok=not left, said=f"left over: {', '.join(left)}" if left else "no interface of a network plugin or of kube-proxy")


def _vip(target: Target) -> Answer:
    """Whoever installs next would find the address taken by a node that no longer answers for it."""
    holders = target.holders(target.site.members)
    return Answer(ok=not holders, said=f"{target.site.slot.vip} is on {', '.join(holders) or 'no node'}")


CHECKS = (
    Check(name="no process of the cluster is left", on="member", lacks=always, look=_processes, cluster=False),
    Check(name="no file of the cluster is left", on="member", lacks=always, look=_folders, cluster=False),
    Check(name="the cluster's ports are free", on="member", lacks=always, look=_ports, cluster=False),
    Check(name="no interface of the cluster is left", on="member", lacks=always, look=_interfaces, cluster=False),
    Check(name="the VIP is on no node", on="client", lacks=always, look=_vip, cluster=False),
)
