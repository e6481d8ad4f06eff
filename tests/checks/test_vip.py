"""Each check of the virtual IP, both ways, on what real nodes said."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.check import Answer, Check, Scope
from lab.checks.vip import CHECKS
from lab.model import Node
from tests import made
from tests.checks.nodes import Nodes, look

VIP = "10.231.0.100"
REPLY = "Unicast reply from 10.231.0.100 [6E:FE:E3:B9:36:9B]  0.604ms\n"


def ask(tmp_path: Path, name: str, nodes: Nodes) -> Answer:
    return look(tmp_path, next(one for one in CHECKS if one.name == name), nodes)


@pytest.mark.parametrize(
    ("addresses", "ok", "state"),
    [({"cp1": ["10.231.0.10", VIP]}, True, "cp1"), ({"cp1": ["10.231.0.10"]}, False, ""), ({"client": [VIP]}, False, "")],
)
def test_the_vip_is_on_exactly_one_control_plane(tmp_path: Path, addresses: dict[str, list[str]], ok: bool, state: str) -> None:
    answer = ask(tmp_path, "VIP on exactly one node", Nodes({}, addresses=addresses))
    assert (answer.ok, answer.state) == (ok, state)


def test_a_vip_on_two_control_planes_is_split_and_both_are_named(tmp_path: Path) -> None:
    alone = made.site(tmp_path)
    second = Node(name="cp2", role="control-plane", address="10.231.0.11")
    site = replace(alone, nodes=(alone.nodes[0], second, alone.client))
    nodes = Nodes({}, addresses={"cp1": ["10.231.0.10", VIP], "cp2": ["10.231.0.11", VIP]})
    answer = look(tmp_path, next(one for one in CHECKS if one.name == "VIP on exactly one node"), nodes, site=site)
    assert (answer.ok, answer.state) == (False, "cp1 cp2")


def test_an_address_that_only_begins_like_the_vip_is_not_the_vip(tmp_path: Path) -> None:
    assert ask(tmp_path, "VIP on exactly one node", Nodes({}, addresses={"cp1": [f"{VIP}0", VIP[:-1]]})).ok is False


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_each_check_is_asked_of_a_client_where_kube_vip_is_on_and_nowhere_else(check: Check) -> None:
    assert check.on == "client"
    assert check.lacks(Scope(cell=made.cell("base > kube-vip"), on=("kube-vip",))) == ""
    assert check.lacks(Scope(cell=made.cell("base > kube-vip"), on=())).startswith("kube-vip is off")


@pytest.mark.parametrize(
    ("said", "ok", "state"),
    [
        (REPLY * 3, True, "6e:fe:e3:b9:36:9b"),
        (REPLY + REPLY.replace("6E:FE", "02:00"), False, "02:00:e3:b9:36:9b 6e:fe:e3:b9:36:9b"),
        ("Sent 3 probes (3 broadcast(s))\nReceived 0 response(s)\n", False, ""),
    ],
)
def test_exactly_one_mac_answers(tmp_path: Path, said: str, ok: bool, state: str) -> None:
    nodes = Nodes({"arping": (0, said)})
    answer = ask(tmp_path, "one MAC answers ARP for the VIP", nodes)
    assert (answer.ok, answer.state) == (ok, state)
    assert " -b " in nodes.asked[0], "without it arping asks the first one that replied alone"


@pytest.mark.parametrize(("rc", "said", "ok"), [(0, "ok", True), (28, "curl: (28) Connection timed out", False), (0, "not ok", False)])
def test_the_client_reaches_the_api_through_the_vip(tmp_path: Path, rc: int, said: str, ok: bool) -> None:
    assert ask(tmp_path, "API through the VIP from the client", Nodes({"curl": (rc, said)})).ok is ok


HELD = "2: eth0    inet 10.231.0.100/{} scope global deprecated eth0\\       valid_lft forever preferred_lft 0sec\n"


@pytest.mark.parametrize(
    ("said", "variables", "ok", "seen"),
    [
        (HELD.format(32), {}, True, "has the prefix 32; kube_vip_cidr is 32"),
        (HELD.format(24), {"kube_vip_cidr": 24}, True, "has the prefix 24; kube_vip_cidr is 24"),
        (HELD.format(32), {"kube_vip_cidr": "24"}, False, "has the prefix 32; kube_vip_cidr is 24"),
        (HELD.format(32) + HELD.format(24), {}, False, "has the prefix 24 and 32; kube_vip_cidr is 32"),
        ("", {}, False, "of nobody"),
    ],
)
def test_the_vip_has_the_prefix_that_was_asked_for(tmp_path: Path, said: str, variables: dict[str, object], ok: bool, seen: str) -> None:
    (check,) = (one for one in CHECKS if one.name == "prefix of the VIP")
    answer = look(tmp_path, check, Nodes({"ip": (0, said)}), variables=variables)
    assert (answer.ok, seen in answer.said) == (ok, True)


@pytest.mark.parametrize(
    ("rc", "said", "ok"),
    [(0, "ok", True), (60, "curl: (60) SSL: no alternative certificate subject name matches target host name '10.231.0.100'", False)],
)
def test_the_clusters_own_authority_covers_the_vip(tmp_path: Path, rc: int, said: str, ok: bool) -> None:
    nodes = Nodes({"curl": (rc, said)}, files={"/etc/kubernetes/ssl/ca.crt": "-----BEGIN CERTIFICATE-----"})
    answer = ask(tmp_path, "certificate covers the VIP", nodes)
    assert answer.ok is ok
    assert "--cacert" in nodes.asked[-1]
    assert " -sSk " not in nodes.asked[0]
