"""A file of scenarios/ as it is written: its fields, and what is wrong in it before any cell is made of it."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from lab import bed, inventory, signature, slots
from lab.datafile import Checked, Schema
from lab.errors import ScenarioError
from lab.model import Network
from lab.notation import Ordering, every_ordering, parse_ordering, parse_ref, parse_topology
from lab.refs import Refs

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,40}")  # part of a cell's id, and so of a folder's name
ALL = "all"  # in place of orderings: every one there is
KUBE_VERSION = re.compile(r"v\d{1,3}\.\d{1,3}\.\d{1,3}")


def _ref(text: str) -> str:
    ref = parse_ref(text)
    try:
        Refs().read([text] if ref.source == "replica" else [])  # what is not the lab's own is looked up when it is to run
    except ScenarioError as error:
        raise ValueError(f"ref {text!r}: {error.args[0]}, {error.args[1]}") from error
    return text


def _kube_version(text: str) -> str:
    if not KUBE_VERSION.fullmatch(text):
        raise ValueError(f"Kubernetes {text!r} is not like v1.29.5")
    return text


def _bed(text: str) -> str:
    if text not in bed.names():
        raise ValueError(f"no bed {text!r}; lab/beds/ has {', '.join(bed.names())}")
    return text


def _mitigation(text: str) -> str:
    if text == "none" or not NAME.fullmatch(text):
        raise ValueError(f"mitigation {text!r} needs a name of a-z, 0-9, - and ., which is not `none`")
    return text


def _ordering(text: str) -> str:
    orderings([text])
    return text


def orderings(texts: Sequence[str]) -> list[Ordering]:
    """The orderings that a field names; ValueError where one cannot be read."""
    return [stages for text in texts for stages in (every_ordering() if text == ALL else (parse_ordering(text),))]


def _topology(text: str) -> str:
    if lacks := slots.lacking(parse_topology(text)):
        raise ValueError(f"topology {text!r} is too large: {lacks}")
    return text


RefText = Annotated[str, Checked(_ref)]
OrderingText = Annotated[str, Checked(_ordering)]
TopologyText = Annotated[str, Checked(_topology)]
KubeVersion = Annotated[str, Checked(_kube_version)]
BedName = Annotated[str, Checked(_bed)]
MitigationName = Annotated[str, Checked(_mitigation)]


class MitigationSchema(Schema):
    """A change of variables that is said to help, or to harm."""

    why: str
    variables: dict[str, object]


class BlockSchema(Schema):
    """One product of cells; what a block leaves out comes from the file's `defaults`."""

    refs: list[RefText] | None = None
    kubernetes: list[KubeVersion] | None = None
    topologies: list[TopologyText] | None = None
    orderings: list[OrderingText] | None = None
    endpoints: list[Literal["default", "vip", "node"]] | None = None
    networks: list[Network] | None = None
    beds: list[BedName] | None = None
    mitigations: list[str] | None = None
    because: str = ""


class KnownSchema(Schema):
    """A cell that is known to be red, with the finding that must be its cause, until a date."""

    cell: str
    finding: str
    upstream: list[str]
    expires: date


class ScenarioSchema(Schema):
    """One file of scenarios/; docs/formats.md shows every field."""

    name: str
    about: str
    upstream: list[str] = []
    impossible: Literal["error", "left-out"] = "error"
    defaults: BlockSchema = BlockSchema()
    mitigations: dict[MitigationName, MitigationSchema] = {}
    cells: list[BlockSchema]
    exclude: list[BlockSchema] = []
    known: list[KnownSchema] = []


def wrong_references(schema: ScenarioSchema) -> list[str]:
    """What names something that is not there, or lacks what it must have."""
    problems = []
    for index, block in enumerate(schema.cells):
        missing = [field for field in ("refs", "orderings", "kubernetes") if not (getattr(block, field) or getattr(schema.defaults, field))]
        problems += [f"cells.{index}: `{field}` is given neither here nor in `defaults`" for field in missing]
    blocks = {"defaults": schema.defaults, **{f"cells.{index}": block for index, block in enumerate(schema.cells)}}
    blocks |= {f"exclude.{index}": rule for index, rule in enumerate(schema.exclude)}
    for place, block in blocks.items():
        wrong = sorted(set(block.mitigations or []) - {"none", *schema.mitigations})
        problems += [f"{place}: unknown mitigation {name!r}; `mitigations` has {sorted(schema.mitigations)}" for name in wrong]
    for index, rule in enumerate(schema.exclude):
        problems += [] if rule.because else [f"exclude.{index}: `because` is empty"]
        problems += [] if rule.model_fields_set - {"because"} else [f"exclude.{index}: no field says which cells"]
    known = ", ".join(f"{{{name}}}" for name in inventory.PLACEHOLDERS)
    for name, mitigation in schema.mitigations.items():
        wrong = list(inventory.unknown_placeholders(mitigation.variables))
        problems += [f"mitigations.{name}: no placeholder {{{one}}}; there are {known}" for one in wrong]
    return problems


def unknown_findings(schema: ScenarioSchema) -> list[str]:
    """What `known` has for a finding that no signature can give."""
    names = signature.ids()
    wrong = dict.fromkeys(known.finding for known in schema.known if known.finding not in names)
    return [f"known: no signature {name!r}; lab/data/signatures/ has {', '.join(names)}" for name in wrong]
