"""One run of many cells: what must be there before it begins, what its courses share, and its reports, rewritten after each cell."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from lab import (
    bed,
    cachedir,
    checkout,
    estimate,
    host,
    journal,
    matrix,
    resume,
    runfolder,
)
from lab.course import Course, courses, in_words
from lab.deadline import minutes, now_s
from lab.engine import Engine, connect
from lab.errors import LabError
from lab.estimate import Expected, Forecast
from lab.hostload import HostLoad, Load
from lab.journal import JUDGED, Journal, Line
from lab.matrix import CellResult, LeftOutCell, Matrix
from lab.model import Cell
from lab.owner import signed
from lab.ready import Options, capacity
from lab.reports import html, junit, markdown
from lab.resume import Earlier
from lab.run import run_course
from lab.schedule import Job, Schedule
from lab.shared import Lab

REPORTS = (matrix.write, markdown.write, junit.write)  # after each cell
PAGE_EACH_CELLS = 300  # with more the page, which takes seconds then, is written at the end alone
Known = Callable[[Cell, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The cells of a run and what their scenarios say of them. `because`: cell id -> why its scenario has it."""

    scenarios: tuple[str, ...]
    cells: tuple[Cell, ...]
    because: Mapping[str, str]
    left_out: tuple[LeftOutCell, ...]
    known: Known


class Run:
    """An open run, whose courses run beside each other. `matrix`: all results until now, as matrix.json has them."""

    def __init__(
        self, lab: Lab, asked: Asked, *, empty: Matrix, kept: Sequence[CellResult], of: Sequence[Course], forecast: Forecast
    ) -> None:
        self.lab, self.courses, self._forecast = lab, tuple(of), forecast
        self._asked, self._lock = asked, Lock()
        self._cells = {cell.id: cell for cell in asked.cells}
        self._place = {cell.id: number for number, cell in enumerate(asked.cells)}
        kept = tuple(map(self._with_known, kept))
        self.matrix = replace(empty, cells=kept)
        self._results: dict[str, Future[CellResult]] = {cell.id: Future() for cell in asked.cells}
        for one in kept:
            if one.id in self._results:
                self._results[one.id].set_result(one)

    def result(self, cell: Cell) -> CellResult:
        """The result of `cell`, once there is one. Raises KeyboardInterrupt when the run ends without it, LabError when its course does."""
        return self._results[cell.id].result()

    def jobs(self) -> tuple[Job, ...]:
        """The work of the run, a job per course."""
        needs = [estimate.need(one.longest.topology, on=one.longest.bed) for one in self.courses]
        return tuple(Job(need=need, work=partial(self._work, one)) for need, one in zip(needs, self.courses, strict=True))

    def give_up(self) -> None:
        """Tell whoever waits for a result that none will come."""
        self._give_up(self._results, KeyboardInterrupt())

    def _give_up(self, cells: Iterable[str], why: BaseException) -> bool:
        """Whether some of `cells` had no result; whoever waits for one of those is told `why`."""
        with self._lock:
            missing = [future for future in (self._results[cell] for cell in cells) if not future.done()]
            for future in missing:
                future.set_exception(why)
        return bool(missing)

    def _work(self, of: Course) -> None:
        self._forecast.begins(of)
        try:
            run_course(of, self.lab, done=self._done)
        except KeyboardInterrupt:
            self.give_up()
            raise
        finally:
            self._forecast.ended(of)
            ended = f"{of.longest.id} ended without a result"
            why = LabError(ended, "the lab failed where it must not", "report it with the run's folder")
            if self._give_up((cell.id for cell in of.cells), why):
                self.lab.trouble(ended, cell=of.longest.id)

    def left(self) -> Expected:
        """How long the rest of the run will take."""
        return self._forecast.left()

    def _done(self, made: CellResult) -> None:
        with self._lock:
            made = self._with_known(made)
            others = (one for one in self.matrix.cells if one.id != made.id)
            cells = sorted((*others, made), key=lambda one: self._place.get(one.id, len(self._place)))
            self.matrix = replace(self.matrix, cells=tuple(cells))
            try:
                self._write(page=len(self._asked.cells) <= PAGE_EACH_CELLS)
            finally:  # somebody waits for it, whatever becomes of the reports
                if not self._results[made.id].done():
                    self._results[made.id].set_result(made)

    def _with_known(self, made: CellResult) -> CellResult:
        """`made`, and what its scenario says today of its being red; as it is where the scenario was not asked for."""
        cell = self._cells.get(made.id)
        return replace(made, known=self._asked.known(cell, made.verdict.cause)) if cell else made

    def _write(self, *, page: bool) -> None:
        """Every report, with the page or without; one that cannot be written is a trouble of the run. Where no cell has a result there is
        the page alone: nobody could go on with such a run."""
        self.matrix = replace(self.matrix, troubles=self.lab.troubles)
        for write in (*(REPORTS if self.matrix.cells else ()), *((html.write,) if page else ())):
            with self.lab.beside("a report cannot be written"):
                write(self.matrix, self.lab.folder)

    def close(self) -> None:
        """Write all reports as they are in the end: what went wrong after the last result stands in them too."""
        with self._lock:
            self._write(page=True)
            self.matrix = replace(self.matrix, troubles=self.lab.troubles)

    def exit_code(self, *, asked: matrix.Asked) -> int:
        """As matrix.exit_code has it, of the cells that this run was asked for."""
        return matrix.exit_code(tuple(one for one in self.matrix.cells if one.id in self._place), asked=asked, troubles=self.lab.troubles)


@contextmanager
def opened(options: Options, asked: Asked, *, tell: Callable[[Line], None]) -> Iterator[Run]:
    """A run with an engine and a folder of its own, its courses under way, for as long as the block runs.

    Raises HostError when there is no engine, ScenarioError when there is no run to go on with; then nothing was made.
    """
    began_s, earlier = now_s(), _earlier(options, asked, tell)
    kept = earlier.kept if earlier else ()
    left = [cell for cell in asked.cells if cell.id not in {one.id for one in kept}]
    of = list(courses(left, reuse=options.reuse))
    if options.seed is not None:
        random.Random(options.seed).shuffle(of)  # noqa: S311 - an order, not a secret
    with ExitStack() as stack:
        if earlier:  # signed at once: another run may be about to go on with it too
            stack.enter_context(signed(earlier.folder, run_id=runfolder.run_id(earlier.folder)))
        engine = stack.enter_context(_engine(options, left))
        folder = earlier.folder if earlier else runfolder.make(options.runs.absolute(), began_s)
        if not earlier:
            stack.enter_context(signed(folder, run_id=runfolder.run_id(folder)))
        for cell in left:
            resume.set_aside(folder, cell.id)
        forecast = Forecast(of, list(journal.of_runs(options.runs, kinds=(JUDGED,))), capacity=capacity(), limit=options.limit)

        def heard(line: Line) -> None:
            forecast.heard(line)
            tell(line)

        written = Journal(folder, tell=heard)
        stack.callback(written.close)
        load = stack.enter_context(HostLoad(tell=lambda load: _loaded(written, load)))
        lab = _lab(options, folder, written, engine=engine, load=load, because=asked.because)
        empty = _empty(options, asked, folder.name, engine=engine, began_s=began_s)
        run = Run(lab, asked, empty=empty, kept=kept, of=of, forecast=forecast)
        if kept:
            written.write(Line(at_s=now_s(), kind="resumed", more={"cells": len(asked.cells) - len(left)}))
        stack.callback(run.give_up)
        stack.callback(run.close)
        stack.enter_context(Schedule(run.jobs(), capacity=forecast.capacity, over=lab.over, limit=options.limit))
        yield run


def _earlier(options: Options, asked: Asked, tell: Callable[[Line], None]) -> Earlier | None:
    if not (options.going_on or options.failed):
        return None
    return resume.find(
        options.runs,
        scenarios=asked.scenarios,
        patience=options.patience,
        failed=options.failed,
        cells=asked.cells,
        supply=str(options.supply),
        say=lambda said: tell(Line(at_s=now_s(), kind="said", said=said)),
    )


@contextmanager
def _engine(options: Options, cells: Sequence[Cell]) -> Iterator[Engine | None]:
    """The container engine, where the nodes of some of `cells` are its; else nobody asks for one."""
    if not any(bed.find(name).by_engine for name in {cell.bed for cell in cells}):
        yield None
        return
    with connect(options.engine) as engine:
        yield engine


def _loaded(written: Journal, load: Load) -> None:
    more = {"idle": round(load.idle_percent), "iowait": round(load.iowait_percent), "steal": round(load.steal_percent)}
    written.write(Line(at_s=load.at_s, kind="host", more={**more, "runnable": load.runnable, "free_mib": round(load.free_mib)}))


def _empty(options: Options, asked: Asked, name: str, *, engine: Engine | None, began_s: float) -> Matrix:
    order = f"in an order of seed {options.seed}" if options.seed is not None else "in the order of the scenario"
    shared = "cells share the stages they have in common" if options.reuse else "every cell on nodes of its own"
    return Matrix(
        lab_version=lab_version(),
        run=name,
        scenarios=asked.scenarios,
        patience=options.patience,
        how="; ".join(part for part in (f"{shared}, {order}", str(options.supply)) if part),
        supply=str(options.supply),
        asked=options.asked,
        host=_host(engine),
        started_at_s=began_s,
        cells=(),
        left_out=asked.left_out,
    )


def _lab(options: Options, folder: Path, written: Journal, *, engine: Engine | None, load: HostLoad, because: Mapping[str, str]) -> Lab:
    return Lab(
        run_id=runfolder.run_id(folder),
        folder=folder,
        journal=written,
        engine=engine,
        load=load,
        patience=options.patience,
        keep=options.keep,
        kubespray=options.kubespray or checkout.PUBLIC,
        slot=options.slot,
        supply=options.supply,
        because=because,
    )


def announced(run: Run, asked: Asked, options: Options) -> str:
    """What is about to happen, in one sentence: how much, how, and how long it will take."""
    cells = sum(len(one.cells) for one in run.courses)
    before = f" ({len(asked.cells) - cells} more have their verdict)" if len(asked.cells) > cells else ""
    left = run.left()
    how_sure = "as they took last time" if left.sure else "some of it a guess: it was not run here before"
    seed = f", seed {options.seed}" if options.seed is not None else ""
    return f"{in_words(run.courses, aside=before)}{seed}; about {minutes(left.seconds)}, {how_sure}"


def lab_version() -> str:
    """The version of the installed lab."""
    try:
        return version("spraylab")
    except PackageNotFoundError:
        return "not installed"


def _host(engine: Engine | None) -> Mapping[str, str]:
    seen = host.facts()
    return {
        "engine": f"{engine.name} {engine.version()}" if engine else "none",
        "kernel": seen.kernel,
        "cgroup": seen.cgroup,
        "cores": str(seen.cores),
        "memory": f"{seen.memory_bytes / cachedir.GIB:.0f} GiB",
    }
