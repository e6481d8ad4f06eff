"""What a set of nodes has shown until now -> the result of a cell. Grows while the stages run, so that an error loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from posixpath import normpath

from lab.deadline import ticks_s
from lab.matrix import CellResult, coordinates
from lab.model import Cell, CheckResult, Deviation, Prediction, StageRun, Verdict
from lab.watch import Story

CELLS = "cells"  # folder of a run, one folder per cell in it


@dataclass(slots=True, kw_only=True)
class Seen:
    """`course`: id of the longest cell; `node_s`: when the first node was asked for; `predicted`, `deviations`: by cell id;
    `evidence`: the folder below CELLS that has that of the last stage, empty while there is none; `checks`, `host_load`: of the last
    stage too."""

    course: str
    began_s: float
    started_at_s: float
    node_s: float | None = None
    stages: list[StageRun] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    checks: tuple[CheckResult, ...] = ()
    deviations: Mapping[str, tuple[Deviation, ...]] = field(default_factory=dict)
    predicted: Mapping[str, tuple[Prediction, ...]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    evidence: str = ""
    host_load: str = ""
    memory_mib: dict[str, float] = field(default_factory=dict)
    red: bool = False


def of(cell: Cell, judged: Verdict, seen: Seen, *, because: str) -> CellResult:
    """The result of `cell`, judged now. because: why its scenario has it."""
    folder = seen.evidence or seen.course
    now = ticks_s()
    return CellResult(
        **coordinates(cell),
        because=because,
        verdict=replace(judged, look_at=tuple(normpath(f"{CELLS}/{folder}/{path}") for path in judged.look_at)),
        stages=tuple(seen.stages),
        checks=seen.checks,
        deviations=tuple(dict.fromkeys(seen.deviations.get(cell.id, ()))),
        limits=seen.limits,
        ports=" ".join(story.ports.says for story in seen.stories),
        started_at_s=seen.started_at_s,
        duration_s=now - seen.began_s,
        verdict_after_s=now - seen.node_s if seen.node_s is not None else None,
        evidence=f"{CELLS}/{folder}",
        predicted=seen.predicted.get(cell.id, ()),
        judged_in=seen.course if cell.id != seen.course else "",
        host_load=seen.host_load,
        memory_mib=dict(seen.memory_mib),
        variables=dict(cell.variables),
    )
