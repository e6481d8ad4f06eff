"""A lint of a cell before any node exists: what goes wrong by its variables, stage by stage; lookup of rules/. Pure but for reading data.

It warns and never changes an outcome: the run shows whether what was predicted came.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab import inventory, ranges
from lab.datafile import Schema, is_on, read
from lab.model import RESET, Cell, Prediction, Site, Stage
from lab.notation import earlier
from lab.ranges import Range
from lab.release import Release, numbers

SINCE = Path(__file__).parent / "data" / "since.yaml"


class ChangeSchema(Schema):
    """A version of a component from which on it behaves otherwise."""

    component: str
    version: str
    says: str
    source: str


class SinceSchema(Schema):
    """data/since.yaml."""

    super_admin_conf: ChangeSchema
    swap_without_gate: ChangeSchema
    vip_subnet: ChangeSchema


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a rule may look at: one stage as the installer would get it. `told`: every variable, the release's defaults included."""

    cell: Cell
    release: Release
    stage: Stage
    site: Site
    told: Mapping[str, object]

    def on(self, name: str) -> bool:
        """Whether the variable `name` is true."""
        return is_on(self.told.get(name))

    def text(self, name: str) -> str:
        """The variable `name` as text; empty when nobody sets it."""
        return str(self.told.get(name) or "")

    @property
    def earlier(self) -> tuple[tuple[str, ...], ...]:
        """What runs before this one turned on in the cluster that is there; empty where this run makes one, at first or after a reset."""
        return earlier(self.cell.ordering, self.stage.index)

    @property
    def endpoint(self) -> Mapping[str, object]:
        """loadbalancer_apiserver; empty when the node's own address is the endpoint."""
        return mapping(self.told.get("loadbalancer_apiserver"))

    @property
    def vips(self) -> tuple[str, ...]:
        """Addresses that are to be the API's beside the nodes' own, each once."""
        held = self.text("kube_vip_address") if self.on("kube_vip_enabled") else ""
        return tuple(dict.fromkeys(one for one in (held, str(self.endpoint.get("address", ""))) if one))

    @property
    def pools(self) -> tuple[Range, ...]:
        """The ranges of MetalLB's pools; what is no range is left out."""
        return tuple(parsed(pool_texts(self.told))) if self.on("metallb_enabled") else ()

    @property
    def cilium(self) -> bool:
        return self.text("kube_network_plugin") == "cilium" or "cilium" in self.stage.addons


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that goes wrong. `signature`: of the failure it predicts, empty where none is known; `look` says what it sees; `resets`:
    it looks at what takes a cluster away, and at nothing that installs."""

    name: str
    signature: str
    look: Callable[[Look], Iterator[str]]
    resets: bool = False


@cache
def rules() -> tuple[Rule, ...]:
    """The rules of every file of lab/rules/, each of which exports RULES."""
    names = sorted(path.stem for path in (Path(__file__).parent / "rules").glob("[!_]*.py"))
    return tuple(one for name in names for one in importlib.import_module(f"lab.rules.{name}").RULES)


@cache
def since() -> SinceSchema:
    """From which version on components behave otherwise."""
    return read(SINCE, SinceSchema)


def has_reached(version: str, change: ChangeSchema) -> bool:
    """Whether `version` of its component already behaves so."""
    return numbers(version) >= numbers(change.version)


def predict(cell: Cell, release: Release, stages: Iterable[Stage], site: Site) -> tuple[Prediction, ...]:
    """What is to be expected of `cell`, in the order of its stages and then of the rules; what a later stage repeats is told once.

    stages: as plan.stages gives them; site: its addresses, real or those that the nodes would get.
    """
    found: dict[tuple[str, str], Prediction] = {}
    for stage in stages:
        look = Look(cell=cell, release=release, stage=stage, site=site, told={**release.defaults, **inventory.variables(stage, site)})
        for rule in (one for one in rules() if one.resets == (stage.playbook == RESET)):
            for says in rule.look(look):
                told = f"stage {stage.name!r}: {says}" if len(cell.ordering) > 1 else says
                found.setdefault((rule.name, says), Prediction(rule=rule.name, signature=rule.signature, says=told))
    return tuple(found.values())


def pool_texts(told: Mapping[str, object]) -> tuple[str, ...]:
    """The ranges of every pool of `metallb_config`, as they are written."""
    pools = mapping(mapping(told.get("metallb_config")).get("address_pools"))
    return tuple(str(one) for pool in pools.values() for one in listed(mapping(pool).get("ip_range")))


def parsed(texts: Iterable[str]) -> list[Range]:
    """The ranges of `texts`; what is no range is left out."""
    found = []
    for text in texts:
        try:
            found.append(ranges.parse(text))
        except ValueError:
            continue
    return found


def mapping(value: object) -> Mapping[str, object]:
    """`value` where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def listed(value: object) -> list[object]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
