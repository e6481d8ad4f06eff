"""Who writes to a Service, both ways, on what a real API server said."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.check import Answer, Target
from lab.checks import service_owner
from lab.checks.service_owner import CHECKS, manifest
from tests import made

METALLB = "controller"


class Cluster:
    """A Service with an address, its writers, and the versions that a watch of it shows."""

    def __init__(
        self,
        *,
        address: str = "10.231.0.200",
        writers: tuple[str, ...] = (METALLB,),
        versions: tuple[int, ...] = (512,),
        on_node: tuple[str, ...] = (),
        apply_rc: int = 0,
    ) -> None:
        self.address, self.writers, self.versions, self.on_node, self.apply_rc = address, writers, versions, on_node, apply_rc
        self.asked: list[str] = []

    def run(self, command: str, *args: str) -> object:
        line = command % args if args else command
        self.asked.append(line)
        if " apply " in line:
            return SimpleNamespace(rc=self.apply_rc, stdout="", stderr="refused" if self.apply_rc else "")
        if " -w " in line:
            return SimpleNamespace(rc=124, stdout="\n".join(map(str, self.versions)), stderr="")
        fields = [{"manager": name} for name in ("kubectl-client-side-apply", *self.writers)]
        ingress = {"ingress": [{"ip": self.address}]} if self.address else {}
        service = {"metadata": {"managedFields": fields}, "status": {"loadBalancer": ingress}}
        return SimpleNamespace(rc=0, stdout=json.dumps(service) if " get service " in line else "", stderr="")

    def interface(self, _: str) -> object:
        return SimpleNamespace(addresses=["10.231.0.10", *self.on_node])


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_owner, "ADDRESS_LIMIT_S", 0.0)


def look(tmp_path: Path, cluster: Cluster) -> Answer:
    site = made.site(tmp_path)
    target = Target(node=site.client, site=site, cell=made.cell("metallb"), hosts={node.name: cluster for node in site.nodes})
    return CHECKS[0].look(target)


def test_one_controller_that_leaves_it_alone_is_good(tmp_path: Path) -> None:
    answer = look(tmp_path, Cluster())
    assert (answer.ok, answer.said) == (True, "10.231.0.200, written by controller; 0 writes in 6 s")


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        (Cluster(writers=(METALLB, "kube-vip")), "written by controller and kube-vip"),
        (Cluster(versions=(1, 2, 3, 4, 5)), "4 writes in 6 s"),
        (Cluster(on_node=("10.231.0.200",)), "10.231.0.200 is an address of cp1"),
        (Cluster(address="10.231.0.10"), "10.231.0.10 is an address of cp1"),
        (Cluster(address="", writers=()), "no address after 0 s; written by nobody"),
        (Cluster(apply_rc=1), "the Service cannot be made: refused"),
    ],
)
def test_anything_else_is_bad_and_says_what(tmp_path: Path, cluster: Cluster, said: str) -> None:
    answer = look(tmp_path, cluster)
    assert answer.ok is False
    assert said in answer.said


@pytest.mark.parametrize("cluster", [Cluster(), Cluster(address=""), Cluster(apply_rc=1)])
def test_the_cluster_is_left_as_it_was_found(tmp_path: Path, cluster: Cluster) -> None:
    look(tmp_path, cluster)
    assert "delete namespace spraylab-owner" in cluster.asked[-1]


def test_the_service_has_no_pods() -> None:
    assert [item["kind"] for item in json.loads(manifest())["items"]] == ["Namespace", "Service"]


def test_without_metallb_it_does_not_apply() -> None:
    assert all("metallb is off" in one.lacks(made.cell("kube-vip")) for one in CHECKS)
    assert not any(one.lacks(made.cell("kube-vip > metallb")) for one in CHECKS)
