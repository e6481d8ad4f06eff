import errno
import fcntl
import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import cachedir
from lab.deadline import pause, until
from lab.errors import HostError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def _write(folder: Path) -> None:
    (folder / "program").write_text("whole")


def _write_slowly(counter: Path) -> None:
    def make(folder: Path) -> None:
        with counter.open("a") as log:
            log.write("made\n")
        pause(0.3)
        _write(folder)

    assert (cachedir.obtain("things", "k", make) / "program").read_text() == "whole"


def _hang(mark: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "program").write_text("half")
        mark.touch()
        pause(60)

    cachedir.obtain("things", "k", make)


def test_a_digest_changes_with_each_part_and_with_the_border_between_parts() -> None:
    keys = {cachedir.digest(parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("ab", "d"), ("ab", b"c", ""))}
    assert len(keys) == 5
    assert cachedir.digest(("ab", "c")) == cachedir.digest((b"ab", b"c"))


def test_an_entry_is_made_once_and_found_again() -> None:
    assert cachedir.entry("things", "k") is None
    made = cachedir.obtain("things", "k", _write)
    assert cachedir.entry("things", "k") == made
    assert cachedir.obtain("things", "k", lambda _: pytest.fail("made twice")) == made


def test_an_error_while_making_leaves_no_entry_and_no_half_of_one() -> None:
    def fail(folder: Path) -> None:
        (folder / "program").write_text("half")
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cachedir.obtain("things", "k", fail)
    assert cachedir.entry("things", "k") is None
    assert [path.name for path in (cachedir.root() / "things").iterdir()] == [".k.lock"]


def test_two_processes_at_once_make_it_once_and_both_get_it(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_write_slowly, args=(counter,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert counter.read_text() == "made\n"


def test_after_a_killed_process_the_entry_is_made_anew(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = multiprocessing.get_context("spawn").Process(target=_hang, args=(mark,))
    process.start()
    assert until(mark.exists, bool, limit_s=30, every_s=0.02)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join(30)
    assert cachedir.entry("things", "k") is None
    assert (cachedir.obtain("things", "k", _write) / "program").read_text() == "whole"


def test_a_file_elsewhere_comes_whole_once_and_is_marked_when_it_is_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere" / "disk.img"
    with pytest.raises(ValueError, match="broken"), cachedir.whole(place) as part:
        assert part is not None
        part.write_text("half")
        raise ValueError("broken")
    assert [path.name for path in place.parent.iterdir()] == [".disk.img.lock"]
    (place.parent / ".disk.img.1.part").write_text("of a killed process")
    with cachedir.whole(place) as part, cachedir.aside(place) as folder:
        assert part is not None
        (folder / "disk").write_text("whole")
        (folder / "disk").rename(part)
    os.utime(place, ns=(1, 1))
    with cachedir.whole(place) as part:
        assert part is None
    assert place.read_text() == "whole"
    assert place.stat().st_mtime_ns > 1
    assert sorted(path.name for path in place.parent.iterdir()) == [".disk.img.lock", "disk.img"]


def test_the_cache_may_be_deleted_while_an_entry_is_made() -> None:
    with cachedir.fill("things", "k") as part:
        assert part is not None
        assert (cachedir.root() / "things" / ".k.lock").exists()
        (cachedir.root() / "things" / ".k.lock").unlink()
        _write(part)
    assert cachedir.entry("things", "k")


def test_too_little_room_names_both_sizes_and_the_setting() -> None:
    with pytest.raises(HostError, match=r"room on the disk to build x\n.*1\.0 GiB free, about 2\.0 GiB are needed\n.*SPRAYLAB_CACHE"):
        cachedir.need_room(2 * cachedir.GIB, "build x", free=lambda: cachedir.GIB)
    cachedir.need_room(2 * cachedir.GIB, "build x", free=lambda: 2 * cachedir.GIB)


def test_a_disk_that_fills_up_is_one_clear_error_and_leaves_nothing() -> None:
    def fill_up(folder: Path) -> None:
        (folder / "program").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HostError, match=r"the disk became full(.|\n)*No space left(.|\n)*fix: make room"):
        cachedir.obtain("things", "k", fill_up)
    assert not list((cachedir.root() / "things").glob("*part*"))


def test_a_cache_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(HostError, match=r"cannot write the cache folder(.|\n)*SPRAYLAB_CACHE"):
        cachedir.obtain("things", "k", _write)


def test_a_removed_entry_is_gone_whole_and_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path))

    def make(part: Path) -> None:
        (part / "file").write_text("made")

    path = cachedir.obtain("k", "a", make)
    cachedir.remove("k", "a")
    cachedir.remove("k", "a")  # harmless
    assert not path.exists()
    assert [one.name for one in (tmp_path / "k").iterdir() if one.is_dir()] == []
    assert (cachedir.obtain("k", "a", make) / "file").read_text() == "made"


def test_an_entry_that_grows_keeps_what_it_has_and_is_one_process_alone() -> None:
    with cachedir.growing("clones", "k") as folder:
        (folder / "first").touch()
        with pytest.raises(BlockingIOError), (folder.parent / ".k.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with cachedir.growing("clones", "k") as folder:
        assert [path.name for path in folder.iterdir()] == ["first"]


OLD_NS = 10**18  # in 2001


def _aged(folder: Path) -> Path:
    os.utime(folder, ns=(OLD_NS, OLD_NS))
    return folder


def _grow(kind: str, key: str) -> None:
    with cachedir.growing(kind, key):
        pass


def _unpack_old(part: Path) -> None:
    _write(part)
    _aged(part)


def test_whoever_finds_or_makes_an_entry_marks_it_and_no_file_in_it() -> None:
    made = cachedir.obtain("things", "k", _unpack_old)
    assert made.stat().st_mtime_ns > OLD_NS, "what was unpacked brought its time along"
    os.utime(made / "program", ns=(OLD_NS, OLD_NS))
    uses: tuple[Callable[[], object], ...] = (
        lambda: cachedir.entry("things", "k"),
        lambda: cachedir.obtain("things", "k", _write),
        lambda: _grow("things", "k"),
    )
    for use in uses:
        _aged(made)
        use()
        assert made.stat().st_mtime_ns > OLD_NS
        assert (made / "program").stat().st_mtime_ns == OLD_NS
    assert cachedir.entry("things", "other") is None


def test_what_a_tool_keeps_is_made_marked_and_one_entry() -> None:
    folder = _aged(cachedir.shared(cachedir.GO))
    (folder / "mod").mkdir()
    _aged(folder)
    assert cachedir.shared(cachedir.GO) == folder
    assert folder.stat().st_mtime_ns > OLD_NS
    _aged(folder)
    assert cachedir.discard(folder, used_ns=OLD_NS)
    assert list(cachedir.root().iterdir()) == []


def test_an_old_entry_goes_whole_with_its_lock_and_can_be_made_again() -> None:
    made = cachedir.obtain("things", "k", _write)
    (made / "modules").mkdir()
    (made / "modules" / "go.mod").touch()
    (made / "modules").chmod(0o555)
    assert cachedir.discard(_aged(made), used_ns=OLD_NS)
    assert list(made.parent.iterdir()) == []
    assert not cachedir.discard(made, used_ns=OLD_NS), "it is gone"
    assert (cachedir.obtain("things", "k", _write) / "program").read_text() == "whole"


def test_an_entry_that_is_used_once_it_was_seen_stays_as_it_was() -> None:
    made = _aged(cachedir.obtain("things", "k", _write))
    assert cachedir.entry("things", "k")
    assert not cachedir.discard(made, used_ns=OLD_NS)
    assert (made / "program").read_text() == "whole"
    assert sorted(path.name for path in made.parent.iterdir()) == [".k.lock", "k"]


def test_an_entry_that_is_locked_stays() -> None:
    with cachedir.growing("clones", "k") as folder:
        assert not cachedir.discard(_aged(folder), used_ns=OLD_NS)
    assert folder.exists()


def test_one_that_is_found_while_it_is_moved_away_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made, move = _aged(cachedir.obtain("things", "k", _write)), Path.rename

    def found_then_moved(self: Path, to: Path) -> Path:
        assert self != made or cachedir.entry("things", "k") == made
        return move(self, to)

    monkeypatch.setattr(Path, "rename", found_then_moved)
    assert not cachedir.discard(made, used_ns=OLD_NS)
    assert (made / "program").read_text() == "whole"
    assert sorted(path.name for path in made.parent.iterdir()) == [".k.lock", "k"]


def test_what_gone_processes_left_is_told_with_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "proc" / "20").mkdir(parents=True)
    (tmp_path / "proc" / "20" / "stat").write_text(f"20 (x) S {'0 ' * 18}5 0")
    for name in ("things/.v1.2-k.20.part", "things/.v1.2-k.21.part", ".go.22.part", "things/k"):
        (cachedir.root() / name).mkdir(parents=True)
    found = {(part.name, pid) for part, pid in cachedir.half_made(host=tmp_path)}
    assert found == {(".v1.2-k.21.part", 21), (".go.22.part", 22)}
