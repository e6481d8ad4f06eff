"""Known failures as data, data/signatures/*.yaml, matched against evidence. Pure but for reading the files.

A signature is a list of links from symptom to cause. Each link looks at one fact, of the control plane in question or where its scope
says; all must hold for the same control plane, now.
A fact that is missing or could not be read proves nothing: it satisfies no link and excludes no signature.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

from lab.datafile import Checked, Schema, read
from lab.facts import Evidence, Fact
from lab.listeners import CONTROLLER_MANAGER, SCHEDULER
from lab.model import API_PORT, Blames, Finding, Link, Node, RuledOut, Site

FOLDER = Path(__file__).parent / "data" / "signatures"
LINE_CHARACTERS = 400  # of a line that proves something; the evidence has all of it
UNREADABLE = "unreadable:"  # how the text of a fact starts whose probe could not be run
NOTHING = f"{UNREADABLE} nothing is there to be read"  # the same, where it could: the pod whose log it is may be on another node


def _regex(text: str) -> str:
    try:
        re.compile(_filled(text, dict.fromkeys(PLACEHOLDERS, ("x",))))
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


Regex = Annotated[str, Checked(_regex)]
Scope = Literal["", "lab", "client", "any", "every"]
PLACEHOLDERS = ("vip", "node", "nodes", "interface", "port", "controller_manager", "scheduler")


class LinkSchema(Schema):
    """One step from symptom to cause: `pattern` must be found in a line of the fact, or `absent` in none.

    readable: found in every true answer of the probe; where it is missing, the fact could not be read. last: look at the last so
    many lines only. node: the link's scope: lab, client, any (at least one node of the cluster), every (each of them), or empty for the
    control plane in question. instead: finds the line to show where there is none of the pattern. aside: not needed for the failure;
    told in the chain where it is there.
    """

    says: str
    probe: str
    pattern: Regex = ""
    absent: Regex = ""
    instead: Regex = ""
    readable: Regex = ""
    last: int = 0
    node: Scope = ""
    aside: bool = False


def _link(link: LinkSchema) -> LinkSchema:
    if bool(link.pattern) == bool(link.absent):
        raise ValueError("a link has either pattern or absent")
    return link


class SampleSchema(Schema):
    """Facts (probe -> text) the signature must match or must not; `link`: the one that excludes it, by its words."""

    says: str
    facts: dict[str, str]
    link: str = ""


class SignatureSchema(Schema):
    """One file of data/signatures/."""

    catalogue: str
    means: str
    fix: str
    upstream: list[str]
    heals_itself: bool
    holds_s: float
    blames: Blames = "product"
    follows: bool = False
    addons: list[Literal["kube-vip", "metallb", "cilium"]] = []
    links: list[Annotated[LinkSchema, Checked(_link)]]
    must_match: list[SampleSchema]
    must_not_match: list[SampleSchema]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A known failure. `heals_itself`: it may go away without anybody's help, so that it never ends a run early; `holds_s`:
    seconds it must hold without interruption before it does; `blames`: what is broken, where that is not the product; `follows`: it
    comes of another failure, so that it is the cause only where nothing else is found; `addons`: what it is about, where a cell without
    that has its symptom too."""

    id: str
    catalogue: str
    means: str
    fix: str
    upstream: tuple[str, ...]
    heals_itself: bool
    holds_s: float
    links: tuple[LinkSchema, ...]
    must_match: tuple[SampleSchema, ...]
    must_not_match: tuple[SampleSchema, ...]
    blames: Blames = "product"
    follows: bool = False
    addons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the placeholders of patterns stand for, beside the node in question. `nodes`: the control planes; `workers`: the cluster's
    other nodes, as far as facts of them are taken."""

    vip: str
    nodes: tuple[Node, ...]
    port: int = API_PORT
    workers: tuple[Node, ...] = ()

    @classmethod
    def of(cls, site: Site) -> "Context":
        """The context of `site`: its control planes and workers, the VIP of its slot, and the port of its API servers."""
        workers = tuple(node for node in site.members if node not in site.control_planes)
        return cls(vip=site.slot.vip, nodes=site.control_planes, port=site.api_port, workers=workers)

    def values(self, node: Node) -> Mapping[str, tuple[str, ...]]:
        """Placeholder -> what it stands for where `node` is in question; of several each will do."""
        ports = {"port": self.port, "controller_manager": CONTROLLER_MANAGER, "scheduler": SCHEDULER}
        alone = {"vip": self.vip, "node": node.address, "interface": node.interface, **{name: str(port) for name, port in ports.items()}}
        every = tuple(one.address for one in (*self.nodes, *self.workers))
        return {"nodes": every, **{name: (text,) for name, text in alone.items()}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """`unclear`: signatures that can neither be found nor ruled out, each with the facts it lacks."""

    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    unclear: tuple[str, ...] = ()


class _Holds(Enum):
    YES, NO, UNKNOWN = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """How a link stands on a node; `told`: whether `line` shows it by itself; `aside`: nothing depends on it; `there`: whether the node
    has what the probe reads."""

    holds: _Holds
    link: Link
    told: bool = True
    aside: bool = False
    there: bool = True


def load(*, folder: Path = FOLDER) -> tuple[Signature, ...]:
    """All signatures of `folder`, sorted by id; ScenarioError lists every problem of the first file that has any."""
    return tuple(_signature(path) for path in sorted(folder.glob("*.yaml")))


def ids(*, folder: Path = FOLDER) -> tuple[str, ...]:
    """What all signatures of `folder` are called, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def match(signatures: tuple[Signature, ...], evidence: Evidence, *, context: Context, addons: Collection[str] | None = None) -> Matched:
    """Which of `signatures` hold in `evidence`, which are excluded and by which fact, and which cannot be told.

    addons: those of the cell; excluded and unclear are then only failures that it could be taken for. Findings: what is not the
    product's first, for it ended the stage; what comes of another failure last. Ruled out: those first that a line speaks against, before
    those for which there is only no line.
    """
    facts = {(fact.probe, fact.node): fact for fact in sorted(evidence.facts, key=lambda fact: fact.at_s)}
    findings: list[tuple[bool, Finding]] = []
    ruled_out: list[tuple[bool, RuledOut]] = []
    unclear: list[str] = []
    for signature in signatures:
        looked = [[_look(link, node, facts, context) for link in signature.links] for node in context.nodes]
        by_node = [[one for one in seen if not one.aside or one.holds is _Holds.YES] for seen in looked]
        if found := next((seen for seen in by_node if all(one.holds is _Holds.YES for one in seen)), None):
            findings.append((signature.follows, _finding(signature, found)))
        elif addons is not None and not _near(signature, by_node, addons):
            continue
        elif by_node and all(any(one.holds is _Holds.NO for one in seen) for seen in by_node):
            ruled_out.append(_ruled_out(signature, by_node[0]))
        else:
            lacks = sorted({one.link.probe for seen in by_node for one in seen if one.holds is _Holds.UNKNOWN})
            unclear.append(f"{signature.id}: {', '.join(lacks)} could not be read")
    findings.sort(key=lambda one: (one[0], one[1].blames == "product"))
    ruled_out.sort(key=lambda one: not one[0])
    return Matched(
        findings=tuple(finding for _, finding in findings), ruled_out=tuple(ruled for _, ruled in ruled_out), unclear=tuple(unclear)
    )


def _near(signature: Signature, by_node: list[list[_Seen]], addons: Collection[str]) -> bool:
    """Whether a cell with `addons` could be taken for one with this failure: its symptom is there, or it has what the failure is about.
    Where that is off, the symptom says nothing, for it may come of that: a line must show another link too."""
    if set(signature.addons) <= set(addons):
        return bool(signature.addons) or any(seen[0].holds is not _Holds.NO for seen in by_node)
    ill = (seen for seen in by_node if seen[0].holds is _Holds.YES)
    return any(one.holds is _Holds.YES and one.told for seen in ill for one in seen[1:])


def readable(fact: Fact) -> bool:
    """Whether the probe of `fact` could be run at all; an empty answer is an answer."""
    return not fact.text.startswith(UNREADABLE)


def _signature(path: Path) -> Signature:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in read(path, SignatureSchema)}
    return Signature(id=path.stem, **fields)


def _look(link: LinkSchema, node: Node, facts: Mapping[tuple[str, str], Fact], context: Context) -> _Seen:
    """Whether `link` holds for `node` in its scope, and the line that says so."""
    if link.node not in ("any", "every"):
        return _at(link, link.node or node.name, facts, context.values(node))
    others = (one for one in (*context.nodes, *context.workers) if one != node)
    seen = [_at(link, one.name, facts, context.values(node)) for one in (node, *others)]
    if link.node == "any":  # where there is nothing to read, nothing speaks against it
        seen = [one for one in seen if one.there] or seen
    order = (_Holds.YES, _Holds.UNKNOWN, _Holds.NO)
    decides = next(holds for holds in (order if link.node == "any" else reversed(order)) if any(one.holds is holds for one in seen))
    return max((one for one in seen if one.holds is decides), key=lambda one: one.told)


def _at(link: LinkSchema, where: str, facts: Mapping[tuple[str, str], Fact], values: Mapping[str, tuple[str, ...]]) -> _Seen:
    """Whether `link` holds by the fact of the node called `where`."""
    fact = facts.get((link.probe, where))
    if fact is None or not readable(fact):
        there = fact is None or not fact.text.startswith(NOTHING)
        return _Seen(holds=_Holds.UNKNOWN, link=_proof(link, where, ""), aside=link.aside, there=there)
    lines = [line for line in fact.text.splitlines() if line.strip()]
    if link.readable and _first(link.readable, lines, values) is None:
        return _Seen(holds=_Holds.UNKNOWN, link=_proof(link, where, ""), aside=link.aside)
    lines = lines[-link.last :]
    line = _first(link.pattern or link.absent, lines, values)
    holds = _Holds.YES if (line is not None) == bool(link.pattern) else _Holds.NO
    if line is None and link.instead:
        line = _first(link.instead, lines, values)
    shown = line if line is not None else _none_of(lines)
    return _Seen(holds=holds, link=_proof(link, where, shown), told=line is not None, aside=link.aside)


def _first(regex: str, lines: list[str], values: Mapping[str, tuple[str, ...]]) -> str | None:
    compiled = re.compile(_filled(regex, values))
    return next((line for line in lines if compiled.search(line)), None)


def _filled(regex: str, values: Mapping[str, tuple[str, ...]]) -> str:
    for name, each in values.items():
        any_of = "|".join(map(re.escape, each))
        regex = regex.replace(f"{{{name}}}", any_of if len(each) == 1 else f"(?:{any_of})")
    return regex


def _none_of(lines: list[str]) -> str:
    """What stands in for a line where the proof is that there is none."""
    return f"(none of {len(lines)} lines; the last: {lines[-1].strip()})" if lines else "(nothing)"


def _proof(link: LinkSchema, where: str, line: str) -> Link:
    return Link(says=link.says, probe=link.probe, node=where, line=line.strip()[:LINE_CHARACTERS])


def _finding(signature: Signature, seen: list[_Seen]) -> Finding:
    return Finding(
        signature=signature.id,
        catalogue=signature.catalogue,
        means=signature.means,
        fix=signature.fix,
        upstream=signature.upstream,
        chain=tuple(one.link for one in seen),
        blames=signature.blames,
    )


def _ruled_out(signature: Signature, seen: list[_Seen]) -> tuple[bool, RuledOut]:
    """Excluded by the link nearest to the cause that a line speaks against, else by the nearest that fails; and whether a line does."""
    against = [one for one in reversed(seen) if one.holds is _Holds.NO]
    by = next((one for one in against if one.told), against[0])
    because = f"on {by.link.node} ({by.link.probe}) it is not so that {by.link.says}"
    return by.told, RuledOut(signature=signature.id, means=signature.means, because=because, line=by.link.line)
