"""Each check of the data plane, both ways, on what real nodes said."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab.check import Answer, Scope
from lab.checks.data_plane import CHECKS, RULES, TABLES
from lab.command import run
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
CLEAN = {"iptables-save": (0, "*nat\nCOMMIT\n"), "link": (0, "1: lo: <LOOPBACK,UP>"), "nft": (0, "table ip filter")}
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
    answer = ask(tmp_path, "no chains of kube-proxy beside Cilium", {**CLEAN, "iptables-save": (0, CHAINS.format(more=more))})
    assert (answer.ok, answer.said) == (ok, f"chains of kube-proxy: {said}")


@pytest.mark.parametrize(
    ("words", "text", "said"),
    [
        ("link", "3: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN", "kube-ipvs0 on cp1"),
        ("nft", "table ip filter\ntable ip kube-proxy\ntable ip6 kube-proxy", "table ip kube-proxy on cp1, table ip6 kube-proxy on cp1"),
    ],
)
def test_what_kube_proxy_leaves_of_its_other_modes_is_seen(tmp_path: Path, words: str, text: str, said: str) -> None:
    answer = ask(tmp_path, "no chains of kube-proxy beside Cilium", {**CLEAN, words: (0, text)})
    assert (answer.ok, answer.said) == (False, f"chains of kube-proxy: {said}")


@pytest.mark.parametrize(("words", "rc"), [("iptables-save", 127), ("link", 1), ("nft", 1)])
def test_a_node_that_cannot_tell_what_kube_proxy_left_is_unknown(tmp_path: Path, words: str, rc: int) -> None:
    answer = ask(tmp_path, "no chains of kube-proxy beside Cilium", {**CLEAN, words: (rc, "")})
    assert (answer.ok, answer.said) == (None, f"cp1: it ended with {rc}")


@pytest.mark.parametrize(
    ("there", "rc", "out"),
    [
        ({}, 127, ""),
        ({"iptables-save": "echo new"}, 0, "new\n"),
        ({"iptables-save": "exit 4", "iptables-legacy-save": "echo old"}, 4, ""),
        ({"iptables-save": "echo new", "iptables-legacy-save": "echo old", "grep": "exit 0"}, 0, "new\nold\n"),
        ({"iptables-save": "echo new", "grep": "exit 0"}, 127, "new\n"),
        ({"iptables-save": "echo new", "iptables-legacy-save": "echo old", "grep": "exit 1"}, 0, "new\n"),
    ],
    ids=["no iptables", "one variant", "it fails", "both variants", "the older one cannot be asked", "the older one has no table"],
)
def test_rules_are_asked_of_every_variant_that_has_some(tmp_path: Path, there: dict[str, str], rc: int, out: str) -> None:
    for name, script in there.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = run(("/bin/sh", "-c", RULES), limit_s=20, env={"PATH": str(tmp_path)})
    assert (done.rc, done.stdout) == (rc, out)


def test_a_node_without_nft_has_no_table_of_it(tmp_path: Path) -> None:
    assert run(("/bin/sh", "-c", TABLES), limit_s=20, env={"PATH": str(tmp_path)}).rc == 0
    (tmp_path / "nft").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "nft").chmod(0o755)
    assert run(("/bin/sh", "-c", TABLES), limit_s=20, env={"PATH": str(tmp_path)}).rc == 1


def test_a_warning_beside_an_answer_is_no_part_of_it(tmp_path: Path) -> None:
    says = {"get pods": (0, AGENT), "exec": (0, STATUS.format(mode="True"))}
    check = next(one for one in CHECKS if one.name == "Cilium replaces kube-proxy")
    assert look(tmp_path, check, Nodes(says, complain="W1126 v1 ComponentStatus is deprecated"), on=("cilium",)).ok is True
    none = next(one for one in CHECKS if one.name == "no kube-proxy beside Cilium")
    assert look(tmp_path, none, Nodes({"get pods": (0, "")}, complain="W1126 deprecated"), on=("cilium",)).ok is True


@pytest.mark.parametrize("name", ["no kube-proxy beside Cilium", "no chains of kube-proxy beside Cilium", "Cilium replaces kube-proxy"])
def test_what_cannot_be_asked_is_unknown(tmp_path: Path, name: str) -> None:
    assert ask(tmp_path, name, {**CLEAN, "get pods": (1, "refused"), "iptables-save": (1, "permission denied")}).ok is None


@pytest.mark.parametrize(
    ("on", "network", "left"),
    [((), "plain", 3), (("metallb",), "none", 7), (("cilium",), "none", 0)],
)
def test_without_a_network_or_cilium_there_is_nothing_to_ask(on: tuple[str, ...], network: str, left: int) -> None:
    scope = Scope(cell=replace(made.cell(), network="none" if network == "none" else "plain"), on=on)
    assert len([one for one in CHECKS if one.lacks(scope)]) == left
