from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab import inventory
from lab.errors import ScenarioError
from lab.model import Endpoint, Node, Site, Slot, Stage

SLOT = Slot(number=7, subnet="10.9.7.0/24", gateway="10.9.7.1", client="10.9.7.2", vip="10.9.7.100", pool="10.9.7.200-10.9.7.220")
CP1 = Node(name="cp1", role="control-plane", address="10.9.7.10")
CLIENT = Node(name="client", role="client", address="10.9.7.2")


def site(*members: Node) -> Site:
    return Site(nodes=(*(members or (CP1,)), CLIENT), slot=SLOT, ssh_config=Path("/nowhere"))


def stage(endpoint: Endpoint, *addons: str, **variables: object) -> Stage:
    return Stage(index=0, name="x", addons=addons, endpoint=endpoint, variables=variables)


def groups(place: Site) -> dict[str, list[str]]:
    children = yaml.safe_load(inventory.render(stage("node"), place).hosts)["all"]["children"]
    return {name: sorted(group["hosts"]) for name, group in children.items() if "hosts" in group}


def shared(of: Stage) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(inventory.render(of, site()).variables)
    return found


def test_one_node_is_everything() -> None:
    assert groups(site()) == {"kube_control_plane": ["cp1"], "etcd": ["cp1"], "kube_node": ["cp1"], "calico_rr": []}


def test_workers_take_the_work_from_control_planes() -> None:
    worker = Node(name="w1", role="worker", address="10.9.7.30")
    assert groups(site(CP1, worker)) == {"kube_control_plane": ["cp1"], "etcd": ["cp1"], "kube_node": ["w1"], "calico_rr": []}


def test_the_client_is_no_host_of_the_cluster() -> None:
    hosts = yaml.safe_load(inventory.render(stage("node"), site()).hosts)["all"]["hosts"]
    assert list(hosts) == ["cp1"]
    assert hosts["cp1"]["ansible_host"] == "cp1"
    assert hosts["cp1"]["ip"] == hosts["cp1"]["access_ip"] == "10.9.7.10"


def test_the_endpoint_decides_whether_the_api_has_a_load_balancer() -> None:
    assert shared(stage("vip", "kube-vip"))["loadbalancer_apiserver"] == {"address": "10.9.7.100", "port": 6443}
    assert "loadbalancer_apiserver" not in shared(stage("node", "kube-vip"))


def test_an_endpoint_can_name_the_vip_while_nobody_holds_it() -> None:
    found = shared(stage("vip"))
    assert "loadbalancer_apiserver" in found
    assert "kube_vip_address" not in found


def test_kube_vip_gets_the_address_of_the_slot_unless_the_stage_names_one() -> None:
    assert shared(stage("vip", "kube-vip"))["kube_vip_address"] == "10.9.7.100"
    assert shared(stage("vip", "kube-vip", kube_vip_address="10.9.7.101"))["kube_vip_address"] == "10.9.7.101"


def test_the_port_of_the_api_is_what_the_stage_says() -> None:
    other = stage("vip", "kube-vip", kube_apiserver_port=8443)
    assert shared(other)["loadbalancer_apiserver"] == {"address": "10.9.7.100", "port": 8443}
    assert inventory.api_port(other) == 8443
    assert inventory.api_port(stage("vip", kube_apiserver_port="8443")) == 8443
    assert inventory.api_port(stage("vip")) == 6443


@pytest.mark.parametrize("port", ["", "x", 0, 65536, -1, "٨", None, 1.5])
def test_what_is_no_port_is_refused(port: object) -> None:
    with pytest.raises(ScenarioError, match="kube_apiserver_port is"):
        inventory.api_port(stage("vip", kube_apiserver_port=port))


def test_placeholders_stand_for_addresses_of_the_slot_wherever_they_stand() -> None:
    found = shared(stage("node", "metallb", a={"{vip}": ["{pool}", "{node}-{client}", 3]}, b="{gateway} {subnet} {{ vip }} {} {Vip}"))
    assert found["a"] == {"10.9.7.100": ["10.9.7.200-10.9.7.220", "10.9.7.10-10.9.7.2", 3]}
    assert found["b"] == "10.9.7.1 10.9.7.0/24 {{ vip }} {} {Vip}"


def test_an_unknown_placeholder_is_named() -> None:
    assert inventory.unknown_placeholders({"a": ["{vip}", {"{nodes}": "{pol}"}], "b": "{{ c }}", "d": 1}) == ("nodes", "pol")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_has_no_placeholder_is_left_as_it_is(value: object) -> None:
    known = any(f"{{{name}}}" in str(value) for name in inventory.PLACEHOLDERS)
    found = inventory.variables(stage("node", x=value), site())["x"]
    assert known or found == value
