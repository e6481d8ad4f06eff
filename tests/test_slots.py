import ipaddress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import export, network, ranges, slots
from lab.errors import BedError
from lab.model import Slot, Topology


def test_a_slot_has_the_same_addresses_whenever_it_is_used() -> None:
    place = slots.slot(3)
    assert (place.subnet, place.gateway, place.client, place.vip, place.pool) == (
        "10.231.3.0/24",
        "10.231.3.1",
        "10.231.3.2",
        "10.231.3.100",
        "10.231.3.200-10.231.3.220",
    )
    assert slots.address(place, 10) == "10.231.3.10"


@pytest.mark.parametrize(
    ("taken", "reason"),
    [
        ((("10.231.4.0/24", "network other"),), "network other uses 10.231.4.0/24"),
        ((("10.231.0.0/16", "a route over eth9"),), "a route over eth9 uses 10.231.0.0/16"),
        ((("10.231.4.77/32", "interface tun0"),), "interface tun0 uses 10.231.4.77/32"),
        ((("10.231.5.0/24", "x"), ("fd00::/64", "y"), ("default", "z")), ""),
    ],
    ids=["same", "wider", "one address", "beside it"],
)
def test_what_overlaps_is_in_the_way(taken: tuple[tuple[str, str], ...], reason: str) -> None:
    assert slots.in_the_way(slots.slot(4), taken) == reason


def busy(*numbers: int) -> tuple[tuple[str, str], ...]:
    return tuple((slots.slot(number).subnet, f"network n{number}") for number in numbers)


def test_the_first_slot_nobody_uses_is_taken_and_held_until_it_is_released() -> None:
    taken = busy(*range(13))  # the last slots: those a real run is least likely to hold at this moment
    first = slots.hold(None, taken)
    second = slots.hold(None, taken)
    try:
        assert first.slot.number < second.slot.number
        with pytest.raises(BedError, match=rf"slot {first.slot.number} .* is in use\n.*another run on this host holds slot"):
            slots.hold(first.slot.number, taken)
    finally:
        first.release()
        second.release()
    slots.hold(first.slot.number, taken).release()


def test_a_named_slot_in_use_says_who_uses_it_and_what_to_do() -> None:
    with pytest.raises(BedError, match=r"slot 5 \(10.231.5.0/24\) is in use\n.*network n5 uses 10.231.5.0/24\n.*spraylab gc"):
        slots.hold(5, busy(5))


def test_a_host_full_of_runs_says_so() -> None:
    with pytest.raises(BedError, match="every slot of this host is in use"):
        slots.hold(None, busy(*range(slots.COUNT)))


def test_a_slot_that_does_not_exist_is_refused() -> None:
    with pytest.raises(BedError, match="there is no slot 16"):
        slots.hold(16, ())


PLACES = (*map(slots.slot, range(slots.COUNT)), export.KIND_PLACE, export.VAGRANT_PLACE)


@given(
    st.builds(Topology, control_planes=st.integers(1, 25), workers=st.integers(0, 80)).filter(lambda one: not slots.lacking(one)),
    st.sampled_from(PLACES),
)
def test_every_address_of_a_topology_that_has_room_is_nobody_elses(topology: Topology, place: Slot) -> None:
    nodes = [node.address for node in slots.layout(topology, place)]
    assert len(nodes) == topology.control_planes + topology.workers + 1
    pool = ranges.parse(place.pool)
    taken = [
        *nodes,
        place.vip,
        place.gateway,
        *(str(one) for net in ipaddress.summarize_address_range(pool.first, pool.last) for one in net),
    ]
    assert len(set(taken)) == len(taken)
    inside = ipaddress.ip_network(place.subnet)
    assert set(map(ipaddress.ip_address, taken)) <= set(inside.hosts())
    pods = [network.pods_of(index) for index in range(len(nodes) - 1)]
    assert all(ipaddress.IPv4Network(one).subnet_of(ipaddress.IPv4Network("10.233.64.0/18")) for one in pods)


@pytest.mark.parametrize(("control_planes", "workers"), [(9999, 0), (21, 1), (3, 71), (3, 300)])
def test_what_has_no_addresses_lacks_them(control_planes: int, workers: int) -> None:
    assert slots.lacking(Topology(control_planes=control_planes, workers=workers)) == (
        "there are addresses for 20 control planes and 44 workers at most"
    )


def test_the_loopback_of_this_host_is_known() -> None:
    assert ("127.0.0.1/8", "interface lo") in slots.of_host()


def test_a_node_has_the_mac_that_its_entry_script_computes() -> None:
    entry = (Path(slots.__file__).parent / "data/node/root/usr/local/sbin/spraylab-entry").read_text()
    assert "printf '02:53:%02x:%02x:%02x:%02x'" in entry
    assert slots.mac_of("10.231.14.10") == "02:53:0a:e7:0e:0a"
