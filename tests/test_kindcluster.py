from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import artifacts, kindcluster, plan, release
from lab.kindcluster import CILIUM, CLUSTER, MANIFEST, POOLS, Place
from lab.model import Cell, Topology
from tests import made

PLACE = Place(name="c", manifest="/m/kube-vip.yaml", versions={"kube-vip": "v0.9.2", "cilium": "v1.15.4"})


def of_kind(ordering: str = "kube-vip", *, ref: str = "replica@v2.25.0", **more: Any) -> Cell:
    cell = made.cell(ordering, ref=ref)
    return replace(cell, bed="kind", ref=replace(cell.ref, source="kind"), **more)


def files(cell: Cell, tmp_path: Path, place: Place = PLACE) -> dict[str, str]:
    (stage,) = plan.at_home(cell, release.load(cell.ref.release))
    return dict(kindcluster.files(cell, stage, made.site(tmp_path), release.load(cell.ref.release), place=place))


def patch(text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(yaml.safe_load(text)["kubeadmConfigPatches"][0])
    return loaded


def test_the_vip_is_where_kubeadm_looks_and_in_the_certificate(tmp_path: Path) -> None:
    told = files(of_kind(), tmp_path)
    assert set(told) == {CLUSTER, MANIFEST}
    assert patch(told[CLUSTER])["controlPlaneEndpoint"] == "10.231.0.100:6443"
    assert "10.231.0.100" in patch(told[CLUSTER])["apiServer"]["certSANs"]
    (node,) = yaml.safe_load(told[CLUSTER])["nodes"]
    assert node["extraMounts"] == [
        {"hostPath": "/m/kube-vip.yaml", "containerPath": "/etc/kubernetes/manifests/kube-vip.yml", "readOnly": True}
    ]


@pytest.mark.parametrize(("ref", "conf"), [("replica@v2.25.0", "admin.conf"), ("replica@v2.25.1", "super-admin.conf")])
def test_kube_vip_gets_the_kubeconfig_that_the_release_gives_it(tmp_path: Path, ref: str, conf: str) -> None:
    cell = of_kind(ref=ref)
    cell = replace(cell, ref=replace(cell.ref, release=cell.ref.name))
    pod = yaml.safe_load(files(cell, tmp_path)[MANIFEST])
    assert pod["spec"]["volumes"][0]["hostPath"]["path"] == f"/etc/kubernetes/{conf}"
    (container,) = pod["spec"]["containers"]
    assert container["image"].endswith(":v0.9.2")
    settings = {one["name"]: one["value"] for one in container["env"]}
    assert (settings["address"], settings["vip_interface"], settings["vip_leaderelection"]) == ("10.231.0.100", "eth0", "true")
    assert "svc_enable" not in settings


def test_the_node_is_where_kubeadm_looks_when_the_cell_says_so(tmp_path: Path) -> None:
    cell = replace(of_kind(), endpoint="node")
    assert "controlPlaneEndpoint" not in patch(files(cell, tmp_path)[CLUSTER])
    told = files(cell, tmp_path, replace(PLACE, endpoint="10.231.0.10:6443"))
    assert patch(told[CLUSTER])["controlPlaneEndpoint"] == "10.231.0.10:6443"


def test_a_vip_that_nobody_holds_is_a_cell_too(tmp_path: Path) -> None:
    told = files(replace(of_kind("base"), endpoint="vip"), tmp_path)
    assert set(told) == {CLUSTER}
    assert patch(told[CLUSTER])["controlPlaneEndpoint"] == "10.231.0.100:6443"
    assert "extraMounts" not in yaml.safe_load(told[CLUSTER])["nodes"][0]


def test_nothing_is_patched_where_nothing_is_asked(tmp_path: Path) -> None:
    assert "kubeadmConfigPatches" not in yaml.safe_load(files(of_kind("base"), tmp_path)[CLUSTER])


def test_cilium_takes_the_place_of_the_network_and_of_kube_proxy(tmp_path: Path) -> None:
    told = files(of_kind("kube-vip+cilium"), tmp_path, replace(PLACE, cgroup2="/sys/fs/cgroup/unified"))
    networking = yaml.safe_load(told[CLUSTER])["networking"]
    assert (networking["disableDefaultCNI"], networking["kubeProxyMode"]) == (True, "none")
    values = yaml.safe_load(told[CILIUM])
    assert (values["kubeProxyReplacement"], values["k8sServiceHost"]) == ("strict", "10.231.0.100")
    assert values["cgroup"]["hostRoot"] == "/sys/fs/cgroup/unified"
    assert values["ipam"]["operator"]["clusterPoolIPv4PodCIDRList"] == [networking["podSubnet"]]


def test_pools_are_those_of_the_cell(tmp_path: Path) -> None:
    pool, advertisement = yaml.safe_load_all(files(of_kind("metallb"), tmp_path)[POOLS].lstrip("\n-"))
    assert pool["spec"]["addresses"] == ["10.231.0.200-10.231.0.220"]
    assert advertisement["spec"]["ipAddressPools"] == [pool["metadata"]["name"]]
    own = "{address_pools: {a: {ip_range: ['{vip}/32']}}}"
    (only,) = yaml.safe_load_all(files(of_kind("metallb", variables=(("metallb_config", own),)), tmp_path)[POOLS].lstrip("\n-"))
    assert only["spec"]["addresses"] == ["10.231.0.100/32"]


def test_workers_and_mounts_are_in_the_configuration(tmp_path: Path) -> None:
    cell = of_kind(topology=Topology(control_planes=1, workers=2))
    told = yaml.safe_load(files(cell, tmp_path, replace(PLACE, mounts=(("/a", "/opt/lab"),)))[CLUSTER])
    assert [node["role"] for node in told["nodes"]] == ["control-plane", "worker", "worker"]
    assert [node["extraMounts"][-1]["containerPath"] for node in told["nodes"]] == ["/opt/lab"] * 3


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        (made.cell(ref="kubespray@v2.25.0"), "runs no playbooks"),
        (of_kind("cilium > kube-vip"), "in one go"),
        (of_kind(topology=Topology(control_planes=3)), "load balancer of its own"),
        (of_kind(variables=(("kubeadm_init_timeout", "30s"),)), "no setting for kubeadm_init_timeout"),
    ],
    ids=["playbooks", "stages", "control planes", "settings"],
)
def test_what_kind_cannot_do_is_said(cell: Cell, why: str) -> None:
    (said,) = kindcluster.cannot(cell)
    assert why in said


def test_what_kind_can_do_is_not_refused() -> None:
    assert kindcluster.cannot(of_kind("kube-vip+metallb+cilium")) == ()
    assert kindcluster.cannot(of_kind(variables=(("kube_vip_interface", "eth7"),))) == ()


def test_every_kubernetes_that_can_be_built_has_a_published_image() -> None:
    assert all("@sha256:" in kindcluster.image(version) for version in artifacts.kube_versions())
    assert kindcluster.image("v1.99.0") == ""


def test_kind_gives_kubeadm_init_one_try() -> None:
    assert (kindcluster.init().attempts, kindcluster.full()) == (1, "rc=1 after 1 x 240 s")
