"""What kubeadm init and the VIP need: a right, a mode, an interface, an address and a port that agree."""

from collections.abc import Iterator

from lab import ranges
from lab.preflight import Look, Rule, has_reached, listed, parsed, since


def _waits_for_kube_vip(look: Look) -> bool:
    """Only the run of kubeadm init waits for the VIP before the cluster is there."""
    return not look.earlier and bool(look.endpoint) and look.on("kube_vip_enabled")


def _admin_conf(look: Look) -> Iterator[str]:
    change = since().super_admin_conf
    if _waits_for_kube_vip(look) and look.release.kube_vip.conf == "admin.conf" and has_reached(look.cell.kube_version, change):
        why = f"from Kubernetes {change.version} on {change.says}"
        yield f"kubeadm init waits for the VIP, and {look.release.tag} lets kube-vip take it with admin.conf; {why}"


def _super_admin_conf(look: Look) -> Iterator[str]:
    """The release looks whether kubeadm has run on the node, and not which Kubernetes it is."""
    change = since().super_admin_conf
    if _waits_for_kube_vip(look) and look.release.kube_vip.conf == "super-admin.conf" and not has_reached(look.cell.kube_version, change):
        yield f"{look.release.tag} gives kube-vip super-admin.conf at first, which kubeadm before {change.version} does not write"


def _nobody_holds(look: Look) -> Iterator[str]:
    address = str(look.endpoint.get("address", ""))
    held = look.on("kube_vip_enabled") and look.on("kube_vip_controlplane_enabled") and look.text("kube_vip_address") == address
    if address and not held and address not in {node.address for node in look.site.nodes}:
        yield f"loadbalancer_apiserver names {address}, which nobody is told to hold"


def _no_mode(look: Look) -> Iterator[str]:
    if look.on("kube_vip_enabled") and not look.on("kube_vip_arp_enabled") and not look.on("kube_vip_bgp_enabled"):
        yield "kube-vip is on with neither kube_vip_arp_enabled nor kube_vip_bgp_enabled"


def _no_interface(look: Look) -> Iterator[str]:
    wanted, there = look.text("kube_vip_interface"), {"lo", *(node.interface for node in look.site.control_planes)}
    if look.on("kube_vip_enabled") and wanted and wanted not in there:
        yield f"kube_vip_interface is {wanted}, and control planes have {', '.join(sorted(there))}"


def _vip_place(look: Look) -> Iterator[str]:
    taken = {node.address: node.name for node in look.site.nodes} | {look.site.slot.gateway: "the gateway"}
    for vip in look.vips:
        if not parsed([vip]) or vip not in ranges.parse(look.site.slot.subnet):
            yield f"the VIP {vip} is not in the nodes' subnet {look.site.slot.subnet}, where ARP could announce it"
        elif vip in taken:
            yield f"the VIP {vip} is the address of {taken[vip]}"


def _prefix(look: Look) -> Iterator[str]:
    version = look.text(look.release.kube_vip.version_variable) or look.release.version("kube-vip", look.cell.kube_version)
    setting, prefix = look.release.kube_vip.prefix_setting, look.text("kube_vip_cidr")
    other = setting == "vip_cidr" and has_reached(version, since().vip_subnet)
    if look.on("kube_vip_enabled") and other and prefix != str(look.release.defaults["kube_vip_cidr"]):
        yield f"kube_vip_cidr is {prefix}, which {look.release.tag} writes as vip_cidr; in kube-vip {version} {since().vip_subnet.says}"


def _endpoint_port(look: Look) -> Iterator[str]:
    port = str(look.endpoint.get("port", look.told.get("kube_apiserver_port")))
    if look.endpoint and port != look.text("kube_apiserver_port"):
        yield f"loadbalancer_apiserver names port {port}, and the API server behind the VIP listens on {look.text('kube_apiserver_port')}"


def _masquerade(look: Look) -> Iterator[str]:
    asks = look.on("kube_vip_enabled") and look.on("kube_vip_lb_enable") and look.text("kube_vip_lb_fwdmethod") == "masquerade"
    if asks and not look.release.kube_vip.privileged_to_masquerade:
        yield f"kube_vip_lb_fwdmethod is masquerade, and {look.release.tag} does not make kube-vip's container privileged for it"


def _swap(look: Look) -> Iterator[str]:
    gates = [str(one) for one in listed(look.told.get("kubelet_feature_gates")) or listed(look.told.get("kube_feature_gates"))]
    writes = not look.on("kubelet_fail_swap_on") and "NodeSwap=true" not in gates
    if writes and not has_reached(look.cell.kube_version, since().swap_without_gate):
        yield f"kubelet_fail_swap_on is false and no feature gate NodeSwap=true is set, which kubelet {look.cell.kube_version} refuses"


RULES = (
    Rule(name="kube-vip's right to its lease", signature="kube-vip-admin-conf-forbidden", look=_admin_conf),
    Rule(name="a configuration for kube-vip", signature="kube-vip-super-admin-conf-missing", look=_super_admin_conf),
    Rule(name="a VIP that somebody holds", signature="vip-without-owner", look=_nobody_holds),
    Rule(name="a mode for kube-vip", signature="kube-vip-no-mode", look=_no_mode),
    Rule(name="an interface for kube-vip", signature="kube-vip-no-interface", look=_no_interface),
    Rule(name="the VIP's place", signature="", look=_vip_place),
    Rule(name="the VIP's prefix", signature="kube-vip-prefix-ignored", look=_prefix),
    Rule(name="kube-vip's right to masquerade", signature="kube-vip-may-not-masquerade", look=_masquerade),
    Rule(name="one port of the API", signature="", look=_endpoint_port),
    Rule(name="kubelet and swap", signature="kubelet-never-starts", look=_swap),
)
