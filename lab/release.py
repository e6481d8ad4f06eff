"""Facts of a kubespray release, from data/releases/*.yaml: what it ships, and how it runs kubeadm init."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from lab.datafile import Schema, read

FOLDER = Path(__file__).parent / "data" / "releases"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeadmInit:
    """How the release runs kubeadm init: its task's name, seconds per attempt, the most attempts that really start,
    seconds between them, and the exit code of an attempt that is not done in time."""

    task: str
    timeout_s: int
    attempts: int
    delay_s: int
    rc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeVip:
    """How the release sets kube-vip up. `conf`: the kubeconfig that the first control plane's mounts while kubeadm init runs;
    `prefix_setting`: the name under which its manifest tells the VIP's prefix."""

    conf: str
    prefix_setting: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`name` as references say it, `tag` and `commit` as its repository does; `kube_version` is its default; `file_urls`:
    whether its download role takes file:// URLs, which feed a node without a network; `kube_proxy_replacement`: values of
    cilium_kube_proxy_replacement that turn it on; `one_operator_on_one_node`: of Cilium, whatever is asked;
    `defaults`: variable -> its default."""

    name: str
    tag: str
    commit: str
    kube_version: str
    kube_version_min: str
    versions: Mapping[str, str | Mapping[str, str]]
    kubeadm_init: KubeadmInit
    file_urls: bool
    kube_vip: KubeVip
    kube_proxy_replacement: tuple[object, ...]
    one_operator_on_one_node: bool
    defaults: Mapping[str, object]

    def version(self, component: str, kube_version: str) -> str:
        """What the release ships of `component` for `kube_version`; KeyError when it does not know that component."""
        shipped = self.versions[component]
        return shipped if isinstance(shipped, str) else shipped[minor(kube_version)]

    def supports(self, kube_version: str) -> bool:
        """Whether `kube_version` is not older than the release's minimum and of no newer minor than its default."""
        return (
            numbers(self.kube_version_min) <= numbers(kube_version) < (*numbers(self.kube_version)[:1], numbers(self.kube_version)[1] + 1)
        )


class InitSchema(Schema):
    """`kubeadm_init` of a release file."""

    task: str
    timeout_s: int
    attempts: int
    delay_s: int
    rc: int


class KubeVipSchema(Schema):
    """`kube_vip` of a release file."""

    conf: Literal["admin.conf", "super-admin.conf"]
    prefix_setting: Literal["vip_cidr", "vip_subnet"]


class ReleaseSchema(Schema):
    """One file of data/releases/."""

    tag: str
    commit: str
    kube_version: str
    kube_version_min: str
    versions: dict[str, str | dict[str, str]]
    kubeadm_init: InitSchema
    file_urls: bool = True
    kube_vip: KubeVipSchema
    cilium_kube_proxy_replacement: list[str | bool]
    cilium_one_operator_on_one_node: bool
    defaults: dict[str, object]


@cache
def load(release: str, *, folder: Path = FOLDER) -> Release:
    """The release called `release`; its tag names it too.

    Raises ScenarioError, naming those there are, when there is no file of it or the file is wrong.
    """
    path = folder / f"{release}.yaml"
    if not path.exists():
        path = next((other for other in folder.glob("*.yaml") if read(other, ReleaseSchema).tag == release), path)
    schema = read(path, ReleaseSchema)
    return Release(
        name=path.stem,
        tag=schema.tag,
        commit=schema.commit,
        kube_version=schema.kube_version,
        kube_version_min=schema.kube_version_min,
        versions=schema.versions,
        kubeadm_init=KubeadmInit(**schema.kubeadm_init.model_dump()),
        file_urls=schema.file_urls,
        kube_vip=KubeVip(**schema.kube_vip.model_dump()),
        kube_proxy_replacement=tuple(schema.cilium_kube_proxy_replacement),
        one_operator_on_one_node=schema.cilium_one_operator_on_one_node,
        defaults=schema.defaults,
    )


def every(*, folder: Path = FOLDER) -> tuple[Release, ...]:
    """The releases there are facts of, oldest first."""
    return tuple(sorted((load(name, folder=folder) for name in names(folder=folder)), key=lambda one: numbers(one.tag)))


def names(*, folder: Path = FOLDER) -> tuple[str, ...]:
    """The releases there are facts of, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def minor(kube_version: str) -> str:
    """`v1.29.5` -> `v1.29`."""
    return ".".join(kube_version.split(".")[:2])


def numbers(version: str) -> tuple[int, ...]:
    """`v1.29.5` -> (1, 29, 5), for comparing."""
    return tuple(int(number) for number in re.findall(r"\d+", version))
