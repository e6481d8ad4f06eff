import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
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
    os.utime(disk, ns=(1, 1))
    assert labdisk.ensure(artifacts, pool=pool) == disk
    assert disk.stat().st_mtime_ns > 1, "asking for it is using it"
    own = labdisk.copy(disk, "one-cp1-lab.qcow2", pool=pool)
    told = json.loads(run(("qemu-img", "info", "--output=json", str(own)), limit_s=30).stdout)
    assert told["backing-filename"] == str(disk)
    assert sorted(path.name for path in pool.glob("[!.]*")) == sorted([disk.name, own.name])
    assert [path.name for path in pool.glob(".*")] == [f".{disk.name}.lock"], "nothing half made is left"
    assert (artifacts / "kubelet").stat().st_nlink == 1, "what was linked meanwhile is gone"


@needs_tools
def test_cells_that_ask_at_once_get_one_disk_that_is_made_once(artifacts: Path, tmp_path: Path) -> None:
    said: list[str] = []
    pool = tmp_path / "pool"
    with ThreadPoolExecutor() as cells:
        disks = {one.result() for one in [cells.submit(labdisk.ensure, artifacts, pool=pool, say=said.append) for _ in range(3)]}
    assert len(disks) == 1
    assert said == ["making the disk with what machines install"], "a second one would be put in the place of what disks stand on"


def test_a_disk_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    if not shutil.which("qemu-img"):
        pytest.skip("needs qemu-img")
    with pytest.raises(BedError, match="could not make the disk"):
        labdisk.copy(tmp_path / "nothing.img", "own", pool=tmp_path)
