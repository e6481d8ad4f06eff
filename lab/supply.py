"""Where what nodes install comes from, as a run is asked for it: built by the lab, or fetched by kubespray; which components in another
version. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from lab.errors import ScenarioError
from lab.model import Ref

Artifacts = Literal["built", "upstream"]
DOWNLOADS, KUBERNETES = "{downloads}", "{kubernetes}"  # in a value of data/deviations.yaml
_COMPONENT = re.compile(r"(?P<name>[a-z][a-z0-9-]*)=(?P<version>v?\d+(\.\d+){1,2}(-[0-9A-Za-z.-]+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """`artifacts`: None: what kubespray's refs install is fetched by them, what the replica does is built; `components`: name and version
    of those that a run asks for in another version; `downloads`: the folder of this host where kubespray keeps what it fetched."""

    artifacts: Artifacts | None = None
    components: tuple[tuple[str, str], ...] = ()
    downloads: str = "/tmp/kubespray_cache"  # noqa: S108 - the releases' own default

    def of(self, ref: Ref) -> Artifacts:
        """Where what `ref` installs comes from."""
        return self.artifacts or ("upstream" if ref.source == "kubespray" else "built")

    def settled(self, ref: Ref) -> "Supply":
        """The same for `ref` alone: it says where that is."""
        return replace(self, artifacts=self.of(ref))

    def filled(self, value: object, *, kubernetes: str = "") -> object:
        """`value` of a variable, with the folder for what is fetched in place of its name, and that of Kubernetes among the artifacts."""
        return value.replace(DOWNLOADS, self.downloads).replace(KUBERNETES, kubernetes) if isinstance(value, str) else value

    def __str__(self) -> str:
        told = [f"artifacts {self.artifacts}"] if self.artifacts else []
        return ", ".join(told + [f"{name} {version}" for name, version in self.components])


def parse(artifacts: str | None, components: Iterable[str] = (), *, downloads: str) -> Supply:
    """What `--artifacts` and `--component NAME=VERSION` ask for. Raises ScenarioError when one of them cannot be read."""
    texts = tuple(components)
    read = [_COMPONENT.fullmatch(text) for text in texts]
    if wrong := [text for text, found in zip(texts, read, strict=True) if found is None]:
        why = f"{', '.join(wrong)} names no component and version"
        raise ScenarioError("--component cannot be read", why, "write it like kube-vip=v1.0.0")
    named = tuple((found["name"], found["version"]) for found in read if found)
    if twice := sorted({name for name, _ in named if [one for one, _ in named].count(name) > 1}):
        raise ScenarioError("--component names one twice", f"{', '.join(twice)} cannot have two versions", "begin a run for each of them")
    source: Artifacts | None = "built" if artifacts == "built" else "upstream" if artifacts == "upstream" else None
    return Supply(artifacts=source, components=tuple(sorted(named)), downloads=downloads)
