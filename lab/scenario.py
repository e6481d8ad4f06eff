"""Reads a scenario file into cells, each left-out cell with its reason. Pure but for the reading of the file."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

from lab import bed as beds
from lab import selection
from lab.datafile import dump_yaml, read
from lab.errors import ScenarioError
from lab.model import Cell, Endpoint, Ref, Topology
from lab.notation import Ordering, parse_ref, parse_topology
from lab.refs import Refs
from lab.scenariofile import BlockSchema, ScenarioSchema, orderings, unknown_findings, wrong_references

Lacks = Callable[[Cell], str]
NO_THREAD = "no thread upstream yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A cell id whose failure is known by the signature `finding`, until `expires`."""

    cell: str
    finding: str
    upstream: tuple[str, ...]
    expires: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A cell that the scenario names and does not run."""

    cell: Cell
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`because`: cell id -> why the scenario has it."""

    name: str
    about: str
    upstream: tuple[str, ...]
    cells: tuple[Cell, ...]
    left_out: tuple[LeftOut, ...]
    known: tuple[Known, ...]
    because: tuple[tuple[str, str], ...]


def load(
    path: Path,
    *,
    check: Callable[[Cell], None],
    refs: Refs | None = None,
    bed: str | None = None,
    lacks: Lacks = lambda _: "",
    asked: str = "",
) -> Scenario:
    """The scenario of the file at `path`.

    check: called with each cell that would run; its ScenarioErrors are collected and told together. refs: reads what the file names,
    and may have others in its place; bed: whose nodes are used in place of those that the file names. Cells that cannot be had with such
    others are left out, as all are where the file says so; lacks: why the bed of a cell cannot have it, which leaves it out; asked: the
    options of the command line, for who is to be told of cells that cannot be had with them. Raises ScenarioError with every problem found,
    or the LabError of a ref that means nothing.
    """
    schema, refs = read(path, ScenarioSchema), refs or Refs()
    instead = refs.in_place_of(text for block in (schema.defaults, *schema.cells) for text in block.refs or [])
    meant = refs.read(text for texts in instead.values() for text in texts)
    made = [(block.because, _cells(block, schema, [meant[one] for one in _instead(block, schema, instead)])) for block in schema.cells]
    cells = {cell.id: (cell, because) for because, written in made for cell in _on(bed, written)}
    moved = any((text,) != texts for text, texts in instead.items())
    left_out = {cell.id: rule.because for cell, _ in cells.values() for rule in schema.exclude if _covers(rule, cell, moved=moved)}
    asked_for = cells.keys() - left_out.keys()
    left_out |= {name: why for name in cells if name in asked_for and (why := lacks(cells[name][0]))}
    wrong = {name: error for name, (cell, _) in cells.items() if name not in left_out and (error := _wrong(cell, check))}
    runs = tuple(cell for name, (cell, _) in cells.items() if name not in left_out and name not in wrong)
    lenient = runs and (refs.given or bed or schema.impossible == "left-out")
    _refuse(path, schema, [] if lenient else list(wrong.values()), asked=asked, empty=not asked_for)
    left_out |= {name: _told(error, of=name) for name, error in wrong.items()}
    return Scenario(
        name=schema.name,
        about=schema.about.strip(),
        upstream=tuple(schema.upstream),
        cells=runs,
        left_out=tuple(LeftOut(cell=cells[name][0], because=because) for name, because in left_out.items()),
        known=tuple(Known(cell=k.cell, finding=k.finding, upstream=tuple(k.upstream), expires=k.expires) for k in schema.known),
        because=tuple((name, because) for name, (_, because) in cells.items()),
    )


def _refuse(path: Path, schema: ScenarioSchema, refused: Sequence[ScenarioError], *, asked: str, empty: bool) -> None:
    """Raise ScenarioError when something is wrong: of the file, unless nothing is by itself and `asked` came beside it."""
    problems = wrong_references(schema)
    if not problems:  # else cells are missing because of these
        problems += _of_nothing(schema)
        problems += ["no cell is left to run"] if empty else []
    problems += unknown_findings(schema)
    told, fixes = _reasons(refused), dict.fromkeys(error.args[2] for error in refused)
    if asked and told and not problems:
        raise ScenarioError(f"{path.stem} cannot be run with {asked}", "; ".join(told), "; ".join(fixes))
    if problems or told:
        fix = "; ".join((*(["correct the file"] if problems else []), *fixes, "docs/formats.md shows every field"))
        raise ScenarioError(f"{path} asks for what cannot be", "; ".join((*problems, *told)), fix)


def _reasons(refused: Sequence[ScenarioError]) -> list[str]:
    """Each reason once, with what it is of, or of how many cells."""
    of: dict[str, list[str]] = {}
    for error in refused:
        of.setdefault(error.args[1], []).append(error.args[0])
    return [f"{what[0] if len(set(what)) == 1 else f'{len(what)} cells cannot run'} ({why})" for why, what in of.items()]


def chosen(read: Scenario, expression: str, *, file: Path) -> Scenario:
    """`read`, of the scenario `file`, with those cells alone that `expression` means, as pytest's -k does. Raises ScenarioError when there
    are none, not even among those left out."""
    means, every = selection.parse(expression), len(read.cells) + len(read.left_out)
    cells = tuple(one for one in read.cells if means((one.id, file.name)))
    left_out = tuple(one for one in read.left_out if means((one.cell.id, file.name)))
    if not cells and not left_out:
        raise selection.nothing_fits(expression, of=every)
    return replace(read, cells=cells, left_out=left_out)


def tell_apart(cells: Iterable[Cell]) -> None:
    """Raise ScenarioError where one id stands for cells that differ: results and folders are found by it. Cells of several scenarios can,
    whose mitigations have one name."""
    first: dict[str, Cell] = {}
    for cell in cells:
        other = first.setdefault(cell.id, cell)
        if other != cell:
            differ = [one.name for one in fields(Cell) if getattr(cell, one.name) != getattr(other, one.name)]
            why = "; ".join(f"{name}: {_said(other, name)} and {_said(cell, name)}" for name in differ)
            fix = "run their scenarios one by one, or give one of the mitigations another name"
            raise ScenarioError(f"{cell.id} stands for cells that differ", why, fix)


def _said(cell: Cell, field: str) -> str:
    """A field of `cell`; variables as people write them."""
    return ", ".join(map(": ".join, cell.variables)) or "none" if field == "variables" else str(getattr(cell, field))


def _instead(block: BlockSchema, schema: ScenarioSchema, instead: Mapping[str, tuple[str, ...]]) -> dict[str, None]:
    """The refs of a block, or those that are run in their place; each once."""
    return dict.fromkeys(one for text in block.refs or schema.defaults.refs or [] for one in instead[text])


def _on(bed: str | None, cells: Sequence[Cell]) -> list[Cell]:
    """`cells` as they are, or all on `bed`."""
    return [_by_its_installer(replace(cell, bed=bed) if bed else cell) for cell in cells]


def _by_its_installer(cell: Cell) -> Cell:
    """On the bed kind it is kind that installs, in place of the replica's playbooks."""
    return replace(cell, ref=replace(cell.ref, source="kind")) if (cell.bed, cell.ref.source) == ("kind", "replica") else cell


def _of_nothing(schema: ScenarioSchema) -> list[str]:
    """What `known` and `exclude` name that the file, as it is written, does not have. A rule may speak of a bed that a command names."""
    blocks = schema.cells if schema.known or schema.exclude else []
    written = {
        cell.id: cell
        for block in blocks
        for cell in _cells(block, schema, [parse_ref(text) for text in block.refs or schema.defaults.refs or []])
    }

    def covers(rule: BlockSchema) -> bool:
        return any(_covers(rule, replace(cell, bed=on), moved=True) for cell in written.values() for on in rule.beds or (cell.bed,))

    return [
        *(f"exclude.{index}: it covers no cell of `cells`" for index, rule in enumerate(schema.exclude) if not covers(rule)),
        *(f"known: no cell {known.cell!r}" for known in schema.known if known.cell not in written),
    ]


def _wrong(cell: Cell, check: Callable[[Cell], None]) -> ScenarioError | None:
    """Why `cell` cannot be."""
    try:
        check(cell)
    except ScenarioError as error:
        return error
    return None


def _told(error: ScenarioError, *, of: str) -> str:
    """What is wrong and why; the reason alone where it names the cell `of`, beside whose id it stands."""
    what, why, _ = error.args
    return why if repr(of) in what else f"{what} ({why})"


def _cells(block: BlockSchema, schema: ScenarioSchema, refs: Sequence[Ref]) -> list[Cell]:
    def given(field: str, otherwise: list[str]) -> list[str]:
        return getattr(block, field) or getattr(schema.defaults, field) or otherwise

    points = product(
        refs,
        given("kubernetes", []),
        given("topologies", ["1cp"]),
        orderings(given("orderings", [])),
        given("endpoints", ["default"]),
        given("networks", ["plain"]),
        given("beds", ["containers"]),
        given("mitigations", ["none"]),
    )
    return [_by_its_installer(_cell(*point, schema=schema)) for point in points if point[-1] == "none" or point[-1] in schema.mitigations]


def _cell(*point: Any, schema: ScenarioSchema) -> Cell:
    ref, kubernetes, topology, stages, endpoint, network, bed, mitigation = point
    changed = schema.mitigations[mitigation].variables if mitigation != "none" else {}
    return Cell(
        ref=ref,
        kube_version=kubernetes,
        topology=parse_topology(topology),
        ordering=stages,
        endpoint=_endpoint(endpoint, stages),
        network="none" if network == "none" else "plain",
        bed=bed,
        mitigations=(mitigation,) if mitigation != "none" else (),
        variables=tuple((name, dump_yaml(value).removesuffix("\n...\n").strip()) for name, value in changed.items()),
    )


def _endpoint(asked: str, stages: Ordering) -> Endpoint:
    """`default`: the VIP once any stage turns kube-vip on (the plan uses it from that stage on), else the node."""
    if asked in ("vip", "node"):
        return "vip" if asked == "vip" else "node"
    return "vip" if any("kube-vip" in stage for stage in stages) else "node"


def _covers(rule: BlockSchema, cell: Cell, *, moved: bool) -> bool:
    """Whether every field that the rule gives has the cell's value. moved: its ref may stand in place of the replica of that name."""
    written = replace(cell.ref, source="replica") if cell.ref.source == "kind" else cell.ref
    name = cell.ref.name if moved else str(written)
    pairs: list[tuple[list[object] | None, object]] = [
        (_parsed(rule.refs, lambda text: parse_ref(text).name if moved else text), name),
        (_parsed(rule.kubernetes, str), cell.kube_version),
        (_parsed(rule.topologies, parse_topology), cell.topology),
        (None if rule.orderings is None else [*orderings(rule.orderings)], cell.ordering),
        (_parsed(rule.endpoints, str), cell.endpoint),
        (_parsed(rule.networks, str), cell.network),
        (_parsed(rule.beds, str), cell.bed),
        (_parsed(rule.mitigations, lambda name: (name,) if name != "none" else ()), cell.mitigations),
    ]
    return any(wanted is not None for wanted, _ in pairs) and all(wanted is None or value in wanted for wanted, value in pairs)


def _parsed(texts: Sequence[str] | None, parse: Callable[[str], Topology | Ordering | str | tuple[str, ...]]) -> list[object] | None:
    return None if texts is None else [parse(text) for text in texts]


def expired(scenario: Scenario, *, today: date) -> tuple[str, ...]:
    """What is said of each failure that is known of `scenario` and no longer excuses its cell."""
    return tuple(
        f"known: {one.finding} of {one.cell} expired on {one.expires}, and no longer excuses that cell; see whether it is mended, "
        "then take it out of the file or give it another date"
        for one in scenario.known
        if one.expires < today
    )


def known_of(scenario: Scenario, cell: Cell, *, finding: str, today: date) -> tuple[str, ...]:
    """Upstream threads of what is known of `cell`, if `finding` is what is known and it has not expired; else nothing.

    What no thread tells yet is known all the same: that there is none stands in their place.
    """
    replica = replace(cell, ref=replace(cell.ref, source="replica"))  # a failure known of the replica is known of what it follows
    same = {replace(one, bed=name).id for one in (cell, replica) for name in beds.names()}  # and, on one bed, on another
    found = (known for known in scenario.known if known.cell in same and known.finding == finding and today <= known.expires)
    return next((known.upstream or (NO_THREAD,) for known in found), ())
