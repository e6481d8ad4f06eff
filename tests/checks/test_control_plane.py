"""Each check of the control plane, both ways, on what real nodes said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.check import Answer, Scope
from lab.checks.control_plane import CHECKS
from lab.model import Network, Source
from tests import made
from tests.checks.nodes import Nodes, look

RUNNING = json.dumps({"containers": [{"id": "8f4d1c0a9b7e55", "state": "CONTAINER_RUNNING", "metadata": {"name": "x", "attempt": 1}}]})
EXITED = json.dumps({"containers": [{"id": "8f4d1c0a9b7e55", "state": "CONTAINER_EXITED", "metadata": {"name": "x", "attempt": 3}}]})
TWICE = json.dumps({"containers": [{"id": name, "state": "CONTAINER_RUNNING", "metadata": {"name": "x", "attempt": 0}} for name in "ab"]})


def ask(tmp_path: Path, name: str, nodes: Nodes) -> Answer:
    return look(tmp_path, next(one for one in CHECKS if one.name == name), nodes)


@pytest.mark.parametrize("name", ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-vip"])
@pytest.mark.parametrize(("said", "ok"), [(RUNNING, True), (EXITED, False), (TWICE, False), ('{"containers": []}', False)])
def test_a_static_pod_runs_exactly_once(tmp_path: Path, name: str, said: str, ok: bool) -> None:
    assert ask(tmp_path, name, Nodes({"crictl": (0, said)})).ok is ok


def test_a_replaced_container_is_another_state(tmp_path: Path) -> None:
    other = RUNNING.replace("8f4d1c0a9b7e55", "11111111111111")
    states = {ask(tmp_path, "kube-apiserver", Nodes({"crictl": (0, said)})).state for said in (RUNNING, other)}
    assert len(states) == 2


def test_a_runtime_that_does_not_answer_tells_nothing(tmp_path: Path) -> None:
    assert ask(tmp_path, "kube-vip", Nodes({"crictl": (1, "connection refused")})).ok is None


@pytest.mark.parametrize("runs", [True, False])
def test_kubelet_runs(tmp_path: Path, runs: bool) -> None:
    answer = ask(tmp_path, "kubelet", Nodes({"systemctl": (0, "2\n")}, services={"kubelet"} if runs else set()))
    assert (answer.ok, answer.state) == (runs, "2")


@pytest.mark.parametrize(
    ("rc", "said", "ok"),
    [
        (0, "https://10.231.0.10:2379 is healthy: successfully committed proposal: took = 5.9ms", True),
        (1, "https://10.231.0.10:2379 is unhealthy: failed to commit proposal: context deadline exceeded", False),
        (0, "", False),
    ],
)
def test_etcd_commits(tmp_path: Path, rc: int, said: str, ok: bool) -> None:
    assert ask(tmp_path, "etcd", Nodes({"etcdctl": (rc, said)})).ok is ok


@pytest.mark.parametrize(("name", "address"), [("API on the node's address", "10.231.0.10"), ("API through the VIP", "10.231.0.100")])
@pytest.mark.parametrize(
    ("rc", "said", "ok"), [(0, "ok", True), (7, "curl: (7) Failed to connect", False), (0, "[-]etcd failed\nlivez check failed", False)]
)
def test_livez_is_ok_and_nothing_else(tmp_path: Path, name: str, address: str, rc: int, said: str, ok: bool) -> None:
    nodes = Nodes({"curl": (rc, said)})
    assert ask(tmp_path, name, nodes).ok is ok
    assert f"https://{address}:6443/livez" in nodes.asked[0]


def test_another_port_of_the_api_is_the_one_that_is_asked(tmp_path: Path) -> None:
    nodes = Nodes({"curl": (0, "ok")})
    (check,) = (one for one in CHECKS if one.name == "API through the VIP")
    assert look(tmp_path, check, nodes, site=replace(made.site(tmp_path), api_port=8443)).ok is True
    assert "https://10.231.0.100:8443/livez" in nodes.asked[0]


@pytest.mark.parametrize(("rc", "said", "ok"), [(0, "True", True), (0, "False", False), (0, "", False), (1, "NotFound", False)])
def test_a_node_says_it_is_ready(tmp_path: Path, rc: int, said: str, ok: bool) -> None:
    assert ask(tmp_path, "node Ready", Nodes({"kubectl": (rc, said)})).ok is ok


@pytest.mark.parametrize(
    ("rc", "said", "ok"),
    [
        (0, "node/cp1\nnode/cp2\nnode/cp3\nnode/w1\n", True),
        (0, "node/cp1\nnode/cp2\nnode/cp3\n", False),
        (0, "node/cp1\nnode/cp2\nnode/cp3\nnode/w1\nnode/w9\n", False),
        (1, "node/cp1\nnode/cp2\nnode/cp3\nnode/w1\n", False),
        (1, "connection refused", False),
    ],
)
def test_a_cluster_has_every_node_of_its_site_and_no_other(tmp_path: Path, rc: int, said: str, ok: bool) -> None:
    one = next(one for one in CHECKS if one.name == "every node is a member")
    answer = look(tmp_path, one, Nodes({"kubectl": (rc, said)}), site=made.site_of_three(tmp_path))
    assert answer.ok is ok


@pytest.mark.parametrize(
    ("kubelet", "server", "told", "ok"),
    [
        ("v1.29.5", "v1.29.5", "v1.29.5", True),
        ("v1.29.5", "v1.29.5", "1.29.5", True),
        ("v1.28.6", "v1.29.5", "v1.29.5", False),
        ("v1.29.5", "v1.28.6", "v1.29.5", False),
    ],
)
def test_after_an_upgrade_all_of_kubernetes_is_the_new_one(tmp_path: Path, kubelet: str, server: str, told: str, ok: bool) -> None:
    one = next(one for one in CHECKS if one.name == "Kubernetes in the version of the stage")
    nodes = Nodes({"get node": (0, kubelet), "--raw": (0, f'{{"gitVersion": "{server}"}}')})
    answer = look(tmp_path, one, nodes, variables={"kube_version": told})
    assert answer.ok is ok
    assert ("wanted: v1.29.5" in answer.said) is not ok
    assert look(tmp_path, one, Nodes({"get node": (0, kubelet), "--raw": (1, "refused")})) == Answer(ok=None, said="refused")


def test_a_worker_is_asked_about_at_a_control_plane(tmp_path: Path) -> None:
    cluster = made.site_of_three(tmp_path)
    nodes = Nodes({"kubectl": (0, "True")})
    worker = replace(cluster, nodes=(cluster.nodes[3], *cluster.nodes[:3], cluster.client))
    assert look(tmp_path, next(one for one in CHECKS if one.name == "node Ready"), nodes, site=worker).ok is True
    assert "get node w1 " in nodes.asked[0]


@pytest.mark.parametrize(
    ("on", "network", "left"),
    [
        ((), "plain", {"API through the VIP", "kube-vip"}),
        (("kube-vip",), "plain", set()),
        (("kube-vip",), "none", {"node Ready"}),
        (("cilium",), "none", {"API through the VIP", "kube-vip"}),
    ],
)
def test_a_check_is_left_out_where_the_cell_cannot_have_what_it_asks(on: tuple[str, ...], network: Network, left: set[str]) -> None:
    scope = Scope(cell=replace(made.cell(), network=network), on=on)
    assert {one.name for one in CHECKS if one.lacks(scope)} == left


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("kube-apiserver", {"crictl": (0, RUNNING)}),
        ("API on the node's address", {"curl": (0, "ok")}),
        ("every node is a member", {"kubectl": (0, "node/cp1")}),
        ("node Ready", {"kubectl": (0, "True")}),
    ],
)
def test_a_warning_beside_an_answer_is_no_part_of_it(tmp_path: Path, name: str, says: dict[str, tuple[int, str]]) -> None:
    assert ask(tmp_path, name, Nodes(says, complain='time="2026" level=warning msg="config is deprecated"')).ok is True


def test_a_healthy_word_of_a_failed_command_is_not_health(tmp_path: Path) -> None:
    assert ask(tmp_path, "etcd", Nodes({"etcdctl": (1, "one is healthy, another is not")})).ok is False
    assert ask(tmp_path, "API on the node's address", Nodes({"curl": (52, "ok")})).ok is False
    assert ask(tmp_path, "node Ready", Nodes({"kubectl": (1, "True")})).ok is False


@pytest.mark.parametrize(("source", "key"), [("replica", "admin-cp1-key.pem"), ("kind", "/etc/kubernetes/pki/etcd/healthcheck-client.key")])
def test_etcd_is_asked_with_the_keys_that_its_installer_made(tmp_path: Path, source: Source, key: str) -> None:
    cell = made.cell()
    scope = Scope(cell=replace(cell, ref=replace(cell.ref, source=source)), on=())
    nodes = Nodes({"etcdctl": (0, "10.231.0.10:2379 is healthy")})
    assert look(tmp_path, next(one for one in CHECKS if one.name == "etcd"), nodes, scope=scope).ok
    assert any(key in command for command in nodes.asked)
