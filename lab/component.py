"""Builds the components of a cluster from pinned Go modules, each once, into the cache.

A component is a folder lab/components/<name>/: component.yaml, go.mod, go.sum and what they need. Its cache entry holds bin/.
"""

import json
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from lab import cachedir, datafile, override, toolchain
from lab.command import run
from lab.deadline import ticks_s
from lab.errors import BuildError, HostError, ScenarioError
from lab.model import Completed, Deviation
from lab.override import Override
from lab.toolchain import Toolchain

FOLDER = Path(__file__).parent / "components"
DECLARATION = "component.yaml"
KIND = "components"
BUILD_LIMIT_S = 7200.0  # a cold Kubernetes takes 8 minutes on 2 cores; this only ends what hangs
SAID_LINES = 15  # of a failed build
NETWORK_SIGNS = ("dial tcp", "i/o timeout", "connection refused", "TLS handshake")
BUILT_FROM = {
    "version",
    "ldflags",
    "builds",
    "aliases",
    "files",
    "overrides",
}  # the fields of component.yaml that bin/ and files/ depend on
FIXED_ENV = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw -buildvcs=false", "GOOS": "linux", "GOWORK": "off"}


class Build(datafile.Schema):
    """One program. `output`: its file name, by default the last part of `package`; `ldflags`: else the component's."""

    package: str
    output: str = ""
    ldflags: str = ""
    tags: str = ""

    @property
    def program(self) -> str:
        return self.output or self.package.rsplit("/", 1)[-1]


class Image(datafile.Schema):
    """What stands in an image of the component: `files` path -> program or file of the component, `links` path -> what it points at.

    `packages`: of Debian, for the root it stands on, none: nothing else is in it; `without`: shell patterns of what they bring and the
    image is not to have.
    """

    name: str
    tags: tuple[str, ...]
    packages: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    files: dict[str, str]
    links: dict[str, str] = {}


class ModuleFile(datafile.Schema):
    """A file or folder that a pinned module brings; it ends up in files/, beside bin/."""

    module: str
    path: str


class Component(datafile.Schema):
    """What component.yaml says.

    `sources`: further files, relative to the folder; `expected_s`: first build on 2 cores; `needs_mib`: disk for that
    build; `aliases`: names the first program is linked under; `optional`: built only for a cell that needs it or a run that asks for it.
    """

    name: str
    version: str
    what: str
    sources: tuple[str, ...] = ()
    ldflags: str = "-s -w"
    builds: tuple[Build, ...]
    aliases: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    files: dict[str, ModuleFile] = {}
    overrides: tuple[Override, ...] = ()
    expected_s: float
    needs_mib: int
    optional: bool = False
    deviations: tuple[Deviation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where one component stands. `expected_s`: what it took last time on this host, else what its author measured."""

    component: str
    state: Literal["cached", "building", "built"]
    elapsed_s: float = 0.0
    expected_s: float = 0.0


OnProgress = Callable[[Progress], None]


def _silent(_: Progress) -> None:
    return None


def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """All components that can be built, sorted."""
    return tuple(sorted(path.parent.name for path in folder.glob(f"*/{DECLARATION}")))


def usual(folder: Path = FOLDER) -> tuple[str, ...]:
    """All components but the optional ones, sorted."""
    return tuple(name for name in names(folder) if not load(name, folder).optional)


def load(name: str, folder: Path = FOLDER) -> Component:
    """The declaration of `name`; ScenarioError when there is none or it is wrong."""
    if name not in (known := names(folder)):
        raise ScenarioError(f"unknown component {name!r}", f"{folder} has {', '.join(known) or 'none'}", "name one of them")
    return datafile.read(folder / name / DECLARATION, Component)


def build(
    wanted: Iterable[str], *, on_progress: OnProgress = _silent, folder: Path = FOLDER, free: Callable[[], int] = cachedir.free_bytes
) -> Mapping[str, Path]:
    """Name -> cache entry of each component in `wanted` (bin/ holds the programs and their aliases); builds what is missing.

    Raises ScenarioError for an unknown name before anything is built, BuildError when a build fails, HostError when
    the host lacks Go or room.
    """
    components = {name: load(name, folder) for name in dict.fromkeys(wanted)}
    found = toolchain.find()
    return {name: _one(folder / name, component, found=found, on_progress=on_progress, free=free) for name, component in components.items()}


def deviations(component: Component) -> tuple[Deviation, ...]:
    """How `component`, built on this host, departs from what its project releases."""
    return component.deviations + tuple(one.deviation for one in override.needed(component.overrides))


def key(folder: Path, component: Component, found: Toolchain) -> str:
    """The name of the cache entry for what stands in `folder` now, built by that Go on this host; ends with the content's digest.

    Images are made of an entry later: what is said of them changes none.
    """
    parts: list[str | bytes] = [found.version, found.arch, *(f"{name}={value}" for name, value in sorted(FIXED_ENV.items()))]
    parts.append(json.dumps(component.model_dump(mode="json", include=BUILT_FROM), sort_keys=True))
    for path in _files(folder, component):
        parts += [path.name, path.read_bytes()] if path.name != DECLARATION else []
    parts += [f"host has no {one.unless_host_has}" for one in override.needed(component.overrides)]
    return f"{folder.name}-{cachedir.digest(parts)}"


def _files(folder: Path, component: Component) -> list[Path]:
    return [*sorted(path for path in folder.iterdir() if path.is_file()), *(folder / source for source in component.sources)]


def _one(folder: Path, component: Component, *, found: Toolchain, on_progress: OnProgress, free: Callable[[], int]) -> Path:
    name, place = folder.name, key(folder, component, found)
    if (path := cachedir.entry(KIND, place)) is not None:
        on_progress(Progress(component=name, state="cached"))
        return path
    cachedir.need_room(component.needs_mib * 2**20, f"build {name}", free=free)
    expected_s = _last_s(name) or component.expected_s
    on_progress(Progress(component=name, state="building", expected_s=expected_s))
    began_s = ticks_s()
    with cachedir.fill(KIND, place) as part:
        if part is not None:
            _make(folder, component, part=part, found=found)
            (part / "build_s").write_text(f"{ticks_s() - began_s:.1f}\n")
    elapsed_s = ticks_s() - began_s
    on_progress(Progress(component=name, state="built", elapsed_s=elapsed_s, expected_s=expected_s))
    return cachedir.root() / KIND / place


def _last_s(name: str) -> float:
    """How long the newest build of `name` on this host took; 0 when there was none."""
    entries = (cachedir.root() / KIND).glob(f"{name}-*/build_s")
    own = (path for path in entries if path.parent.name.rpartition("-")[0] == name)
    newest = max(own, key=lambda path: path.stat().st_mtime, default=None)
    return float(newest.read_text()) if newest else 0.0


def _make(folder: Path, component: Component, *, part: Path, found: Toolchain) -> None:
    work, programs = part / "work", part / "bin"
    work.mkdir()
    programs.mkdir()
    for path in _files(folder, component):
        shutil.copy(path, work / path.name)
    go, go_cache = toolchain.program(found), cachedir.shared(cachedir.GO)
    env = {**FIXED_ENV, "GOARCH": found.arch, "GOMODCACHE": str(go_cache / "mod"), "GOCACHE": str(go_cache / "build")}
    folder_of = partial(_module_folder, folder.name, work=work, go=go, env=env)
    overrides = override.arguments(override.needed(component.overrides), work, place_of=folder_of)
    for item in component.builds:
        argv = [str(go), "build", "-trimpath", *overrides, "-ldflags", item.ldflags or component.ldflags]
        argv += ["-tags", item.tags] if item.tags else []
        argv += ["-o", str(programs / item.program), item.package]
        done = run(tuple(argv), limit_s=BUILD_LIMIT_S, cwd=work, env=env)
        if done.rc != 0:
            raise _failure(folder.name, done, env)
    for name, wanted in component.files.items():
        _copy(folder_of(wanted.module) / wanted.path, part / "files" / name)
    for alias in component.aliases:
        (programs / alias).symlink_to(component.builds[0].program)
    shutil.rmtree(work)


def _module_folder(component: str, module: str, *, work: Path, go: Path, env: Mapping[str, str]) -> Path:
    """Where `module` stands in the module cache; fetched and compared with go.sum first if need be."""
    done = run((str(go), "mod", "download", "-json", module), limit_s=BUILD_LIMIT_S, cwd=work, env=env)
    if done.rc != 0:
        raise _failure(component, done, env)
    return Path(json.loads(done.stdout)["Dir"])


def _copy(source: Path, to: Path) -> None:
    to.parent.mkdir(exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, symlinks=True)
    else:
        shutil.copyfile(source, to)


def _failure(name: str, done: Completed, env: Mapping[str, str]) -> BuildError | HostError:
    said = (done.stderr + done.stdout).strip()
    if "no space left on device" in said:
        return cachedir.disk_full(f"the component {name!r}", said.splitlines()[-1])
    last = "\n    ".join(said.splitlines()[-SAID_LINES:])
    setting = " ".join(f"{key}={shlex.quote(value)}" for key, value in env.items())
    why = f"`{setting} {shlex.join(done.argv)}` ended with {done.rc}:\n    {last}"
    if any(sign in said for sign in NETWORK_SIGNS):
        fix = "let this host reach a Go module proxy (GOPROXY), then run the same command again"
    else:
        fix = f"correct the files of {name!r} in the components folder; `spraylab build {name}` goes on where this one stopped"
    return BuildError(f"could not build the component {name!r}", why, fix)
