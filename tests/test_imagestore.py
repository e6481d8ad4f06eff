import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab import cachedir, imagestore
from lab.container import OnceSpec
from lab.engine import Engine
from lab.errors import BedError, HostError

LABELS = {"spraylab.owner": "r0"}
BLOB = f"{imagestore.UNWRITTEN[0]}/sha256/abc"


class LoadingEngine(Engine):
    """An engine whose containers leave in their /var what containerd would; `fails`: they end with an error."""

    def __init__(self, folder: Path, *, fails: bool = False) -> None:
        super().__init__("fake", None)
        self.folder, self.fails = folder, fails
        self.ran: list[OnceSpec] = []
        self.volumes_now: set[str] = set()

    def make_volume(self, name: str, *, labels: Mapping[str, str]) -> Path:
        assert labels == LABELS
        self.volumes_now.add(name)
        (self.folder / name).mkdir()
        return self.folder / name

    def remove_volume(self, name: str) -> None:
        self.volumes_now.remove(name)

    def run_once(self, spec: OnceSpec, *, limit_s: float) -> None:
        self.ran.append(spec)
        if self.fails:
            raise BedError("the container ended with 1", "no such archive", "")
        for name in (BLOB, "lib/containerd/meta.db"):
            (self.folder / spec.volume / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / spec.volume / name).write_text("content")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(imagestore, "NEEDED_BYTES", 1)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    (tmp_path / "artifacts" / "images").mkdir(parents=True)
    (tmp_path / "artifacts" / "images" / "pause.tar").write_text("an archive")
    return tmp_path / "artifacts"


def ensure(engine: Engine, artifacts: Path) -> Path | None:
    return imagestore.ensure(engine, image="node:1", artifacts=artifacts, name="images", labels=LABELS)


def test_images_are_loaded_once_and_every_node_gets_files_of_its_own_but_for_what_is_never_written(tmp_path: Path, artifacts: Path) -> None:
    engine = LoadingEngine(tmp_path)
    store = ensure(engine, artifacts)
    assert store is not None and ensure(engine, artifacts) == store
    assert len(engine.ran) == 1 and engine.ran[0].mounts == ((artifacts, "/opt/lab"),)
    assert engine.volumes_now == set()
    imagestore.lay_out(engine, store, volume="cp1-var", labels=LABELS)
    laid = tmp_path / "cp1-var"
    assert (laid / BLOB).stat().st_ino == (store / BLOB).stat().st_ino
    assert (laid / "lib/containerd/meta.db").stat().st_ino != (store / "lib/containerd/meta.db").stat().st_ino


def test_nothing_is_left_of_images_that_could_not_be_loaded(tmp_path: Path, artifacts: Path) -> None:
    engine = LoadingEngine(tmp_path, fails=True)
    with pytest.raises(BedError):
        ensure(engine, artifacts)
    assert engine.volumes_now == set()
    assert cachedir.entry(imagestore.KIND, imagestore.key(artifacts)) is None


def test_nodes_without_images_get_a_var_of_the_engine(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert ensure(LoadingEngine(tmp_path), tmp_path / "none") is None


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagestore, "NEEDED_BYTES", 1 << 60)
    engine = LoadingEngine(tmp_path)
    with pytest.raises(HostError, match="not enough room"):
        ensure(engine, artifacts)
    assert engine.ran == [] and engine.volumes_now == set()


def test_the_key_changes_with_the_archives(artifacts: Path) -> None:
    first = imagestore.key(artifacts)
    assert imagestore.key(artifacts) == first
    os.utime(artifacts / "images" / "pause.tar", ns=(0, 5))
    touched = imagestore.key(artifacts)
    (artifacts / "images" / "echo.tar").write_text("another")
    assert len({first, touched, imagestore.key(artifacts)}) == 3
