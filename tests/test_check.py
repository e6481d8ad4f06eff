from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import check
from lab.check import Answer, Scope, Target
from tests import made
from tests.checks.nodes import Nodes

SCOPE = Scope(cell=made.cell(), on=("kube-vip",))


def test_kubectl_asks_the_first_control_plane_and_quotes_what_it_sends(tmp_path: Path) -> None:
    nodes = Nodes({"kubectl": (0, "created"), "sh": (0, "created")})
    site = made.site(tmp_path)
    target = Target(node=site.client, site=site, scope=SCOPE, hosts={node.name: nodes.host(node.name) for node in site.nodes})
    assert target.kubectl("get pods -l %s", "a=b").text == "created"
    target.kubectl("apply -f -", stdin="{'a': 1}")
    assert "--server https://10.231.0.10:6443" in nodes.asked[0]
    assert nodes.asked[0].endswith("get pods -l a=b")
    assert """printf %s '{'"'"'a'"'"': 1}' | kubectl""" in nodes.asked[1]


def test_on_slow_nodes_an_answer_may_take_as_much_longer(tmp_path: Path) -> None:
    nodes = Nodes({"kubectl": (0, ""), "curl": (0, "ok")})
    for pace in (1.0, 6.0):
        site = replace(made.site(tmp_path), pace=pace)
        target = Target(node=site.client, site=site, scope=SCOPE, hosts={node.name: nodes.host(node.name) for node in site.nodes})
        target.kubectl("get nodes")
        target.get("https://10.231.0.100/")
    assert ["--request-timeout 10s" in nodes.asked[0], "--request-timeout 60s" in nodes.asked[2]] == [True, True]
    assert ["--max-time 5 " in nodes.asked[1], "--max-time 30 " in nodes.asked[3]] == [True, True]


def test_every_check_has_a_name_of_its_own_and_a_node_to_run_on(tmp_path: Path) -> None:
    everything = check.everything()
    names = [one.name for one in everything]
    roles = {node.role for node in made.site(tmp_path).nodes}
    assert len(set(names)) == len(names)
    assert {one.on for one in everything} <= {*roles, "member"}


@pytest.mark.parametrize(
    ("on", "left"),
    [
        ((), ("kube-vip is off", "metallb is off", "cilium is off")),
        (("kube-vip",), ("metallb is off", "cilium is off")),
        (("kube-vip", "metallb", "cilium"), ()),
    ],
)
def test_every_check_applies_or_says_why_not(on: tuple[str, ...], left: tuple[str, ...]) -> None:
    reasons = {one.lacks(Scope(cell=made.cell("cilium > kube-vip+metallb"), on=on)) for one in check.everything()}
    assert "" in reasons
    assert {next(one for one in left if one in reason) for reason in reasons - {""}} == set(left)


ENDED = SimpleNamespace(rc=1, stdout="", stderr="it cannot")
READERS: dict[str, Callable[[Target], object]] = {
    "addresses": lambda target: target.addresses(target.node),
    "a file": lambda target: target.text_of("/etc/kubernetes/ssl/ca.crt", node=target.node),
    "a service": lambda target: target.service_runs("kubelet"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_cannot_be_read_of_a_node_is_no_fault_of_the_lab(tmp_path: Path, read: Callable[[Target], object]) -> None:
    site = made.site(tmp_path)
    host = SimpleNamespace(run=lambda *_: ENDED)
    target = Target(node=site.client, site=site, scope=SCOPE, hosts={node.name: host for node in site.nodes})

    def look(target: Target) -> Answer:
        return Answer(ok=bool(read(target)), said="it was read")

    answer = check.asked(look, target)
    assert answer.ok is None
    assert answer.said.startswith("could not tell: ")
    assert "client ended with 1" in answer.said


def test_what_is_read_of_a_node_has_the_limit_of_a_command_and_is_as_it_is(tmp_path: Path) -> None:
    text = f"-----BEGIN CERTIFICATE-----\n{'A' * 64}\n"  # a line of it looks like one of a key
    nodes = Nodes({}, addresses={"cp1": ["10.231.0.10", "10.231.0.100"]}, services={"kubelet"}, files={"/ca.crt": text})
    site = made.site(tmp_path)
    node = site.control_planes[0]
    target = Target(node=node, site=site, scope=SCOPE, hosts={one.name: nodes.host(one.name) for one in site.nodes})
    assert target.addresses(node) == ("10.231.0.10", "10.231.0.100")
    assert target.text_of("/ca.crt", node=node) == text
    assert [target.service_runs(name) for name in ("kubelet", "containerd")] == [True, False]
    assert all(line.startswith("timeout 20 ") for line in nodes.asked)


def test_a_secret_in_an_error_of_a_node_is_masked(tmp_path: Path) -> None:
    def look(_: Target) -> Answer:
        raise RuntimeError("token=abcdefghijkl")

    site = made.site(tmp_path)
    answer = check.asked(look, Target(node=site.client, site=site, scope=SCOPE, hosts={}))
    assert answer.said == "could not tell: token=[masked]"
