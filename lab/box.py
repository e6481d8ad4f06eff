"""The box that the lab builds itself: the Debian root of a container node and a kernel, as the disk of a machine. No loop mounts."""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import cachedir, nodeimage, rootfs
from lab.command import run
from lab.errors import BuildError, HostError

DATA = Path(__file__).parent / "data" / "box"
KIND = "box"  # of the cache: kernel, ramdisk and disk per key
NEEDED_BYTES = 5 * cachedir.GIB  # Debian root, its archive, the disk, Vagrant's copy
LAYOUT = "1"
DISK_GIB = 12  # as the machine sees it; 1.1 GiB are there
LIMIT_S = 600.0  # a step takes under 20 s on 2 cores
NEW = "lazy_itable_init=0,lazy_journal_init=0,assume_storage_prezeroed=1"  # else the machine does it while it is looked at
NAME = "spraylab/node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A box in the cache. `version`: as Vagrant wants them, of its content."""

    folder: Path
    version: str

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def ramdisk(self) -> Path:
        return self.folder / "initrd"

    @property
    def disk(self) -> Path:
        return self.folder / "box.img"


def packages() -> tuple[str, ...]:
    """The Debian packages of a machine: those of a container node, a kernel, and what a machine needs to boot."""
    lines = (DATA / "packages.txt").read_text().splitlines()
    return (*nodeimage.packages(), *(line for line in lines if line and not line.startswith("#")))


def key() -> str:
    """Changes when anything in data/node or data/box does."""
    parts: list[str | bytes] = [LAYOUT, nodeimage.key(), str(DISK_GIB)]
    for path in sorted(path for path in DATA.rglob("*") if path.is_file()):
        parts += [str(path.relative_to(DATA)), path.read_bytes()]
    return cachedir.digest(parts)


def there() -> Built | None:
    """The box, where it is built."""
    folder = cachedir.entry(KIND, key())
    return None if folder is None else _of(folder)


def ensure(*, say: Callable[[str], None] = lambda _: None) -> Built:
    """The box, built on first use (about two minutes). Raises HostError (a program or room is missing) or BuildError; nothing half made
    is left."""
    for program, package in (("mkfs.ext4", "e2fsprogs"), ("qemu-img", "qemu-utils")):
        if not shutil.which(program):
            raise HostError(f"no {program}", "the box is built by it and the program is not there", f"apt-get install {package}")
    return _of(cachedir.obtain(KIND, key(), lambda part: _make(part, say=say)))


def _make(part: Path, *, say: Callable[[str], None]) -> None:
    cachedir.need_room(NEEDED_BYTES, "build the box")
    with tempfile.TemporaryDirectory(dir=part, prefix="box-", ignore_cleanup_errors=True) as temporary:
        work = Path(temporary)
        tree, setup = work / "tree", work / "setup.sh"
        shutil.copytree(nodeimage.NODE / "root", tree, symlinks=True)
        shutil.copytree(DATA / "root", tree, dirs_exist_ok=True, symlinks=True)
        shutil.copy(DATA / "init", tree / "box-init")
        setup.write_text((nodeimage.NODE / "setup.sh").read_text() + (DATA / "setup.sh").read_text())
        rootfs.make(work, packages(), tree=tree, setup=setup, what="a box", say=say)
        root = work / "root"
        root.mkdir()
        say("making the disk of the box")
        unpack = ("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", str(root), "-xpf", str(work / "root.tar"))
        _step("unpack the Debian root", unpack)
        for name in ("vmlinuz", "initrd"):
            shutil.move(root / "boot" / name, part / name)
            (part / name).chmod(0o644)
        disk_of(root, part / "box.img", gib=DISK_GIB, label="spraylab")


def disk_of(folder: Path, disk: Path, *, gib: int, label: str) -> None:
    """Make the qcow2 file `disk`, of `gib` GiB, with all that lies in `folder`. Raises BuildError."""
    raw = disk.with_suffix(".raw")
    try:
        _step("make the file system", ("mkfs.ext4", "-q", "-F", "-L", label, "-E", NEW, "-d", str(folder), str(raw), f"{gib}G"))
        _step("make the disk", ("qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(raw), str(disk)))
    finally:
        raw.unlink(missing_ok=True)


def catalog(built: Built, folder: Path) -> Path:
    """Write the box into `folder` as Vagrant takes one, and the catalog that names it; tells the catalog. Raises BuildError."""
    told = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GIB}
    (folder / "metadata.json").write_text(json.dumps(told))
    (folder / "Vagrantfile").write_text('# What its machines are, the lab says.\nVagrant.configure("2") {}\n')
    package = folder / "node.box"
    words = ("tar", "-C", str(built.folder), "-cf", str(package), "box.img", "-C", str(folder), "metadata.json", "Vagrantfile")
    _step("pack the box", words)
    offers = [{"name": "libvirt", "url": package.as_uri()}]
    (folder / "catalog.json").write_text(json.dumps({"name": NAME, "versions": [{"version": built.version, "providers": offers}]}))
    return folder / "catalog.json"


def _of(folder: Path) -> Built:
    return Built(folder=folder, version=f"1.0.{int(folder.name[:7], 16)}")


def _step(step: str, argv: tuple[str, ...]) -> None:
    done = run(argv, limit_s=LIMIT_S, env={"LC_ALL": "C"})
    if done.rc != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        if "No space left" in said:
            raise cachedir.disk_full("a box", said)
        fix = "look at what it said, then run the same command again"
        raise BuildError(f"could not {step} of a box: `{' '.join(argv)}` ended with {done.rc}", said or "it said nothing", fix)
