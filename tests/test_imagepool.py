import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import cachedir, imagepool, libvirt
from lab.command import run
from lab.libvirt import Libvirt, Machine


@pytest.fixture(autouse=True)
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(libvirt, "POOL_FOLDER", tmp_path / "pool")
    (tmp_path / "pool").mkdir()
    return tmp_path / "pool"


def with_one_machine(*disks: Path, boots: tuple[Path, ...]) -> Libvirt:
    class OneMachine(Libvirt):
        def machines(self) -> tuple[Machine, ...]:
            return (Machine(name="one", labels={}, disks=disks, boots=boots),)

    return OneMachine(uri="test")


def overlay(disk: Path, base: Path) -> Path:
    """A qcow2 file as `qemu-img create -b` writes one, as far as its header goes."""
    name = str(base).encode()
    disk.write_bytes(imagepool.QCOW2 + (3).to_bytes(4) + (104).to_bytes(8) + len(name).to_bytes(4) + bytes(84) + name)
    return disk


def test_what_machines_boot_is_copied_once_per_name(tmp_path: Path, pool: Path) -> None:
    (tmp_path / "vmlinuz").write_text("one")
    there = imagepool.put(tmp_path / "vmlinuz", "vmlinuz-1.0.7", pool=pool)
    (tmp_path / "vmlinuz").write_text("two")
    assert imagepool.put(tmp_path / "vmlinuz", "vmlinuz-1.0.7", pool=pool).read_text() == "one"
    assert imagepool.put(tmp_path / "vmlinuz", "vmlinuz-1.0.8", pool=pool).read_text() == "two"
    assert there.name == "vmlinuz-1.0.7"


def test_cells_that_ask_at_once_all_get_the_whole_file(tmp_path: Path, pool: Path) -> None:
    (tmp_path / "box.img").write_bytes(b"x" * (4 << 20))
    with ThreadPoolExecutor(8) as cells:
        asked = [cells.submit(lambda: imagepool.put(tmp_path / "box.img", "vmlinuz-1", pool=pool).stat().st_size) for _ in range(8)]
        assert {one.result() for one in asked} == {4 << 20}


def test_who_asks_while_it_is_made_waits_for_the_whole(tmp_path: Path, pool: Path) -> None:
    with ThreadPoolExecutor(1) as other:
        with cachedir.whole(pool / "vmlinuz-1") as part:
            assert part is not None
            part.write_text("half")
            asked = other.submit(lambda: imagepool.put(tmp_path / "nowhere", "vmlinuz-1", pool=pool).read_text())
            part.write_text("whole")
        assert asked.result() == "whole"


def test_a_disk_names_what_it_stands_on(tmp_path: Path) -> None:
    base = tmp_path / "base.img"
    base.write_bytes(imagepool.QCOW2 + bytes(200))
    assert imagepool.backing(overlay(tmp_path / "a.qcow2", base)) == base
    assert imagepool.backing(overlay(tmp_path / "b.qcow2", Path("base.img"))) == base, "from where it stands"
    (tmp_path / "kernel").write_text("MZ")
    assert [imagepool.backing(one) for one in (base, tmp_path / "kernel", tmp_path / "nowhere", tmp_path)] == [None] * 4


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-img")
def test_a_disk_that_qemu_made_is_read_too(tmp_path: Path) -> None:
    base, own = tmp_path / "base.img", tmp_path / "own.qcow2"
    for argv in (("-f", "qcow2", str(base), "1M"), ("-f", "qcow2", "-F", "qcow2", "-b", str(base), str(own))):
        assert run(("qemu-img", "create", "-q", *argv), limit_s=30).rc == 0
    assert imagepool.backing(own) == base


def test_what_a_machine_or_any_disk_of_the_pool_stands_on_is_held(tmp_path: Path, pool: Path) -> None:
    names = ("artifacts-old.img", "artifacts-used.img", "artifacts-twice.img", "vmlinuz-1", "vmlinuz-2", "initrd-1", "vmlinuz-3")
    for name in (*names, imagepool.UPLOADED.format("1.0.1")):
        (pool / name).write_text(name)
    overlay(pool / "spraylab-r1-s0-cp1-lab.qcow2", pool / "artifacts-used.img")  # no machine has it yet
    below = overlay(tmp_path / "below.qcow2", pool / "artifacts-twice.img")
    root = overlay(pool / "spraylab-r1-s0-cp1.img", pool / imagepool.UPLOADED.format("1.0.1"))
    machines = with_one_machine(overlay(tmp_path / "own.qcow2", below), root, boots=(pool / "vmlinuz-1", pool / "initrd-1"))
    held = imagepool.held(imagepool.shared(), reach=lambda: machines)
    assert sorted(path.name for path in imagepool.shared() if path not in held) == ["artifacts-old.img", "vmlinuz-2", "vmlinuz-3"]
    assert set(held.values()) == {"a machine, or the disk of one, needs it"}


def test_where_libvirt_does_not_answer_all_is_held_and_without_files_it_is_not_asked(pool: Path) -> None:
    def never() -> Libvirt | None:
        pytest.fail("nobody needs it")

    assert imagepool.held((), reach=never) == {}
    (pool / "vmlinuz-1").touch()
    (said,) = imagepool.held(imagepool.shared(), reach=lambda: None).values()
    assert said.startswith("libvirt does not answer")
