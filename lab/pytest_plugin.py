"""`pytest scenarios/` is the lab: one item per cell, with pytest's own -k, --lf, -x and --collect-only. No logic of its own."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import bed, journal, matrix, named, ready, runs, scenario, selection
from lab.command import interrupted_by_sigterm
from lab.deadline import today
from lab.ending import INTERRUPTED
from lab.errors import LabError
from lab.matrix import CellResult, LeftOutCell
from lab.model import Cell, Outcome
from lab.ready import FOLDER as RUNS
from lab.ready import Options
from lab.refs import Refs
from lab.reports import planned, progress, screen, terminal
from lab.runs import Asked
from lab.scenario import Scenario
from lab.supply import Supply

FOLDER = "scenarios"  # YAML files of folders of this name, and those named on the command line, are scenarios
EXPLAINED = "explained"  # category of a red cell that was asked for its verdict and has one
OPTIONS = ("engine", "patience", "keep", "kubespray", "slot", "runs", "jobs", "reuse", "seed", "going_on", "failed", "asked")
_PROBLEMS = pytest.StashKey[list[str]]()
_READ = pytest.StashKey[int]()  # scenarios that were asked for
_CELLS = pytest.StashKey[int]()  # of them, before -k
_LEFT_OUT = pytest.StashKey[dict[str, str]]()  # cell id -> why, where no other was asked for
_REFS = pytest.StashKey[Refs]()
_SESSION = pytest.StashKey["_Session"]()


class NotAsAsked(Exception):  # noqa: N818 - a result, not an error of the lab
    """The cell is worse than what was asked for."""

    def __init__(self, result: CellResult) -> None:
        super().__init__(matrix.reason(result))
        self.result = result


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the lab's options."""
    group = parser.getgroup("spraylab", "spraylab: cells of scenarios")
    group.addoption("--bed", choices=bed.names(), help="nodes of this bed in place of the scenario's")
    group.addoption("--engine", choices=("auto", "docker", "podman"), default="auto", help="auto: DOCKER_HOST, Docker, podman")
    group.addoption("--patience", choices=("early", "full"), default="early", help="full: wait every time-out out, as kubespray does")
    group.addoption("--keep", choices=("never", "failure", "always"), default="never", help="whose nodes stay: open them by spraylab shell")
    group.addoption("--kubespray", metavar="PATH|URL", help="kubespray's repository; a scenario of the replica alone is then run by it")
    group.addoption(
        "--ref", action="append", help="run this ref in place of the scenario's: v2.25.0, branch, commit, pr/7, worktree, replica@..."
    )
    group.addoption("--artifacts", choices=("built", "upstream"), help="what is installed: built by the lab, or fetched by kubespray")
    group.addoption("--component", action="append", metavar="NAME=VERSION", help="this version of a component, such as kube-vip=v1.0.0")
    group.addoption("--slot", type=int, help="the fixed subnet to use, 0 to 15; default: the first free one")
    group.addoption("--runs", type=Path, default=RUNS, metavar="FOLDER", help="gets a folder per run; default: runs")
    group.addoption("--jobs", type=int, help="how many sets of nodes at once; default: as many as memory and cores allow")
    group.addoption("--no-reuse", dest="reuse", action="store_false", help="nodes of its own for every cell; no stage is shared")
    group.addoption("--seed", type=int, metavar="NUMBER", help="shuffle the order; default: that of the scenario")
    group.addoption("--resume", dest="going_on", action="store_true", help="go on with the newest run of these scenarios")
    group.addoption("--failed", action="store_true", help="as --resume, and run what was red again")
    group.addoption("--asked", choices=("green", "verdicts"), default="green", help="verdicts: a red cell with its cause is no failure")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare what collection fills; refuse options that no run can have, also where none of its cells is run."""
    config.stash[_PROBLEMS], config.stash[_READ], config.stash[_CELLS] = [], 0, 0
    try:
        ready.possible(_options(config))
    except LabError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "ScenarioFile | None":
    """Take scenario files."""
    named = any(Path(arg.partition("::")[0]).absolute() == file_path for arg in parent.config.args)
    if file_path.suffix == ".yaml" and (named or file_path.parent.name == FOLDER):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class ScenarioFile(pytest.File):
    """A scenario; its items are its cells."""

    def collect(self) -> Iterator["CellItem"]:
        """Yield an item per cell, those left out with the reason to skip them. What is wrong is told once, after collection."""
        self.config.stash[_READ] += 1
        try:
            check = partial(ready.installable, supply=_supply(self.config))
            refs, option = _refs(self.config), self.config.option
            read = scenario.load(self.path, check=check, refs=refs, bed=option.bed, lacks=ready.lacking, asked=str(_asked(option)))
        except LabError as error:
            self.config.stash[_PROBLEMS].append(str(error))
            return
        for cell in read.cells:
            yield self._item(cell, read, skipped="")
        for left_out in read.left_out:
            yield self._item(left_out.cell, read, skipped=left_out.because)

    def _item(self, cell: Cell, read: Scenario, *, skipped: str) -> "CellItem":
        item: CellItem = CellItem.from_parent(self, name=cell.id)
        item.cell, item.scenario, item.skipped = cell, read, skipped
        item.add_marker(pytest.mark.filterwarnings("default"))  # a library's warning is no verdict on kubespray
        if self.config.pluginmanager.hasplugin("timeout"):
            item.add_marker(pytest.mark.timeout(0))  # a cell has its own limits
        self.config.stash[_CELLS] += 1
        return item


def _options(config: pytest.Config) -> Options:
    return Options(**{name: getattr(config.option, name) for name in OPTIONS})


def _refs(config: pytest.Config) -> Refs:
    """What refs mean in this session; a collection alone asks no repository."""
    if _REFS not in config.stash:
        option = config.option
        config.stash[_REFS] = Refs(
            repository=option.kubespray, instead=option.ref or (), look_up=not option.collectonly, say=partial(_say, config)
        )
    return config.stash[_REFS]


def _asked(option: Any) -> named.Asked:
    """What the command line asks for in place of what scenarios say."""
    of = {name: getattr(option, name) for name in ("kubespray", "bed", "artifacts")}
    return named.Asked(**of, ref=tuple(option.ref or ()), component=tuple(option.component or ()))


def _supply(config: pytest.Config) -> Supply:
    """Where what is installed comes from in this session."""
    return ready.supply(config.option.artifacts, config.option.component or ())


def _say(config: pytest.Config, said: str) -> None:
    """Print a sentence that pytest must not hold back."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with ExitStack() as stack:
        if capture is not None:
            stack.enter_context(capture.global_and_fixture_disabled())
        screen.console().print(said, soft_wrap=True, highlight=False)


class CellItem(pytest.Item):
    """One cell, run once."""

    cell: Cell
    scenario: Scenario
    skipped: str

    def runtest(self) -> None:
        """Run the cell; raise when it is worse than asked for."""
        if self.skipped:
            pytest.skip(self.skipped)
        session = self.config.stash[_SESSION]
        with session.shown():
            result = session.run.result(self.cell)
        finding = result.verdict.cause
        self.user_properties += [("outcome", result.verdict.outcome.name), ("finding", finding), ("evidence", result.evidence)]
        if result.verdict.outcome is Outcome.SKIP:
            pytest.skip(result.verdict.summary)
        if result.known and result.verdict.outcome is Outcome.FAIL:
            pytest.xfail(matrix.reason(result))
        if not matrix.is_fine(result, asked=self.config.option.asked):
            raise NotAsAsked(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line: the summary at the end has the chain."""
        if isinstance(excinfo.value, NotAsAsked):
            return f"{excinfo.value.result.verdict.outcome.name}: {excinfo.value}"
        return super().repr_failure(excinfo, style)

    def __repr__(self) -> str:
        """As a collection lists it."""
        return super().__repr__() + (f" left out: {self.skipped}" if self.skipped else "")

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it stands, for pytest."""
        return self.path, None, self.name


class _Session:
    """What the cells of this session share."""

    def __init__(self, config: pytest.Config, items: list[CellItem], stack: ExitStack) -> None:
        self._capture = config.pluginmanager.getplugin("capturemanager")
        options = replace(_options(config), supply=_supply(config))
        scenarios = list(dict.fromkeys(item.scenario for item in items))
        asked = Asked(
            scenarios=tuple(one.name for one in scenarios),
            cells=tuple(item.cell for item in items if not item.skipped),
            because={name: because for one in scenarios for name, because in one.because},
            left_out=tuple(LeftOutCell.of(i.cell, because=i.skipped) for i in items if i.skipped),
            known=lambda cell, finding: _known(scenarios, cell, finding),
        )
        ready.ready(asked.cells, options, say=partial(_say, config))
        console = screen.console()
        last_s = journal.last_durations(options.runs)
        self._progress = progress.Progress(console, last_s=last_s, cells=len(asked.cells), left_s=self._left_s)
        with self.shown():
            self.run = stack.enter_context(runs.opened(options, asked, tell=self._progress))
            console.print(f"\n{runs.announced(self.run, asked, options)}; results in {self.run.lab.folder}", soft_wrap=True)
            for said in (said for one in scenarios for said in scenario.expired(one, today=today())):
                console.print(said, soft_wrap=True, highlight=False, markup=False)

    def _left_s(self) -> float:
        return self.run.left().seconds if hasattr(self, "run") else 0.0

    def shown(self) -> ExitStack:
        """A block in which the progress is seen: pytest holds back what is printed outside of it."""
        stack = ExitStack()
        if self._capture is not None:
            stack.enter_context(self._capture.global_and_fixture_disabled())
        stack.enter_context(self._progress)
        return stack


def _known(scenarios: Iterable[Scenario], cell: Cell, finding: str) -> tuple[str, ...]:
    return next((found for one in scenarios if (found := scenario.known_of(one, cell, finding=finding, today=today()))), ())


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    """Tell every scenario file that cannot be used; nothing has been made yet."""
    if problems := config.stash[_PROBLEMS]:
        raise pytest.UsageError("\n".join(dict.fromkeys(problems)))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell a -k that fits nothing, cells that could not be told apart and, below a list of ids alone, which would not run."""
    cells, option = session.config.stash[_CELLS], session.config.option
    if cells and option.keyword.strip() and not session.items and not session.testsfailed:
        raise pytest.UsageError(str(selection.nothing_fits(option.keyword, of=cells)))
    try:
        scenario.tell_apart(item.cell for item in session.items if isinstance(item, CellItem) and not item.skipped)
    except LabError as error:
        raise pytest.UsageError(str(error)) from error
    left_out = [item for item in session.items if isinstance(item, CellItem) and item.skipped]
    if option.collectonly and option.verbose < 0 and left_out:
        reporter: Any = session.config.pluginmanager.getplugin("terminalreporter")
        reporter.write_line(f"\n{len(left_out)} of {len(session.items)} would not run:")
        for item in left_out:
            reporter.write_line(f"{item.name} left out: {item.skipped}")


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Open one run around all cells."""
    items = [item for item in session.items if isinstance(item, CellItem)]
    if not [item for item in items if not item.skipped] or session.config.option.collectonly:
        return (yield)
    with ExitStack() as stack:
        stack.enter_context(interrupted_by_sigterm())
        try:
            session.config.stash[_SESSION] = _Session(session.config, items, stack)
        except LabError as error:
            raise pytest.UsageError(str(error)) from error
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Give the lab's exit codes to a session of cells, also to one that ran none of them."""
    config, items = session.config, session.items
    if exitstatus == pytest.ExitCode.INTERRUPTED:  # pytest's own 2 means UNKNOWN here
        if _SESSION in config.stash or (config.stash[_READ] and not session.testsfailed):
            session.exitstatus = INTERRUPTED
    elif not items or not all(isinstance(item, CellItem) for item in items):
        return
    elif _SESSION in config.stash and exitstatus != pytest.ExitCode.INTERNAL_ERROR:
        session.exitstatus = config.stash[_SESSION].run.exit_code(asked=config.option.asked)
    elif exitstatus == pytest.ExitCode.OK and not config.option.collectonly:
        config.stash[_LEFT_OUT] = {item.cell.id: item.skipped for item in items if isinstance(item, CellItem)}
        session.exitstatus = matrix.exit_code((), asked=config.option.asked)


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """A red cell that has the verdict it was asked for is neither passed nor failed."""
    told = dict(report.user_properties) if isinstance(report, pytest.TestReport) and report.when == "call" else {}
    if told.get("outcome") == Outcome.FAIL.name and report.passed:
        return EXPLAINED, "e", f"EXPLAINED ({told['finding']})"
    return None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the matrix and the chain of every cell that is not green."""
    session = config.stash.get(_SESSION, None)
    terminalreporter.ensure_newline()
    if session is None or not (session.run.matrix.cells or session.run.matrix.troubles):
        if left_out := config.stash.get(_LEFT_OUT, {}):
            planned.nothing(left_out, screen.console())
        return
    with session.shown():
        console = screen.console()
        terminal.show(session.run.matrix, console)
        console.print(f"\nresults: {session.run.lab.folder} (matrix.html, matrix.md, matrix.json, junit.xml, cells/)", soft_wrap=True)
