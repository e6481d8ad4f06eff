"""The disk on which a machine finds what it installs, its images unpacked as its containerd would; and each machine's own copy.

It lies in libvirt's pool, where machines may read it: one per folder of artifacts, the machines' copies hold only what they change.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lab import box, cachedir, imagepool, nodeimage, rootfs
from lab.command import run
from lab.errors import BedError, BuildError
from lab.libvirt import POOL_FOLDER
from lab.machines import Boot
from lab.model import Site

LAYOUT = "2"
LIMIT_S = 60.0
UNPACK_LIMIT_S = 900.0  # 30 s on 2 cores
# In a mount name space and a root of its own; $1: that root, $2: the artifacts.
UNPACK = f"""\
set -e
mount --bind "$2" "$1/opt/lab"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t proc proc "$1/proc"
mount --rbind /sys "$1/sys"
mount --rbind /dev "$1/dev"
exec chroot "$1" /bin/sh -c '
{nodeimage.LOAD}'
"""
SPARE_GIB = 6  # for what containerd unpacks


def key(artifacts: Path) -> str:
    """Changes when a file of `artifacts` or the node's root does: one of the cache stands for its content, and keeps its time and size."""
    files = sorted(path for path in artifacts.rglob("*") if path.is_file())
    seen = [f"{path.relative_to(artifacts)} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return cachedir.digest((LAYOUT, nodeimage.key(), UNPACK, *seen))


def ensure(artifacts: Path, *, pool: Path = POOL_FOLDER, say: Callable[[str], None] = lambda _: None) -> Path:
    """The disk with `artifacts`; made on first use, by one while others wait. Raises HostError and BuildError.

    Nothing half made is left.
    """
    disk = pool / imagepool.ARTIFACTS.format(key(artifacts))
    with cachedir.whole(disk) as part:
        if part is not None:
            with cachedir.aside(disk) as folder:
                _made(artifacts, folder, say=say).rename(part)
    return disk


def lay_out(
    site: Site, built: box.Built, *, artifacts: Path, prefix: str, accelerated: bool, say: Callable[[str], None] = lambda _: None
) -> Boot:
    """All that machines of `site` boot from, in libvirt's pool: the box's kernel and disk, and for each member a disk with `artifacts`.

    prefix: of the names of this site's own disks. Raises HostError, BuildError and BedError.
    """
    disk = ensure(artifacts, say=say)
    disks = {node.name: copy(disk, f"{prefix}{node.name}-lab.qcow2").name for node in site.members}
    names = (name.format(built.version) for name in (*imagepool.BOOTED, imagepool.UPLOADED))
    # the box's disk too: else two runs at once may find half of what the other sends
    kernel, ramdisk, _ = map(imagepool.put, (built.kernel, built.ramdisk, built.disk), names)
    return Boot(kernel=kernel, ramdisk=ramdisk, disks=disks, accelerated=accelerated)


def copy(disk: Path, name: str, *, pool: Path = POOL_FOLDER) -> Path:
    """A disk of its own, `name` in the pool, that holds only what differs from `disk`. Raises BedError."""
    own = pool / name
    argv = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(disk), str(own))
    done = run(argv, limit_s=LIMIT_S)
    if done.rc != 0:
        raise BedError(f"could not make the disk {own}", done.stderr.strip(), "see whether the disk is full")
    return own


def _made(artifacts: Path, folder: Path, *, say: Callable[[str], None]) -> Path:
    """The disk with `artifacts`, made in the empty `folder`."""
    size_bytes = sum(path.stat().st_size for path in artifacts.rglob("*") if path.is_file())
    archives = sorted((artifacts / "images").glob("*.tar"))
    cachedir.need_room(4 * size_bytes + nodeimage.NEEDED_BYTES, "make the disk with what machines install")
    root_tar = nodeimage.root_tar(say=say) if archives else None
    say("making the disk with what machines install")
    tree, disk = folder / "tree", folder / "disk.img"
    shutil.copytree(artifacts, tree / "lab", copy_function=_link, symlinks=True)
    if root_tar:
        _unpack(folder, artifacts, root_tar)
        shutil.move(folder / "root" / "var" / "lib" / "containerd", tree / "containerd")
        for archive in archives:  # they are in containerd now
            (tree / "lab" / "images" / archive.name).unlink()
    box.disk_of(tree, disk, gib=size_bytes // cachedir.GIB + SPARE_GIB, label="lab")
    disk.chmod(0o644)
    return disk


def _unpack(folder: Path, artifacts: Path, root_tar: Path) -> None:
    """Let a node's own containerd load the images in a node's root below `folder`: on an emulated processor it would take minutes."""
    root = folder / "root"
    root.mkdir()
    for argv in (
        ("tar", "--numeric-owner", "-C", str(root), "-xpf", str(root_tar)),
        (*rootfs.ISOLATED, "sh", "-c", UNPACK, "sh", str(root), str(artifacts.absolute())),
    ):
        done = run(argv, limit_s=UNPACK_LIMIT_S, env={"LC_ALL": "C"})
        if done.rc != 0:
            said = (done.stdout + done.stderr).strip()[-1000:] or f"rc {done.rc}"
            raise BuildError("could not unpack the images for machines", said, f"see that {folder.parent} is on a file system of the disk")


def _link(source: str, to: str) -> None:
    """A second name of the same file, where that is possible."""
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)
