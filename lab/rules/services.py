"""What Services of type LoadBalancer need: one controller, an announcement, a network; and what Cilium and kube-proxy are told."""

from collections.abc import Iterator

from lab.preflight import Look, Rule, listed, mapping, pool_texts


def _strict_arp(look: Look) -> Iterator[str]:
    asks = [name for name, asked in (("kube-vip", _arp(look)), ("MetalLB", look.on("metallb_enabled"))) if asked]
    if asks and look.text("kube_proxy_mode") == "ipvs" and not look.on("kube_proxy_strict_arp"):
        also = ", even though Cilium replaces kube-proxy" if look.cilium else ""
        yield f"kube_proxy_mode is ipvs without kube_proxy_strict_arp, which stops the installer at {' and '.join(asks)}{also}"


def _arp(look: Look) -> bool:
    return look.on("kube_vip_enabled") and look.on("kube_vip_arp_enabled")


def _no_namespace(look: Look) -> Iterator[str]:
    if look.on("metallb_enabled") and not look.text("metallb_namespace"):
        yield f"metallb_namespace is not set, and {look.release.tag} has no default for it"


def _no_network(look: Look) -> Iterator[str]:
    if look.on("metallb_enabled") and look.cell.network == "none" and not look.cilium:
        yield "MetalLB is installed while pods have no network, so that its controller never runs"


def _no_pool(look: Look) -> Iterator[str]:
    if look.on("metallb_enabled") and not pool_texts(look.told):
        yield "metallb_config has no address pool, so that no Service gets an address"


def _not_announced(look: Look) -> Iterator[str]:
    config = mapping(look.told.get("metallb_config"))
    pools = mapping(config.get("address_pools"))
    announced = {str(name) for name in listed(config.get("layer2"))} if "layer3" not in config else set(pools)
    for name in pools if look.on("metallb_enabled") else ():
        if name not in announced:
            yield f"no L2Advertisement for MetalLB's pool {name!r}: metallb_config.layer2 does not name it"


def _two_for_services(look: Look) -> Iterator[str]:
    if look.on("metallb_enabled") and look.on("kube_vip_enabled") and look.on("kube_vip_services_enabled"):
        yield "kube_vip_services_enabled and metallb_enabled: both take every Service of type LoadBalancer"


def _two_announcers(look: Look) -> Iterator[str]:
    wanted = [name for name in ("cilium_l2announcements", "cilium_loadbalancer_ip_pools") if look.on(name) or listed(look.told.get(name))]
    if look.on("metallb_enabled") and look.cilium and wanted:
        yield f"{' and '.join(wanted)} beside metallb_enabled: Cilium and MetalLB both take every Service of type LoadBalancer"


def _replacement(look: Look) -> Iterator[str]:
    value, known = look.told.get("cilium_kube_proxy_replacement"), look.release.cilium.kube_proxy_replacement
    if look.cilium and value not in known and value != look.release.defaults.get("cilium_kube_proxy_replacement"):
        takes = ", ".join(str(one) for one in known)
        yield f"cilium_kube_proxy_replacement is {value!r}; {look.release.tag} takes {takes} alone for on, and leaves kube-proxy in place"


def _replicas(look: Look) -> Iterator[str]:
    wanted, nodes = look.text("cilium_operator_replicas"), len(look.site.members)
    reduced = nodes == 1 and look.release.cilium.one_operator_on_one_node
    if look.cilium and not reduced and wanted.isdigit() and int(wanted) > nodes:
        yield f"cilium_operator_replicas is {wanted} with {nodes} node(s), and no two of them may share one: the others stay Pending"


RULES = (
    Rule(name="strict ARP", signature="strict-arp-required", look=_strict_arp),
    Rule(name="MetalLB's namespace", signature="metallb-variable-undefined", look=_no_namespace),
    Rule(name="a network for MetalLB", signature="metallb-without-network", look=_no_network),
    Rule(name="a pool for MetalLB", signature="", look=_no_pool),
    Rule(name="a pool that is announced", signature="metallb-pool-not-announced", look=_not_announced),
    Rule(name="one controller for Services", signature="kube-vip-takes-services-too", look=_two_for_services),
    Rule(name="one announcer of Services", signature="", look=_two_announcers),
    Rule(name="kube-proxy replacement", signature="", look=_replacement),
    Rule(name="nodes for Cilium's operator", signature="", look=_replicas),
)
