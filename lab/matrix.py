"""Cells x outcomes: the result of each cell, and matrix.json, whose schema docs/formats.md shows."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict

from lab.datafile import decode
from lab.errors import ScenarioError
from lab.model import Cell, CheckResult, Deviation, Outcome, Prediction, StageRun, Verdict, worst

SCHEMA = "spraylab/matrix"
VERSION = 1
FILE = "matrix.json"
GREEN = (Outcome.PASS, Outcome.SKIP)
COLOUR = {Outcome.PASS: "green", Outcome.FAIL: "red", Outcome.ERROR: "magenta", Outcome.UNKNOWN: "yellow", Outcome.SKIP: "dim"}
SLOWEST = 5  # tasks of each ref that reports tell; matrix.json has those of each stage
SAID_CHARACTERS = 300  # of a failed task, its last ones; the page and the log have more
Asked = Literal["green", "verdicts"]
EXIT = {Outcome.FAIL: 1, Outcome.UNKNOWN: 2, Outcome.ERROR: 3}


class Coordinates(TypedDict):
    """What a cell is, as reports say it."""

    id: str
    ref: str
    kube_version: str
    topology: str
    ordering: str
    endpoint: str
    network: str
    bed: str
    mitigations: tuple[str, ...]


def coordinates(cell: Cell) -> Coordinates:
    """What `cell` is."""
    return Coordinates(
        id=cell.id,
        ref=cell.ref.label,
        kube_version=cell.kube_version,
        topology=str(cell.topology),
        ordering=cell.ordering_text,
        endpoint=cell.endpoint,
        network=cell.network,
        bed=cell.bed,
        mitigations=cell.mitigations,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """What one cell gave. `because`: why the scenario has it; `ref`: as reports call it; `verdict_after_s`: seconds from
    the first node to the verdict; `ports`: what the listeners sampled during kubeadm init say about ports 6443, 10257 and
    10259; `limits`: what the bed cannot show; `evidence`: folder below the run's; `known`: upstream threads of a cell
    that is known to be red by this finding; `predicted`: what the preflight said before; `judged_in`: the cell on whose nodes it was
    judged, empty for its own; `host_load`: what the host lacked meanwhile, empty when nothing; `memory_mib`: node -> most it used;
    `variables`: name -> YAML value of what its mitigations changed."""

    id: str
    ref: str
    kube_version: str
    topology: str
    ordering: str
    endpoint: str
    network: str = "plain"
    bed: str
    mitigations: tuple[str, ...]
    because: str
    verdict: Verdict
    stages: tuple[StageRun, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    limits: tuple[str, ...] = ()
    ports: str = ""
    started_at_s: float
    duration_s: float
    verdict_after_s: float | None = None
    evidence: str = ""
    known: tuple[str, ...] = ()
    predicted: tuple[Prediction, ...] = ()
    judged_in: str = ""
    host_load: str = ""
    memory_mib: Mapping[str, float] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """Where the installer of a stage failed, in one sentence; the last words of the task; and those of its first try, where they differ."""

    where: str
    said: str
    first: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowTask:
    """One of the tasks that took longest with the playbooks `ref`, and where it did."""

    ref: str
    task: str
    seconds: float
    stage: str
    cell: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOutCell:
    """A cell the scenario names and does not run; what it is, as a CellResult says it. `ordering`: empty in a matrix that does not tell."""

    id: str
    because: str
    ref: str = ""
    kube_version: str = ""
    topology: str = ""
    ordering: str = ""
    endpoint: str = ""
    network: str = "plain"
    bed: str = ""
    mitigations: tuple[str, ...] = ()

    @classmethod
    def of(cls, cell: Cell, *, because: str) -> "LeftOutCell":
        """`cell`, which is not run."""
        return cls(because=because, **coordinates(cell))


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """All results of one run. `how`: what they share and in which order they came; `supply`: where what was installed came from and in
    which versions, as far as that was asked for; `host`: fact -> value, for who compares runs of two machines; `asked`: as of
    `exit_code`; `troubles`: what went wrong that is in no cell's result, such as nodes that could not be taken down."""

    lab_version: str
    run: str
    scenarios: tuple[str, ...]
    patience: Literal["early", "full"]
    host: Mapping[str, str]
    started_at_s: float
    cells: tuple[CellResult, ...]
    left_out: tuple[LeftOutCell, ...] = ()
    how: str = ""
    supply: str = ""
    asked: Asked = "green"
    troubles: tuple[str, ...] = ()


def write(matrix: Matrix, folder: Path) -> Path:
    """Write `folder`/matrix.json, whole or not at all."""
    path = folder / FILE
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"schema": SCHEMA, "version": VERSION, **_names(asdict(matrix))}, indent=1) + "\n")
    part.replace(path)
    return path


def read(path: Path) -> Matrix:
    """The matrix of the file, or of the run's folder, at `path`. Raises ScenarioError when it is none of this version."""
    fix = f"name a folder of runs/ with a {FILE} in it"
    try:
        path = path / FILE if path.is_dir() else path
        raw = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, OSError) else f"it is not JSON: {error}"
        raise ScenarioError(f"{path} is not a matrix", why, fix) from error
    if not isinstance(raw, dict) or (raw.pop("schema", None), raw.pop("version", None)) != (SCHEMA, VERSION):
        raise ScenarioError(f"{path} cannot be read", f"it is not {SCHEMA} of version {VERSION}", "use the spraylab that wrote it")
    try:
        return decode(Matrix, _numbers(raw))
    except ValueError as error:
        raise ScenarioError(f"{path} is not a matrix", str(error), fix) from error


def exit_code(results: tuple[CellResult, ...], *, asked: Asked, troubles: tuple[str, ...] = ()) -> int:
    """0 when no cell is worse than asked for, else 1 FAIL, 2 UNKNOWN, 3 ERROR, of the worst; 3 where the run had troubles.

    asked: `green` takes PASS, SKIP and cells known to be red for their finding; `verdicts` takes FAIL with a cause too.
    """
    if troubles:
        return EXIT[Outcome.ERROR]
    outcome = worst([result.verdict.outcome for result in results if not is_fine(result, asked=asked)] or [Outcome.PASS])
    return EXIT.get(outcome, 0) if results else EXIT[Outcome.UNKNOWN]


def is_fine(result: CellResult, *, asked: Asked) -> bool:
    """Whether the cell is what was asked for; see `exit_code`."""
    explained = result.verdict.outcome is Outcome.FAIL and bool(result.verdict.cause)
    return result.verdict.outcome in GREEN or (explained and (asked == "verdicts" or bool(result.known)))


def reason(result: CellResult) -> str:
    """The one line that says why."""
    verdict = result.verdict
    if verdict.outcome in GREEN:
        return verdict.summary
    known = f" (known: {', '.join(result.known)})" if result.known else ""
    return f"{verdict.cause or 'cause unknown'}: {verdict.summary}{known}"


def failed_tasks(result: CellResult) -> tuple[FailedTask, ...]:
    """The task in which each stage that failed did; Ansible may also fail outside of any."""
    failed = [run for run in result.stages if run.failed_task or run.failed_said]
    return tuple(FailedTask(where=_where(run), said=_last(run.failed_said), first=_last(run.failed_first)) for run in failed)


def slowest(matrix: Matrix) -> tuple[SlowTask, ...]:
    """The tasks that took longest with each ref, slowest first; where a task took longest counts."""
    found: dict[str, dict[str, SlowTask]] = {}
    for result in matrix.cells:
        for run in result.stages:
            for task, seconds in run.slowest:
                of_ref = found.setdefault(result.ref, {})
                if task not in of_ref or seconds > of_ref[task].seconds:
                    of_ref[task] = SlowTask(ref=result.ref, task=task, seconds=seconds, stage=run.stage, cell=result.id)
    return tuple(one for of_ref in found.values() for one in sorted(of_ref.values(), key=lambda one: -one.seconds)[:SLOWEST])


def _where(run: StageRun) -> str:
    if not run.failed_task:
        return f"stage {run.stage!r}, outside of any task"
    rc = f" (rc={run.failed_rc})" if run.failed_rc is not None else ""
    return f"stage {run.stage!r}: task {run.failed_task!r} on {run.failed_node or 'a node'}{rc}" + (
        f", {run.failed_at}" if run.failed_at else ""
    )


def _last(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= SAID_CHARACTERS else f"…{line[-SAID_CHARACTERS:]}"


def memory(result: CellResult) -> str:
    """What its nodes used of the host, each and together, in MiB."""
    each = ", ".join(f"{name} {used:.0f} MiB" for name, used in result.memory_mib.items())
    return f"{each}; together {sum(result.memory_mib.values()):.0f} MiB"


def ports_verdict(matrix: Matrix) -> str:
    """What all cells together say about "kube-vip occupies ports 6443, 10259 and 10257": one cell in which it did is enough."""
    said = {result.ports.partition(":")[0] for result in matrix.cells if result.ports}
    return next((word for word in ("confirmed", "refuted") if word in said), "cannot tell")


def _names(value: object) -> dict[str, object]:
    """`value` with every outcome by its name."""
    named = _each(value, lambda outcome: Outcome(outcome).name)
    return named if isinstance(named, dict) else {}


def _numbers(value: object) -> object:
    """`value` with every outcome as model.Outcome has it; ValueError for one that does not exist."""
    try:
        return _each(value, lambda name: Outcome[str(name)])
    except KeyError as error:
        raise ValueError(f"no outcome {error}") from error


def _each(value: object, change: Callable[[Any], object]) -> object:
    if isinstance(value, dict):
        return {key: change(one) if key == "outcome" else _each(one, change) for key, one in value.items()}
    return [_each(one, change) for one in value] if isinstance(value, list | tuple) else value
