"""Each check of a LoadBalancer Service, both ways, on what real nodes said."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.check import Answer, Check, Scope, Target
from lab.checks import load_balancer
from lab.checks.load_balancer import CHECKS
from tests import made

REPLY = "Unicast reply from 10.231.0.200 [C6:81:4B:F6:C3:EF]  0.604ms\n"
SILENCE = "Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n"
CLUSTER, LOCAL, RELEASED = CHECKS


class Cluster:
    """Says what it is told to; `arp` is used up one answer after the other, the last one for good."""

    def __init__(
        self,
        *,
        address: str = "10.231.0.200",
        body: tuple[int, str] = (0, "spraylab-echo-pjllt"),
        arp: tuple[str, ...] = (REPLY, SILENCE),
        makes: int = 0,
    ) -> None:
        self.address, self.body, self.arp, self.makes = address, body, list(arp), makes
        self.asked: list[str] = []

    def run(self, command: str, *args: str) -> object:
        line = command % args if args else command
        self.asked.append(line)
        rc, text = 0, ""
        if "get service" in line:
            text = self.address
        elif " curl " in line:
            rc, text = self.body
        elif " arping " in line:
            text = self.arp.pop(0) if len(self.arp) > 1 else self.arp[0]
        elif "apply" in line:
            rc, text = self.makes, "created" if self.makes == 0 else "forbidden"
        return SimpleNamespace(rc=rc, stdout=text, stderr="")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADDRESS_LIMIT_S", "RELEASE_LIMIT_S"):
        monkeypatch.setattr(load_balancer, name, 0.0)


def look(tmp_path: Path, cluster: Cluster, check: Check = CLUSTER, *, pools: tuple[str, ...] = ()) -> Answer:
    site = made.site(tmp_path)
    config = {"address_pools": {"primary": {"ip_range": [*(pools or (site.slot.pool,))]}}}
    scope, hosts = Scope(cell=made.cell("metallb"), on=("metallb",)), {node.name: cluster for node in site.nodes}
    return check.look(Target(node=site.client, site=site, scope=scope, hosts=hosts, variables={"metallb_config": config}))


def test_an_address_of_the_pool_that_answers_with_one_mac_is_good(tmp_path: Path) -> None:
    answer = look(tmp_path, Cluster())
    assert answer.ok
    assert (answer.said, answer.state) == ("10.231.0.200 answers HTTP; ARP for it is answered by c6:81:4b:f6:c3:ef", "10.231.0.200")


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(address=""), "no address: pending"),
        (Cluster(address="10.231.0.150"), "10.231.0.150 is of no pool: 10.231.0.200-10.231.0.220"),
        (Cluster(body=(28, "curl: (28) timed out")), "timed out"),
        (Cluster(body=(0, "<html>somebody else</html>")), "somebody else"),
        (Cluster(arp=(REPLY + REPLY.replace("C6", "02"), SILENCE)), "02:81:4b:f6:c3:ef, c6:81:4b:f6:c3:ef"),
        (Cluster(arp=(SILENCE,)), "nobody"),
    ],
)
def test_anything_else_is_bad_and_says_what(tmp_path: Path, cluster: Cluster, said: str) -> None:
    answer = look(tmp_path, cluster)
    assert answer.ok is False
    assert said in answer.said


@pytest.mark.parametrize(("check", "name"), [(CLUSTER, "spraylab-echo-cluster"), (LOCAL, "spraylab-echo-local")])
def test_each_policy_asks_its_own_service(tmp_path: Path, check: Check, name: str) -> None:
    cluster = Cluster()
    look(tmp_path, cluster, check)
    assert f"get service {name} " in cluster.asked[0]


def test_an_address_is_held_while_its_service_is_there_and_by_nobody_after(tmp_path: Path) -> None:
    answer = look(tmp_path, Cluster(), RELEASED)
    assert (answer.ok, answer.said) == (True, "released")
    ((name, _),) = answer.measured
    assert name == "address after s"


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(arp=(REPLY,)), "still answers for 10.231.0.200 of a deleted Service"),
        (Cluster(arp=(SILENCE,)), "nobody answers ARP for 10.231.0.200"),
        (Cluster(address=""), "no address after"),
        (Cluster(makes=1), "the Service cannot be made: forbidden"),
    ],
)
def test_what_is_not_held_before_or_is_held_after_is_bad(tmp_path: Path, cluster: Cluster, said: str) -> None:
    answer = look(tmp_path, cluster, RELEASED)
    assert answer.ok is False
    assert said in answer.said


@pytest.mark.parametrize("cluster", [Cluster(), Cluster(address="")])
def test_its_own_service_is_deleted_in_any_case(tmp_path: Path, cluster: Cluster) -> None:
    look(tmp_path, cluster, RELEASED)
    assert any("delete service spraylab-echo-released" in line for line in cluster.asked)


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.231.0.200", True), ("10.231.0.220", True), ("10.231.0.199", False), ("10.231.0.221", False), ("10.231.0.100", True)],
)
def test_the_pools_are_those_that_the_installer_was_told(tmp_path: Path, address: str, inside: bool) -> None:
    answer = look(tmp_path, Cluster(address=address), pools=("10.231.0.200-10.231.0.220", "10.231.0.100/32"))
    assert answer.ok is inside


def test_without_metallb_it_does_not_apply() -> None:
    cell = made.cell("kube-vip > metallb")
    assert all("metallb is off" in one.lacks(Scope(cell=cell, on=("kube-vip",))) for one in CHECKS)
    assert not any(one.lacks(Scope(cell=cell, on=("kube-vip", "metallb"))) for one in CHECKS)
