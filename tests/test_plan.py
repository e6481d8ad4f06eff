from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import plan
from lab.errors import ScenarioError
from lab.host import NodeNeeds
from lab.model import Cell, Deviation, Endpoint, Stage
from lab.notation import Ordering, every_ordering, parse_ordering, parse_ref, parse_topology
from lab.release import load
from lab.supply import Supply

LAPTOP = NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)
HYBRID = replace(LAPTOP, cgroup_driver="cgroupfs", cgroup2="/sys/fs/cgroup/unified")
OLD_HOST = replace(LAPTOP, cgroup_driver="cgroupfs", feature_gates=("KubeletInUserNamespace=true",), nofile=20000)
BUILT = {
    "kube-vip": "v0.9.2",
    "etcd": "v3.5.12",
    "coredns": "v1.11.1",
    "crictl": "v1.30.0",
    "cni-plugins": "v1.3.0",
    "pause": "3.9",
    "cilium": "v1.15.4",
    "metallb": "v0.13.9",
}
CELL = Cell(
    ref=parse_ref("replica@v2.25.0"),
    kube_version="v1.29.5",
    topology=parse_topology("1cp"),
    ordering=parse_ordering("kube-vip"),
    endpoint="vip",
)
BUILT_HERE = Supply(artifacts="built")
BASE = replace(CELL, ordering=parse_ordering("base"), endpoint="node")


def variables(cell: Cell, needs: NodeNeeds = LAPTOP) -> dict[str, object]:
    (stage,) = plan.stages(cell, load(cell.ref.release), needs=needs, versions=BUILT, supply=BUILT_HERE)
    return dict(stage.variables)


def deviation(cell: Cell, what: str) -> Deviation:
    found = plan.deviations(cell, load(cell.ref.release), needs=LAPTOP, versions=BUILT)
    return next(one for one in found if one.what == what)


def told(cell: Cell, needs: NodeNeeds = LAPTOP) -> dict[str, str]:
    return {one.what: one.used for one in plan.deviations(cell, load(cell.ref.release), needs=needs, versions=BUILT)}


def test_kube_vip_is_turned_on_under_the_names_kubespray_uses() -> None:
    found = variables(CELL)
    assert found["kube_vip_enabled"] is True
    assert found["kube_vip_arp_enabled"] is True
    assert found["kube_vip_controlplane_enabled"] is True
    assert found["kube_vip_image_tag"] == "v0.9.2"


def test_base_turns_nothing_on_and_names_no_version_of_what_is_off() -> None:
    assert not [name for name in variables(BASE) if name.startswith("kube_vip")]
    assert "kube-vip version" not in told(BASE)


def test_what_the_cell_changes_wins_over_everything_else() -> None:
    cell = replace(CELL, mitigations=("trap",), variables=(("kubelet_feature_gates", "[A=true]"), ("kube_vip_arp_enabled", "false")))
    found = variables(cell, OLD_HOST)
    assert found["kubelet_feature_gates"] == ["A=true"]
    assert found["kube_vip_arp_enabled"] is False
    assert told(cell, OLD_HOST)["kubelet_feature_gates"] == "[A=true]"


def test_feature_gates_of_the_lab_and_of_the_host_add_up() -> None:
    assert variables(CELL)["kubelet_feature_gates"] == ["NodeSwap=true"]
    assert variables(CELL, OLD_HOST)["kubelet_feature_gates"] == ["NodeSwap=true", "KubeletInUserNamespace=true"]


def test_needs_of_a_host_are_deviations_there_and_nowhere_else() -> None:
    assert told(CELL, OLD_HOST)["kubelet_cgroup_driver"] == "cgroupfs"
    assert told(CELL, OLD_HOST)["limit of open files on a node"] == "20000"
    assert "kubelet_cgroup_driver" not in told(CELL)
    assert "kubelet_cgroup_driver" not in variables(CELL)


def test_another_version_than_the_released_one_is_a_deviation_with_both() -> None:
    found = {one.what: one for one in plan.deviations(CELL, load("v2.25.0"), needs=LAPTOP, versions=BUILT)}
    assert (found["kube-vip version"].released, found["kube-vip version"].used) == ("v0.8.0", "v0.9.2")
    assert "etcd version" not in found  # v2.25.0 ships the one that is built
    assert all(one.why for one in found.values())


def test_another_kubernetes_than_the_default_is_a_deviation() -> None:
    assert "kube_version" not in told(CELL)
    assert told(replace(CELL, kube_version="v1.28.6"))["kube_version"] == "v1.28.6"


def test_a_checkout_is_told_more_than_the_replica_knows() -> None:
    checkout = replace(CELL, ref=parse_ref("kubespray@v2.25.0"))
    assert variables(checkout)["deploy_container_engine"] is False
    assert "deploy_container_engine" not in variables(CELL)


def test_nothing_that_hides_failures_is_ever_set() -> None:
    for source in ("replica", "kubespray"):
        found = variables(replace(CELL, ref=parse_ref(f"{source}@v2.25.1")), OLD_HOST)
        assert not {"ignore_assert_errors", "kubeadm_ignore_preflight_errors"} & found.keys()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (replace(CELL, topology=parse_topology("2cp")), "topology 2cp gives etcd an even number of members"),
        (replace(CELL, kube_version="v1.30.0"), "from v1.27.0 up to the minor version of v1.29.5"),
        (replace(CELL, ref=parse_ref("replica@v9.9.9")), "v2.25.0"),
        (replace(CELL, ref=parse_ref("kubespray@v2.28.1"), kube_version="v1.31.4", ordering=parse_ordering("cilium")), "by cilium-cli"),
    ],
    ids=["topology", "kubernetes", "release", "cilium"],
)
def test_what_cannot_be_installed_is_refused_with_its_reason(cell: Cell, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        plan.check(cell, BUILT_HERE)


def test_cilium_by_its_program_can_be_fetched_and_the_replica_cannot() -> None:
    fetched = Supply(artifacts="upstream")
    plan.check(replace(CELL, ref=parse_ref("kubespray@v2.28.1"), kube_version="v1.31.4", ordering=parse_ordering("cilium")), fetched)
    with pytest.raises(ScenarioError, match="the replica installs what the lab builds"):
        plan.check(CELL, fetched)


OF_24 = replace(CELL, ref=replace(parse_ref("kubespray@v2.24.1"), release="v2.24.1"), kube_version="v1.28.6")
OF_31 = replace(CELL, ref=replace(parse_ref("kubespray@v2.31.0"), release="v2.31.0"), kube_version="v1.35.4")


def of_supply(cell: Cell, supply: Supply, versions: Mapping[str, str] = BUILT) -> dict[str, object]:
    (stage,) = plan.stages(cell, load(cell.ref.release), needs=LAPTOP, versions=versions, supply=supply)
    return dict(stage.variables)


def test_a_release_that_takes_no_files_fetches_them_from_its_own_node() -> None:
    assert of_supply(OF_24, BUILT_HERE)["kubelet_download_url"] == "http://127.0.0.1:8099/kubelet"
    assert plan.serves_files(OF_24, BUILT_HERE)
    later = replace(OF_24, ref=parse_ref("kubespray@v2.25.0"))
    assert of_supply(later, BUILT_HERE)["kubelet_download_url"] == "file:///opt/lab/kubelet"
    assert not plan.serves_files(later, BUILT_HERE)
    assert not plan.serves_files(replace(OF_24, ref=parse_ref("replica@v2.24.1")), BUILT_HERE)
    assert not plan.serves_files(OF_24, Supply())


def test_what_kubespray_fetches_itself_is_told_no_place_and_no_checksum_and_kept_on_the_host() -> None:
    found = of_supply(OF_24, Supply(downloads="/cache"), {})
    assert not [name for name in found if name.endswith(("_download_url", "_checksum"))]
    assert (found["download_run_once"], found["download_localhost"], found["download_cache_dir"]) == (True, True, "/cache")
    assert [name for name in found if name.endswith(("_version", "_tag"))] == ["kube_version"]
    assert "download_run_once" not in of_supply(OF_24, BUILT_HERE)


def test_a_component_that_a_run_asks_for_is_a_deviation_by_that_reason() -> None:
    supply = Supply(artifacts="upstream", components=(("kube-vip", "v0.9.2"),))
    found = plan.deviations(OF_24, load("v2.24.1"), needs=LAPTOP, versions=dict(supply.components), supply=supply)
    (told,) = [one for one in found if one.what == "kube-vip version"]
    assert (told.released, told.used, told.why) == ("v0.5.12", "v0.9.2", plan.ASKED_FOR)


def test_later_releases_are_told_versions_as_they_write_them() -> None:
    found = of_supply(OF_31, Supply(artifacts="built"), {**BUILT, "kube-vip": "v0.9.2"})
    assert (found["kube_version"], found["etcd_version"], found["coredns_version"]) == ("1.35.4", "3.5.12", "1.11.1")
    assert found["kube_vip_version"] == "0.9.2"
    assert "kube_vip_image_tag" not in found
    assert of_supply(replace(OF_31, kube_version="v1.34.0"), Supply(artifacts="built"))["kube_version"] == "1.34.0"


def test_kube_proxy_is_replaced_by_the_word_the_release_takes() -> None:
    for release, kube_version, word in (("v2.25.0", "v1.29.5", "strict"), ("v2.27.1", "v1.29.5", "strict"), ("v2.28.1", "v1.31.4", True)):
        cell = replace(CELL, ref=parse_ref(f"kubespray@{release}"), kube_version=kube_version, ordering=parse_ordering("cilium"))
        assert of_supply(cell, Supply(), {})["cilium_kube_proxy_replacement"] == word


def test_what_is_a_releases_own_default_is_no_deviation() -> None:
    cell = replace(CELL, ref=parse_ref("kubespray@v2.28.1"), kube_version="v1.31.4", ordering=parse_ordering("cilium"))
    assert "cilium_identity_allocation_mode" not in of_supply(cell, Supply(), {})
    older = replace(cell, ref=parse_ref("kubespray@v2.27.1"), kube_version="v1.29.5")
    assert of_supply(older, Supply(), {})["cilium_identity_allocation_mode"] == "crd"


def test_of_a_ref_that_was_not_looked_up_nobody_knows_which_kubernetes_it_takes() -> None:
    branch = replace(CELL, ref=replace(parse_ref("kubespray@pr/7"), release="v2.31.0"))
    plan.check(branch, BUILT_HERE)
    with pytest.raises(ScenarioError, match=r"from v1\.33\.0"):
        plan.check(replace(branch, ref=replace(branch.ref, commit="0" * 40)), BUILT_HERE)


@pytest.mark.parametrize("topology", ["1cp", "3cp", "3cp+1w", "1cp+2w", "5cp"])
def test_clusters_with_an_odd_number_of_control_planes_can_be_installed(topology: str) -> None:
    plan.check(replace(CELL, topology=parse_topology(topology)))


def test_workers_ask_the_first_control_plane_where_nothing_else_is_named_and_the_report_says_so() -> None:
    workers = replace(CELL, topology=parse_topology("1cp+1w"), endpoint="node")
    assert variables(workers)["loadbalancer_apiserver_localhost"] is False
    assert told(workers)["loadbalancer_apiserver_localhost"] == "false"
    for other in (replace(workers, endpoint="vip"), replace(CELL, endpoint="node")):
        assert "loadbalancer_apiserver_localhost" not in variables(other)


@pytest.mark.parametrize(("ref", "named"), [("kubespray@v2.26.1", False), ("kubespray@v2.27.1", True), ("replica@v2.25.1", False)])
@pytest.mark.parametrize("artifacts", ["built", "upstream"])
def test_only_what_is_built_here_needs_a_check_of_kubeadm_to_pass_where_the_release_lets_none(
    ref: str, artifacts: Literal["built", "upstream"], *, named: bool
) -> None:
    cell, supply = replace(CELL, ref=parse_ref(ref)), Supply(artifacts=artifacts)
    (stage,) = plan.stages(cell, load(cell.ref.release), needs=LAPTOP, versions=BUILT, supply=supply)
    told = stage.variables.get("kubeadm_ignore_preflight_errors")
    assert told == (["HTTPProxyCIDR"] if named and artifacts == "built" else None)


def test_two_reasons_are_told_together() -> None:
    with pytest.raises(ScenarioError, match=r"2cp.*v1\.27\.0"):
        plan.check(replace(CELL, topology=parse_topology("2cp"), kube_version="v1.26.0"))


def cell_of(ordering: Ordering, source: str = "replica") -> Cell:
    """A cell as a scenario makes it: the endpoint is the VIP once any stage turns kube-vip on."""
    held = any("kube-vip" in addons for addons in ordering)
    return replace(CELL, ref=parse_ref(f"{source}@v2.25.1"), ordering=ordering, endpoint="vip" if held else "node")


@pytest.mark.parametrize("source", ["replica", "kubespray"])
def test_every_prefix_of_an_ordering_is_a_cell_with_the_same_stages(source: str) -> None:
    for ordering in every_ordering():
        whole = plan.stages(cell_of(ordering, source), load("v2.25.1"), needs=HYBRID, versions=BUILT)
        for length in range(1, len(ordering) + 1):
            part = cell_of(ordering[:length], source)
            assert plan.stages(part, load("v2.25.1"), needs=HYBRID, versions=BUILT) == whole[:length], part.id


def test_pods_have_the_plain_network_and_kube_proxy_until_cilium_takes_over() -> None:
    cell = cell_of(parse_ordering("base > kube-vip+metallb > cilium"))
    before, between, after = plan.stages(cell, load("v2.25.1"), needs=LAPTOP, versions=BUILT)
    for stage in (before, between):
        assert plan.has_plain_network(cell, stage.addons)
        assert stage.variables["kube_network_plugin"] == "cni"
        assert "kube_proxy_remove" not in stage.variables
    assert not plan.has_plain_network(cell, after.addons)
    assert (after.variables["kube_network_plugin"], after.variables["kube_proxy_remove"]) == ("cilium", True)
    assert after.variables["cilium_kube_proxy_replacement"] == "strict"


def test_a_cell_without_a_network_has_none_until_cilium() -> None:
    cell = replace(cell_of(parse_ordering("metallb > cilium")), network="none")
    assert [plan.has_network(cell, on) for on in (("metallb",), ("metallb", "cilium"))] == [False, True]
    assert not plan.has_plain_network(cell, ("metallb",))
    assert "before pods have any network" in deviation(cell, "kube_network_plugin").why


def test_cilium_has_needs_of_its_own_where_cgroup2_stands_beside_v1() -> None:
    cell = cell_of(parse_ordering("cilium"))
    found = variables(cell, HYBRID)
    assert (found["cilium_cgroup_host_root"], found["cilium_cgroup_auto_mount"]) == ("/sys/fs/cgroup/unified", False)
    assert "cilium_cgroup_host_root" not in variables(cell)
    assert "cilium_cgroup_host_root" not in variables(BASE, HYBRID)


def test_what_only_one_stage_departs_in_is_told_of_the_cell() -> None:
    late = cell_of(parse_ordering("base > cilium"))
    assert {"kube_network_plugin", "cilium_identity_allocation_mode"} <= told(late).keys()
    assert told(late)["kubelet_feature_gates"] == "[NodeSwap=true]"  # of both stages, and said once


@given(ordering=st.sampled_from(every_ordering()), endpoint=st.sampled_from(["vip", "node"]))
def test_stages_add_up_and_the_endpoint_follows_kube_vip(ordering: Ordering, endpoint: Endpoint) -> None:
    cell = replace(CELL, ordering=ordering, endpoint=endpoint)
    made = plan.stages(cell, load("v2.25.0"), needs=LAPTOP, versions=BUILT)
    assert [stage.index for stage in made] == list(range(len(cell.ordering)))
    assert [stage.name for stage in made] == cell.ordering_text.split(" > ")
    assert set(made[-1].addons) == {name for addons in cell.ordering for name in addons}
    for earlier, later in pairwise(made):
        assert set(earlier.addons) < set(later.addons)
    turned_on = any("kube-vip" in addons for addons in cell.ordering)
    for stage in made:
        held = "kube-vip" in stage.addons
        assert stage.endpoint == (endpoint if held or not turned_on else "node")


@given(data=st.data())
def test_the_same_cell_gives_the_same_stages(data: st.DataObject) -> None:
    cell = data.draw(st.sampled_from([CELL, BASE, replace(BASE, endpoint="vip")]))
    first = plan.stages(cell, load("v2.25.0"), needs=OLD_HOST, versions=BUILT)
    assert first == plan.stages(cell, load("v2.25.0"), needs=OLD_HOST, versions=dict(reversed(BUILT.items())))


def test_every_variable_of_a_stage_has_the_reason_it_is_set_for() -> None:
    cell = replace(CELL, ordering=parse_ordering("cilium > kube-vip"), mitigations=("m",), variables=(("kube_proxy_mode", "ipvs"),))
    facts, needs, versions = load("v2.25.0"), OLD_HOST, {"kube-vip": "v0.9.2"}
    first, second = plan.stages(cell, facts, needs=needs, versions=versions)
    told = plan.reasons(cell, second, facts, needs=needs, versions=versions)
    assert set(told) == set(second.variables)
    assert told["kube_vip_enabled"] == "turns kube-vip on"
    assert told["kube_proxy_mode"] == "mitigation m"
    assert told["kube_vip_image_tag"] == "departs from the release: no v0.8 version could be had as a Go module"
    assert "kube_vip_enabled" not in plan.reasons(cell, first, facts, needs=needs, versions=versions)
    other = replace(cell, kube_version="v1.28.6")
    assert plan.reasons(other, first, facts, needs=needs, versions=versions)["kube_version"].startswith(
        "departs from the release: the cell asks"
    )


STAGED = replace(CELL, ref=replace(parse_ref("kubespray@v2.25.1"), release="v2.25.1"), kube_version="v1.28.6")


def staged(text: str) -> tuple[Stage, ...]:
    cell = replace(STAGED, ordering=parse_ordering(text))
    return plan.stages(cell, load("v2.25.1"), needs=LAPTOP, versions={}, supply=Supply())


def test_an_upgrade_runs_its_own_playbook_with_the_other_kubernetes_and_all_that_is_on() -> None:
    first, second, third = staged("kube-vip > upgrade(v1.29.5) > metallb")
    assert [one.playbook for one in (first, second, third)] == ["cluster.yml", "upgrade-cluster.yml", "cluster.yml"]
    assert [one.variables["kube_version"] for one in (first, second, third)] == ["v1.28.6", "v1.29.5", "v1.29.5"]
    assert (second.addons, second.endpoint, second.variables["kube_vip_enabled"]) == (("kube-vip",), "vip", True)
    assert third.addons == ("kube-vip", "metallb")


@pytest.mark.parametrize(("supply", "folders"), [(BUILT_HERE, ["", "v1.29.5/", "v1.29.5/"]), (Supply(artifacts="upstream"), [])])
def test_an_upgrade_fetches_the_programs_of_its_own_kubernetes(supply: Supply, folders: list[str]) -> None:
    cell = replace(STAGED, ordering=parse_ordering("kube-vip > upgrade(v1.29.5) > metallb"))
    stages = plan.stages(cell, load("v2.25.1"), needs=LAPTOP, versions={}, supply=supply)
    for program in ("kubelet", "kubeadm", "kubectl"):
        urls = [stage.variables.get(f"{program}_download_url") for stage in stages]  # one program, which goes by its name
        assert urls == ([f"file:///opt/lab/{folder}kubelet" for folder in folders] if folders else [None] * 3)


def test_what_changes_from_stage_to_stage_is_told_in_order_and_its_reason_once() -> None:
    cell = replace(STAGED, ordering=parse_ordering("kube-vip > upgrade(v1.29.5)"))
    told = {one.what: one for one in plan.deviations(cell, load("v2.25.1"), needs=LAPTOP, versions={}, supply=BUILT_HERE)}
    assert told["kubelet_download_url"].used == "file:///opt/lab/kubelet, then file:///opt/lab/v1.29.5/kubelet"
    assert told["kubelet_download_url"].why.count("nodes have no way out") == 1
    assert told["kube_version"].used == "v1.28.6, then v1.29.5"


def test_a_reset_is_told_what_is_there_and_leaves_nothing_on() -> None:
    first, second, third = staged("cilium+kube-vip > reset > kube-vip")
    assert (second.playbook, second.addons, second.variables["reset_confirmation"]) == ("reset.yml", (), True)
    assert second.variables["kube_network_plugin"] == "cilium"
    assert (third.addons, third.variables["kube_network_plugin"]) == (("kube-vip",), "cni")
    assert "reset_confirmation" not in {**first.variables, **third.variables}
    cell = replace(STAGED, ordering=parse_ordering("cilium+kube-vip > reset > kube-vip"))
    told = plan.reasons(cell, second, load("v2.25.1"), needs=LAPTOP, versions={}, supply=Supply())
    assert told["reset_confirmation"] == "what reset.yml asks on the terminal otherwise"
    assert set(plan.addons_of(cell)) == {"cilium", "kube-vip"}


@pytest.mark.parametrize(
    ("cell", "supply", "said"),
    [
        (replace(CELL, ordering=parse_ordering("kube-vip > reset")), Supply(), "replica of v2.25.0 has no reset.yml"),
        (replace(STAGED, ordering=parse_ordering("base > upgrade(v1.31.4)")), Supply(), "does not install Kubernetes v1.31.4"),
        (
            replace(STAGED, ordering=parse_ordering("base > upgrade(v1.28.6)")),
            Supply(),
            r"upgrade\(v1.28.6\) is not newer than the v1.28.6",
        ),
        (replace(STAGED, ordering=parse_ordering("base > upgrade(v1.29.5) > upgrade(v1.29.4)")), Supply(), "newer than the v1.29.5"),
    ],
    ids=["replica", "version", "same", "backward"],
)
def test_what_a_source_or_a_release_cannot_do_to_a_cluster_is_refused(cell: Cell, supply: Supply, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        plan.check(cell, supply)


def test_at_home_only_what_the_cell_is_about_is_set() -> None:
    cell = replace(CELL, ordering=parse_ordering("cilium > kube-vip"), variables=(("kube_vip_interface", "eth7"),))
    first, second = plan.at_home(cell, load("v2.25.0"))
    assert first.variables.keys() == {"kube_version", "kube_vip_interface", *plan.ADDON_VARIABLES["cilium"]}
    assert (second.name, second.endpoint, second.variables["kube_vip_interface"]) == ("kube-vip", "vip", "eth7")


def test_at_home_acts_are_runs_of_their_own_playbooks() -> None:
    cell = replace(STAGED, ordering=parse_ordering("kube-vip > upgrade(v1.29.5) > reset"))
    assert [(one.playbook, one.variables["kube_version"]) for one in plan.at_home(cell, load("v2.25.1"))] == [
        ("cluster.yml", "v1.28.6"),
        ("upgrade-cluster.yml", "v1.29.5"),
        ("reset.yml", "v1.29.5"),
    ]


def test_what_kind_does_otherwise_is_told_and_no_variable() -> None:
    cell = replace(CELL, bed="kind", ref=replace(CELL.ref, source="kind"))
    assert {"installer", "etcd", "node image", "network of pods", "kube-vip version"} <= told(cell).keys()
    assert not [name for name in told(cell) if name.endswith("_url")]
    assert variables(cell)["kube_proxy_mode"] == "iptables"
    assert not {"installer", "etcd", "kubelet_download_url"} & variables(cell).keys()


def test_what_only_a_container_node_cannot_is_no_departure_of_a_machine() -> None:
    cell = CELL
    told = {
        bed: {one.what for one in plan.deviations(replace(cell, bed=bed), load("v2.25.0"), needs=LAPTOP, versions={})}
        for bed in ("containers", "vagrant")
    }
    assert {"kubelet_fail_swap_on", "kube_proxy_conntrack_min", "kubelet_protect_kernel_defaults"} <= told["containers"] - told["vagrant"]
    assert "kube_proxy_mode" in told["vagrant"], "cells of all beds are the same"


def test_an_emulated_machine_gets_a_longer_lease_which_is_a_deviation() -> None:
    needs = replace(LAPTOP, emulated="emulated by qemu (TCG)")
    cell = replace(CELL, bed="vagrant")
    told = {one.what: (one.released, one.used) for one in plan.deviations(cell, load("v2.25.0"), needs=needs, versions={})}
    assert told["processor of the nodes"] == ("a real one", "emulated by qemu (TCG)")
    assert told["kube_vip_leaseduration"] == ("5", "60")
    (stage,) = plan.stages(cell, load("v2.25.0"), needs=needs, versions={})
    assert stage.variables["kube_vip_renewdeadline"] == 40
