"""Who writes to Services, both ways, on what a real API server said."""

import json
from pathlib import Path

import pytest

from lab.check import Answer, Scope
from lab.checks.service_owner import CHECKS
from tests import made
from tests.checks.nodes import Nodes, look

(CHECK,) = CHECKS
METALLB = ("kubectl-client-side-apply", "controller")
Service = tuple[str, str, tuple[str, ...]]


def ask(tmp_path: Path, *services: Service, addresses: dict[str, list[str]] | None = None, rc: int = 0) -> Answer:
    items = [
        {
            "metadata": {"name": name, "managedFields": [{"manager": writer} for writer in writers]},
            "status": {"loadBalancer": {"ingress": [{"ip": address}]} if address else {}},
        }
        for name, address, writers in services
    ]
    said = json.dumps({"items": items}) if rc == 0 else "refused"
    return look(tmp_path, CHECK, Nodes({"get services": (rc, said)}, addresses=addresses or {}), on=("metallb",))


def test_one_controller_that_gives_free_addresses_is_good(tmp_path: Path) -> None:
    one, other = ("a", "10.231.0.200", METALLB), ("b", "10.231.0.201", METALLB)
    answer = ask(tmp_path, one, other, ("node-port", "", ("kubectl-client-side-apply",)), addresses={"cp1": ["10.231.0.10"]})
    assert (answer.ok, answer.said) == (True, "2 of them have an address, all from controller")


@pytest.mark.parametrize(
    ("service", "addresses", "said"),
    [
        (("a", "10.231.0.200", (*METALLB, "kube-vip")), {}, "a with 10.231.0.200 is written by controller and kube-vip"),
        (("a", "10.231.0.100", METALLB), {"cp1": ["10.231.0.10", "10.231.0.100"]}, "a has 10.231.0.100, which is an address of cp1"),
        (("a", "10.231.0.2", METALLB), {"client": ["10.231.0.2"]}, "a has 10.231.0.2, which is an address of client"),
    ],
)
def test_a_second_writer_or_somebodys_address_is_bad(tmp_path: Path, service: Service, addresses: dict[str, list[str]], said: str) -> None:
    answer = ask(tmp_path, ("b", "10.231.0.210", METALLB), service, addresses=addresses)
    assert (answer.ok, answer.said) == (False, said)


def test_without_an_address_it_cannot_tell(tmp_path: Path) -> None:
    assert ask(tmp_path, ("a", "", METALLB)).ok is None
    assert ask(tmp_path, rc=1).said == "refused"


def test_without_metallb_it_does_not_apply() -> None:
    cell = made.cell("kube-vip > metallb")
    assert "metallb is off" in CHECK.lacks(Scope(cell=cell, on=("kube-vip",)))
    assert CHECK.lacks(Scope(cell=cell, on=("kube-vip", "metallb"))) == ""
