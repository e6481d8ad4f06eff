"""The folder a cell's nodes mount read-only at /opt/lab: what one Kubernetes version installs, in kubespray's layout.

Binaries, tarballs and image archives are hard links into the cache: nothing stands there twice.
"""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import archive, cachedir, component, toolchain
from lab.component import Component, OnProgress, Progress
from lab.errors import ScenarioError
from lab.model import Deviation

KIND = "artifacts"
LAYOUT = "2"  # of the folder; a change here makes the old entries unused
SHARED = ("etcd", "kube-vip", "coredns", "cni-plugins", "crictl", "pause", "echo")
ADDED: Mapping[str, tuple[str, ...]] = {"cilium": ("cilium", "helm"), "metallb": ("metallb",)}  # addon -> what it needs besides
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


def kube_versions() -> Mapping[str, str]:
    """Kubernetes version -> name of the component that builds it."""
    loaded = ((name, component.load(name)) for name in component.names())
    return {declared.version: name for name, declared in loaded if declared.name == "kubernetes"}


def missing(kube_version: str, addons: Iterable[str] = ()) -> tuple[str, ...]:
    """The components that `prepare` would have to build. Raises as it does, but builds nothing."""
    names, declared, found = _wanted(kube_version, addons)
    return tuple(n for n in names if cachedir.entry(component.KIND, component.key(component.FOLDER / n, declared[n], found)) is None)


def prepare(kube_version: str, addons: Iterable[str] = (), *, on_progress: OnProgress = lambda _: None) -> Artifacts:
    """What the nodes of a cell with `kube_version` (`v1.29.5`) and `addons` install; builds what is missing of it, and nothing else.

    What modules bring and no image holds, such as manifests, stands under its name. Raises ScenarioError for a version
    that no component builds, BuildError and HostError as component.build.
    """
    names, declared, found = _wanted(kube_version, addons)
    keys = [component.key(component.FOLDER / name, declared[name], found) for name in names]
    key = f"{kube_version}-{cachedir.digest((LAYOUT, archive.LAYOUT, PLACEHOLDER, *keys))}"
    if cachedir.entry(KIND, key) is None:
        entries = component.build(names, on_progress=on_progress)
        path = cachedir.obtain(KIND, key, lambda folder: _fill(folder, declared, entries=entries, arch=found.arch))
    else:
        for name in names:
            on_progress(Progress(component=name, state="cached"))
        path = cachedir.root() / KIND / key
    versions = {declared[name].name: declared[name].version for name in names}
    return Artifacts(path=path, versions=versions, deviations=_deviations(declared, found.version))


def _wanted(kube_version: str, addons: Iterable[str]) -> tuple[tuple[str, ...], Mapping[str, Component], toolchain.Toolchain]:
    known = kube_versions()
    if kube_version not in known:
        raise ScenarioError(
            f"Kubernetes {kube_version!r} cannot be built",
            f"lab/components/ builds {', '.join(sorted(known))}",
            "name one of them, or add lab/components/kubernetes-<minor>/",
        )
    added = (name for addon in sorted(set(addons)) for name in ADDED.get(addon, ()))
    names = (known[kube_version], *SHARED, *dict.fromkeys(added))
    declared = {name: component.load(name) for name in names}
    found = toolchain.find()
    return names, declared, found


def _fill(folder: Path, declared: Mapping[str, Component], *, entries: Mapping[str, Path], arch: str) -> None:
    images = folder / "images"
    images.mkdir()
    for name, its in declared.items():
        programs = entries[name] / "bin"
        for one in its.images:
            os.link(archive.image(one, programs=programs, arch=arch), images / f"{one.name}.tar")
        for program in ON_NODES.get(its.name, ()):
            os.link(programs / its.builds[0].program, folder / program)
        for file in its.files.keys() - {inside for one in its.images for inside in one.files.values()}:
            _link(entries[name] / "files" / file, folder / file)
    top = f"etcd-{declared['etcd'].version}-linux-{arch}"
    os.link(_tarball("etcd.tar.gz", declared["etcd"], entry=entries["etcd"], top=f"{top}/"), folder / "etcd.tar.gz")
    os.link(_tarball("cni.tgz", declared["cni-plugins"], entry=entries["cni-plugins"]), folder / "cni.tgz")
    os.link(_tarball("crictl.tar.gz", declared["crictl"], entry=entries["crictl"]), folder / "crictl.tar.gz")
    for name, member in PLACEHOLDERS.items():
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
