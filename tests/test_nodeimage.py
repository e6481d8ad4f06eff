from pathlib import Path

import pytest

from lab import nodeimage
from lab.engine import Engine
from lab.errors import HostError


class EmptyEngine(Engine):
    def __init__(self, *tags: str) -> None:
        super().__init__("fake", None)
        self.tags = tags

    def has_image(self, tag: str) -> bool:
        return tag in self.tags


def test_every_package_stands_once_and_alone_on_its_line() -> None:
    names = nodeimage.packages()
    assert {"systemd", "containerd", "openssh-server", "python3-apt"} <= set(names)
    assert len(names) == len(set(names))
    assert all(" " not in name and name for name in names)


def test_the_key_is_the_same_until_the_content_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodeimage, "NODE", tmp_path)
    (tmp_path / "packages.txt").write_text("systemd\n")
    first = nodeimage.key()
    assert nodeimage.key() == first
    (tmp_path / "packages.txt").write_text("systemd\nsudo\n")
    assert nodeimage.key() != first


def test_an_image_that_is_there_is_not_made_again() -> None:
    tag = f"{nodeimage.REPOSITORY}:{nodeimage.key()}"
    assert nodeimage.ensure(EmptyEngine(tag)) == tag


def test_without_debootstrap_nothing_is_made_and_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no debootstrap\n.*\n.*apt-get install debootstrap"):
        nodeimage.ensure(EmptyEngine())
    assert [path for path in tmp_path.rglob("*") if path.is_dir() and "part" in path.name] == []


def test_what_systemd_runs_is_there_and_can_be_run() -> None:
    programs = {path.name for path in (nodeimage.NODE / "root/usr/local/sbin").iterdir()}
    unit = (nodeimage.NODE / "root/etc/systemd/system/spraylab-images.service").read_text()
    assert programs == {"spraylab-entry", "spraylab-images"}
    assert "ExecStart=/usr/local/sbin/spraylab-images" in unit
    assert all(f"/usr/local/sbin/{name}" in (nodeimage.NODE / "setup.sh").read_text() for name in programs)
