"""The /var of a node whose containerd has unpacked the images of a folder of artifacts: made once, then every node gets it.

Loading them takes 15 to 20 s of two cores for each node with Cilium. What containerd has unpacked or fetched it never writes to again:
files of running containers lie in layers of their own. So those two folders, nearly all of the size, are second names of the same files.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from lab import cachedir, filetree, nodeimage
from lab.container import OnceSpec
from lab.engine import Engine

KIND = "image-stores"  # of the cache: one /var per node image and set of archives
LAYOUT = "1"  # a change here makes the old entries unused
NEEDED_BYTES = 4 * cachedir.GIB  # 2.7 GiB with Cilium
LIMIT_S = 900.0  # 20 s on two cores
CONTAINERD = "lib/containerd"
UNWRITTEN = (f"{CONTAINERD}/io.containerd.content.v1.content/blobs", f"{CONTAINERD}/io.containerd.snapshotter.v1.overlayfs/snapshots")
LOAD = f"mount --make-rshared /\n{nodeimage.LOAD}"


def key(artifacts: Path) -> str:
    """Changes when the node image or an archive does: a file of the cache stands for its content, and keeps its time and size."""
    archives = sorted((artifacts / "images").glob("*.tar"))
    seen = [f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in archives]
    return cachedir.digest((LAYOUT, LOAD, nodeimage.key(), *seen))


def ensure(
    engine: Engine, *, image: str, artifacts: Path, name: str, labels: Mapping[str, str], say: Callable[[str], None] = lambda _: None
) -> Path | None:
    """The /var for nodes of `image` with the archives of artifacts/images loaded; made on first use. None where it has none.

    name, labels: of the container and the volume that it is made with, and that are gone after. Raises BedError and HostError.
    """
    if not any((artifacts / "images").glob("*.tar")):
        return None

    def make(part: Path) -> None:
        cachedir.need_room(NEEDED_BYTES, "unpack the images of the nodes")
        say("unpacking the images of the nodes, once for all nodes that have them")
        there = engine.make_volume(name, labels=labels)
        try:
            mounts = ((artifacts.absolute(), "/opt/lab"),)
            spec = OnceSpec(name=name, image=image, argv=("/bin/sh", "-c", LOAD), volume=name, labels=labels, mounts=mounts)
            engine.run_once(spec, limit_s=LIMIT_S)
            filetree.copy_sharing(there, part / "var", shared=UNWRITTEN)
        finally:
            engine.remove_volume(name)

    return cachedir.obtain(KIND, key(artifacts), make) / "var"


def lay_out(engine: Engine, store: Path, *, volume: str, labels: Mapping[str, str]) -> None:
    """Make the volume `volume` with what lies in `store`. Raises BedError."""
    filetree.copy_sharing(store, engine.make_volume(volume, labels=labels), shared=UNWRITTEN)
