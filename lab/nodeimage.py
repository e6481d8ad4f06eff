"""The Debian root of a container node, as an image of the engine: made once per content of data/node, then found by its tag.

The root is made by debootstrap in a mount and process namespace of its own, so that nothing of it can outlive the lab.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import cachedir
from lab.command import run
from lab.engine import Engine
from lab.errors import BuildError, HostError
from lab.model import Completed

NODE = Path(__file__).parent / "data" / "node"
REPOSITORY = "localhost/spraylab/node"
SUITE = "bookworm"
KIND = "node-root"  # of the cache: one tar file per key
NEEDED_BYTES = 3 * 1024**3  # the root, its archive, the packages
DEBOOTSTRAP_LIMIT_S = 1800  # 85 s on 2 cores; the rest is for slow mirrors
STEP_LIMIT_S = 300
ISOLATED = ("setpriv", "--pdeathsig", "KILL", "--", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
CHANGES = ('ENTRYPOINT ["/usr/local/sbin/spraylab-entry"]', "STOPSIGNAL SIGRTMIN+3", "LABEL spraylab.image=node")


def packages() -> tuple[str, ...]:
    """The Debian packages of a node, in the order of the list."""
    lines = (NODE / "packages.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def key() -> str:
    """Changes when anything in data/node does."""
    files = sorted(path for path in NODE.rglob("*") if path.is_file())
    parts: list[str | bytes] = [SUITE, *CHANGES]
    for path in files:
        parts += [str(path.relative_to(NODE)), path.read_bytes()]
    return cachedir.digest(parts)


def ensure(engine: Engine, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Tag of the node image in `engine`; made on first use (about two minutes). say: told each step that takes long.

    SPRAYLAB_MIRROR names another Debian mirror than debootstrap's own. Raises HostError (no debootstrap, no room) or
    BuildError with the step that failed; nothing half made is left.
    """
    tag = f"{REPOSITORY}:{key()}"
    if engine.has_image(tag):
        return tag
    folder = cachedir.obtain(KIND, key(), lambda part: _make(part, say))
    say("importing the node image into the container engine")
    engine.import_root(folder / "root.tar", repository=REPOSITORY, tag=key(), changes=CHANGES)
    return tag


def _make(part: Path, say: Callable[[str], None]) -> None:
    if not shutil.which("debootstrap"):
        raise HostError("no debootstrap", "the node image is made by it and the program is not there", "apt-get install debootstrap")
    cachedir.need_room(NEEDED_BYTES, "make the node image")
    debs = cachedir.root() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=part, prefix="root-", ignore_cleanup_errors=True) as temporary:
        root = Path(temporary) / "root"
        say(f"making the Debian root of a node: {len(packages())} packages and what they need")
        mirror = tuple(filter(None, (os.environ.get("SPRAYLAB_MIRROR"),)))
        argv = ("debootstrap", "--variant=minbase", f"--cache-dir={debs}", f"--include={','.join(packages())}", SUITE, str(root), *mirror)
        _step("make the Debian root", (*ISOLATED, *argv), limit_s=DEBOOTSTRAP_LIMIT_S)
        shutil.copytree(NODE / "root", root, dirs_exist_ok=True, symlinks=True)
        shutil.copy(NODE / "setup.sh", root / "setup.sh")
        say("setting it up")
        _step("set up the Debian root", (*ISOLATED, "chroot", str(root), "/bin/sh", "/setup.sh"), limit_s=STEP_LIMIT_S)
        (root / "setup.sh").unlink()
        archive = ("tar", "--numeric-owner", "--xattrs", "-C", str(root), "-cf", str(part / "root.tar"), ".")
        _step("archive the Debian root", archive, limit_s=STEP_LIMIT_S)


def _step(what: str, argv: tuple[str, ...], *, limit_s: float) -> Completed:
    done = run(argv, limit_s=limit_s, env={"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"})
    if done.rc == 0:
        return done
    said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
    if "No space left" in said:
        raise cachedir.disk_full("the node image", said)
    raise BuildError(
        f"could not {what}: `{' '.join(argv)}` ended with {done.rc}",
        said or "it said nothing",
        "check that this host reaches a Debian mirror (SPRAYLAB_MIRROR names another one), then run the same command again",
    )
