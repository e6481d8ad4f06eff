"""What a run leaves behind for a Cilium that only a later run turns on."""

from collections.abc import Iterator

from lab.preflight import Look, Rule


def _kube_proxy_stays(look: Look) -> Iterator[str]:
    replaces = look.told.get("cilium_kube_proxy_replacement") in look.release.cilium.kube_proxy_replacement
    if _late(look) and replaces and not look.on("kube_proxy_remove"):
        yield "Cilium replaces kube-proxy, which an earlier run has installed; no run deletes it"


def _pods_of_before(look: Look) -> Iterator[str]:
    before = {addon for stage in look.earlier for addon in stage}
    if _late(look) and look.cell.network == "plain" and "metallb" in before:
        yield "Cilium takes over the range of the network that has pods of MetalLB since an earlier run, which nothing leads to then"


def _late(look: Look) -> bool:
    return look.cilium and bool(look.earlier) and "cilium" not in look.earlier[0]


RULES = (
    Rule(name="no kube-proxy before Cilium", signature="kube-proxy-left-behind", look=_kube_proxy_stays),
    Rule(name="no pods before Cilium", signature="cilium-cuts-off-earlier-pods", look=_pods_of_before),
)
