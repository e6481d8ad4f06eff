from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.lint import pools, said

HOST = st.integers(min_value=0, max_value=255)
VIP, NODE, CLIENT, GATEWAY = 100, 10, 2, 1  # host parts in slot 0


@given(HOST, HOST)
def test_a_pool_is_told_to_meet_exactly_whose_address_it_has(one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    config = pools(f"10.231.0.{first}-10.231.0.{last}")
    assert bool(said("pool and VIP apart", metallb_config=config)) is (first <= VIP <= last)
    assert bool(said("pool and nodes apart", metallb_config=config)) is (first <= NODE <= last)
    neighbours = said("pool and neighbours apart", metallb_config=config)
    assert ("the client" in neighbours, "the gateway" in neighbours) == (first <= CLIENT <= last, first <= GATEWAY <= last)
    assert said("pool in the subnet", metallb_config=config) == ""


def test_the_pool_of_the_slot_meets_nobody() -> None:
    for rule in ("pool and VIP apart", "pool and nodes apart", "pool and neighbours apart", "pool in the subnet", "ranges apart"):
        assert said(rule) == ""


def test_the_overlap_names_pool_and_address() -> None:
    found = said("pool and VIP apart", metallb_config=pools("{pool}", "{vip}/32"))
    assert found == "MetalLB's pool 10.231.0.100/32 has the VIP 10.231.0.100, so that a Service may be given the address of the API"
    assert said("pool and nodes apart", metallb_config=pools("{node}")) == (
        "MetalLB's pool 10.231.0.10 has 10.231.0.10, the address of cp1"
    )


def test_where_kube_vip_is_off_no_vip_is_in_the_way_but_that_of_the_endpoint() -> None:
    config = pools("{vip}/32")
    assert said("pool and VIP apart", "metallb", metallb_config=config) == ""
    assert said("pool and VIP apart", "metallb", endpoint="vip", metallb_config=config) != ""


def test_pools_of_a_metallb_that_is_off_meet_nobody() -> None:
    assert said("pool and VIP apart", "kube-vip", metallb_config=pools("{vip}/32")) == ""


@pytest.mark.parametrize(
    ("written", "part"), [("10.9.9.0/24", "not inside the nodes' subnet"), ("10.231.0.9-10.231.0.1", "ends before"), ("x", "is no range")]
)
def test_a_pool_that_cannot_be_announced_is_named(written: str, part: str) -> None:
    assert part in said("pool in the subnet", metallb_config=pools(written))


@given(HOST, st.integers(min_value=8, max_value=30), HOST, st.integers(min_value=8, max_value=30))
def test_two_ranges_of_the_cluster_are_told_exactly_when_they_share_an_address(a: int, b: int, c: int, d: int) -> None:
    def bounds(third: int, prefix: int) -> tuple[int, int]:
        base = int(IPv4Address(f"10.{third}.0.0")) & (2**32 - 2 ** (32 - prefix))
        return base, base + 2 ** (32 - prefix) - 1

    (first, last), (other_first, other_last) = bounds(a, b), bounds(c, d)
    found = said("ranges apart", kube_pods_subnet=f"10.{a}.0.0/{b}", kube_service_addresses=f"10.{c}.0.0/{d}")
    pair = f"kube_service_addresses 10.{c}.0.0/{d} and kube_pods_subnet 10.{a}.0.0/{b} share addresses"
    assert (pair in found) is (first <= other_last and other_first <= last)


def test_pods_and_services_must_not_have_the_addresses_of_nodes() -> None:
    found = said("ranges apart", kube_pods_subnet="10.231.0.0/16")
    assert found == "kube_pods_subnet 10.231.0.0/16 and the nodes' subnet 10.231.0.0/24 share addresses"
