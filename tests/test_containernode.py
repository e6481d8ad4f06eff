from pathlib import Path

from lab import slots
from lab.containernode import entry_env, mounts
from lab.host import facts, node_needs
from lab.model import Topology
from tests.test_host import lay_out


def test_a_node_is_told_where_a_cgroup2_tree_of_its_own_is_to_stand(tmp_path: Path) -> None:
    place, needs = slots.slot(0), node_needs(facts(lay_out(tmp_path, cgroup="hybrid")))
    first, _ = slots.layout(Topology(control_planes=1), place)
    assert entry_env(first, place, public_key="k", needs=needs)["SPRAYLAB_CGROUP2"] == "/sys/fs/cgroup/unified"


def test_members_route_through_the_client_and_the_client_routes_nowhere(tmp_path: Path) -> None:
    place, needs = slots.slot(0), node_needs(facts(lay_out(tmp_path)))
    first, client = slots.layout(Topology(control_planes=1), place)
    assert entry_env(first, place, public_key="k", needs=needs) == {
        "SPRAYLAB_AUTHORIZED_KEY": "k",
        "SPRAYLAB_ROUTE": "10.231.0.2",
        "SPRAYLAB_CGROUP_DRIVER": "systemd",
        "SPRAYLAB_RESTRICT_OOM": "false",
        "SPRAYLAB_CGROUP2": "",
    }
    assert entry_env(client, place, public_key="k", needs=needs)["SPRAYLAB_ROUTE"] == ""


def test_members_that_go_outward_route_through_the_gateway_and_the_client_still_routes_nowhere(tmp_path: Path) -> None:
    place, needs = slots.slot(0), node_needs(facts(lay_out(tmp_path)))
    first, client = slots.layout(Topology(control_planes=1), place)
    assert entry_env(first, place, public_key="k", needs=needs, outward=True)["SPRAYLAB_ROUTE"] == place.gateway
    assert entry_env(client, place, public_key="k", needs=needs, outward=True)["SPRAYLAB_ROUTE"] == ""


def test_members_see_the_artifacts_and_the_client_does_not(tmp_path: Path) -> None:
    first, client = slots.layout(Topology(control_planes=1), slots.slot(0))
    assert (tmp_path, "/opt/lab") in mounts(first, tmp_path)
    assert "/opt/lab" not in [inside for _, inside in mounts(client, tmp_path)]
