"""The matrix as matrix.html: one file that loads nothing, for people who want to know why; and the timeline of each cell beside it."""

import base64
import hashlib
from collections.abc import Collection, Hashable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lab import evidence, journal, kindcluster, picture, release, template, timeline
from lab.errors import ScenarioError
from lab.grid import SYMBOL, Entry, Grid, counts, entries, grid, notes, predicted
from lab.journal import Line
from lab.matrix import CellResult, Matrix, ports_verdict, reason
from lab.model import CheckResult, Outcome, StageRun
from lab.signature import Context

FILE = "matrix.html"
PARTS = Path(__file__).parent.parent / "data" / "report"
PICTURES_BYTES = 8 * 2**20  # of timelines inside the page; those beyond it are files that the page links
SOON_S = 1.0  # a picture is as new as the cell whose lines it was drawn from, give or take a file system's clock


@dataclass(frozen=True, slots=True)
class _Shared:
    """Values that many cells have, written once: a cell has their number."""

    values: list[object] = field(default_factory=list)
    numbers: dict[Hashable, int] = field(default_factory=dict)

    def number(self, value: Any) -> int:
        if value not in self.numbers:
            self.numbers[value] = len(self.values)
            self.values.append(value if isinstance(value, str) else asdict(value))
        return self.numbers[value]


def write(matrix: Matrix, folder: Path) -> Path:
    """Write `folder`/matrix.html, whole or not at all, and the timeline of each cell that `folder`/journal.jsonl has one of."""
    draw(matrix, folder)
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(text(matrix, _pictures(matrix, folder)), errors="replace")
    part.replace(path)
    return path


def draw(matrix: Matrix, folder: Path) -> None:
    """Write timeline.svg beside the evidence of every cell that has none yet, or an older one."""
    missing = {one.id: one for one in matrix.cells if _is_missing(folder / one.evidence / picture.FILE, one) and not one.judged_in}
    if not missing or not (folder / journal.FILE).exists():
        return
    init_tasks = {task for one in release.every() for task in one.kubeadm_init.tasks} | {kindcluster.init().task}
    lines: dict[str, list[Line]] = {}
    for line in journal.read(folder / journal.FILE, cells=missing):
        lines.setdefault(line.cell, []).append(timeline.slim(line))
    for cell, told in lines.items():
        _draw(folder / missing[cell].evidence, told, init_tasks)


def text(matrix: Matrix, pictures: Mapping[str, str]) -> str:
    """The whole page. pictures: cell -> its timeline as SVG."""
    style, script = ((PARTS / name).read_text().strip() for name in ("matrix.css", "matrix.js"))
    made = template.environment(PARTS, escape=True)
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return made.get_template("matrix.html.j2").render(
        matrix=matrix,
        when=_when(matrix.started_at_s),
        counts=[(outcome, SYMBOL[outcome], number) for outcome, number in counts(matrix).items()],
        refs=sorted({result.ref for result in matrix.cells}),
        grid=(laid := grid(matrix)),
        rows=list(_rows(laid)),
        cells=[_listed(entry) for entry in entries(matrix)],
        ports=ports_verdict(matrix) if any(result.ports for result in matrix.cells) else "",
        data=_data(matrix, pictures),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704
        policy=_policy(styles=(style, picture.STYLE), script=script),
    )


def _policy(*, styles: tuple[str, ...], script: str) -> str:
    """Nothing may be loaded, and nothing run but this very script."""

    def allowed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {allowed(script)}; style-src {' '.join(map(allowed, styles))}; base-uri 'none'; form-action 'none'"
    )


def _rows(laid: Grid) -> Iterator[tuple[str, list[list[Mapping[str, object]]]]]:
    for row, name in enumerate(laid.rows):
        yield name, [[_listed(entry) for entry in laid.cells.get((row, column), ())] for column in range(len(laid.columns))]


def _listed(entry: Entry) -> Mapping[str, object]:
    """What stands in the grid and in the list."""
    result = entry.result
    return {
        "id": entry.id,
        "outcome": entry.outcome.name,
        "symbol": SYMBOL[entry.outcome],
        "ref": result.ref if result else "",
        "after": f"{result.verdict_after_s:.0f} s" if result and result.verdict_after_s is not None else "",
        "reason": reason(result) if result else entry.because,
        "tags": list(_tags(result)) if result else ["left out"],
        "notes": notes(result) if result else (),
    }


def _tags(result: CellResult) -> Iterator[str]:
    """A few words each: there is no room for more in a grid."""
    yield from dict.fromkeys(f"predicted, {one.come}" for one in predicted(result))
    yield from ("shared",) * bool(result.judged_in)
    yield from ("busy host",) * bool(result.host_load)
    yield from ("known",) * bool(result.known)


def _data(matrix: Matrix, pictures: Mapping[str, str]) -> Mapping[str, object]:
    """All that the panel of a cell shows; what many cells say alike stands once, in `shared`."""
    shared = _Shared()
    cells = [_told(entry, shared) for entry in entries(matrix)]
    return {"cells": cells, "shared": shared.values, "pictures": pictures, "symbols": {one.name: SYMBOL[one] for one in Outcome}}


def _told(entry: Entry, shared: _Shared) -> Mapping[str, object]:
    result = entry.result
    if result is None:
        return {"id": entry.id, "outcome": entry.outcome.name, "summary": entry.because}
    verdict = result.verdict
    plain = ("ref", "kube_version", "topology", "ordering", "endpoint", "network", "bed", "because", "ports", "evidence", "judged_in")
    return {name: getattr(result, name) for name in plain} | {
        "id": entry.id,
        "outcome": entry.outcome.name,
        "mitigations": result.mitigations,
        "summary": verdict.summary,
        "ended": verdict.ended,
        "host_load": result.host_load,
        "memory_mib": dict(result.memory_mib),
        "known": result.known,
        "look_at": verdict.look_at,
        "started": _when(result.started_at_s),
        "duration_s": result.duration_s,
        "verdict_after_s": result.verdict_after_s,
        "predicted": [{"name": one.name, "says": one.prediction.says, "come": one.come} for one in predicted(result)],
        "stages": [_flat(stage) for stage in result.stages],
        "checks": [_flat(check) | {"outcome": check.outcome.name} for check in result.checks],
        "findings": [shared.number(finding) for finding in verdict.findings],
        "ruled_out": [shared.number(other) for other in verdict.ruled_out],
        "deviations": [shared.number(deviation) for deviation in result.deviations],
        "limits": [shared.number(limit) for limit in result.limits],
    }


def _flat(value: StageRun | CheckResult) -> dict[str, object]:
    """What asdict gives for a value that has no values inside, in a tenth of its time."""
    return {name: getattr(value, name) for name in value.__slots__}


def _pictures(matrix: Matrix, folder: Path) -> Mapping[str, str]:
    """The drawn timelines; empty where the page has no room for one. Those of cells that are not green come first."""
    found: dict[str, str] = {}
    room = PICTURES_BYTES
    for result in sorted(matrix.cells, key=lambda one: one.verdict.outcome, reverse=True):
        path = folder / result.evidence / picture.FILE
        if result.evidence and not result.judged_in and path.exists():
            room -= path.stat().st_size
            found[result.id] = path.read_text() if room > 0 else ""
    return found


def _draw(cell: Path, lines: list[Line], init_tasks: Collection[str]) -> None:
    try:
        place = evidence.read(cell / "evidence")[1]
    except ScenarioError:
        place = Context(vip="", nodes=())  # no evidence was taken: the lab broke before
    drawn = timeline.build(lines, vip=place.vip, init_tasks=init_tasks, api_port=place.port)
    if drawn and cell.is_dir():
        (cell / picture.FILE).write_text(picture.svg(drawn), errors="replace")


def _is_missing(path: Path, result: CellResult) -> bool:
    ended_s = result.started_at_s + result.duration_s
    return bool(result.evidence) and not (path.exists() and path.stat().st_mtime >= ended_s - SOON_S)


def _when(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
