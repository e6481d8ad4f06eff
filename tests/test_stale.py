import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lab import cachedir, imagepool, libvirt, stale
from lab.cli import main
from lab.deadline import now_s
from lab.errors import HostError
from lab.libvirt import Libvirt, Machine

DAY_NS = 86400 * 10**9


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def make(kind: str, key: str, *, days: float = 0, files: dict[str, str | Path] | None = None) -> Path:
    """An entry last used that many days ago. files: name -> what it holds, or another name of the same file."""

    def fill(part: Path) -> None:
        for name, of in ({"program": key * 5000} if files is None else files).items():
            if isinstance(of, Path):
                os.link(of, part / name)
            else:
                (part / name).write_text(of)

    return age(cachedir.obtain(kind, key, fill), days=days)


def age(folder: Path, *, days: float) -> Path:
    used_ns = int(now_s() * 1e9 - days * DAY_NS)
    os.utime(folder, ns=(used_ns, used_ns))
    return folder


def going(*, days: int = 14) -> list[str]:
    return [one.name for one in stale.look(days=days, host=cachedir.root() / "no-host") if not one.stays]


def why(name: str, *, host: Path) -> str:
    (one,) = [one for one in stale.look(days=14, host=host) if one.name == name]
    return one.stays


def on_disk(*folders: Path) -> int:
    """Bytes on the disk below `folders`, each file once."""
    found = (path.lstat() for folder in folders for path in (folder, *folder.rglob("*")) if folder.exists())
    return sum({(seen.st_dev, seen.st_ino): seen.st_blocks * 512 for seen in found}.values())


def test_what_was_not_used_for_that_long_goes_and_nothing_else(tmp_path: Path) -> None:
    old, used = make("box", "a", days=15), make("box", "b", days=13)
    assert going() == ["box/a"]
    assert going(days=12) == ["box/a", "box/b"]
    assert going(days=16) == []
    entries = [one for one in stale.look(days=14) if not one.stays]
    assert [one.name for one in stale.delete(entries)] == ["box/a"]
    assert not old.exists()
    assert (used / "program").exists()
    assert [path.name for path in (tmp_path / "cache/box").iterdir() if path.name.startswith(".a")] == []


def test_one_that_is_used_after_it_was_seen_or_is_locked_stays() -> None:
    found, grows, goes = make("box", "a", days=15), make("clones", "b", days=15), make("box", "c", days=15)
    seen = [one for one in stale.look(days=14) if not one.stays]
    assert cachedir.entry("box", "a")
    with cachedir.growing("clones", "b"):
        age(grows, days=15)
        assert [one.name for one in stale.delete(seen)] == ["box/c"]
    assert found.exists()
    assert grows.exists()
    assert not goes.exists()


def test_a_file_is_freed_with_its_last_name_only() -> None:
    size = 64 * 4096
    archive = make("archives", "a", days=15, files={"etcd.tar": "x" * size})
    make("artifacts", "b", days=15, files={"etcd.tar": archive / "etcd.tar", "kubelet": "y" * size})
    entries = stale.look(days=14)
    folders = sum(one.folder_bytes for one in entries)
    assert stale.taken_bytes(entries) == stale.freed_bytes(entries) == 2 * size + folders
    assert [stale.freed_bytes([one]) - one.folder_bytes for one in entries] == [0, size]
    first, second = stale.rows(entries)
    assert (first.kind, first.entries, first.going, second.kind) == ("archives", 1, 1, "artifacts")
    assert (first.size_bytes, first.frees_bytes) == (entries[0].folder_bytes, entries[0].folder_bytes)
    assert second.size_bytes == second.frees_bytes == 2 * size + entries[1].folder_bytes


def test_an_old_entry_whose_files_others_use_stays_since_it_frees_nothing(tmp_path: Path) -> None:
    archive = make("archives", "a", days=15, files={"etcd.tar": "x" * 9000})
    make("artifacts", "b", files={"etcd.tar": archive / "etcd.tar"})
    assert going() == []
    assert why("archives/a", host=tmp_path) == "all of its files are used by others that stay"
    age(tmp_path / "cache/artifacts/b", days=15)
    assert going() == ["archives/a", "artifacts/b"]


def test_an_old_entry_goes_that_shares_only_some_of_its_files_with_used_ones() -> None:
    shared = make("archives", "a", files={"etcd.tar": "x" * 9000})
    old = make("archives", "b", days=15, files={"kube.tar": "y" * 9000})
    make("artifacts", "c", days=15, files={"etcd.tar": shared / "etcd.tar", "kube.tar": old / "kube.tar"})
    assert going() == ["archives/b", "artifacts/c"]


def test_what_else_lies_in_the_folder_of_the_cache_is_not_looked_at(tmp_path: Path) -> None:
    old = make("box", "a", days=30)
    for name in ("photos/2020", "go/src", "box/mine"):
        other = cachedir.root() / name
        other.mkdir(parents=True)
        (other / "x").write_text("x")
        age(other, days=30)
        age(other.parent, days=30)
    entries = stale.look(days=14, host=tmp_path / "no-host")
    assert [one.folder for one in entries] == [old]
    assert stale.delete(entries) == entries
    assert [(cachedir.root() / name / "x").exists() for name in ("photos/2020", "go/src", "box/mine")] == [True] * 3


def test_what_nodes_have_mounted_stays(tmp_path: Path) -> None:
    make("artifacts", "v1.29.5-1", days=15)
    make("artifacts", "v1.29.5-12", days=15)
    process = tmp_path / "host/proc/7"
    (process / "ns").mkdir(parents=True)
    (process / "ns" / "mnt").symlink_to("mnt:[1]")
    (process / "mountinfo").write_text("31 1 0:1 /cache/artifacts/v1.29.5-12 /opt/lab ro - ext4 /dev/sda1 rw\n")
    assert why("artifacts/v1.29.5-1", host=tmp_path / "host") == ""
    assert why("artifacts/v1.29.5-12", host=tmp_path / "host") == "nodes that are there have it mounted"


def test_snapshots_are_left_to_plain_gc(tmp_path: Path) -> None:
    make("snapshot", "k", days=15)
    assert why("snapshot/k", host=tmp_path) == "`spraylab gc` deletes it when its run is gone"


def test_what_go_keeps_is_one_entry_and_goes_with_its_read_only_folders(tmp_path: Path) -> None:
    folder = cachedir.shared(cachedir.GO)
    (folder / "mod").mkdir()
    (folder / "mod" / "go.mod").write_text("module x")
    (folder / "mod").chmod(0o555)
    assert going() == []
    age(folder, days=15)
    assert going() == ["go"]
    stale.delete(stale.look(days=14))
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_process_left_goes_at_any_age_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    for name in ("box/.k.0.part", "box/.k2.20.part", ".go.0.part"):
        (tmp_path / "cache" / name).mkdir(parents=True)
    (tmp_path / "host/proc/20").mkdir(parents=True)
    (tmp_path / "host/proc/20/stat").write_text(f"20 (x) S {'0 ' * 18}5 0")
    entries = stale.look(days=14, host=tmp_path / "host")
    assert [(one.kind, one.name) for one in entries] == [("go", ".go.0.part"), ("box", "box/.k.0.part")]
    assert stale.delete(entries) == entries
    assert [path.name for path in (tmp_path / "cache").rglob("*")] == ["box", ".k2.20.part"]


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The pool of machines: files of four ages, two of which a machine needs that is off; `young` was used today."""
    place = tmp_path / "pool"
    place.mkdir()
    monkeypatch.setattr(libvirt, "POOL_FOLDER", place)
    for name, days in (("artifacts-old.img", 15), ("artifacts-young.img", 0), ("artifacts-needed.img", 90), ("vmlinuz-needed", 90)):
        (place / name).write_text("x" * 9000)
        age(place / name, days=days)
    base = str(place / "artifacts-needed.img").encode()
    (place / "spraylab-r1-s0-cp1-lab.qcow2").write_bytes(
        imagepool.QCOW2 + (3).to_bytes(4) + (24).to_bytes(8) + len(base).to_bytes(4) + bytes(4) + base
    )
    return place


class Off(Libvirt):
    """A libvirt with one machine, which is off."""

    def machines(self) -> tuple[Machine, ...]:
        return (Machine(name="off", labels={}, boots=(libvirt.POOL_FOLDER / "vmlinuz-needed",)),)


def test_a_file_of_the_machines_pool_goes_when_it_is_old_and_nobody_stands_on_it(pool: Path) -> None:
    make("box", "a", days=15)
    entries = stale.look(days=14, machines=lambda: Off(uri="test"))
    assert [(one.kind, one.name) for one in entries if not one.stays] == [("box", "box/a"), ("pool", str(pool / "artifacts-old.img"))]
    assert [row.kind for row in stale.rows(entries)] == ["box", "pool"]
    goes = [one for one in entries if one.folder == pool / "artifacts-old.img"]
    assert stale.freed_bytes(goes) == on_disk(pool / "artifacts-old.img")
    assert stale.delete(goes) == tuple(goes)
    assert sorted(path.name for path in pool.iterdir()) == [
        "artifacts-needed.img",
        "artifacts-young.img",
        "spraylab-r1-s0-cp1-lab.qcow2",
        "vmlinuz-needed",
    ]


def test_a_file_of_the_pool_that_is_asked_for_after_it_was_seen_stays(pool: Path, tmp_path: Path) -> None:
    goes = [one for one in stale.look(days=14, machines=lambda: Off(uri="test")) if not one.stays]
    assert imagepool.put(tmp_path / "nowhere", "artifacts-old.img", pool=pool).exists()
    assert stale.delete(goes) == ()
    assert (pool / "artifacts-old.img").exists()


def test_without_an_answer_of_libvirt_nothing_of_the_pool_goes(pool: Path) -> None:
    entries = stale.look(days=14, machines=lambda: None)
    assert {one.folder.name: one.stays.partition(",")[0] for one in entries} == {
        "artifacts-needed.img": "libvirt does not answer",
        "artifacts-old.img": "libvirt does not answer",
        "artifacts-young.img": stale.USED,
        "vmlinuz-needed": "libvirt does not answer",
    }
    assert {one.folder.parent for one in entries} == {pool}


def test_links_to_elsewhere_are_not_followed(tmp_path: Path) -> None:
    make("box", "a", days=15)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("x" * 100_000)
    (tmp_path / "cache/box/b").symlink_to(elsewhere)
    (tmp_path / "cache/box/a/link").symlink_to(elsewhere)
    age(tmp_path / "cache/box/a", days=15)
    (one,) = stale.look(days=14)
    assert stale.freed_bytes([one]) < 100_000
    stale.delete([one])
    assert (elsewhere / "mine").exists()


def test_what_may_not_be_deleted_is_one_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make("box", "a", days=15)
    entries = stale.look(days=14)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(HostError, match=r"box/a could not be deleted\n.*Permission denied\n.*as the user who made it"):
        stale.delete(entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """entries: for each its age in days and the numbers of the files that it names; outside: files that have a name elsewhere too."""

    entries: list[tuple[int, list[int]]]
    outside: set[int]

    def lay_out(self, folder: Path) -> Iterator[Path]:
        files = folder / "files"
        files.mkdir(parents=True)
        numbers = {number for _, of in self.entries for number in of}
        for number in numbers:
            (files / str(number)).write_text("x" * 5000 * (number + 1))
        for place, (days, of) in enumerate(self.entries):
            names: dict[str, str | Path] = {f"{nth}": files / f"{number}" for nth, number in enumerate(of)}
            yield make(f"kind{place % 3}", f"{place}", days=days, files=names)
        for number in numbers - self.outside:
            (files / str(number)).unlink()


LAYOUTS = st.builds(
    Layout,
    entries=st.lists(st.tuples(st.sampled_from([0, 20]), st.lists(st.integers(0, 4), max_size=4)), max_size=7),
    outside=st.sets(st.integers(0, 4), max_size=2),
)


@given(layout=LAYOUTS)
def test_what_is_promised_is_freed_and_what_stays_has_all_its_files(layout: Layout) -> None:
    place = cachedir.root().parent / "layout"
    for folder in (place, cachedir.root()):
        shutil.rmtree(folder, ignore_errors=True)
    made = list(layout.lay_out(place))
    entries = stale.look(days=14)
    goes = [one for one in entries if not one.stays]
    kept = {one.folder: sorted(path.read_text() for path in one.folder.iterdir()) for one in entries if one.stays}
    before = on_disk(*made, place)
    assert sum(row.frees_bytes for row in stale.rows(entries)) == stale.freed_bytes(goes)
    assert sum(row.size_bytes for row in stale.rows(entries)) == stale.taken_bytes(entries) == on_disk(*made)
    assert [one.name for one in stale.delete(goes)] == [one.name for one in goes]
    assert before - on_disk(*made, place) == stale.freed_bytes(goes)
    assert {folder: sorted(path.read_text() for path in folder.iterdir()) for folder in made if folder.exists()} == kept
    young = {folder for folder, (days, _) in zip(made, layout.entries, strict=True) if not days}
    assert young <= kept.keys()


def invoke(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["gc", "--cache", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_only_shows_until_it_is_told_yes() -> None:
    old, used = make("box", "a", days=15), make("box", "b")
    said = invoke()
    assert "`spraylab gc --cache --days 14 --yes` deletes them" in said
    assert old.exists()
    assert "nothing of it goes: what could was used in the last 20 day(s)" in invoke("--days", "20", "--yes")
    assert "deleted 1, which freed 0 MiB" in invoke("--yes")
    assert not old.exists()
    assert used.exists()


def test_less_than_a_day_is_refused_since_a_run_may_still_use_what_it_found() -> None:
    assert CliRunner().invoke(main, ["gc", "--cache", "--days", "0", "--yes"]).exit_code == 4


def test_an_empty_cache_has_nothing_to_go() -> None:
    assert "nothing of it goes" in invoke("--yes")
