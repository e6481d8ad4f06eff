"""The boxes that virtual machines can be made of (data/boxes.yaml), and which one a run takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from lab.datafile import Schema, read
from lab.errors import ScenarioError

DATA = Path(__file__).parent / "data" / "boxes.yaml"
BOX = "SPRAYLAB_BOX"  # in the environment: the box to take
PROVIDER = "VAGRANT_DEFAULT_PROVIDER"  # Vagrant's own
Provider = Literal["libvirt", "virtualbox"]
PROVIDERS: tuple[Provider, ...] = ("libvirt", "virtualbox")


class BoxSchema(Schema):
    """One box."""

    version: str = ""
    providers: list[Provider]
    built: bool = False
    user: str
    interface: str


class BoxesSchema(Schema):
    """data/boxes.yaml."""

    boxes: dict[str, BoxSchema]
    default: dict[Provider, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A box for `provider`. `version`: empty where the lab builds it, for its content is its version then; `interface`: of the nodes'
    own network."""

    name: str
    version: str
    provider: Provider
    built: bool
    user: str
    interface: str


@cache
def _known() -> BoxesSchema:
    return read(DATA, BoxesSchema)


def chosen(environment: Mapping[str, str]) -> Box:
    """The box and the provider that the environment names, or the usual ones. Raises ScenarioError for what is not there."""
    asked = environment.get(PROVIDER) or PROVIDERS[0]
    provider = next((one for one in PROVIDERS if one == asked), None)
    if provider is None:
        raise ScenarioError(
            f"no provider {asked!r}", f"the lab has machines by {' and '.join(PROVIDERS)}", f"set {PROVIDER} to one of them"
        )
    known = _known()
    name = environment.get(BOX) or known.default[provider]
    if name not in known.boxes:
        raise ScenarioError(f"no box {name!r}", f"{DATA.name} has {', '.join(sorted(known.boxes))}", f"set {BOX} to one of them, or add it")
    its = known.boxes[name]
    if provider not in its.providers:
        fits = ", ".join(one for one in sorted(known.boxes) if provider in known.boxes[one].providers)
        raise ScenarioError(
            f"the box {name} is not there for {provider}", f"it is for {', '.join(its.providers)}", f"for {provider} take {fits}"
        )
    return Box(name=name, version=its.version, provider=provider, built=its.built, user=its.user, interface=its.interface)
