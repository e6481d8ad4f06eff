import json
import shutil
from pathlib import Path

import pytest

from lab import labdisk
from lab.command import run
from lab.errors import BedError

needs_tools = pytest.mark.skipif(not (shutil.which("mkfs.ext4") and shutil.which("qemu-img")), reason="needs mkfs.ext4 and qemu-img")


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    (tmp_path / "artifacts" / "images").mkdir(parents=True)
    (tmp_path / "artifacts" / "kubelet").write_text("a program")
    return tmp_path / "artifacts"


def test_the_key_changes_with_a_file(artifacts: Path) -> None:
    before = labdisk.key(artifacts)
    assert labdisk.key(artifacts) == before
    (artifacts / "images" / "one.tar").write_text("an image")
    assert labdisk.key(artifacts) != before


@needs_tools
def test_the_disk_is_made_once_and_each_machine_writes_to_its_own(artifacts: Path, tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    disk = labdisk.ensure(artifacts, pool=pool)
    made = disk.stat().st_mtime_ns
    assert labdisk.ensure(artifacts, pool=pool).stat().st_mtime_ns == made
    own = labdisk.copy(disk, "one-cp1-lab.qcow2", pool=pool)
    told = json.loads(run(("qemu-img", "info", "--output=json", str(own)), limit_s=30).stdout)
    assert told["backing-filename"] == str(disk)
    assert sorted(path.name for path in pool.iterdir()) == sorted([disk.name, own.name])
    assert (artifacts / "kubelet").stat().st_nlink == 1, "what was linked meanwhile is gone"


def test_a_disk_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    if not shutil.which("qemu-img"):
        pytest.skip("needs qemu-img")
    with pytest.raises(BedError, match="could not make the disk"):
        labdisk.copy(tmp_path / "nothing.img", "own", pool=tmp_path)


def test_what_machines_boot_is_copied_once_per_name(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_text("one")
    there = labdisk.in_pool(tmp_path / "vmlinuz", "vmlinuz-1.0.7", pool=tmp_path)
    (tmp_path / "vmlinuz").write_text("two")
    assert labdisk.in_pool(tmp_path / "vmlinuz", "vmlinuz-1.0.7", pool=tmp_path).read_text() == "one"
    assert labdisk.in_pool(tmp_path / "vmlinuz", "vmlinuz-1.0.8", pool=tmp_path).read_text() == "two"
    assert there.name == "vmlinuz-1.0.7"
