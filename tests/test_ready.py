import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lab import engine, playbooks, ready, slots, upstream
from lab.beds.containers import Containers
from lab.errors import BedError, HostError, InstallError, LabError, ScenarioError
from lab.host import facts
from lab.ready import Options
from lab.supply import Supply
from tests import made

BUILT = Supply(artifacts="built")


@pytest.fixture(autouse=True)
def an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests need none: what is asked of this machine beside it is told all the same."""
    monkeypatch.setattr(engine, "see", lambda _: None)


def test_a_version_that_no_component_builds_cannot_be_installed() -> None:
    with pytest.raises(ScenarioError, match="cannot be built"):
        ready.installable(made.cell(kube_version="v1.29.4"))
    ready.installable(made.cell())


def test_what_no_run_can_be_asked_is_told_at_once() -> None:
    with pytest.raises(ScenarioError, match=r"--jobs -3 is less than one set of nodes; --slot 99 is none of 0 to 15\n"):
        ready.possible(Options(jobs=-3, slot=99))
    ready.possible(Options(jobs=1, slot=15))
    ready.possible(Options())


def test_what_kind_cannot_make_is_not_installable_on_its_bed() -> None:
    cell = replace(made.cell("cilium > kube-vip"), bed="kind")
    with pytest.raises(ScenarioError, match=r"cannot run\n.*kind makes a cluster in one go"):
        ready.installable(replace(cell, ref=replace(cell.ref, source="kind")))
    with pytest.raises(ScenarioError, match="runs no playbooks"):
        ready.installable(replace(made.cell(ref="kubespray@v2.25.0"), bed="kind"))


@pytest.mark.parametrize(
    ("variables", "asks"),
    [
        ((("kube_proxy_mode", "ipvs"),), True),
        ((("kube_vip_lb_enable", "true"),), True),
        ((("kube_proxy_mode", "iptables"),), False),
        ((), False),
    ],
)
def test_a_cell_that_asks_for_ipvs_needs_a_kernel_that_has_it(
    variables: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch, *, asks: bool
) -> None:
    cell = replace(made.cell(), variables=variables)
    monkeypatch.setattr(Containers, "has_kernel", staticmethod(lambda option, *, module: False))
    assert ready.lacking(cell).startswith("it asks for IPVS") is asks
    assert ready.lacking(replace(cell, bed="vagrant")) == ""


@pytest.mark.skipif(not facts().is_root, reason="needs root: the lab asks for it first")
def test_a_host_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    held = slots.hold(None, slots.of_host())
    cell = made.cell(ref="kubespray@v2.25.0")
    refused: list[tuple[Options, type[LabError]]] = [
        (Options(runs=tmp_path / "runs", kubespray=str(tmp_path / "nowhere"), supply=BUILT), InstallError),
    ]
    try:
        with pytest.raises(BedError, match="is in use"):
            ready.ready([made.cell()], Options(runs=tmp_path / "runs", slot=held.slot.number))
        for options, kind in refused:
            with pytest.raises(kind):
                ready.ready([cell], options)
    finally:
        held.release()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not facts().is_root, reason="needs root: the lab asks for it first")
def test_what_kubespray_would_fetch_is_asked_for_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network() -> None:
        raise HostError("kubespray cannot download", "quay.io: no route to host", "--artifacts built")

    monkeypatch.setattr(upstream, "check", no_network)
    monkeypatch.setattr(playbooks, "kubespray", lambda *_: None)
    with pytest.raises(HostError, match="cannot download"):
        ready.ready([made.cell(ref="kubespray@v2.25.0")], Options(runs=tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []


def test_nodes_that_reach_one_another_alone_cannot_fetch(tmp_path: Path) -> None:
    cell = replace(made.cell(ref="kubespray@v2.25.0"), bed="vagrant")
    with pytest.raises(HostError, match=r"nodes of the bed vagrant reach one another alone\n.*--artifacts built"):
        ready.ready([cell], Options(runs=tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_for_and_cannot_be_built_is_told_by_itself() -> None:
    with pytest.raises(ScenarioError, match=r"kube-vip v0\.8\.0 cannot be built\n.*v0\.7\.2, v0\.9\.2, v1\.0\.0"):
        ready.supply("built", ["kube-vip=v0.8.0"])
    assert ready.supply(None, ["kube-vip=v0.8.9"]).components == (("kube-vip", "v0.8.9"),)


@pytest.mark.parametrize("source", [None, "upstream"])
@pytest.mark.parametrize("name", ["kubevip", "crictl", "kubernetes"])
def test_a_component_whose_version_kubespray_is_not_told_is_refused_wherever_it_comes_from(source: str | None, name: str) -> None:
    said = rf"{name}=v1\.0\.0 names no component\n.*there are cilium, coredns, etcd, kube-vip, metallb, pause\n.*Kubernetes is a field"
    with pytest.raises(ScenarioError, match=said):
        ready.supply(source, [f"{name}=v1.0.0"])


def test_a_component_that_is_fetched_in_another_version_is_a_variable_of_the_stage() -> None:
    asked = ready.supply("upstream", ["kube-vip=v1.0.0", "etcd=v3.5.13", "coredns=v1.11.3", "pause=3.10", "metallb=v0.14.0"])
    asked = replace(asked, components=(*asked.components, ("cilium", "v1.15.9")))
    cell = made.cell("kube-vip+metallb+cilium", ref="kubespray@v2.25.0")
    told = ready.stages(cell, asked)[-1].variables
    assert {name: told[name] for name in ("kube_vip_image_tag", "etcd_version", "coredns_version", "pod_infra_version")} == {
        "kube_vip_image_tag": "v1.0.0",
        "etcd_version": "v3.5.13",
        "coredns_version": "v1.11.3",
        "pod_infra_version": "3.10",
    }
    assert (told["metallb_version"], told["cilium_version"]) == ("v0.14.0", "v1.15.9")


def test_a_reset_is_planned_everywhere_and_run_where_its_nodes_get_their_images_back() -> None:
    cell = made.cell("kube-vip > reset", ref="kubespray@v2.25.1", kube_version="v1.29.5")
    ready.installable(cell)
    assert [stage.playbook for stage in ready.stages(cell)] == ["cluster.yml", "reset.yml"]
    assert [one.signature for one in ready.predicted(cell, ready.stages(cell))] == ["vip-left-by-reset"]
    assert ready.lacking(cell) == ""
    for other in ("vagrant", "kind"):
        assert ready.lacking(replace(cell, bed=other)).startswith("reset.yml takes away the images that nodes of the bed")
        assert ready.lacking(replace(cell, bed=other, ordering=cell.ordering[:1])) == ""


def test_a_release_without_a_replica_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"no replica of v2\.27\.1\n.*v2\.24, v2\.25\.0, v2\.25\.1"):
        ready.installable(made.cell(ref="replica@v2.27.1"))


def test_what_cannot_be_built_may_be_fetched() -> None:
    newest = made.cell(ref="kubespray@v2.31.0", kube_version="v1.35.4")
    with pytest.raises(ScenarioError, match="cannot be built"):
        ready.installable(newest, BUILT)
    ready.installable(newest)
    ready.installable(made.cell(ref="kubespray@v2.24.1", kube_version="v1.28.6"), BUILT)


@pytest.mark.skipif(not facts().is_root, reason="needs root: the lab asks for it first")
def test_a_disk_without_room_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(HostError, match="not enough room on the disk"):
        ready.ready([made.cell()], Options(runs=tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not facts().is_root, reason="needs root: the lab asks for it first")
def test_a_missing_engine_is_told_before_what_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(choice: str) -> None:
        raise HostError(f"no engine {choice}", "", "")

    monkeypatch.setattr(engine, "see", none)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(HostError, match="no engine podman"):
        ready.ready([made.cell(ref="kubespray@v2.25.0")], Options(runs=tmp_path / "runs", engine="podman", supply=BUILT))
    assert list(tmp_path.iterdir()) == []


def test_without_root_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(HostError, match="need root"):
        ready.ready([made.cell()], Options(runs=tmp_path / "runs"))
    assert list(tmp_path.iterdir()) == []
