"""What pods and Services carry: from pod to pod, through Services by address and by name, from a client; and who carries it."""

import json
import re

from lab import echo
from lab.alike import without_network
from lab.check import PODS_SETTLE_S, Answer, Check, Scope, Target
from lab.echo import ECHO

DOMAIN = "cluster.local"
KUBERNETES = f"kubernetes.default.svc.{DOMAIN}"
CLUSTER_IP = "{.spec.clusterIP}"
# Rules of the nat table of both variants of iptables. The older one's is made by being asked for, so only where the kernel has it.
RULES = """\
iptables-save -t nat || exit
grep -qsx nat /proc/net/ip_tables_names || exit 0
iptables-legacy-save -t nat
"""
TABLES = "command -v nft >/dev/null || exit 0; nft list tables"  # who has no nft cannot have run kube-proxy by it
PROXY_CHAINS = re.compile(r"^:KUBE-(?:SVC|SEP|NODEPORTS)\S*", re.MULTILINE)
PROXY_TABLE = re.compile(r"^table (?P<table>\S+ kube-proxy)$", re.MULTILINE)
PROXY_INTERFACE = re.compile(r"^\d+: (?P<name>kube-ipvs0)\b", re.MULTILINE)
REPLACEMENT = re.compile(r"^KubeProxyReplacement:\s+(?P<mode>\S+)", re.MULTILINE)


def _without_replacement(scope: Scope) -> str:
    return "" if "cilium" in scope.on else "cilium is off: kube-proxy carries Services"


def _pod_to_pod(target: Target) -> Answer:
    """The caller reaches every pod that answers, one per member, by its own address."""
    pods = echo.pods(target)
    if len(pods) < len(target.site.members) or not all(pods.values()):
        return Answer(ok=False, said=f"{len(pods)} of {len(target.site.members)} pods, with the addresses {_listed(pods.values())}")
    return _all(target, {f"http://{address}:{echo.PORT}/": name for name, address in pods.items()})


def _cluster_ip(target: Target) -> Answer:
    """From a pod, and from the node itself, which has no address of the pod network."""
    address = echo.of_service(target, CLUSTER_IP)
    answer = _all(target, {f"http://{address}/": echo.NAME})
    if not answer.ok:
        return answer
    done = target.get(f"http://{address}/", node=target.site.control_planes[0])
    ok = done.rc == 0 and done.out.startswith(echo.NAME)
    return Answer(ok=ok, said=answer.said if ok else f"from the node, http://{address}/ says {done.text or 'nothing'}")


def _node_port(target: Target) -> Answer:
    port = echo.of_service(target, "{.spec.ports[0].nodePort}")
    wrong = []
    for node in target.site.members:
        done = target.get(f"http://{node.address}:{port}/")
        if done.rc != 0 or not done.out.startswith(echo.NAME):
            wrong.append(f"http://{node.address}:{port}/ says {done.text or 'nothing'}")
    return Answer(ok=not wrong, said="; ".join(wrong) or f"port {port} answers on every node")


def _names(target: Target) -> Answer:
    """Names of two Services, from a pod, give the addresses of those Services."""
    own = f"{echo.NAME}.{echo.NAMESPACE}.svc.{DOMAIN}"
    wanted = {own: echo.of_service(target, CLUSTER_IP), KUBERNETES: echo.of_service(target, CLUSTER_IP, name="kubernetes")}
    wrong = []
    for name, address in wanted.items():
        done = echo.call(target, "resolve", name)
        if done.rc != 0 or done.out != address:
            wrong.append(f"{name}, which is {address}, resolves to {done.text or 'nothing'}")
    return Answer(ok=not wrong, said="; ".join(wrong) or f"{', '.join(wanted)} resolve")


def _all(target: Target, wanted: dict[str, str]) -> Answer:
    """The caller gets from every URL a body that begins with the name."""
    wrong = []
    for url, name in wanted.items():
        done = echo.call(target, "get", url)
        if done.rc != 0 or not done.out.startswith(name):
            wrong.append(f"{url} says {done.text or 'nothing'}")
    return Answer(ok=not wrong, said="; ".join(wrong) or f"{_listed(wanted)} answer")


def _no_kube_proxy(target: Target) -> Answer:
    done = target.kubectl("-n kube-system get pods -l k8s-app=kube-proxy -o jsonpath=%s", "{.items[*].metadata.name}")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    return Answer(ok=not done.out, said=f"{done.out} run(s) beside Cilium" if done.out else "none runs", state=done.out)


def _no_chains(target: Target) -> Answer:
    """Of kube-proxy's other ways to work there is its interface or its table instead."""
    found = []
    for node in target.site.members:
        rules, links, tables = (target.run("sh -c %s", script, node=node) for script in (RULES, "ip -o link", TABLES))
        if failed := next((done for done in (rules, links, tables) if done.rc != 0), None):
            return Answer(ok=None, said=f"{node.name}: {failed.text or f'it ended with {failed.rc}'}")
        chains = len(PROXY_CHAINS.findall(rules.out))
        left = [*([str(chains)] if chains else []), *PROXY_INTERFACE.findall(links.out)]
        left += [f"table {table}" for table in PROXY_TABLE.findall(tables.out)]
        found += [f"{one} on {node.name}" for one in left]
    return Answer(ok=not found, said=f"chains of kube-proxy: {', '.join(found) or 'none'}")


def _replaces(target: Target) -> Answer:
    """`cilium status` of the agent of every member."""
    done = target.kubectl("-n kube-system get pods -l k8s-app=cilium -o json")
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    modes = {}
    for pod in json.loads(done.out)["items"]:
        status = target.kubectl("-n kube-system exec %s -c cilium-agent -- cilium-dbg status", pod["metadata"]["name"])
        match = REPLACEMENT.search(status.out)
        modes[pod["spec"].get("nodeName", "no node")] = match["mode"] if match else "not said"
    ok = set(modes) == {node.name for node in target.site.members} and set(modes.values()) <= {"Strict", "True"}
    return Answer(ok=ok, said=f"KubeProxyReplacement: {', '.join(f'{mode} on {node}' for node, mode in modes.items()) or 'no agent'}")


def _listed(names: object) -> str:
    return ", ".join(str(name) for name in names) or "none"  # type: ignore[attr-defined]


CHECKS = (
    Check(name="pod to pod", on="client", lacks=without_network, look=_pod_to_pod, uses=ECHO),
    Check(name="ClusterIP Service", on="client", lacks=without_network, look=_cluster_ip, uses=ECHO),
    Check(name="NodePort Service from the client", on="client", lacks=without_network, look=_node_port, uses=ECHO),
    Check(  # CoreDNS waits half a minute for an API that no rule of kube-proxy led to yet when it started
        name="names of Services from a pod", on="client", lacks=without_network, look=_names, uses=ECHO, settle_s=PODS_SETTLE_S
    ),
    Check(name="Cilium replaces kube-proxy", on="client", lacks=_without_replacement, look=_replaces),
    Check(name="no kube-proxy beside Cilium", on="client", lacks=_without_replacement, look=_no_kube_proxy),
    Check(name="no chains of kube-proxy beside Cilium", on="client", lacks=_without_replacement, look=_no_chains),
)
