"""What several checks ask; that each is asked so stands with the checks."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab import alike
from lab.check import Scope, Target
from lab.model import Network, Source
from tests import made
from tests.checks.nodes import Nodes


def target(folder: Path, nodes: Nodes, *, source: Source = "replica") -> Target:
    site, cell = made.site_of_three(folder), made.cell()
    scope = Scope(cell=replace(cell, ref=replace(cell.ref, source=source)), on=())
    return Target(node=site.client, site=site, scope=scope, hosts={node.name: nodes.host(node.name) for node in site.nodes})


@pytest.mark.parametrize(
    ("on", "network", "pods", "services"),
    [((), "plain", True, False), ((), "none", False, False), (("cilium",), "none", True, False), (("metallb",), "plain", True, True)],
)
def test_checks_of_pods_need_a_network_and_checks_of_services_metallb(
    on: tuple[str, ...], network: Network, pods: bool, services: bool
) -> None:
    scope = Scope(cell=replace(made.cell(), network=network), on=on)
    assert (not alike.without_network(scope), not alike.without_metallb(scope)) == (pods, services)


def test_macs_are_each_told_once_and_warnings_are_none(tmp_path: Path) -> None:
    reply = "Unicast reply from 10.231.0.100 [{mac}]  0.7ms\n"
    said = reply.format(mac="02:53:0A:E7:00:0B") + reply.format(mac="02:53:0a:e7:00:0a") + reply.format(mac="02:53:0a:e7:00:0b")
    nodes = Nodes({"arping": (0, said)}, complain="arping: [02:00:00:00:00:99] is odd")
    assert alike.macs(target(tmp_path, nodes), "10.231.0.100", asks=3, limit_s=4) == ("02:53:0a:e7:00:0a", "02:53:0a:e7:00:0b")
    assert nodes.asked == ["timeout 20 arping -b -c 3 -w 4 -I eth0 10.231.0.100"]


@pytest.mark.parametrize(
    ("source", "key"), [("replica", "/etc/ssl/etcd/ssl/admin-cp2-key.pem"), ("kind", "/etc/kubernetes/pki/etcd/healthcheck-client.key")]
)
def test_etcd_is_asked_with_the_keys_that_its_installer_made(tmp_path: Path, source: Source, key: str) -> None:
    nodes = Nodes({"etcdctl": (0, "well")})
    asked = target(tmp_path, nodes, source=source)
    first, second, _ = asked.site.control_planes
    assert alike.etcdctl(asked, "endpoint health", node=second, members=(first, second)).out == "well"
    (command,) = nodes.asked
    assert "--endpoints https://10.231.0.10:2379,https://10.231.0.11:2379 " in command
    assert command.endswith(f"--key {key} endpoint health")
