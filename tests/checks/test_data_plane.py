"""Each check of the data plane, both ways, on what real nodes said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.check import Answer, Scope
from lab.checks.data_plane import CHECKS
from tests import made
from tests.checks.nodes import Nodes, look

PODS = json.dumps({"items": [{"metadata": {"name": "spraylab-echo-pjllt"}, "status": {"podIP": "10.233.64.9"}}]})
NO_ADDRESS = json.dumps({"items": [{"metadata": {"name": "spraylab-echo-pjllt"}, "status": {}}]})
BODY = "spraylab-echo-pjllt"
REFUSED = (1, 'Get "http://10.233.1.2/": dial tcp 10.233.1.2:80: connect: connection refused')
STATUS = """KVStore:                 Ok   Disabled
KubeProxyReplacement:    {mode}   [eth0   10.231.0.10 fe80::d05e:1dff:fe3b:4c41 (Direct Routing)]
Cilium:                  Ok   1.15.4
"""
CHAINS = "*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-MARK-MASQ - [0:0]\n:CILIUM_POST_nat - [0:0]\n{more}COMMIT\n"
AGENT = json.dumps({"items": [{"metadata": {"name": "cilium-x"}, "spec": {"nodeName": "cp1"}}]})


def ask(tmp_path: Path, name: str, says: dict[str, tuple[int, str]]) -> Answer:
    return look(tmp_path, next(one for one in CHECKS if one.name == name), Nodes(says), on=("cilium",))


@pytest.mark.parametrize(
    ("says", "ok", "said"),
    [
        ({"pods": (0, PODS), "exec": (0, BODY)}, True, "http://10.233.64.9:8080/ answer"),
        ({"pods": (0, PODS), "exec": REFUSED}, False, "connection refused"),
        ({"pods": (0, PODS), "exec": (0, "another pod")}, False, "says another pod"),
        ({"pods": (0, NO_ADDRESS)}, False, "1 of 1 pods"),
        ({"pods": (0, '{"items": []}')}, False, "0 of 1 pods"),
    ],
)
def test_a_pod_reaches_the_pods_of_all_members(tmp_path: Path, says: dict[str, tuple[int, str]], ok: bool, said: str) -> None:
    answer = ask(tmp_path, "pod to pod", says)
    assert answer.ok is ok
    assert said in answer.said


@pytest.mark.parametrize(
    ("inside", "outside", "ok", "said"),
    [
        ((0, BODY), (0, BODY), True, "answer"),
        (REFUSED, (0, BODY), False, "connection refused"),
        ((0, BODY), (28, "curl: (28) Connection timed out"), False, "from the node"),
    ],
)
def test_a_service_answers_inside_and_on_the_node(
    tmp_path: Path, inside: tuple[int, str], outside: tuple[int, str], ok: bool, said: str
) -> None:
    answer = ask(tmp_path, "ClusterIP Service", {"get service": (0, "10.233.1.2"), "exec": inside, "curl": outside})
    assert answer.ok is ok
    assert said in answer.said


@pytest.mark.parametrize(("curl", "ok"), [((0, BODY), True), ((7, "curl: (7) refused"), False), ((0, "<html>"), False)])
def test_a_node_port_answers_on_every_member(tmp_path: Path, curl: tuple[int, str], ok: bool) -> None:
    answer = ask(tmp_path, "NodePort Service from the client", {"get service": (0, "31234"), "curl": curl})
    assert answer.ok is ok
    assert ("on every node" in answer.said) is ok


@pytest.mark.parametrize(
    ("resolved", "ok"), [((0, "10.233.0.1"), True), ((0, "10.9.9.9"), False), ((1, "lookup kubernetes.default: no such host"), False)]
)
def test_names_give_the_addresses_of_their_services(tmp_path: Path, resolved: tuple[int, str], ok: bool) -> None:
    answer = ask(tmp_path, "names of Services from a pod", {"get service": (0, "10.233.0.1"), "exec": resolved})
    assert answer.ok is ok
    assert (resolved[1] in answer.said) is not ok


@pytest.mark.parametrize(("mode", "ok"), [("Strict", True), ("True", True), ("False", False), ("Partial", False)])
def test_cilium_says_that_it_replaces_kube_proxy(tmp_path: Path, mode: str, ok: bool) -> None:
    answer = ask(tmp_path, "Cilium replaces kube-proxy", {"get pods": (0, AGENT), "exec": (0, STATUS.format(mode=mode))})
    assert (answer.ok, answer.said) == (ok, f"KubeProxyReplacement: {mode} on cp1")


def test_a_member_without_an_agent_replaces_nothing(tmp_path: Path) -> None:
    assert ask(tmp_path, "Cilium replaces kube-proxy", {"get pods": (0, '{"items": []}')}).ok is False
    down = {"get pods": (0, AGENT), "exec": (1, "Get health: dial unix /var/run/cilium/cilium.sock: connection refused")}
    assert ask(tmp_path, "Cilium replaces kube-proxy", down).ok is False


@pytest.mark.parametrize(("text", "ok"), [("", True), ("kube-proxy-8x2lp", False)])
def test_no_kube_proxy_runs_beside_cilium(tmp_path: Path, text: str, ok: bool) -> None:
    assert ask(tmp_path, "no kube-proxy beside Cilium", {"get pods": (0, text)}).ok is ok


@pytest.mark.parametrize(
    ("more", "ok", "said"),
    [("", True, "none"), (":KUBE-SVC-NPX46M4PTMTKRN6Y - [0:0]\n:KUBE-SEP-5JK - [0:0]\n", False, "2 on cp1")],
)
def test_chains_of_kube_proxy_are_counted_on_every_member(tmp_path: Path, more: str, ok: bool, said: str) -> None:
    answer = ask(tmp_path, "no chains of kube-proxy beside Cilium", {"iptables-save": (0, CHAINS.format(more=more))})
    assert (answer.ok, answer.said) == (ok, f"chains of kube-proxy: {said}")


@pytest.mark.parametrize("name", ["no kube-proxy beside Cilium", "no chains of kube-proxy beside Cilium", "Cilium replaces kube-proxy"])
def test_what_cannot_be_asked_is_unknown(tmp_path: Path, name: str) -> None:
    assert ask(tmp_path, name, {"get pods": (1, "refused"), "iptables-save": (1, "permission denied")}).ok is None


@pytest.mark.parametrize(
    ("on", "network", "left"),
    [((), "plain", 3), (("metallb",), "none", 7), (("cilium",), "none", 0)],
)
def test_without_a_network_or_cilium_there_is_nothing_to_ask(on: tuple[str, ...], network: str, left: int) -> None:
    scope = Scope(cell=replace(made.cell(), network="none" if network == "none" else "plain"), on=on)
    assert len([one for one in CHECKS if one.lacks(scope)]) == left
