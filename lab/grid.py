"""The cells of a matrix as a grid, orderings by refs, and what stands beside an outcome: predictions, shared verdicts, the host. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lab.matrix import CellResult, LeftOutCell, Matrix
from lab.model import Outcome, Prediction

SYMBOL = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.ERROR: "!", Outcome.UNKNOWN: "?", Outcome.SKIP: "-"}
_FIELDS = ("ref", "Kubernetes", "topology", "endpoint", "network", "bed", "mitigations")
_OF_ORDERING = ("endpoint", "network")  # often follow from the ordering, and then would only make columns that are half empty
Come = Literal["seen", "not seen", "cannot tell"]
Coordinates = Mapping[str, str]  # field -> its value, as headings say it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One cell of a matrix: what it gave, or that it was left out."""

    result: CellResult | None = None
    left_out: LeftOutCell | None = None

    @property
    def id(self) -> str:
        """The cell's."""
        return cell.id if (cell := self.result or self.left_out) else ""

    @property
    def because(self) -> str:
        """Why it was left out; empty for one that ran."""
        return self.left_out.because if self.left_out else ""

    @property
    def outcome(self) -> Outcome:
        """A cell that was left out is a SKIP with a reason."""
        return self.result.verdict.outcome if self.result else Outcome.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`columns`: the lines of each heading; `common`: what all cells share; `cells`: (row, column) -> entries, nearly always one;
    `elsewhere`: cells left out of which an older matrix does not say where they belong."""

    rows: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    common: tuple[str, ...]
    cells: Mapping[tuple[int, int], tuple[Entry, ...]]
    elsewhere: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """A prediction beside what came. `come`: cannot tell where something else broke, for that may have hidden it."""

    prediction: Prediction
    come: Come

    @property
    def name(self) -> str:
        """The failure's signature, or the rule where none is catalogued."""
        return self.prediction.signature or self.prediction.rule


def entries(matrix: Matrix) -> tuple[Entry, ...]:
    """All cells, also those left out."""
    return (*(Entry(result=one) for one in matrix.cells), *(Entry(left_out=one) for one in matrix.left_out))


def grid(matrix: Matrix) -> Grid:
    """Rows are orderings; columns are refs, and whatever else tells two cells of one ordering apart."""
    labels = {_ref_of(result.id): result.ref for result in matrix.cells}
    placed = [(entry, where) for entry in entries(matrix) if (where := _coordinates(entry, labels))]
    varying = tuple(field for field in _FIELDS if len({where[field] for _, where in placed}) > 1)
    key = _key([where for _, where in placed], varying)
    rows = {name: number for number, name in enumerate(sorted({where["ordering"] for _, where in placed}, key=_by_addons))}
    columns = sorted({_values(where, key) for _, where in placed}, key=lambda values: [_natural(one) for one in values])
    keys = {values: number for number, values in enumerate(columns)}
    cells: dict[tuple[int, int], tuple[Entry, ...]] = {}
    for entry, where in placed:
        place = rows[where["ordering"]], keys[_values(where, key)]
        cells[place] = (*cells.get(place, ()), entry)
    common = (_said(field, placed[0][1][field]) for field in _FIELDS if placed and field not in varying)
    return Grid(
        rows=tuple(rows),
        columns=tuple(_heading(dict(zip(key, values, strict=True)), varying) for values in columns),
        common=tuple(one for one in common if one),
        cells=cells,
        elsewhere=tuple(entry for entry in entries(matrix) if not _coordinates(entry, labels)),
    )


def predicted(result: CellResult) -> tuple[Predicted, ...]:
    """What the preflight said of the cell, beside what was seen."""
    return tuple(Predicted(prediction=one, come=_come(one, result)) for one in result.predicted)


def notes(result: CellResult) -> tuple[str, ...]:
    """What a reader must know beside the outcome, shortest first: predictions, whose verdict it is, what the host lacked."""
    told = [f"predicted {one.name}: {one.come}" for one in predicted(result)]
    told += [f"as {result.judged_in}"] if result.judged_in else []
    return (*told, *([f"host: {result.host_load}"] if result.host_load else []))


def counts(matrix: Matrix) -> Mapping[Outcome, int]:
    """How many cells have which outcome, worst first; outcomes that no cell has are left out."""
    found = [entry.outcome for entry in entries(matrix)]
    return {outcome: found.count(outcome) for outcome in sorted(Outcome, reverse=True) if outcome in found}


def _come(one: Prediction, result: CellResult) -> Come:
    found = {finding.signature for finding in result.verdict.findings}
    if one.signature and one.signature in found:
        return "seen"
    return "not seen" if result.verdict.outcome is Outcome.PASS else "cannot tell"


def _ref_of(cell: str) -> str:
    return cell.partition(":")[0]


def _coordinates(entry: Entry, labels: Mapping[str, str]) -> Coordinates:
    """Empty when they are not told. labels: what cells that ran call the ref of an id, for one left out may not know its commit."""
    cell = entry.result or entry.left_out
    if cell is None or not cell.ordering:
        return {}
    ref = cell.ref if entry.result else labels.get(_ref_of(cell.id), cell.ref)
    values = (ref, cell.kube_version, cell.topology, cell.endpoint, cell.network, cell.bed, ", ".join(cell.mitigations))
    return dict(zip(_FIELDS, values, strict=True)) | {"ordering": cell.ordering}


def _key(everywhere: Sequence[Coordinates], varying: Sequence[str]) -> tuple[str, ...]:
    """The fields that make a column: the ref and all that vary, without those that each ordering has one value of."""

    def follows(field: str) -> bool:
        return len({(where["ordering"], where[field]) for where in everywhere}) == len({where["ordering"] for where in everywhere})

    return ("ref", *(field for field in varying if field != "ref" and not (field in _OF_ORDERING and follows(field))))


def _heading(column: Coordinates, varying: Iterable[str]) -> tuple[str, ...]:
    """What the cells of the column have, and not all of the grid; never nothing."""
    told = (_said(field, column[field]) for field in varying if field in column)
    return tuple(one for one in told if one) or (column["ref"],)


def _said(field: str, value: str) -> str:
    words = {"Kubernetes": "Kubernetes {}", "endpoint": "endpoint {}", "network": "network {}", "bed": "bed {}", "mitigations": "with {}"}
    return words.get(field, "{}").format(value) if value else ""


def _values(where: Coordinates, key: Iterable[str]) -> tuple[str, ...]:
    return tuple(where[field] for field in key)


def _by_addons(ordering: str) -> tuple[int, int, str]:
    """Fewer addons first, then fewer stages, as `lab.notation` generates them."""
    addons = [name.strip() for name in re.split(r"[+>]", ordering) if name.strip() != "base"]
    return len(addons), ordering.count(">"), ordering


def _natural(text: str) -> list[tuple[int, str]]:
    """v2.9 before v2.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
