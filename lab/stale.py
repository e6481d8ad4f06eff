"""Entries of the cache, and of the machines' pool, that nothing has used for some days: what deleting them frees, and doing it.

Files of entries are names of the same files: artifacts of archives and components, nodes' volumes of unpacked images. What a killed run
left, snapshots among it, is `gc`'s.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lab import cachedir, imagepool, libvirt, snapshot
from lab.deadline import now_s as clock_s
from lab.errors import HostError
from lab.host import HOST, mounted
from lab.libvirt import Libvirt

DAY_S = 24 * 3600
USED = "used"  # why most entries stay
BLOCK_BYTES = 512  # of st_blocks, whatever the file system has

Inode = tuple[int, int]  # file system and number


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A file with several names. `here`: how many of them have been counted; `names`: how many it has, wherever they stand."""

    here: int
    names: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as it was seen.

    `folder`: where it is, a file where it is one of the machines' pool; `used_ns`: when it was last used, in Unix time; `own_bytes`: what
    its files with one name take on the disk, `folder_bytes`: its folders; `linked`: its other files; `stays`: why it is not to be deleted,
    empty when it is.
    """

    kind: str
    folder: Path
    used_ns: int
    own_bytes: int
    folder_bytes: int
    linked: Mapping[Inode, Linked]
    stays: str = ""

    @property
    def name(self) -> str:
        """Where it stands in the cache, or its path where it stands elsewhere."""
        return str(self.folder.relative_to(cachedir.root()) if self.folder.is_relative_to(cachedir.root()) else self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All entries of a kind. `size_bytes`, `frees_bytes`: a file that other kinds name too counts in the last of them alone."""

    kind: str
    entries: int
    size_bytes: int
    used_ns: int
    going: int
    frees_bytes: int


def look(
    *,
    days: int,
    now_s: Callable[[], float] = clock_s,
    host: Path = HOST,
    machines: Callable[[], Libvirt | None] = libvirt.answering,
) -> tuple[Entry, ...]:
    """All entries of the cache, by kind and name, then those of the machines' pool, each with the reason why it stays; those without one
    were not used for `days` days.

    host: where /proc is read from; machines: gives libvirt, asked only where the pool has something. Raises HostError when the cache
    cannot be read, BedError when libvirt refuses.
    """
    left = [part for part, _ in cachedir.half_made(host=host)]
    try:
        places = (*_entries(), *((_kind(part), part) for part in left), *((imagepool.KIND, file) for file in imagepool.shared()))
        seen = [_measured(kind, place) for kind, place in places]
    except PermissionError as error:
        raise HostError(f"cannot look through {cachedir.root()}", str(error), "run it as the user whose cache that is") from error
    since_ns, inside = int((now_s() - days * DAY_S) * 1e9), mounted(root=host)
    held = imagepool.held((one.folder for one in seen if one and one.kind == imagepool.KIND), reach=machines)
    sorted_out = [
        one if one.folder in left else replace(one, stays=_needed(one, since_ns, inside, held)) for one in seen if one is not None
    ]
    kept = {inode for one in sorted_out if one.stays for inode in one.linked}
    return tuple(replace(one, stays=one.stays or _frees_nothing(one, kept)) for one in sorted_out)


def delete(going: Sequence[Entry]) -> tuple[Entry, ...]:
    """Delete those entries, each whole, and tell which are gone: one that has been used since it was seen, or is locked, stays.

    Raises HostError when one is not this user's to delete.
    """
    return tuple(one for one in going if _gone(one))


def taken_bytes(entries: Iterable[Entry]) -> int:
    """What `entries` take on the disk; a file counts once, however many names it has."""
    of = tuple(entries)
    return sum(one.own_bytes + one.folder_bytes for one in of) + sum(file.size_bytes for file in _files(of))


def freed_bytes(going: Iterable[Entry]) -> int:
    """What the disk has more when all of `going` are deleted: a file goes with the last of its names, and some are not theirs."""
    of = tuple(going)
    return sum(one.own_bytes + one.folder_bytes for one in of) + sum(file.size_bytes for file in _files(of) if file.here == file.names)


def rows(entries: Sequence[Entry]) -> tuple[Row, ...]:
    """`entries` kind by kind; sizes and what is freed add up to those of all."""
    found: list[Row] = []
    for kind in sorted({one.kind for one in entries}):
        of = [one for one in entries if one.kind == kind]
        going = [one for one in entries if not one.stays]
        found.append(
            Row(
                kind=kind,
                entries=len(of),
                size_bytes=taken_bytes(one for one in entries if one.kind >= kind) - taken_bytes(one for one in entries if one.kind > kind),
                used_ns=max(one.used_ns for one in of),
                going=sum(not one.stays for one in of),
                frees_bytes=freed_bytes(one for one in going if one.kind <= kind) - freed_bytes(one for one in going if one.kind < kind),
            )
        )
    return tuple(found)


def _entries() -> Iterator[tuple[str, Path]]:
    kinds = sorted(path for path in cachedir.root().glob("[!.]*") if path.is_dir())
    for kind in kinds:
        inside = [kind] if kind.name in cachedir.SHARED else sorted(kind.glob("[!.]*"))
        there = (folder for folder in inside if folder.is_dir() and not folder.is_symlink())
        yield from ((kind.name, folder) for folder in there if cachedir.made_here(folder))


def _kind(part: Path) -> str:
    return part.name.split(".")[1] if part.parent == cachedir.root() else part.parent.name


def _measured(kind: str, folder: Path) -> Entry | None:
    """What `folder` takes; None when it is gone by now."""
    linked: dict[Inode, Linked] = {}
    own, folders = 0, 0
    try:
        used_ns = folder.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    for seen, is_folder in _walk(folder):
        size = seen.st_blocks * BLOCK_BYTES
        if is_folder:
            folders += size
        elif seen.st_nlink == 1:
            own += size
        else:
            before = linked.get((seen.st_dev, seen.st_ino))
            here = before.here + 1 if before else 1
            linked[seen.st_dev, seen.st_ino] = Linked(here=here, names=seen.st_nlink, size_bytes=size)
    return Entry(kind=kind, folder=folder, used_ns=used_ns, own_bytes=own, folder_bytes=folders, linked=linked)


def _walk(folder: Path) -> Iterator[tuple[os.stat_result, bool]]:
    """Every file and folder of `folder`, itself too; what goes meanwhile, as in a clone that git works on, is left out."""
    waiting = [str(folder)] if folder.is_dir() else []
    yield folder.stat(), folder.is_dir()
    while waiting:
        try:
            inside = os.scandir(waiting.pop())
        except FileNotFoundError:
            continue
        with inside:
            for one in inside:
                try:
                    seen = one.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                is_folder = one.is_dir(follow_symlinks=False)
                waiting += [one.path] if is_folder else []
                yield seen, is_folder


def _files(entries: Iterable[Entry]) -> Collection[Linked]:
    """The files with several names that `entries` have, each once, with all of its names there."""
    found: dict[Inode, Linked] = {}
    for one in entries:
        for inode, file in one.linked.items():
            before = found.get(inode)
            found[inode] = replace(file, here=file.here + before.here) if before else file
    return found.values()


def _needed(one: Entry, since_ns: int, inside: Collection[str], held: Mapping[Path, str]) -> str:
    if one.used_ns > since_ns:
        return USED
    if one.kind == imagepool.KIND:
        return held.get(one.folder, "")
    if one.kind == snapshot.KIND:
        return "`spraylab gc` deletes it when its run is gone"
    place = f"/{one.kind}/{one.folder.name}"
    if any(path.endswith(place) or f"{place}/" in path for path in inside):
        return "nodes that are there have it mounted"
    return ""


def _frees_nothing(one: Entry, kept: Collection[Inode]) -> str:
    """Why an old entry stays whose files are all those of others that stay: without it they would be made a second time."""
    held = bool(one.linked) and not one.own_bytes and all(inode in kept for inode in one.linked)
    return "all of its files are used by others that stay" if held else ""


def _gone(one: Entry) -> bool:
    try:
        if one.folder.name.endswith(".part"):
            cachedir.wipe(one.folder)
            return True
        return cachedir.discard(one.folder, used_ns=one.used_ns)
    except OSError as error:
        fix = "run it as the user who made it; what is left of it is shown by `spraylab gc`"
        raise HostError(f"{one.folder} could not be deleted", str(error), fix) from error
