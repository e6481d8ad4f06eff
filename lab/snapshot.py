"""What is kept of nodes that were saved: the key that names all that made them, and a folder that is whole or not there.

The /var of each node lies in the cache, its root in the engine as an image; the folder names both, and appears last.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import cachedir, filetree
from lab.engine import Engine
from lab.model import Site, Stage
from lab.owner import OWNER_FILE, Owner

KIND = "snapshot"  # of the cache
FILE = "snapshot.json"
REPOSITORY = "localhost/spraylab/snapshot"  # of the images; a tag is key and node
SNAPSHOT = "spraylab.snapshot"  # label of those images, and of containers made from them: the key
NODE_BYTES = 2 * cachedir.GIB  # 0.9 GiB for a control plane with all three addons


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A whole snapshot. `slot`: the only place its addresses are right in; `images`: node -> image of its root."""

    folder: Path
    slot: int
    topology: str
    images: Mapping[str, str]

    def var(self, node: str) -> Path:
        """Where the /var of `node` is kept."""
        return self.folder / "var" / node


def key(stages: Iterable[Stage], site: Site, *, made_by: Iterable[str]) -> str:
    """A key that changes when anything does that made the nodes: their number and addresses, what each stage was told, and `made_by`.

    made_by: what else there is, as keys and versions: node image, artifacts, playbooks, the lab itself, engine, kernel.
    """
    place = site.slot
    parts = [place.subnet, place.gateway, place.client, place.vip, place.pool, str(site.api_port)]
    parts += [f"{node.name} {node.role} {node.address} {node.interface}" for node in site.nodes]
    for stage in stages:
        parts += [stage.name, stage.endpoint, " ".join(stage.addons), " ".join(stage.tags)]
        parts += [json.dumps(stage.variables, sort_keys=True, default=str)]
    return cachedir.digest([*parts, "made by", *made_by])


def content(folder: Path) -> str:
    """A key for all files below `folder`, by name and content; what Python compiles there does not count."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    parts: list[str | bytes] = []
    for path in files:
        parts += [str(path.relative_to(folder)), path.read_bytes()]
    return cachedir.digest(parts)


def find(engine: Engine, wanted: str) -> Saved | None:
    """The snapshot `wanted`; None where there is none that is whole, its copies here and its images in `engine`."""
    folder = cachedir.entry(KIND, wanted)
    if folder is None:
        return None
    try:
        raw = json.loads((folder / FILE).read_text())
        there = Saved(folder=folder, slot=int(raw["slot"]), topology=str(raw["topology"]), images=dict(raw["images"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = all(engine.has_image(image) and there.var(node).is_dir() for node, image in there.images.items())
    return there if whole and there.images else None


def keep(engine: Engine, wanted: str, containers: Mapping[str, str], *, slot: int, topology: str, owner: Owner) -> None:
    """Make the snapshot `wanted` of `containers` (node -> container), which are off; harmless when another process has just made it.

    Raises BedError, and HostError when the disk has no room; nothing is left of it then.
    """
    cachedir.need_room(len(containers) * NODE_BYTES, "keep a snapshot")
    with cachedir.fill(KIND, wanted) as part:
        if part is None:
            return
        (part / OWNER_FILE).write_text(json.dumps(asdict(owner)))
        images: dict[str, str] = {}
        try:
            for node, container in containers.items():
                filetree.copy(engine.var_of(container), part / "var" / node)
                labels = {**owner.labels(), SNAPSHOT: wanted}
                images[node] = engine.commit(container, repository=REPOSITORY, tag=f"{wanted}-{node}", labels=labels)
        except BaseException:
            for image in images.values():
                engine.remove_image(image)
            raise
        (part / FILE).write_text(json.dumps({"slot": slot, "topology": topology, "images": images}))


def lay_out(engine: Engine, there: Saved, node: str, *, volume: str, labels: Mapping[str, str]) -> None:
    """Make the volume `volume` that holds the /var of `node` as it was. Raises BedError."""
    filetree.copy(there.var(node), engine.make_volume(volume, labels=labels))


def forget(engine: Engine, wanted: str) -> None:
    """Delete the snapshot `wanted`, whole or not; harmless when it is not there. Raises BedError where a container still stands on it."""
    for image in engine.images(f"{SNAPSHOT}={wanted}"):
        engine.remove_image(image.name)
    cachedir.remove(KIND, wanted)
