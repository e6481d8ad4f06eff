"""The content-keyed cache: where entries stand, and how one comes to be whole or not at all.

An entry is a folder `<root>/<kind>/<key>` that never changes once it is there, but for those that grow, such as a clone; the whole
cache can be deleted at any time.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.errors import HostError

GIB = 1024**3
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
    """The folder of a finished entry, or None."""
    path = root() / kind / key
    return path if path.is_dir() else None


@contextmanager
def fill(kind: str, key: str) -> Iterator[Path | None]:
    """Make the entry `key` of `kind`: yields an empty folder that becomes the entry if the block ends without an error.

    Yields None when the entry is there, also if another process has just made it: one process fills, the others wait.
    After an error, or a kill, nothing of the entry is left that a later call could take for it. Raises HostError when
    the disk is full or the cache folder cannot be written.
    """
    with _no_room_is_an_answer():
        folder = root() / kind
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{key}.{os.getpid()}.part"  # of its own: what a killed process started may still write to the old one
        with _locked(folder / f".{key}.lock"):
            if entry(kind, key):
                yield None
                return
            for left in folder.glob(f".{key}.*.part"):  # by a killed process: the lock was free
                shutil.rmtree(left, ignore_errors=True)
            part.mkdir()
            try:
                yield part
                part.rename(folder / key)
            finally:
                shutil.rmtree(part, ignore_errors=True)


@contextmanager
def growing(kind: str, key: str) -> Iterator[Path]:
    """The folder of an entry that grows, this process's alone while the block runs; empty when it is new.

    What a killed process left in it must do no harm. Raises HostError as `fill` does.
    """
    with _no_room_is_an_answer():
        folder = root() / kind
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / f".{key}.lock"):
            (folder / key).mkdir(exist_ok=True)
            yield folder / key


def obtain(kind: str, key: str, make: Callable[[Path], None]) -> Path:
    """The entry `key` of `kind`; made by `make(empty folder)` if it is not there. Raises as `fill` and `make` do."""
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
    gone = root() / kind / f".{key}.{os.getpid()}.part"  # which gc knows how to find, should this process be killed
    with _locked(root() / kind / f".{key}.lock"), suppress(FileNotFoundError):
        (root() / kind / key).rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


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
            "make room there, or set SPRAYLAB_CACHE to a folder on a larger disk",
        )


def disk_full(purpose: str, said: str) -> HostError:
    """The one error for a disk that fills up during work."""
    return HostError(
        f"the disk became full while making {purpose}",
        f"{said}; {free_bytes() / GIB:.1f} GiB are free under {root()} now, what was half made is removed",
        "make room there, or set SPRAYLAB_CACHE to a folder on a larger disk, and run the same command again",
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


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; the kernel frees it when its process dies, however it dies."""
    while True:
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists() or path.stat().st_ino != os.fstat(lock.fileno()).st_ino:
                continue  # the cache was deleted while this process waited: that lock guards nothing any more
            yield
            return
