"""Services of type LoadBalancer: an address of the pool, one MAC for it, an answer through it from the client, and nothing left of it."""

import ipaddress
import json
from functools import partial

from lab import echo, ranges
from lab.alike import macs, without_metallb
from lab.check import PODS_SETTLE_S, Answer, Check, Target
from lab.deadline import ticks_s, until
from lab.echo import ECHO, POLICIES
from lab.preflight import pool_texts

RELEASED = f"{echo.NAME}-released"
ADDRESS = "{.status.loadBalancer.ingress[0].ip}"
ADDRESS_LIMIT_S = 10.0  # until a Service has an address; MetalLB needs 1 to 4 s
RELEASE_LIMIT_S = 10.0  # until nobody answers ARP for a deleted Service


def _through(policy: str, target: Target) -> Answer:
    """What the client gets through the address of the Service; `state` is the address."""
    address = echo.of_service(target, ADDRESS, name=echo.balanced(policy))
    if not _is_address(address):
        return Answer(ok=False, said=f"the Service has no address: {address or 'pending'}")
    pools = pool_texts(target.variables)
    if not ranges.holding(map(ranges.parse, pools), address):
        return Answer(ok=False, said=f"{address} is of no pool: {', '.join(pools) or 'there is none'}", state=address)
    body = target.get(f"http://{address}/")
    if body.rc != 0 or not body.out.startswith(f"{echo.NAME}-"):
        return Answer(ok=False, said=f"http://{address}/ says {body.text or 'nothing'}", state=address)
    found = _macs(target, address)
    said = f"{address} answers HTTP; ARP for it is answered by {', '.join(found) or 'nobody'}"
    return Answer(ok=len(found) == 1, said=said, state=address)


def _released(target: Target) -> Answer:
    """A Service of its own, made and deleted: nobody answers ARP for its address any more, and while it was there, somebody did."""
    began_s, pace = ticks_s(), target.site.pace
    made = target.kubectl("apply -f -", stdin=json.dumps(echo.service(RELEASED, type="LoadBalancer")))
    if made.rc != 0:
        return Answer(ok=False, said=f"the Service cannot be made: {made.text}")
    try:
        address = until(lambda: echo.of_service(target, ADDRESS, name=RELEASED), _is_address, limit_s=ADDRESS_LIMIT_S * pace)
        given_s = ticks_s() - began_s
        held = until(lambda: _macs(target, address), bool, limit_s=ADDRESS_LIMIT_S * pace) if _is_address(address) else ()
    finally:
        target.kubectl("-n %s delete service %s", echo.NAMESPACE, RELEASED)
    if not held:
        return Answer(ok=False, said=f"nobody answers ARP for {address}" if address else f"no address after {given_s:.0f} s")
    left = until(lambda: _macs(target, address), lambda found: not found, limit_s=RELEASE_LIMIT_S * pace)
    said = f"{', '.join(left)} still answers for {address} of a deleted Service" if left else "released"
    return Answer(ok=not left, said=said, measured=(("address after s", round(given_s, 1)),))


def _macs(target: Target, address: str) -> tuple[str, ...]:
    return macs(target, address, asks=2, limit_s=2)


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


CHECKS = (
    *(
        Check(
            name=f"LoadBalancer Service, externalTrafficPolicy {policy}",
            on="client",
            lacks=without_metallb,
            look=partial(_through, policy),
            uses=ECHO,
            settle_s=PODS_SETTLE_S,
        )
        for policy in POLICIES
    ),
    Check(name="address of a deleted Service is released", on="client", lacks=without_metallb, look=_released, uses=ECHO),
)
