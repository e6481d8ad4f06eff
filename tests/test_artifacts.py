import tarfile
from pathlib import Path

import pytest

from lab import artifacts, cachedir, rootfs
from lab.command import run
from lab.component import Progress
from lab.errors import BuildError, ScenarioError
from lab.supply import Supply

FAKE_GO = """#!/bin/sh
[ "$1" = version ] && echo 'go version go1.26.0 linux/amd64' && exit
case "$FAIL" in ?*) case "$PWD" in *$FAIL*) exit 1;; esac;; esac
echo "$PWD" >>"$LOG"
while [ "$1" != -o ]; do shift; done
echo "built in $PWD" >"$2"
"""


@pytest.fixture(autouse=True)
def _fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lab's own components, an empty cache, a go that only writes its output, and an empty Debian root."""

    def empty(packages: tuple[str, ...], *, without: tuple[str, ...] = ()) -> Path:
        root = tmp_path / rootfs.key(packages, without) / "root.tar"
        root.parent.mkdir(exist_ok=True)
        tarfile.open(root, "w").close()
        return root

    monkeypatch.setattr(rootfs, "of_packages", empty)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "go").write_text(FAKE_GO)
    (tmp_path / "bin" / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("FAIL", "")
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def test_the_folder_holds_what_kubespray_fetches_under_the_names_it_is_told() -> None:
    path = artifacts.prepare("v1.29.5").path
    names = {str(member.relative_to(path)) for member in path.rglob("*") if member.is_file()}
    images = {f"images/{name}.tar" for name in ("kubernetes", "pause", "coredns", "kube-vip", "echo")}
    programs = {"kubelet", "kubeadm", "kubectl", "runc"}
    archives = {"etcd.tar.gz", "cni.tgz", "crictl.tar.gz", "containerd.tar.gz", "nerdctl.tar.gz", "ciliumcli.tar.gz"}
    assert names == images | programs | archives
    with tarfile.open(path / "etcd.tar.gz") as tar:
        assert tar.getnames() == [f"etcd-v3.5.12-linux-amd64/{name}" for name in ("etcd", "etcdctl", "etcdutl")]
    with tarfile.open(path / "cni.tgz") as tar:
        assert {"bridge", "loopback", "portmap", "host-local"} <= set(tar.getnames())


def test_the_kubernetes_of_an_upgrade_lies_beside_the_first_in_a_folder_of_its_version() -> None:
    made = artifacts.prepare("v1.28.6", later=("v1.29.5",))
    one, other = artifacts.prepare("v1.28.6"), artifacts.prepare("v1.29.5")
    assert made.versions == one.versions
    assert (made.path / "kubelet").samefile(one.path / "kubelet")
    for program in ("kubelet", "kubeadm", "kubectl"):
        assert (made.path / "v1.29.5" / program).samefile(other.path / program)
    images = {path.name for path in (made.path / "images").iterdir()}
    assert images == {path.name for path in (one.path / "images").iterdir()} | {"kubernetes-v1.29.5.tar"}
    with pytest.raises(ScenarioError, match=r"Kubernetes 'v1\.29\.99' cannot be built"):
        artifacts.versions("v1.28.6", later=("v1.29.99",))


def test_nothing_is_copied_twice() -> None:
    one, other = artifacts.prepare("v1.29.5").path, artifacts.prepare("v1.28.6").path
    assert (one / "kubelet").samefile(one / "kubeadm")
    assert (one / "etcd.tar.gz").samefile(other / "etcd.tar.gz")
    assert (one / "images" / "kube-vip.tar").samefile(other / "images" / "kube-vip.tar")
    assert not (one / "kubelet").samefile(other / "kubelet")


def test_only_the_kubernetes_that_is_asked_for_is_built(tmp_path: Path) -> None:
    seen: list[Progress] = []
    artifacts.prepare("v1.29.5", on_progress=seen.append)
    assert [progress.component for progress in seen if progress.state == "built"] == ["kubernetes-1.29", *artifacts.SHARED]
    assert "kubernetes-1.28" not in (tmp_path / "log").read_text()


def test_a_second_call_finds_the_folder_also_when_the_components_are_gone() -> None:
    first = artifacts.prepare("v1.29.5")
    for entry in (cachedir.root() / "components").iterdir():
        if entry.is_dir():
            entry.rename(entry.with_name(f"gone-{entry.name}"))
    seen: list[Progress] = []
    assert artifacts.prepare("v1.29.5", on_progress=seen.append) == first
    assert {progress.state for progress in seen} == {"cached"}


def test_versions_and_deviations_are_those_of_what_was_built() -> None:
    of_29, of_28 = artifacts.prepare("v1.29.5"), artifacts.prepare("v1.28.6")
    assert of_29.versions["kubernetes"] == "v1.29.5"
    assert of_28.versions["kubernetes"] == "v1.28.6"
    assert of_29.versions["kube-vip"] == "v0.9.2"
    assert not any("endpointslice" in deviation.what for deviation in of_29.deviations)
    assert any("endpointslice" in deviation.what for deviation in of_28.deviations)
    assert all(deviation.why and deviation.used for deviation in of_28.deviations)


def test_a_placeholder_says_what_it_is_and_fails() -> None:
    done = run((str(artifacts.prepare("v1.29.5").path / "runc"),), limit_s=10)
    assert done.rc == 1
    assert "not the real program" in done.stderr


def test_an_unknown_version_lists_what_can_be_built() -> None:
    with pytest.raises(ScenarioError, match=r"Kubernetes 'v1\.30\.0' cannot be built\n.*v1\.28\.6, v1\.29\.5, v1\.30\.4, v1\.31\.4\n"):
        artifacts.prepare("v1.30.0")
    assert not cachedir.root().exists()


def test_after_a_failed_build_the_next_call_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "coredns")
    with pytest.raises(BuildError, match="'coredns'"):
        artifacts.prepare("v1.29.5")
    monkeypatch.setenv("FAIL", "")
    seen: list[Progress] = []
    path = artifacts.prepare("v1.29.5", on_progress=seen.append).path
    assert [progress.component for progress in seen if progress.state == "cached"] == ["kubernetes-1.29", "etcd", "kube-vip"]
    assert path.is_dir()


def asked(name: str, version: str) -> Supply:
    return Supply(artifacts="built", components=((name, version),))


def test_a_component_in_another_version_takes_the_place_of_the_usual_one() -> None:
    made = artifacts.prepare("v1.29.5", supply=asked("kube-vip", "v1.0.0"))
    assert made.versions["kube-vip"] == "v1.0.0"
    assert artifacts.versions("v1.29.5")["kube-vip"] == "v0.9.2"
    assert made.path != artifacts.prepare("v1.29.5").path
    assert artifacts.missing("v1.29.5", (), asked("kube-vip", "v0.7.2")) == ("kube-vip-0.7",)


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("kube-vip", "v0.8.0", r"kube-vip v0\.8\.0 cannot be built\n.*v0\.7\.2, v0\.9\.2, v1\.0\.0"),
        ("kube-vyp", "v1.0.0", r"there are (.*)kube-vip"),
        ("kubernetes", "v1.29.5", "a field of the scenario"),
    ],
)
def test_a_version_there_is_none_of_is_refused_with_those_there_are(name: str, version: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        artifacts.versions("v1.29.5", (), asked(name, version))


def test_where_the_installer_fetches_all_only_what_the_lab_asks_through_is_made() -> None:
    fetched = Supply(artifacts="upstream", components=(("kube-vip", "v0.8.9"),))
    made = artifacts.prepare("v1.35.4", ("cilium",), fetched)
    assert {str(path.relative_to(made.path)) for path in made.path.rglob("*") if path.is_file()} == {"images/echo.tar", "crictl.tar.gz"}
    assert made.versions == {"kube-vip": "v0.8.9"}
    assert [one.what for one in made.deviations] == ["crictl"]
