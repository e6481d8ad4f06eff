from pathlib import Path

import pytest

from lab import rootfs
from lab.errors import BuildError, HostError

FAIL = """#!/bin/sh
echo 'E: Failed getting release file' >&2
exit 1
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def left(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_dir() and "part" in path.name]


def test_the_key_changes_with_what_is_in_the_root() -> None:
    keys = {rootfs.key(("iptables",)), rootfs.key(("iptables", "ipset")), rootfs.key(("iptables",), ("/usr/share/*",))}
    assert len(keys) == 3
    assert rootfs.key(("iptables",)) == rootfs.key(("iptables",))


def test_without_debootstrap_nothing_is_made_and_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no debootstrap\n.*\n.*apt-get install debootstrap"):
        rootfs.of_packages(("iptables",))
    assert left(tmp_path) == []


def test_a_step_that_fails_is_told_with_what_it_said_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("debootstrap", "setpriv"):
        (tmp_path / "bin" / name).write_text(FAIL)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with pytest.raises(BuildError, match=r"could not make the Debian root of an image(.|\n)*Failed getting release file"):
        rootfs.of_packages(("iptables",))
    assert left(tmp_path) == []
