"""The content-keyed cache: where entries stand, and how one comes to be whole or not at all.

An entry is a folder `<root>/<kind>/<key>` that never changes once it is there, but for those that grow, such as a clone; the whole
cache can be deleted at any time. The time of the folder itself says when the entry was last used: no key looks at it, as keys look at
times of the files inside.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import HostError
from lab.host import HOST, started_ticks

GIB = 1024**3
GO, DEBS, DOWNLOADS = "go", "debs", "downloads"  # what Go, debootstrap and kubespray keep, each in a way of its own
SHARED = (GO, DEBS, DOWNLOADS)  # kinds that are one entry each
ROOM = "make room there (`spraylab gc --cache` shows what of it is old), or set SPRAYLAB_CACHE to a folder on a larger disk"
UNWRITABLE = (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR)


def root() -> Path:
    """The cache folder: `SPRAYLAB_CACHE`, else ~/.cache/spraylab. It may not exist yet."""
    return Path(os.environ.get("SPRAYLAB_CACHE") or Path.home() / ".cache" / "spraylab").absolute()


def digest(parts: Iterable[str | bytes]) -> str:
    """A key for `parts`: 16 hexadecimal digits that change when any part, or the border between two, changes."""
    whole = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        whole.update(b"%d:" % len(raw))
        whole.update(raw)
    return whole.hexdigest()[:16]


def entry(kind: str, key: str) -> Path | None:
    """The folder of a finished entry, marked as used now; None where there is none."""
    path = root() / kind / key
    return path if path.is_dir() and _mark(path) else None


@contextmanager
def fill(kind: str, key: str) -> Iterator[Path | None]:
    """Make the entry `key` of `kind`: yields an empty folder that becomes the entry if the block ends without an error.

    Yields None when the entry is there, also if another process has just made it: one process fills, the others wait.
    After an error, or a kill, nothing of the entry is left that a later call could take for it. Raises HostError when
    the disk is full or the cache folder cannot be written.
    """
    with _no_room_is_an_answer(), whole(root() / kind / key) as part:
        if part is not None:
            part.mkdir()
        yield part


@contextmanager
def whole(place: Path) -> Iterator[Path | None]:
    """As `fill`, for a file or folder anywhere: yields a path where nothing is, and what the block makes there becomes `place`.

    Yields None when `place` is there, and marks it as used now. Raises OSError when it cannot be written.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    part = _part(place)  # of its own: what a killed process started may still write to the old one
    with _locked(_lock(place)):
        if _mark(place):
            yield None
            return
        for left in place.parent.glob(f".{place.name}.*.part"):  # by a killed process: the lock was free
            _try_to_wipe(left)
        try:
            yield part
            _mark(part)  # what was unpacked there may have brought a time along
            part.rename(place)
        finally:
            _try_to_wipe(part)


@contextmanager
def aside(place: Path) -> Iterator[Path]:
    """An empty folder beside `place` to make it in, which goes with the block; `half_made` finds what a killed process left of it."""
    suffix = f".{os.getpid()}.part"
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}.", suffix=suffix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def growing(kind: str, key: str) -> Iterator[Path]:
    """The folder of an entry that grows, this process's alone while the block runs; empty when it is new.

    What a killed process left in it must do no harm. Raises HostError as `fill` does.
    """
    with _no_room_is_an_answer():
        folder = root() / kind / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(_lock(folder)):
            folder.mkdir(exist_ok=True)
            _mark(folder)
            yield folder


def shared(kind: str) -> Path:
    """The folder of one of the kinds SHARED, marked as used now; many processes may use it at once. Raises HostError as `fill` does."""
    with _no_room_is_an_answer():
        folder = root() / kind
        root().mkdir(parents=True, exist_ok=True)
        with _locked(_lock(folder)):
            folder.mkdir(exist_ok=True)
            _mark(folder)
    return folder


def obtain(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The entry `key` of `kind`; made by `make(empty folder)` if it is not there. Raises as `fill` and `make` do.

    No lock is held when this has returned. The entry stays all the same: it is marked as used now, and `discard` is asked only for what
    was not used for a day or longer. Who needs it for longer than that asks again.
    """
    if (path := entry(kind, key)) is not None:
        return path
    with fill(kind, key) as part:
        if part is not None:
            make(part)
    return root() / kind / key


def remove(kind: str, key: str) -> None:
    """Delete an entry, which goes as it came: whole; harmless when it is not there."""
    if entry(kind, key) is None:
        return
    folder = root() / kind / key
    gone = _part(folder)  # which gc knows how to find, should this process be killed
    with _locked(_lock(folder)), suppress(FileNotFoundError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def discard(folder: Path, *, used_ns: int) -> bool:
    """Delete the entry at `folder`, last used at `used_ns`; False, and nothing is lost, when it was used since, is locked or is gone.

    Who finds an entry marks it by that: one that is found before it is moved away comes back, after that it is not found but made anew,
    once the lock is free. Raises OSError when it is not this user's to delete.
    """
    gone = _part(folder)
    try:
        with _locked(_lock(folder), wait=False):
            if folder.stat().st_mtime_ns != used_ns:
                return False
            folder.rename(gone)
            if gone.stat().st_mtime_ns != used_ns:  # found between those two lines
                gone.rename(folder)
                return False
            _lock(folder).unlink()
    except (FileNotFoundError, BlockingIOError):
        return False
    wipe(gone)
    return True


def wipe(folder: Path) -> None:
    """Delete `folder` with all that lies in it, also where folders may not be written, as those of Go's modules; or the file that it is.

    Harmless when it is gone. Raises OSError when something is in the way.
    """
    if folder.is_file():
        folder.unlink(missing_ok=True)
        return
    for place, _, _ in os.walk(folder):
        if not os.access(place, os.W_OK):
            Path(place).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)  # another process may be deleting it too
    if folder.exists():
        shutil.rmtree(folder)


def made_here(folder: Path) -> bool:
    """Whether `folder` is an entry that the lab made: it leaves the lock beside it. The cache may stand in a folder with other things."""
    return _lock(folder).is_file()


def half_made(*folders: Path, host: Path = HOST) -> Iterator[tuple[Path, int]]:
    """What processes that are gone now left half made or half deleted: the file or folder, and which process.

    folders: where `whole` was asked for something, without them the cache; host: where /proc is read from.
    """
    places = folders or (root(), *root().glob("*/"))
    for part in sorted(part for place in places for part in place.glob(".*.part")):
        pid = part.name.split(".")[-2]
        if pid.isdigit() and not started_ticks(int(pid), root=host):
            yield part, int(pid)


def free_bytes() -> int:
    """Room on the file system that holds the cache, in bytes."""
    place = root()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def need_room(needed_bytes: int, purpose: str, *, free: Callable[[], int] = free_bytes) -> None:
    """Raise HostError unless the cache's file system has room for `needed_bytes`."""
    if (there := free()) < needed_bytes:
        raise HostError(
            f"not enough room on the disk to {purpose}",
            f"{root()} is on a file system with {there / GIB:.1f} GiB free, about {needed_bytes / GIB:.1f} GiB are needed",
            ROOM,
        )


def disk_full(purpose: str, said: str) -> HostError:
    """The one error for a disk that fills up during work."""
    return HostError(
        f"the disk became full while making {purpose}",
        f"{said}; {free_bytes() / GIB:.1f} GiB are free under {root()} now, what was half made is removed",
        f"{ROOM}, and run the same command again",
    )


@contextmanager
def _no_room_is_an_answer() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise disk_full("an entry of the cache", str(error)) from error
        if error.errno in UNWRITABLE and str(error.filename or "").startswith(str(root())):
            fix = "set SPRAYLAB_CACHE to a folder you may write"
            raise HostError(f"cannot write the cache folder {root()}", str(error), fix) from error
        raise


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.{os.getpid()}.part")


def _try_to_wipe(part: Path) -> None:
    with suppress(OSError):
        wipe(part)


def _mark(folder: Path) -> bool:
    """Give `folder` the time of now; False when it is not there."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    except OSError:  # another user's, or on a disk that is read only: it is used all the same, and looks older than it is
        return True
    return True


@contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock file at `path`; the kernel frees it when its process dies, however it dies.

    Raises BlockingIOError when another holds it and this one does not `wait`.
    """
    while True:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue  # it was deleted while this process waited, as the cache may be: that lock guards nothing any more
            yield
            return
