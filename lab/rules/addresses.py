"""Ranges of addresses that must not meet: of pods, Services, nodes, MetalLB's pools and the VIP."""

from collections.abc import Iterator

from lab import ranges
from lab.preflight import Look, Rule, parsed, pool_texts

DRAWS = ("kube_service_addresses", "kube_pods_subnet")  # variables that each name a range of the cluster


def _ranges(look: Look) -> Iterator[str]:
    named = [(name, look.text(name)) for name in DRAWS] + [("the nodes' subnet", look.site.slot.subnet)]
    drawn = [(name, text, next(iter(parsed([text])), None)) for name, text in named]
    for index, (name, text, one) in enumerate(drawn):
        for other_name, other_text, other in drawn[index + 1 :]:
            if one and other and one.overlaps(other):
                yield f"{name} {text} and {other_name} {other_text} share addresses"


def _pool_and_vip(look: Look) -> Iterator[str]:
    for vip in look.vips:
        for found in (pool for asked in parsed([vip]) for pool in look.pools if pool.overlaps(asked)):
            yield f"MetalLB's pool {found.text} has the VIP {vip}, so that a Service may be given the address of the API"


def _pool_and_members(look: Look) -> Iterator[str]:
    for node in look.site.members:
        if found := ranges.holding(look.pools, node.address):
            yield f"MetalLB's pool {found.text} has {node.address}, the address of {node.name}"


def _pool_and_neighbours(look: Look) -> Iterator[str]:
    for who, address in (("the client", look.site.slot.client), ("the gateway", look.site.slot.gateway)):
        if found := ranges.holding(look.pools, address):
            yield f"MetalLB's pool {found.text} has {address}, the address of {who}"


def _pool_elsewhere(look: Look) -> Iterator[str]:
    """ARP answers only neighbours of the subnet."""
    subnet = ranges.parse(look.site.slot.subnet)
    for pool in look.pools:
        if pool.first < subnet.first or subnet.last < pool.last:
            yield f"MetalLB's pool {pool.text} is not inside the nodes' subnet {subnet.text}, where ARP could announce it"
    for text in pool_texts(look.told) if look.on("metallb_enabled") else ():
        try:
            ranges.parse(text)
        except ValueError as error:
            yield f"MetalLB's pool cannot be used: {error}"


RULES = (
    Rule(name="ranges apart", signature="", look=_ranges),
    Rule(name="pool and VIP apart", signature="pool-has-the-vip", look=_pool_and_vip),
    Rule(name="pool and nodes apart", signature="pool-has-a-node", look=_pool_and_members),
    Rule(name="pool and neighbours apart", signature="", look=_pool_and_neighbours),
    Rule(name="pool in the subnet", signature="", look=_pool_elsewhere),
)
