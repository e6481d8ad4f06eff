"""The Debian root of a container node, as an image of the engine: made once per content of data/node, then found by its tag."""

from collections.abc import Callable
from pathlib import Path

from lab import cachedir, rootfs
from lab.engine import Engine

NODE = Path(__file__).parent / "data" / "node"
REPOSITORY = "localhost/spraylab/node"
KIND = "node-root"  # of the cache: one tar file per key
NEEDED_BYTES = rootfs.NEEDED_BYTES
# In a node's root: its containerd loads and unpacks the images that lie at /opt/lab, and ends.
LOAD = """\
containerd > /tmp/containerd.log 2>&1 &
until ctr version > /dev/null 2>&1; do kill -0 $! || { cat /tmp/containerd.log; exit 1; }; sleep 0.1; done
/usr/local/sbin/spraylab-images || exit 1
kill $!
wait
rm -rf /var/lib/containerd/io.containerd.grpc.v1.introspection # its identity: every node makes its own
"""
CHANGES = ('ENTRYPOINT ["/usr/local/sbin/spraylab-entry"]', "STOPSIGNAL SIGRTMIN+3", "LABEL spraylab.image=node")


def packages() -> tuple[str, ...]:
    """The Debian packages of a node, in the order of the list."""
    lines = (NODE / "packages.txt").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def key() -> str:
    """Changes when anything in data/node does."""
    files = sorted(path for path in NODE.rglob("*") if path.is_file())
    parts: list[str | bytes] = [rootfs.SUITE, *CHANGES]
    for path in files:
        parts += [str(path.relative_to(NODE)), path.read_bytes()]
    return cachedir.digest(parts)


def ensure(engine: Engine, *, say: Callable[[str], None] = lambda _: None) -> str:
    """Tag of the node image in `engine`; made on first use (about two minutes). say: told each step that takes long.

    Raises HostError (no debootstrap, no room) or BuildError with the step that failed; nothing half made is left.
    """
    tag = f"{REPOSITORY}:{key()}"
    if engine.has_image(tag):
        return tag

    archive = root_tar(say=say)
    say("importing the node image into the container engine")
    engine.import_root(archive, repository=REPOSITORY, tag=key(), changes=CHANGES)
    return tag


def root_tar(*, say: Callable[[str], None] = lambda _: None) -> Path:
    """The Debian root of a node as a tar file, out of the cache or made. Raises as `ensure` does."""

    def make(part: Path) -> None:
        rootfs.make(part, packages(), tree=NODE / "root", setup=NODE / "setup.sh", what="a node", say=say)

    return cachedir.obtain(KIND, key(), make) / "root.tar"
