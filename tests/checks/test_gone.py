"""Each check of what reset.yml leaves, both ways."""

from pathlib import Path

import pytest

from lab.check import Answer, Scope
from lab.checks.gone import CHECKS
from tests import made
from tests.checks.nodes import Nodes, look

VIP = "10.231.0.100"
GONE = Scope(cell=made.cell(), on=(), cluster=False)
LISTENS = "LISTEN 0      4096       127.0.0.1:10248      0.0.0.0:*\nLISTEN 0      4096               *:{port}            *:*\n"


def ask(tmp_path: Path, name: str, nodes: Nodes) -> Answer:
    return look(tmp_path, next(one for one in CHECKS if one.name == name), nodes, scope=GONE)


@pytest.mark.parametrize(
    ("said", "ok", "words"),
    [
        ("systemd\nsshd\ncontainerd\n", True, "no kubelet"),
        ("systemd\ncontainerd\ncontainerd-shim\nkubelet\n", False, "still running: containerd-shim, kubelet"),
        ("etcd\n", False, "etcd"),
    ],
)
def test_a_process_that_outlived_the_cluster_is_named(tmp_path: Path, said: str, ok: bool, words: str) -> None:
    answer = ask(tmp_path, "no process of the cluster is left", Nodes({"ps": (0, said)}))
    assert answer.ok is ok
    assert words in answer.said


@pytest.mark.parametrize(
    ("said", "ok", "words"),
    [("", True, "no file in /etc/kubernetes"), ("/etc/kubernetes/admin.conf\n/var/lib/etcd/x\n", False, "2 file(s)")],
)
def test_a_file_that_is_left_is_shown(tmp_path: Path, said: str, ok: bool, words: str) -> None:
    answer = ask(tmp_path, "no file of the cluster is left", Nodes({"find": (0, said)}))
    assert answer.ok is ok
    assert words in answer.said


@pytest.mark.parametrize(("port", "ok"), [(6443, False), (2379, False), (10250, False), (64430, True), (22, True)])
def test_a_port_is_free_when_nobody_listens_there(tmp_path: Path, port: int, ok: bool) -> None:
    answer = ask(tmp_path, "the cluster's ports are free", Nodes({"ss": (0, LISTENS.format(port=port))}))
    assert answer.ok is ok
    assert (str(port) in answer.said) is not ok


@pytest.mark.parametrize(
    ("names", "ok"), [("1: lo: <UP>\n2: eth0@if5: <UP>\n3: cni0: <UP>\n", True), ("4: cilium_host@cilium_net: <UP>\n", False)]
)
def test_interfaces_of_a_network_plugin_are_looked_for(tmp_path: Path, names: str, ok: bool) -> None:
    answer = ask(tmp_path, "no interface of the cluster is left", Nodes({"ip": (0, names)}))
    assert answer.ok is ok
    assert ("cilium_host" in answer.said) is not ok


@pytest.mark.parametrize(("addresses", "ok"), [({"cp1": ["10.231.0.10"]}, True), ({"cp1": ["10.231.0.10", VIP]}, False)])
def test_a_vip_that_stays_behind_is_found(tmp_path: Path, addresses: dict[str, list[str]], ok: bool) -> None:
    answer = ask(tmp_path, "the VIP is on no node", Nodes({}, addresses=addresses))
    assert (answer.ok, answer.said) == (ok, f"{VIP} is on {'no node' if ok else 'cp1'}")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("no file of the cluster is left", "find"),
        ("no process of the cluster is left", "ps"),
        ("the cluster's ports are free", "ss"),
        ("no interface of the cluster is left", "ip"),
    ],
)
def test_a_node_that_does_not_say_is_no_answer(tmp_path: Path, name: str, command: str) -> None:
    assert ask(tmp_path, name, Nodes({command: (1, "broken")})) == Answer(ok=None, said="broken")


def test_they_are_asked_where_a_cluster_is_gone_and_nowhere_else() -> None:
    assert {one.cluster for one in CHECKS} == {False}
    assert {one.lacks(GONE) for one in CHECKS} == {""}
