"""The folder a cell's nodes mount read-only at /opt/lab: what one Kubernetes version installs, in kubespray's layout.

Binaries, tarballs and image archives are hard links into the cache: nothing stands there twice.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab import archive, cachedir, component, deviation, toolchain
from lab.component import Component, OnProgress, Progress
from lab.errors import ScenarioError
from lab.model import Deviation
from lab.supply import Supply

KIND = "artifacts"
LAYOUT = "2"  # of the folder; a change here makes the old entries unused
SHARED = ("etcd", "kube-vip", "coredns", "cni-plugins", "crictl", "pause", "echo")
ADDED: Mapping[str, tuple[str, ...]] = {"cilium": ("cilium", "helm"), "metallb": ("metallb",)}  # addon -> what it needs besides
CHECKED = ("crictl", "echo")  # what the lab itself asks through, wherever the rest comes from
BUILT = Supply(artifacts="built")
ARCHIVES = {"etcd": "etcd.tar.gz", "cni-plugins": "cni.tgz", "crictl": "crictl.tar.gz"}  # component -> name its programs are fetched under
ON_NODES = {"kubernetes": ("kubelet", "kubeadm", "kubectl"), "helm": ("helm",)}  # component -> names its first program is fetched under
PLACEHOLDER = """#!/bin/sh
echo "$0 is a placeholder of spraylab, not the real program: nodes bring their own container engine" >&2
exit 1
"""
PLACEHOLDERS = {  # kubespray fetches these even when it installs no container engine; member, None: the script alone
    "runc": None,
    "containerd.tar.gz": "bin/containerd",
    "nerdctl.tar.gz": "nerdctl",
    "ciliumcli.tar.gz": "cilium",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifacts:
    """`path`: the folder to mount; `versions`: component -> version, Kubernetes as `kubernetes`."""

    path: Path
    versions: Mapping[str, str]
    deviations: tuple[Deviation, ...]


@cache
def kube_versions() -> Mapping[str, str]:
    """Kubernetes version -> name of the component that builds it."""
    loaded = ((name, component.load(name)) for name in component.names())
    return {declared.version: name for name, declared in loaded if declared.name == "kubernetes"}


def missing(kube_version: str, addons: Iterable[str] = (), supply: Supply = BUILT, *, later: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The components that `prepare` would have to build. Raises as it does, but builds nothing."""
    names, declared, found = _wanted(kube_version, addons, supply, later)
    return tuple(n for n in names if cachedir.entry(component.KIND, component.key(component.FOLDER / n, declared[n], found)) is None)


def prepare(
    kube_version: str,
    addons: Iterable[str] = (),
    supply: Supply = BUILT,
    *,
    later: tuple[str, ...] = (),
    on_progress: OnProgress = lambda _: None,
) -> Artifacts:
    """What the nodes of a cell with `kube_version` (`v1.29.5`) and `addons` install; builds what is missing of it, and nothing else.

    What modules bring and no image holds, such as manifests, stands under its name. later: versions of Kubernetes that this one is
    upgraded to; the programs of each lie in a folder of its name. supply: components in other versions; where the
    installer fetches everything, only what checks ask through is made. Raises ScenarioError for a version that no component builds,
    BuildError and HostError as component.build.
    """
    names, declared, found = _wanted(kube_version, addons, supply, later)
    keys = [component.key(component.FOLDER / name, declared[name], found) for name in names]
    key = f"{kube_version if len(names) > len(CHECKED) else 'upstream'}-{cachedir.digest((LAYOUT, archive.LAYOUT, PLACEHOLDER, *keys))}"
    if cachedir.entry(KIND, key) is None:
        entries = component.build(names, on_progress=on_progress)
        path = cachedir.obtain(KIND, key, lambda folder: _fill(folder, declared, first=names[0], entries=entries, arch=found.arch))
    else:
        for name in names:
            on_progress(Progress(component=name, state="cached"))
        path = cachedir.root() / KIND / key
    return Artifacts(path=path, versions=versions(kube_version, addons, supply), deviations=_deviations(declared, found.version))


def versions(kube_version: str, addons: Iterable[str] = (), supply: Supply = BUILT, *, later: tuple[str, ...] = ()) -> Mapping[str, str]:
    """Component -> version of what nodes get, Kubernetes, the first of several, as `kubernetes`; where the installer fetches it, only what
    was asked for in another version than its own. Raises ScenarioError as `prepare` does."""
    if supply.artifacts == "upstream":
        return dict(supply.components)
    declared = _declared(kube_version, addons, supply, later)
    return {its.name: its.version for its in reversed(tuple(declared.values()))}


def _wanted(
    kube_version: str, addons: Iterable[str], supply: Supply, later: tuple[str, ...]
) -> tuple[tuple[str, ...], Mapping[str, Component], toolchain.Toolchain]:
    declared = _declared(kube_version, addons, supply, later)
    return tuple(declared), declared, toolchain.find()


def _declared(kube_version: str, addons: Iterable[str], supply: Supply, later: tuple[str, ...]) -> Mapping[str, Component]:
    if supply.artifacts == "upstream":
        return {name: component.load(name) for name in CHECKED}
    known = kube_versions()
    if unknown := [one for one in (kube_version, *later) if one not in known]:
        raise ScenarioError(
            f"Kubernetes {unknown[0]!r} cannot be built",
            f"lab/components/ builds {', '.join(sorted(known))}",
            "name one of them, or add lab/components/kubernetes-<minor>/",
        )
    added = (name for addon in sorted(set(addons)) for name in ADDED.get(addon, ()))
    asked = {name: _asked(name, version) for name, version in supply.components}
    names = (known[kube_version], *SHARED, *dict.fromkeys(added), *(known[one] for one in later))
    return {name: component.load(name) for name in (asked.get(name, name) for name in names)}


def known(supply: Supply) -> None:
    """Raise ScenarioError, with those there are, when `supply` asks for a component that cannot be built in that version, or, where it is
    not said that all is built, for one whose version kubespray has no variable for."""
    told = {name for name, its in deviation.known().components.items() if its.variable}
    for name, version in supply.components:
        if supply.artifacts == "built":
            _asked(name, version)
        elif name not in told:
            raise _no_component(name, version, told)


def _asked(name: str, version: str) -> str:
    """The component that builds `name` in `version`."""
    loaded = {one: component.load(one) for one in component.names()}
    there = {its.version: one for one, its in loaded.items() if its.name == name and name != "kubernetes"}
    if version in there:
        return there[version]
    if there:
        fix = "name one of them, or add a folder of it to lab/components/"
        raise ScenarioError(f"{name} {version} cannot be built", f"lab/components/ has {', '.join(sorted(there))}", fix)
    raise _no_component(name, version, {its.name for its in loaded.values()} - {"kubernetes"})


def _no_component(name: str, version: str, there: Iterable[str]) -> ScenarioError:
    fix = "name one of them; the version of Kubernetes is a field of the scenario"
    return ScenarioError(f"--component {name}={version} names no component", f"there are {', '.join(sorted(there))}", fix)


def _fill(folder: Path, declared: Mapping[str, Component], *, first: str, entries: Mapping[str, Path], arch: str) -> None:
    """first: the component of the Kubernetes that is installed first; that of any other lies in a folder of its version."""
    images = folder / "images"
    images.mkdir()
    for name, its in declared.items():
        programs, upgrade = entries[name] / "bin", its.name == "kubernetes" and name != first
        own = folder / its.version if upgrade else folder
        own.mkdir(exist_ok=True)
        for one in its.images:
            os.link(archive.image(one, programs=programs, arch=arch), images / f"{one.name}{f'-{its.version}' if upgrade else ''}.tar")
        for program in ON_NODES.get(its.name, ()):
            os.link(programs / its.builds[0].program, own / program)
        for file in its.files.keys() - {inside for one in its.images for inside in one.files.values()}:
            _link(entries[name] / "files" / file, folder / file)
    for name, its in declared.items():
        if archived := ARCHIVES.get(its.name):
            top = f"etcd-{its.version}-linux-{arch}/" if its.name == "etcd" else ""
            os.link(_tarball(archived, its, entry=entries[name], top=top), folder / archived)
    for name, member in PLACEHOLDERS.items() if len(declared) > len(CHECKED) else ():
        if member is None:
            (folder / name).write_text(PLACEHOLDER)
            (folder / name).chmod(0o755)
        else:
            os.link(archive.tarball(name, {member: PLACEHOLDER}, content=""), folder / name)


def _link(source: Path, to: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, to, copy_function=os.link)
    else:
        os.link(source, to)


def _tarball(name: str, declared: Component, *, entry: Path, top: str = "") -> Path:
    members: dict[str, Path | str] = {f"{top}{item.program}": entry / "bin" / item.program for item in declared.builds}
    return archive.tarball(name, members, content=entry.name)


def _deviations(declared: Mapping[str, Component], go_version: str) -> tuple[Deviation, ...]:
    if len(declared) <= len(CHECKED):
        used = f"{declared['crictl'].version}, built from its Go module with Go {go_version}"
        why = "kubespray leaves it out where nodes bring their own container engine, and kubeadm and the lab ask through it"
        return (Deviation(what="crictl", released="the release's own", used=used, why=why),)
    general = (
        Deviation(
            what=f"binaries and images of {', '.join(its.name for its in declared.values())}",
            released="as their projects publish them",
            used=f"built from the same versions' Go modules with Go {go_version}, stripped, images with the least of a distribution",
            why="the lab then needs no download site and no registry, and can build what is not released yet",
        ),
        Deviation(
            what="archives of runc, containerd, nerdctl and cilium-cli",
            released="the programs",
            used="placeholders that end with 1",
            why="the nodes' root brings containerd and runc; kubespray fetches these archives all the same",
        ),
    )
    return general + tuple(deviation for its in declared.values() for deviation in component.deviations(its))
