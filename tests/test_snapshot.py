import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import cachedir, snapshot
from lab.container import Thing
from lab.engine import Engine
from lab.errors import BedError, HostError
from lab.model import Site, Stage
from lab.owner import of_folder, this_process
from lab.slots import slot
from lab.snapshot import SNAPSHOT
from tests import made

STAGE = Stage(index=0, name="kube-vip", addons=("kube-vip",), endpoint="vip", variables={"kube_vip_enabled": True})


class KeptEngine(Engine):
    """An engine whose containers have the /var that the test laid out; `refuses`: the container it cannot commit."""

    def __init__(self, folder: Path, *, refuses: str = "") -> None:
        super().__init__("fake", None)
        self.folder, self.refuses = folder, refuses
        self.has: dict[str, Thing] = {}

    def var_of(self, name: str) -> Path:
        return self.folder / name

    def make_volume(self, name: str, *, labels: Mapping[str, str]) -> Path:
        (self.folder / name).mkdir()
        return self.folder / name

    def commit(self, name: str, *, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        if name == self.refuses:
            raise BedError("the container engine could not keep the root", "it is full", "make room")
        self.has[f"sha-{name}"] = Thing(kind="image", name=f"sha-{name}", labels=labels)
        return f"sha-{name}"

    def has_image(self, tag: str) -> bool:
        return tag in self.has

    def images(self, label: str) -> tuple[Thing, ...]:
        key, _, value = label.partition("=")
        return tuple(one for one in self.has.values() if one.labels.get(key) == value)

    def remove_image(self, image: str) -> None:
        del self.has[image]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(snapshot, "NODE_BYTES", 1)
    for name in ("a", "b"):
        (tmp_path / name / "lib").mkdir(parents=True)
        (tmp_path / name / "lib" / "state").write_text(f"of {name}")


def keep(engine: Engine) -> None:
    snapshot.keep(engine, "k", {"cp1": "a", "client": "b"}, slot=3, topology="1cp", owner=this_process("r1"))


@pytest.mark.parametrize(
    ("stage", "site", "made_by"),
    [
        (replace(STAGE, variables={"kube_vip_enabled": False}), {}, ("node", "lab")),
        (replace(STAGE, endpoint="node"), {}, ("node", "lab")),
        (replace(STAGE, tags=("network",)), {}, ("node", "lab")),
        (STAGE, {"slot": slot(1)}, ("node", "lab")),
        (STAGE, {"api_port": 8443}, ("node", "lab")),
        (STAGE, {}, ("node", "lab2")),
        (STAGE, {}, ("nodelab",)),
    ],
    ids=["variables", "endpoint", "tags", "slot", "port", "lab", "borders"],
)
def test_a_key_changes_with_anything_that_made_the_nodes(
    tmp_path: Path, stage: Stage, site: dict[str, Any], made_by: tuple[str, ...]
) -> None:
    one = made.site(tmp_path)
    usual = snapshot.key((STAGE,), one, made_by=("node", "lab"))
    assert snapshot.key((STAGE,), replace(one, ssh_config=tmp_path / "elsewhere"), made_by=("node", "lab")) == usual
    assert snapshot.key((stage,), replace(one, **site), made_by=made_by) != usual
    assert snapshot.key((STAGE, stage), one, made_by=("node", "lab")) != usual


def test_a_key_changes_with_the_nodes(tmp_path: Path) -> None:
    sites: tuple[Site, ...] = (made.site(tmp_path), made.site_of_three(tmp_path))
    assert len({snapshot.key((STAGE,), one, made_by=()) for one in sites}) == 2


def test_content_is_names_and_bytes_and_not_what_python_compiled(tmp_path: Path) -> None:
    before = snapshot.content(tmp_path / "a")
    (tmp_path / "a" / "__pycache__").mkdir()
    (tmp_path / "a" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert snapshot.content(tmp_path / "a") == before
    (tmp_path / "a" / "lib" / "state").rename(tmp_path / "a" / "lib" / "state2")
    assert snapshot.content(tmp_path / "a") != before


def test_what_is_kept_is_found_whole_and_laid_out_as_it_was(tmp_path: Path) -> None:
    engine = KeptEngine(tmp_path)
    keep(engine)
    there = snapshot.find(engine, "k")
    assert there is not None
    assert (there.slot, there.topology, dict(there.images)) == (3, "1cp", {"cp1": "sha-a", "client": "sha-b"})
    assert engine.has["sha-a"].labels[SNAPSHOT] == "k"
    assert of_folder(there.folder) == this_process("r1")
    (tmp_path / "a" / "lib" / "state").write_text("later")
    (there.var("cp1") / "lib" / "link").symlink_to("state")
    snapshot.lay_out(engine, there, "cp1", volume="v", labels={})
    assert (tmp_path / "v" / "lib" / "state").read_text() == "of a"
    assert (tmp_path / "v" / "lib" / "link").is_symlink()


def test_a_snapshot_of_which_anything_is_gone_is_none(tmp_path: Path) -> None:
    engine = KeptEngine(tmp_path)
    assert snapshot.find(engine, "k") is None
    keep(engine)
    there = snapshot.find(engine, "k")
    assert there is not None
    image = engine.has.pop("sha-b")
    assert snapshot.find(engine, "k") is None
    engine.has["sha-b"] = image
    there.var("client").rename(tmp_path / "moved")
    assert snapshot.find(engine, "k") is None
    (tmp_path / "moved").rename(there.var("client"))
    assert snapshot.find(engine, "k") is not None
    (there.folder / snapshot.FILE).write_text(json.dumps({"slot": 3}))
    assert snapshot.find(engine, "k") is None


def test_nothing_is_left_of_a_snapshot_that_could_not_be_finished(tmp_path: Path) -> None:
    engine = KeptEngine(tmp_path, refuses="b")
    with pytest.raises(BedError, match="could not keep the root"):
        keep(engine)
    assert engine.has == {}
    assert snapshot.find(engine, "k") is None
    assert [path.name for path in (tmp_path / "cache" / "snapshot").iterdir() if path.is_dir()] == []


def test_a_copy_that_fails_says_what_is_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(BedError, match=r"nowhere could not be copied\n.*No such file"):
        snapshot.keep(KeptEngine(tmp_path), "k", {"cp1": "nowhere"}, slot=0, topology="1cp", owner=this_process("r1"))


def test_without_room_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "NODE_BYTES", 1 << 60)
    with pytest.raises(HostError, match="not enough room on the disk to keep a snapshot"):
        keep(KeptEngine(tmp_path))
    assert not (tmp_path / "cache").exists()


def test_what_is_forgotten_is_gone_and_forgetting_again_is_harmless(tmp_path: Path) -> None:
    engine = KeptEngine(tmp_path)
    keep(engine)
    snapshot.forget(engine, "k")
    snapshot.forget(engine, "k")
    assert engine.has == {}
    assert cachedir.entry(snapshot.KIND, "k") is None
