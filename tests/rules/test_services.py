from dataclasses import replace
from pathlib import Path

import pytest

from lab.model import Node
from tests import made
from tests.rules.lint import pools, said

STOPS = "kube_proxy_mode is ipvs without kube_proxy_strict_arp, which stops the installer at"


@pytest.mark.parametrize(
    ("ordering", "variables", "found"),
    [
        ("kube-vip", {}, f"{STOPS} kube-vip"),
        ("kube-vip+metallb", {}, f"{STOPS} kube-vip and MetalLB"),
        ("cilium+metallb", {}, f"{STOPS} MetalLB, even though Cilium replaces kube-proxy"),
        ("kube-vip", {"kube_proxy_strict_arp": True}, ""),
        ("kube-vip", {"kube_vip_arp_enabled": False, "kube_vip_bgp_enabled": True}, ""),
        ("base", {}, ""),
        ("cilium", {}, ""),
    ],
)
def test_ipvs_needs_strict_arp_beside_whoever_announces(ordering: str, variables: dict[str, object], found: str) -> None:
    assert said("strict ARP", ordering, kube_proxy_mode="ipvs", **variables) == found
    assert said("strict ARP", ordering, **variables) == ""


def test_what_nobody_sets_is_what_the_release_has() -> None:
    assert said("strict ARP", "kube-vip", kube_proxy_mode=None) == ""
    assert said("MetalLB's namespace", metallb_namespace="").startswith("metallb_namespace is not set, and v2.25.1 has no default")
    assert said("MetalLB's namespace") == ""


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (pools("{pool}"), False),
        (pools("{pool}", layer2=()), True),
        (pools("{pool}", layer2=("other",)), True),
        (pools("{pool}", layer2=(), layer3={"metallb_peers": {}}), False),
        ({"address_pools": {"primary": {"ip_range": ["{pool}"]}}}, True),
    ],
)
def test_a_pool_without_an_advertisement_is_named(config: dict[str, object], *, told: bool) -> None:
    found = said("a pool that is announced", metallb_config=config)
    assert found == ("no L2Advertisement for MetalLB's pool 'primary': metallb_config.layer2 does not name it" if told else "")
    assert said("a pool that is announced", "kube-vip", metallb_config=config) == ""


@pytest.mark.parametrize("config", [{}, {"address_pools": {}}, {"address_pools": {"a": {}}}, pools()])
def test_metallb_without_a_pool_gives_nothing(config: dict[str, object]) -> None:
    assert said("a pool for MetalLB", metallb_config=config).startswith("metallb_config has no address pool")
    assert said("a pool for MetalLB") == ""


@pytest.mark.parametrize(("ordering", "told"), [("kube-vip+metallb", True), ("metallb", False), ("kube-vip", False)])
def test_kube_vip_and_metallb_both_take_services(ordering: str, *, told: bool) -> None:
    assert bool(said("one controller for Services", ordering, kube_vip_services_enabled=True)) is told
    assert said("one controller for Services", ordering) == ""


def test_two_controllers_are_told_from_the_stage_on_that_has_both() -> None:
    found = said("one controller for Services", "kube-vip > metallb", kube_vip_services_enabled=True)
    assert found.startswith("stage 'metallb': ")


@pytest.mark.parametrize("wanted", [{"cilium_l2announcements": True}, {"cilium_loadbalancer_ip_pools": [{"name": "a", "cidrs": ["b"]}]}])
def test_cilium_and_metallb_both_take_services(wanted: dict[str, object]) -> None:
    assert next(iter(wanted)) in said("one announcer of Services", "cilium+metallb", **wanted)
    assert said("one announcer of Services", "cilium", **wanted) == ""
    assert said("one announcer of Services", "cilium+metallb") == ""


@pytest.mark.parametrize(
    ("ordering", "told"), [("metallb", True), ("metallb > cilium", True), ("cilium > metallb", False), ("kube-vip", False)]
)
def test_metallb_before_any_network_never_runs(ordering: str, *, told: bool) -> None:
    assert bool(said("a network for MetalLB", ordering, network="none")) is told
    assert said("a network for MetalLB", ordering) == ""


@pytest.mark.parametrize(("value", "told"), [("strict", False), (True, True), ("true", True), ("partial", False), ("probe", True)])
def test_a_replacement_that_the_release_does_not_know_is_named(value: object, *, told: bool) -> None:
    assert bool(said("kube-proxy replacement", "cilium", cilium_kube_proxy_replacement=value)) is told
    assert said("kube-proxy replacement", "kube-vip", cilium_kube_proxy_replacement=value) == ""


@pytest.mark.parametrize(("replicas", "told"), [(2, False), (3, True), ("3", True), ("x", False)])
def test_three_operators_need_three_nodes(tmp_path: Path, replicas: object, *, told: bool) -> None:
    one = made.site(tmp_path)
    two = replace(one, nodes=(*one.control_planes, Node(name="w1", role="worker", address="10.231.0.30"), one.client))
    assert bool(said("nodes for Cilium's operator", "cilium", site=two, cilium_operator_replicas=replicas)) is told
    assert said("nodes for Cilium's operator", "kube-vip", site=two, cilium_operator_replicas=replicas) == ""


def test_a_release_that_takes_one_operator_on_one_node_is_not_warned_of_two() -> None:
    assert said("nodes for Cilium's operator", "cilium", cilium_operator_replicas=2) == ""
