"""Ranges of IPv4 addresses as people write them: `10.9.7.0/24`, `10.9.7.200-10.9.7.220`, `10.9.7.10`. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """All addresses from `first` to `last`, both in it. `text`: as it was written."""

    first: IPv4Address
    last: IPv4Address
    text: str

    def __contains__(self, address: str) -> bool:
        """Whether it has `address`; no range has what is none."""
        try:
            return self.first <= IPv4Address(address) <= self.last
        except ValueError:
            return False

    def overlaps(self, other: "Range") -> bool:
        """Whether some address is in both."""
        return self.first <= other.last and other.first <= self.last


@lru_cache(maxsize=4096)  # a plan of thousands of cells asks for the same few
def parse(text: str) -> Range:
    """A network, `first-last` or one address; ValueError says what is wrong."""
    first, dash, last = (part.strip() for part in text.partition("-"))
    try:
        if dash:
            found = Range(first=IPv4Address(first), last=IPv4Address(last), text=text)
        else:
            network = IPv4Network(first, strict=False)
            found = Range(first=network[0], last=network[-1], text=text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no range of IPv4 addresses: {error}") from error
    if found.last < found.first:
        raise ValueError(f"{text!r} ends before it begins")
    return found


def holding(ranges: Iterable[Range], address: str) -> Range | None:
    """The first of `ranges` that has `address`."""
    return next((one for one in ranges if address in one), None)
