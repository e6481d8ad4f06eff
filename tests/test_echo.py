import json
from pathlib import Path

import pytest

from lab import echo
from lab.check import Scope, Target
from tests import made
from tests.checks.nodes import Nodes


def target(tmp_path: Path, nodes: Nodes, on: tuple[str, ...] = ("metallb",)) -> Target:
    site = made.site(tmp_path)
    return Target(
        node=site.client, site=site, scope=Scope(cell=made.cell(), on=on), hosts={one.name: nodes.host(one.name) for one in site.nodes}
    )


def services(on: tuple[str, ...]) -> dict[str, dict[str, str]]:
    items = json.loads(echo.manifest(on))["items"]
    return {item["metadata"]["name"]: item["spec"] for item in items if item["kind"] == "Service"}


def test_where_nobody_gives_addresses_no_service_asks_for_one() -> None:
    assert [spec["type"] for spec in services(("kube-vip", "cilium")).values()] == ["NodePort"]


def test_both_policies_have_a_service_to_the_same_pods() -> None:
    found = services(("metallb",))
    assert {policy: found[echo.balanced(policy)]["externalTrafficPolicy"] for policy in echo.POLICIES} == {
        "Cluster": "Cluster",
        "Local": "Local",
    }
    assert {str(spec["selector"]) for spec in found.values()} == {str({"app": echo.NAME})}


def test_every_pod_and_service_carries_the_label_that_removes_them() -> None:
    name, _, value = echo.LABEL.partition("=")
    items = json.loads(echo.manifest(("metallb",)))["items"]
    carriers = items + [item["spec"]["template"] for item in items if "template" in item["spec"]]
    assert len(carriers) == len(items) + 2
    assert all(one["metadata"]["labels"][name] == value for one in carriers)


def test_making_says_what_is_wrong_and_removing_takes_all_kinds(tmp_path: Path) -> None:
    assert echo.ECHO.make(target(tmp_path, Nodes({"apply": (0, "service/spraylab-echo created")}))).ok
    refused = echo.ECHO.make(target(tmp_path, Nodes({"apply": (1, "connection refused")})))
    assert (refused.ok, refused.said) == (False, "connection refused")
    nodes = Nodes({"delete": (0, "")})
    assert echo.ECHO.remove(target(tmp_path, nodes)).ok
    late = echo.ECHO.remove(target(tmp_path, Nodes({"delete": (1, "timed out waiting for the condition")})))
    assert (late.ok, late.said) == (False, "timed out waiting for the condition")
    assert f"delete {echo.KINDS} -l {echo.LABEL}" in nodes.asked[0]


def test_pods_have_the_addresses_the_cluster_gave_them(tmp_path: Path) -> None:
    listed = {"items": [{"metadata": {"name": "a"}, "status": {"podIP": "10.233.64.9"}}, {"metadata": {"name": "b"}, "status": {}}]}
    assert echo.pods(target(tmp_path, Nodes({"pods": (0, json.dumps(listed))}))) == {"a": "10.233.64.9", "b": ""}


def test_a_cluster_that_does_not_answer_is_no_empty_answer(tmp_path: Path) -> None:
    nodes = Nodes({"get": (1, "connection refused")})
    with pytest.raises(RuntimeError, match="connection refused"):
        echo.pods(target(tmp_path, nodes))
    with pytest.raises(RuntimeError, match="connection refused"):
        echo.of_service(target(tmp_path, nodes), "{.spec.clusterIP}")


def test_the_caller_asks_from_inside_its_pod(tmp_path: Path) -> None:
    nodes = Nodes({"exec": (0, "10.233.0.1")})
    assert echo.call(target(tmp_path, nodes), "resolve", "kubernetes").text == "10.233.0.1"
    assert f"exec deploy/{echo.CALLER} -- /echo resolve kubernetes" in nodes.asked[0]
