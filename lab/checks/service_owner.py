"""Who writes to Services of type LoadBalancer: one controller, which gives them addresses that are nobody else's."""

import json
from collections.abc import Iterator
from typing import Any

from lab import echo
from lab.alike import without_metallb
from lab.check import Answer, Check, Target
from lab.echo import ECHO, LABEL

USERS = "kubectl"  # how the name of a program begins that writes for a person


def _look(target: Target) -> Answer:
    """Every Service of the round that has an address; one without is what other checks are about."""
    done = target.kubectl("-n %s get services -l %s -o json --show-managed-fields", echo.NAMESPACE, LABEL)
    if done.rc != 0:
        return Answer(ok=None, said=done.text)
    given = [(service, address) for service in json.loads(done.out)["items"] for address in _addresses(service)]
    wrong = [said for service, address in given for said in _wrong(service, address, target)]
    writers = sorted({name for service, _ in given for name in _writers(service)})
    said = "; ".join(wrong) or f"{len(given)} of them have an address, all from {_names(writers)}"
    return Answer(ok=not wrong if given else None, said=said if given else "no Service has an address")


def _wrong(service: dict[str, Any], address: str, target: Target) -> Iterator[str]:
    name, writers = service["metadata"]["name"], _writers(service)
    if len(writers) > 1:
        yield f"{name} with {address} is written by {_names(writers)}"
    for node in target.site.nodes:
        if address in target.addresses(node):
            yield f"{name} has {address}, which is an address of {node.name}"


def _addresses(service: dict[str, Any]) -> list[str]:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    return [one["ip"] for one in ingress if "ip" in one]


def _writers(service: dict[str, Any]) -> list[str]:
    """Programs that own fields of the Service, but for who made it."""
    fields = service["metadata"].get("managedFields", [])
    return sorted({one["manager"] for one in fields if not one["manager"].startswith(USERS)})


def _names(names: list[str]) -> str:
    return " and ".join(names) or "nobody"


CHECKS = (Check(name="LoadBalancer Services have one owner", on="client", lacks=without_metallb, look=_look, uses=ECHO),)
