"""A Debian root out of packages, as a tar file. debootstrap runs in a mount and process namespace of its own, so that nothing of it
can outlive the lab.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import cachedir
from lab.command import run
from lab.errors import BuildError, HostError
from lab.model import Completed

SUITE = "bookworm"
KIND = "roots"  # of the cache: one tar file per list of packages
NEEDED_BYTES = 3 * 1024**3  # the root, its archive, the packages
DEBOOTSTRAP_LIMIT_S = 1800  # 85 s on 2 cores; the rest is for slow mirrors
STEP_LIMIT_S = 300
ISOLATED = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
SLIM = """#!/bin/sh
set -eu
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/*.log /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
"""


def of_packages(packages: tuple[str, ...], *, without: tuple[str, ...] = (), say: Callable[[str], None] = lambda _: None) -> Path:
    """root.tar with `packages`, what they need and the least a Debian has; out of the cache or made. Raises as `make`.

    without: shell patterns of what the packages bring and the root is not to have.
    """

    def fill(part: Path) -> None:
        setup = part / "setup.sh"
        setup.write_text(_slim(without))
        make(part, packages, setup=setup, what="an image", say=say)
        setup.unlink()

    return cachedir.obtain(KIND, key(packages, without), fill) / "root.tar"


def key(packages: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
    """Changes when what `of_packages` makes of them does."""
    return cachedir.digest((SUITE, _slim(without), *packages))


def _slim(without: tuple[str, ...]) -> str:
    return SLIM + "".join(f"rm -rf -- {pattern}\n" for pattern in without)


def make(part: Path, packages: tuple[str, ...], *, setup: Path, what: str, say: Callable[[str], None], tree: Path | None = None) -> None:
    """Write part/root.tar: `packages`, over them the files of `tree`, then the script `setup` run once inside.

    what: whose root it is, for messages; say: told each step that takes long. SPRAYLAB_MIRROR names another Debian
    mirror than debootstrap's own. Raises HostError (no debootstrap, no room) or BuildError with the step that failed.
    """
    if not shutil.which("debootstrap"):
        raise HostError("no debootstrap", f"{what} is made by it and the program is not there", "apt-get install debootstrap")
    cachedir.need_room(NEEDED_BYTES, f"make {what}")
    debs = cachedir.shared(cachedir.DEBS)
    with tempfile.TemporaryDirectory(dir=part, prefix="root-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary) / "root"
        say(f"making the Debian root of {what}: {len(packages)} packages and what they need")
        mirror = tuple(filter(None, (os.environ.get("SPRAYLAB_MIRROR"),)))
        argv = ("debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(packages)}", SUITE, str(root), *mirror)
        _step("make the Debian root", what, (*ISOLATED, *argv), limit_s=DEBOOTSTRAP_LIMIT_S)
        if tree is not None:
            shutil.copytree(tree, root, dirs_exist_ok=True, symlinks=True)
        shutil.copy(setup, root / "setup.sh")
        say("setting it up")
        _step("set up the Debian root", what, (*ISOLATED, "chroot", str(root), "/bin/sh", "/setup.sh"), limit_s=STEP_LIMIT_S)
        (root / "setup.sh").unlink()
        archive = ("tar", "--numeric-owner", "--xattrs", "-C", str(root), "-cf", str(part / "root.tar"), ".")
        _step("archive the Debian root", what, archive, limit_s=STEP_LIMIT_S)


def _step(step: str, what: str, argv: tuple[str, ...], *, limit_s: float) -> Completed:
    done = run(argv, limit_s=limit_s, env={"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"})
    if done.rc == 0:
        return done
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
    if "No space left" in said:
        raise cachedir.disk_full(what, said)
    raise BuildError(
        f"could not {step} of {what}: `{' '.join(argv)}` ended with {done.rc}",
        said or "it said nothing",
        "check that this host reaches a Debian mirror (SPRAYLAB_MIRROR names another one), then run the same command again",
    )
