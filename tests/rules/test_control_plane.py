import pytest

from tests.rules.lint import said


@pytest.mark.parametrize(
    ("release", "kube_version", "ordering", "told"),
    [
        ("v2.25.0", "v1.29.5", "kube-vip", True),
        ("v2.25.0", "v1.29.0", "kube-vip+metallb > cilium", True),
        ("v2.25.0", "v1.28.6", "kube-vip", False),
        ("v2.25.1", "v1.29.5", "kube-vip", False),
        ("v2.25.0", "v1.29.5", "base > kube-vip", False),
        ("v2.25.0", "v1.29.5", "metallb", False),
        ("v2.25.0", "v1.29.5", "base > reset > kube-vip", True),
        ("v2.25.0", "v1.29.5", "base > reset > base > kube-vip", False),
    ],
)
def test_admin_conf_has_no_rights_while_the_run_of_kubeadm_init_waits_for_the_vip(
    release: str, kube_version: str, ordering: str, *, told: bool
) -> None:
    found = said("kube-vip's right to its lease", ordering, release=release, kube_version=kube_version)
    assert bool(found) is told
    assert not told or "super-admin.conf" in found


@pytest.mark.parametrize(
    ("release", "kube_version", "ordering", "told"),
    [
        ("v2.25.1", "v1.28.6", "kube-vip", True),
        ("v2.26.1", "v1.28.6", "kube-vip+metallb > cilium", True),
        ("v2.25.1", "v1.29.0", "kube-vip", False),
        ("v2.25.0", "v1.28.6", "kube-vip", False),
        ("v2.25.1", "v1.28.6", "base > kube-vip", False),
        ("v2.25.1", "v1.28.6", "metallb", False),
        ("v2.25.1", "v1.28.6", "base > reset > kube-vip", True),
    ],
)
def test_super_admin_conf_is_not_there_before_kubernetes_writes_it(release: str, kube_version: str, ordering: str, *, told: bool) -> None:
    found = said("a configuration for kube-vip", ordering, release=release, kube_version=kube_version)
    assert bool(found) is told
    assert not told or "kubeadm before v1.29.0 does not write" in found


def test_nobody_waits_for_the_vip_when_the_node_is_the_endpoint() -> None:
    assert said("kube-vip's right to its lease", "kube-vip", release="v2.25.0", endpoint="node") == ""


@pytest.mark.parametrize(
    ("ordering", "variables", "told"),
    [
        ("base", {}, True),
        ("metallb", {}, True),
        ("kube-vip", {}, False),
        ("kube-vip", {"kube_vip_enabled": "no"}, True),
        ("kube-vip", {"kube_vip_controlplane_enabled": False}, True),
        ("kube-vip", {"kube_vip_address": "10.231.0.101"}, True),
        ("base", {"loadbalancer_apiserver": {"address": "10.231.0.10", "port": 6443}}, False),
    ],
)
def test_an_endpoint_that_nobody_holds_is_named(ordering: str, variables: dict[str, object], *, told: bool) -> None:
    found = said("a VIP that somebody holds", ordering, endpoint="vip", **variables)
    assert bool(found) is told
    assert not told or "10.231.0.100" in found


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, False),
        ({"kube_vip_arp_enabled": False}, True),
        ({"kube_vip_arp_enabled": False, "kube_vip_bgp_enabled": True}, False),
        ({"kube_vip_arp_enabled": "true"}, False),
    ],
)
def test_kube_vip_needs_a_mode(variables: dict[str, object], *, told: bool) -> None:
    assert bool(said("a mode for kube-vip", **variables)) is told
    assert said("a mode for kube-vip", "metallb", **variables) == ""


@pytest.mark.parametrize(("interface", "told"), [("eth0", False), ("", False), ("lo", False), ("eth9", True)])
def test_kube_vip_needs_an_interface_that_is_there(interface: str, *, told: bool) -> None:
    found = said("an interface for kube-vip", kube_vip_interface=interface)
    assert found == ("kube_vip_interface is eth9, and control planes have eth0, lo" if told else "")


@pytest.mark.parametrize(
    ("vip", "found"),
    [
        ("{vip}", ""),
        ("{node}", "the VIP 10.231.0.10 is the address of cp1"),
        ("{client}", "the VIP 10.231.0.2 is the address of client"),
        ("{gateway}", "the VIP 10.231.0.1 is the address of the gateway"),
        ("10.9.9.9", "the VIP 10.9.9.9 is not in the nodes' subnet 10.231.0.0/24, where ARP could announce it"),
        ("vip.example", "the VIP vip.example is not in the nodes' subnet 10.231.0.0/24, where ARP could announce it"),
    ],
)
def test_the_vip_is_a_free_address_of_the_subnet(vip: str, found: str) -> None:
    assert said("the VIP's place", "kube-vip", kube_vip_address=vip) == found


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"kube_vip_cidr": 24}, False),
        ({"kube_vip_cidr": 24, "kube_vip_image_tag": "v0.9.2"}, True),
        ({"kube_vip_cidr": "24", "kube_vip_image_tag": "v1.0.3"}, True),
        ({"kube_vip_cidr": 32, "kube_vip_image_tag": "v0.9.2"}, False),
        ({"kube_vip_image_tag": "v0.9.2"}, False),
        ({"kube_vip_cidr": 24, "kube_vip_image_tag": "v0.8.9"}, False),
    ],
)
def test_a_prefix_is_lost_on_a_kube_vip_that_reads_another_name(variables: dict[str, object], *, told: bool) -> None:
    assert bool(said("the VIP's prefix", "kube-vip", **variables)) is told


@pytest.mark.parametrize(
    ("release", "variables", "told"),
    [
        ("v2.25.1", {"kube_vip_lb_enable": True, "kube_vip_lb_fwdmethod": "masquerade"}, True),
        ("v2.26.1", {"kube_vip_lb_enable": True, "kube_vip_lb_fwdmethod": "masquerade"}, True),
        ("v2.27.1", {"kube_vip_lb_enable": True, "kube_vip_lb_fwdmethod": "masquerade"}, False),
        ("v2.25.1", {"kube_vip_lb_enable": True, "kube_vip_lb_fwdmethod": "local"}, False),
        ("v2.25.1", {"kube_vip_lb_enable": True}, False),
        ("v2.25.1", {"kube_vip_lb_fwdmethod": "masquerade"}, False),
    ],
)
def test_kube_vip_masquerades_where_its_container_is_privileged(release: str, variables: dict[str, object], *, told: bool) -> None:
    assert bool(said("kube-vip's right to masquerade", "kube-vip", release=release, **variables)) is told
    assert not said("kube-vip's right to masquerade", "metallb", release=release, **variables)


def test_the_endpoint_has_the_port_that_the_api_listens_on() -> None:
    assert said("one port of the API", kube_apiserver_port=8443) == ""
    named = {"address": "{vip}", "port": 6443}
    found = said("one port of the API", kube_apiserver_port=8443, loadbalancer_apiserver=named)
    assert found == "loadbalancer_apiserver names port 6443, and the API server behind the VIP listens on 8443"


@pytest.mark.parametrize(
    ("kube_version", "variables", "told"),
    [
        ("v1.29.5", {}, False),
        ("v1.29.5", {"kubelet_fail_swap_on": False}, True),
        ("v1.29.5", {"kubelet_fail_swap_on": False, "kubelet_feature_gates": ["A=true"]}, True),
        ("v1.29.5", {"kubelet_fail_swap_on": False, "kubelet_feature_gates": ["NodeSwap=true"]}, False),
        ("v1.29.5", {"kubelet_fail_swap_on": False, "kube_feature_gates": ["NodeSwap=true"]}, False),
        ("v1.30.4", {"kubelet_fail_swap_on": False}, False),
    ],
)
def test_kubelet_needs_a_gate_to_run_beside_swap(kube_version: str, variables: dict[str, object], *, told: bool) -> None:
    assert bool(said("kubelet and swap", kube_version=kube_version, release="v2.25.0", **variables)) is told
