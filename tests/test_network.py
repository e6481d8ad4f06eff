import ipaddress
import json
from dataclasses import replace
from pathlib import Path

from lab import network
from lab.model import Node, Site
from tests import made

PODS = ipaddress.IPv4Network("10.233.64.0/18")  # kube_pods_subnet of every release


def two_members(tmp_path: Path) -> Site:
    site = made.site(tmp_path)
    worker = Node(name="worker1", role="worker", address="10.231.0.30")
    return replace(site, nodes=(site.nodes[0], worker, site.nodes[-1]))


def test_every_member_has_pods_of_its_own_inside_the_pod_network() -> None:
    subnets = [ipaddress.IPv4Network(network.pods_of(index)) for index in range(4)]
    assert all(subnet.subnet_of(PODS) for subnet in subnets)
    assert len(set(subnets)) == 4


def test_the_configuration_is_one_that_containerd_reads() -> None:
    read = json.loads(network.conflist(1))
    assert [plugin["type"] for plugin in read["plugins"]] == ["bridge", "portmap"]
    assert read["plugins"][0]["ipam"]["ranges"] == [[{"subnet": network.pods_of(1)}]]


def test_a_member_has_a_route_to_the_pods_of_every_other_and_to_no_one_else(tmp_path: Path) -> None:
    site = two_members(tmp_path)
    scripts = [network.script(site, node) for node in site.members]
    routes = [[line.rpartition("ip ")[2] for line in text.splitlines() if "ip route" in line] for text in scripts]
    assert routes == [[f"route replace {network.pods_of(1)} via 10.231.0.30"], [f"route replace {network.pods_of(0)} via 10.231.0.10"]]
    assert site.client.address not in "".join(scripts)
