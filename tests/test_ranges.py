from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import ranges

NUMBERS = st.integers(min_value=0, max_value=300)
ANY = st.integers(min_value=0, max_value=2**32 - 1)


def between(one: int, other: int) -> ranges.Range:
    return ranges.parse(f"{IPv4Address(min(one, other))}-{IPv4Address(max(one, other))}")


def numbers(found: ranges.Range) -> set[int]:
    return set(range(int(found.first), int(found.last) + 1))


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("10.9.7.0/24", "10.9.7.0", "10.9.7.255"),
        ("10.9.7.9/24", "10.9.7.0", "10.9.7.255"),
        ("10.9.7.200-10.9.7.220", "10.9.7.200", "10.9.7.220"),
        ("10.9.7.200 - 10.9.7.220", "10.9.7.200", "10.9.7.220"),
        ("10.9.7.10", "10.9.7.10", "10.9.7.10"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255"),
    ],
)
def test_every_notation_is_a_range(text: str, first: str, last: str) -> None:
    found = ranges.parse(text)
    assert (str(found.first), str(found.last), found.text) == (first, last, text)


@pytest.mark.parametrize("text", ["", "10.9.7", "10.9.7.0/33", "a-b", "10.9.7.1-", "-10.9.7.1", "10.9.7.9-10.9.7.1", "fd00::/64"])
def test_what_is_no_range_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no range of IPv4|ends before it begins"):
        ranges.parse(text)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_two_ranges_overlap_where_they_share_an_address(a: int, b: int, c: int, d: int) -> None:
    one, other = between(a, b), between(c, d)
    shared = numbers(one) & numbers(other)
    assert one.overlaps(other) == other.overlaps(one) == bool(shared)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_an_address_is_in_a_range_or_is_not(a: int, b: int, address: int) -> None:
    found = between(a, b)
    text = str(IPv4Address(address))
    assert (text in found) == (address in numbers(found)) == found.overlaps(ranges.parse(text))
    assert ranges.holding([between(301, 302), found], text) == (found if address in numbers(found) else None)


@given(ANY, st.integers(min_value=0, max_value=32))
def test_a_network_is_the_range_from_its_first_to_its_last_address(address: int, prefix: int) -> None:
    found = ranges.parse(f"{IPv4Address(address)}/{prefix}")
    assert int(found.last) - int(found.first) + 1 == 2 ** (32 - prefix)
    assert str(IPv4Address(address)) in found


@given(st.text())
def test_any_text_is_a_range_or_one_error(text: str) -> None:
    try:
        found = ranges.parse(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert found.first <= found.last
