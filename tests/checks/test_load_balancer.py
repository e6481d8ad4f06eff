"""The LoadBalancer check, both ways, on what real nodes said."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.check import Answer, Target
from lab.checks import load_balancer
from lab.checks.load_balancer import CHECKS, manifest
from tests import made

REPLY = "Unicast reply from 10.231.0.200 [C6:81:4B:F6:C3:EF]  0.604ms\n"
SILENCE = "Sent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n"


class Cluster:
    """Says what it is told to; `arp` is used up one answer after the other, the last one for good."""

    def __init__(
        self,
        *,
        address: str = "10.231.0.200",
        body: tuple[int, str] = (0, "echo-6db6d84dc7-pjllt"),
        arp: tuple[str, ...] = (REPLY, SILENCE),
    ) -> None:
        self.address, self.body, self.arp = address, body, list(arp)
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
        return SimpleNamespace(rc=rc, stdout=text, stderr="")


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ADDRESS_LIMIT_S", "ANSWER_LIMIT_S", "RELEASE_LIMIT_S"):
        monkeypatch.setattr(load_balancer, name, 0.0)


def look(tmp_path: Path, cluster: Cluster, *pools: str) -> Answer:
    site = made.site(tmp_path)
    config = {"address_pools": {"primary": {"ip_range": [*(pools or (site.slot.pool,))]}}}
    hosts = {node.name: cluster for node in site.nodes}
    target = Target(node=site.client, site=site, cell=made.cell("metallb"), hosts=hosts, variables={"metallb_config": config})
    return CHECKS[0].look(target)


def test_an_address_of_the_pool_that_answers_and_is_released_is_good(tmp_path: Path) -> None:
    answer = look(tmp_path, Cluster())
    assert answer.ok
    assert "10.231.0.200 answers HTTP; ARP for it is answered by c6:81:4b:f6:c3:ef; released" in answer.said


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(address=""), "no address"),
        (Cluster(address="10.231.0.150"), "10.231.0.150 is of no pool: 10.231.0.200-10.231.0.220"),
        (Cluster(body=(28, "curl: (28) timed out")), "timed out"),
        (Cluster(body=(0, "<html>somebody else</html>")), "somebody else"),
        (Cluster(arp=(REPLY + REPLY.replace("C6", "02"), SILENCE)), "02:81:4b:f6:c3:ef, c6:81:4b:f6:c3:ef"),
        (Cluster(arp=(SILENCE,)), "nobody"),
        (Cluster(arp=(REPLY,)), "still answers after the Service was deleted"),
    ],
)
def test_anything_else_is_bad_and_says_what(tmp_path: Path, cluster: Cluster, said: str) -> None:
    answer = look(tmp_path, cluster)
    assert answer.ok is False
    assert said in answer.said


@pytest.mark.parametrize("cluster", [Cluster(), Cluster(address="")])
def test_the_cluster_is_left_as_it_was_found(tmp_path: Path, cluster: Cluster) -> None:
    look(tmp_path, cluster)
    assert any("delete namespace spraylab-check" in line for line in cluster.asked)


@pytest.mark.parametrize("policy", ["Cluster", "Local"])
def test_the_service_is_what_the_check_says(policy: str) -> None:
    (service,) = [item for item in json.loads(manifest(policy))["items"] if item["kind"] == "Service"]
    assert (service["spec"]["type"], service["spec"]["externalTrafficPolicy"]) == ("LoadBalancer", policy)


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.231.0.200", True), ("10.231.0.220", True), ("10.231.0.199", False), ("10.231.0.221", False), ("10.231.0.100", True)],
)
def test_the_pools_are_those_that_the_installer_was_told(tmp_path: Path, address: str, inside: bool) -> None:
    answer = look(tmp_path, Cluster(address=address), "10.231.0.200-10.231.0.220", "10.231.0.100/32")
    assert answer.ok is inside


def test_without_metallb_it_does_not_apply() -> None:
    assert all("metallb is off" in one.lacks(made.cell("kube-vip")) for one in CHECKS)
    assert not any(one.lacks(made.cell("kube-vip > metallb")) for one in CHECKS)
