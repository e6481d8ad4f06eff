"""What lies in libvirt's pool and machines stand on: files that many share, each whole or not there, and who needs which.

A machine's own disk holds what differs from a shared one, and is none without it. The time of a file says when it was last used.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from lab import cachedir, libvirt
from lab.libvirt import Libvirt, Machine

KIND = "pool"  # as its files are listed beside the kinds of the cache
ARTIFACTS = "artifacts-{}.img"
BOOTED = ("vmlinuz-{}", "initrd-{}")  # kernel and ramdisk of a box
UPLOADED = "spraylab-VAGRANTSLASH-node_vagrant_box_image_{}_box.img"  # the name under which the provider looks for a box's disk
SHARED = tuple(name.format("*") for name in (ARTIFACTS, *BOOTED, UPLOADED))
QCOW2 = b"QFI\xfb"
LONGEST = 1023  # bytes of a name in its header


def put(path: Path, name: str, *, pool: Path = libvirt.POOL_FOLDER) -> Path:
    """A copy of `path` where machines may read it, under a name that stands for its content; made once, and marked as used now."""
    there = pool / name
    with cachedir.whole(there) as part:
        if part is not None:
            shutil.copy(path, part)
    return there


def shared() -> tuple[Path, ...]:
    """The files of the pool that many machines may stand on; none where there is no pool, or it is not this user's to read."""
    return tuple(sorted(path for name in SHARED for path in libvirt.POOL_FOLDER.glob(name)))


def held(files: Iterable[Path], *, reach: Callable[[], Libvirt | None] = libvirt.answering) -> Mapping[Path, str]:
    """Those of `files` that must stay, each with the reason. reach: gives libvirt, None where it does not answer; asked only when
    there are files. Raises BedError."""
    asked = tuple(files)
    if not asked:
        return {}
    if (machines := reach()) is None:
        return dict.fromkeys(asked, "libvirt does not answer, so nobody knows whether a machine has it")
    needed = {base.resolve() for base in _needed(machines.machines())}
    return {one: "a machine, or the disk of one, needs it" for one in asked if one.resolve() in needed}


def backing(disk: Path) -> Path | None:
    """The file that the qcow2 file `disk` stands on; None for one that stands on none, is no qcow2 or is not there."""
    try:
        with disk.open("rb") as read:
            head = read.read(20)
            at, length = int.from_bytes(head[8:16]), int.from_bytes(head[16:20])
            if head[:4] != QCOW2 or not at or not 0 < length <= LONGEST:
                return None
            read.seek(at)
            name = read.read(length).decode(errors="surrogateescape")
    except (FileNotFoundError, IsADirectoryError):
        return None
    return disk.parent / name.removeprefix("file:")


def _needed(machines: Iterable[Machine]) -> Iterator[Path]:
    """What machines name, whether they run or not, and what their disks stand on. A disk that lies in the pool counts without its
    machine too: one that is just being made has none yet."""
    there = tuple(machines)
    named = [path for one in there for path in (*one.disks, *one.boots)]
    waiting, seen = [*named, *libvirt.POOL_FOLDER.glob("[!.]*")], set[Path]()
    yield from named
    while waiting:
        disk = waiting.pop()
        if disk not in seen and (base := backing(disk)):
            yield base
            waiting.append(base)
        seen.add(disk)
