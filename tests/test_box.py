import json
import shutil
import tarfile
from pathlib import Path

import pytest

from lab import box, nodeimage
from lab.command import run
from lab.errors import BuildError, HostError

TOOLS = all(shutil.which(name) for name in ("mkfs.ext4", "qemu-img"))
needs_tools = pytest.mark.skipif(not TOOLS, reason="needs mkfs.ext4 and qemu-img")


def test_a_machine_has_what_a_container_node_has_a_kernel_and_little_more() -> None:
    assert set(nodeimage.packages()) < set(box.packages())
    assert "linux-image-cloud-amd64" in box.packages()


def test_the_key_changes_with_what_the_box_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = box.key()
    shutil.copytree(box.DATA, tmp_path / "box")
    monkeypatch.setattr(box, "DATA", tmp_path / "box")
    assert box.key() == before
    (tmp_path / "box" / "packages.txt").write_text("udev\n")
    assert box.key() != before


def test_a_box_that_is_not_built_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path))
    assert box.there() is None
    (tmp_path / box.KIND / box.key()).mkdir(parents=True)
    built = box.there()
    assert built is not None
    assert built.version == f"1.0.{int(box.key()[:7], 16)}"


def test_a_missing_program_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no mkfs\.ext4\n.*\n.*apt-get install e2fsprogs"):
        box.ensure()


@needs_tools
def test_a_disk_holds_what_the_folder_held(tmp_path: Path) -> None:
    (tmp_path / "tree" / "lab").mkdir(parents=True)
    (tmp_path / "tree" / "lab" / "file").write_text("what was there")
    box.disk_of(tmp_path / "tree", tmp_path / "one.img", gib=1, label="lab")
    told = json.loads(run(("qemu-img", "info", "--output=json", str(tmp_path / "one.img")), limit_s=30).stdout)
    assert (told["format"], told["virtual-size"]) == ("qcow2", 2**30)
    run(("qemu-img", "convert", "-O", "raw", str(tmp_path / "one.img"), str(tmp_path / "one.raw")), limit_s=60)
    assert run(("debugfs", "-R", "cat /lab/file", str(tmp_path / "one.raw")), limit_s=30).stdout == "what was there"
    assert sorted(path.name for path in tmp_path.glob("one.*")) == ["one.img", "one.raw"]


@needs_tools
def test_a_disk_that_is_too_small_is_told_and_not_left(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="could not make the file system"):
        box.disk_of(tmp_path / "nothing", tmp_path / "one.img", gib=1, label="lab")
    assert list(tmp_path.iterdir()) == []


def test_vagrant_gets_a_catalog_with_one_version_for_libvirt(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "box.img").write_text("a disk")
    built = box.Built(folder=tmp_path / "cache", version="1.0.7")
    catalog = json.loads(box.catalog(built, tmp_path).read_text())
    assert catalog["name"] == "spraylab/node"
    (version,) = catalog["versions"]
    assert version["version"] == "1.0.7"
    assert version["providers"] == [{"name": "libvirt", "url": (tmp_path / "node.box").as_uri()}]
    with tarfile.open(tmp_path / "node.box") as packed:
        assert sorted(packed.getnames()) == ["Vagrantfile", "box.img", "metadata.json"]
