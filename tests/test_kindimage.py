import tarfile
from pathlib import Path

import pytest

from lab import component, kindimage, nodeimage
from lab.host import NodeNeeds
from tests.test_nodeimage import EmptyEngine

PLAIN = NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)
HARD = NodeNeeds(
    cgroup_driver="cgroupfs", feature_gates=("KubeletInUserNamespace=true",), nofile=1, nproc=1, restrict_oom=True, cgroup2="/c2"
)


class Recording(EmptyEngine):
    """Has every image or none; keeps the names of the members of what it imports."""

    def __init__(self, *, has: bool = False) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.members: set[str] = set()
        self._has = has

    def has_image(self, tag: str) -> bool:
        self.asked.append(tag)
        return self._has

    def import_root(self, archive: Path, *, repository: str, tag: str, changes: tuple[str, ...]) -> None:
        with tarfile.open(archive) as tar:
            self.members = set(tar.getnames())


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which kind and etcd are built, and a node's root with two files."""
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    files = tmp_path / "kind-1" / "files" / kindimage.FILES
    for name in ("usr/local/bin/entrypoint", "etc/containerd/config.toml", "etc/systemd/system/kubelet.service", "LICENSES/README.txt"):
        (files / name).parent.mkdir(parents=True, exist_ok=True)
        (files / name).write_text(name)
    (tmp_path / "etcd-1" / "bin").mkdir(parents=True)
    for name in ("etcd", "etcdctl"):
        (tmp_path / "etcd-1" / "bin" / name).write_text(name)
    monkeypatch.setattr(component, "build", lambda names: {name: tmp_path / f"{name}-1" for name in names})
    for name in ("usr/sbin/init", "etc/containerd/config.toml"):
        (tmp_path / "root" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "root" / name).write_text("of the root")
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(tmp_path / "root", arcname=".")
    monkeypatch.setattr(nodeimage, "root_tar", lambda say: tmp_path / "root.tar")
    return tmp_path


def test_an_image_that_is_there_is_not_made_again() -> None:
    engine = Recording(has=True)
    assert kindimage.ensure(engine, PLAIN) == engine.asked[0]
    assert not engine.members


def test_a_host_that_asks_for_something_else_has_an_image_of_its_own() -> None:
    engine = Recording(has=True)
    assert kindimage.ensure(engine, PLAIN) != kindimage.ensure(engine, HARD)


def test_it_holds_kinds_files_but_for_those_that_debian_has_in_its_own_way() -> None:
    engine = Recording()
    kindimage.ensure(engine, PLAIN)
    assert {
        "./usr/local/bin/entrypoint",
        "./usr/sbin/init",
        "./etc/systemd/system/kubelet.service",
        "./kind/images/etcd.tar",
    } <= engine.members
    assert {"./usr/bin/kubeadm", "./usr/bin/kubelet", "./usr/bin/kubectl", "./usr/local/bin/etcdctl"} <= engine.members
    assert not [name for name in engine.members if "LICENSES" in name or name.startswith("./opt/lab")]


def test_nothing_of_the_making_stays_on_the_disk(built: Path) -> None:
    kindimage.ensure(Recording(), PLAIN)
    assert not [path for path in (built / "cache" / kindimage.KIND).rglob("*") if path.is_file() and path.name == kindimage.ROOT]


def test_an_image_that_stands_for_itself_holds_the_artifacts_too(built: Path) -> None:
    folder = built / "v1.29.5-1"
    (folder / "images").mkdir(parents=True)
    for name in (*kindimage.ALONE, "images/a.tar", "runc"):
        (folder / name).write_text("x")
    engine = Recording()
    kindimage.alone(engine, PLAIN, folder, "v1.29.5")
    assert {"./opt/lab/kubelet", "./opt/lab/images/a.tar", "./kind/version"} <= engine.members
    assert any(name.startswith("./etc/cni/net.d/") for name in engine.members)
    assert "./opt/lab/runc" not in engine.members


def test_kubelet_is_told_what_the_host_asks_for() -> None:
    assert kindimage.extra_args(PLAIN) == "KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service\n"
    told = kindimage.extra_args(HARD)
    assert "--cgroup-driver=cgroupfs" in told
    assert "--feature-gates=KubeletInUserNamespace=true" in told


def test_the_entry_script_is_told_too_where_nobody_else_tells_it() -> None:
    assert "ENV SPRAYLAB_RESTRICT_OOM=true" in kindimage.changes(HARD)
    assert "ENV SPRAYLAB_CGROUP2=/c2" in kindimage.changes(HARD)
    assert not [line for line in kindimage.changes(PLAIN) if "CGROUP2" in line]


def test_what_systemd_runs_is_there() -> None:
    unit = (kindimage.TREE / "etc/systemd/system/spraylab-images.service").read_text()
    assert "ExecStart=/usr/local/sbin/spraylab-images" in unit
    assert (kindimage.TREE / "usr/local/sbin/spraylab-images").exists()
    assert "exec /usr/local/bin/entrypoint /lib/systemd/systemd" in (kindimage.TREE / "usr/sbin/init").read_text()
