"""Facts of a kubespray release, from data/releases/*.yaml: what it ships, and how it runs kubeadm init."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from lab.datafile import Schema, decode, read
from lab.errors import ScenarioError

V = TypeVar("V")
FOLDER = Path(__file__).parent / "data" / "releases"
REPLICAS = Path(__file__).parent / "replica" / "releases"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeadmInit:
    """How the release runs kubeadm init. `tasks`: what tasks that run it are called, its first try first; `timeout_s`: seconds per attempt,
    ended by timeout(1); `attempts`: the most that really start, `delay_s` between them; `preflight`: which of kubeadm's own checks it
    ignores, all or those that a variable names: then a further attempt is refused for what the first one left; `own_wait_s`: after how
    long kubeadm itself gives up; `retry_ignores`: checks that a further attempt ignores whatever the variable names."""

    tasks: tuple[str, ...]
    timeout_s: int
    attempts: int
    delay_s: int
    preflight: Literal["all", "named"]
    own_wait_s: int | Mapping[str, int]
    retry_ignores: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeVip:
    """How the release sets kube-vip up. `conf`: the kubeconfig that the first control plane's mounts while kubeadm init runs;
    `prefix_setting`: the name under which its manifest tells the VIP's prefix; `version_variable`: which variable says its version;
    `privileged_to_masquerade`: its container is privileged where kube_vip_lb_fwdmethod is masquerade."""

    conf: str
    prefix_setting: str
    version_variable: str
    privileged_to_masquerade: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cilium:
    """How the release sets Cilium up. `installer`: by manifests of its own, or by the program cilium-cli; `kube_proxy_replacement`: values
    of cilium_kube_proxy_replacement that turn it on, the one to use first; `one_operator_on_one_node`: whatever is asked."""

    installer: Literal["manifests", "cilium-cli"]
    kube_proxy_replacement: tuple[object, ...]
    one_operator_on_one_node: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """`name` as references say it, `tag` and `commit` as its repository does; `kube_version` is its default; `v_in_versions`: whether
    its variables say versions with a v; `file_urls`: whether its download role takes file:// URLs; `defaults`: variable -> its default."""

    name: str
    tag: str
    commit: str
    kube_version: str
    kube_version_min: str
    v_in_versions: bool
    versions: Mapping[str, str | Mapping[str, str]]
    kubeadm_init: KubeadmInit
    file_urls: bool
    kube_vip: KubeVip
    cilium: Cilium
    defaults: Mapping[str, object]

    def version(self, component: str, kube_version: str) -> str:
        """What the release ships of `component` for `kube_version`; KeyError when it does not know that component."""
        shipped = self.versions[component]
        return shipped if isinstance(shipped, str) else of_minor(shipped, kube_version)

    def written(self, version: str) -> str:
        """`version`, such as v1.29.5, as a variable of this release says it."""
        return version if self.v_in_versions else version.removeprefix("v")

    def supports(self, kube_version: str) -> bool:
        """Whether `kube_version` is not older than the release's minimum and of no newer minor than its default."""
        return (
            numbers(self.kube_version_min) <= numbers(kube_version) < (*numbers(self.kube_version)[:1], numbers(self.kube_version)[1] + 1)
        )


class InitSchema(Schema):
    """`kubeadm_init` of a release file."""

    tasks: list[str]
    timeout_s: int
    attempts: int
    delay_s: int
    preflight: Literal["all", "named"]
    own_wait_s: int | dict[str, int]
    retry_ignores: list[str] = []


class KubeVipSchema(Schema):
    """`kube_vip` of a release file."""

    conf: Literal["admin.conf", "super-admin.conf"]
    prefix_setting: Literal["vip_cidr", "vip_subnet"]
    version_variable: Literal["kube_vip_image_tag", "kube_vip_version"]
    privileged_to_masquerade: bool


class CiliumSchema(Schema):
    """`cilium` of a release file."""

    installer: Literal["manifests", "cilium-cli"]
    kube_proxy_replacement: list[str | bool]
    one_operator_on_one_node: bool


class ReleaseSchema(Schema):
    """One file of data/releases/."""

    tag: str
    commit: str
    kube_version: str
    kube_version_min: str
    v_in_versions: bool = True
    versions: dict[str, str | dict[str, str]]
    kubeadm_init: InitSchema
    file_urls: bool = True
    kube_vip: KubeVipSchema
    cilium: CiliumSchema
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
        v_in_versions=schema.v_in_versions,
        versions=schema.versions,
        kubeadm_init=decode(KubeadmInit, schema.kubeadm_init.model_dump()),
        file_urls=schema.file_urls,
        kube_vip=KubeVip(**schema.kube_vip.model_dump()),
        cilium=decode(Cilium, schema.cilium.model_dump()),
        defaults=schema.defaults,
    )


def every(*, folder: Path = FOLDER) -> tuple[Release, ...]:
    """The releases there are facts of, oldest first."""
    return tuple(sorted((load(name, folder=folder) for name in names(folder=folder)), key=lambda one: numbers(one.tag)))


def names(*, folder: Path = FOLDER) -> tuple[str, ...]:
    """The releases there are facts of, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def replicas() -> tuple[str, ...]:
    """The releases that the replica is written for, sorted."""
    return tuple(sorted(path.stem for path in REPLICAS.glob("*.yml")))


def no_replica(name: str) -> ScenarioError:
    """The error that names those there are."""
    return ScenarioError(
        f"there is no replica of {name}",
        f"it is written for {', '.join(replicas())}",
        "name one of them, or the release of kubespray itself: without replica@",
    )


def minor(kube_version: str) -> str:
    """`v1.29.5` -> `v1.29`."""
    return ".".join(kube_version.split(".")[:2])


def of_minor(values: Mapping[str, V], kube_version: str) -> V:
    """The value for the minor version of `kube_version`; where there is none, that of the nearest one."""
    wanted = numbers(kube_version)[1]
    return values[min(values, key=lambda one: abs(numbers(one)[1] - wanted))]


def numbers(version: str) -> tuple[int, ...]:
    """`v1.29.5` -> (1, 29, 5), for comparing."""
    return tuple(int(number) for number in re.findall(r"\d+", version))
