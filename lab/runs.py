"""One run of many cells: what must be there before it begins, what its cells share, and its reports, rewritten after each cell."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lab import artifacts, cachedir, component, host, matrix, nodeimage, plan, playbooks, release, slots, toolchain
from lab.deadline import now_s
from lab.engine import Choice, Engine, connect
from lab.errors import HostError, ScenarioError
from lab.journal import Journal, Line
from lab.matrix import CellResult, LeftOutCell, Matrix
from lab.model import Cell
from lab.reports import junit, markdown
from lab.run import Keep, Lab, Patience, run_cell

FOLDER = Path("runs")
RUN_BYTES = cachedir.GIB  # evidence of a cell is under 2 MiB, its nodes' volumes some hundred
Known = Callable[[Cell, str], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked. `runs`: the folder that gets one folder per run; `slot`: None takes a free one per cell."""

    engine: Choice = "auto"
    patience: Patience = "early"
    keep: Keep = "never"
    kubespray: Path | None = None
    slot: int | None = None
    runs: Path = FOLDER


@dataclass(slots=True, kw_only=True)
class Run:
    """An open run. `matrix`: all results until now, as matrix.json has them."""

    lab: Lab
    matrix: Matrix
    known: Known = field(repr=False)

    def cell(self, cell: Cell) -> CellResult:
        """Run `cell`, write the reports anew, and return its result."""
        result = run_cell(cell, self.lab)
        result = replace(result, known=self.known(cell, result.verdict.cause))
        self.matrix = replace(self.matrix, cells=(*self.matrix.cells, result))
        for write in (matrix.write, markdown.write, junit.write):
            write(self.matrix, self.lab.folder)
        return result


def installable(cell: Cell) -> None:
    """Raise ScenarioError when `cell` asks for what cannot be installed or built."""
    plan.check(cell)
    if cell.kube_version not in (known := artifacts.kube_versions()):
        why = f"lab/components/ builds {', '.join(sorted(known))}"
        raise ScenarioError(f"Kubernetes {cell.kube_version!r} cannot be built", why, "name one of them")


def ready(cells: Iterable[Cell], options: Options) -> None:
    """Raise the LabError that would stop `cells` from running on this host; makes nothing but, where Go is missing, that."""
    wanted = tuple(cells)
    if not host.facts().is_root:
        raise HostError(
            "container nodes need root", "this process runs as another user; nodes are privileged containers", "run it with sudo"
        )
    for ref in dict.fromkeys(cell.ref for cell in wanted if cell.ref.source == "kubespray"):
        if options.kubespray is None:
            raise ScenarioError(f"no playbooks for {ref.label}", "no checkout of kubespray was named", "name one: --kubespray PATH")
        playbooks.verify(options.kubespray, release.load(ref.release))
    slots.hold(options.slot, slots.of_host()).release()
    if (free := host.disk_free_bytes(options.runs.absolute())) < RUN_BYTES:
        why = f"{options.runs.absolute()} has {free / cachedir.GIB:.1f} GiB free, {RUN_BYTES / cachedir.GIB:.0f} GiB are needed"
        raise HostError("not enough room on the disk for a run", why, "make room there, or run in a folder on a larger disk")
    asked = {(cell.kube_version, plan.addons_of(cell)) for cell in wanted}
    missing = {name for kube_version, addons in asked for name in artifacts.missing(kube_version, addons)}
    if missing:
        toolchain.program(toolchain.find())
    needed = sum(component.load(name).needs_mib * 2**20 for name in missing)
    needed += 0 if cachedir.entry(nodeimage.KIND, nodeimage.key()) else nodeimage.NEEDED_BYTES
    if needed:
        cachedir.need_room(needed, f"build what is not in the cache yet ({', '.join(sorted(missing)) or 'the node image'})")


@contextmanager
def opened(
    options: Options,
    *,
    scenarios: tuple[str, ...],
    because: Mapping[str, str],
    left_out: tuple[LeftOutCell, ...],
    known: Known,
    tell: Callable[[Line], None],
) -> Iterator[Run]:
    """A run with an engine and a folder of its own, for as long as the block runs. because: cell id -> why its scenario has it.

    Raises HostError when there is no engine; then nothing was made.
    """
    began_s = now_s()
    with connect(options.engine) as engine:
        folder = _folder(options.runs.absolute(), began_s)
        journal = Journal(folder, tell=tell)
        try:
            lab = _lab(options, folder, journal, engine=engine, because=because)
            empty = Matrix(
                lab_version=lab_version(),
                run=folder.name,
                scenarios=scenarios,
                patience=options.patience,
                host=_host(engine),
                started_at_s=began_s,
                cells=(),
                left_out=left_out,
            )
            yield Run(lab=lab, matrix=empty, known=known)
        finally:
            journal.close()


def _lab(options: Options, folder: Path, journal: Journal, *, engine: Engine, because: Mapping[str, str]) -> Lab:
    return Lab(
        run_id=f"{folder.name}-{cachedir.digest([str(folder)])[:6]}",
        folder=folder,
        journal=journal,
        engine=engine,
        patience=options.patience,
        keep=options.keep,
        kubespray=options.kubespray,
        slot=options.slot,
        because=because,
    )


def newest(runs: Path = FOLDER) -> Path:
    """The folder of the newest run that has a matrix; ScenarioError when there is none."""
    if not (found := sorted(runs.glob(f"*/{matrix.FILE}"))):
        raise ScenarioError("no run to show", f"{runs.absolute()} has none", "run one: spraylab repro kubespray-11338")
    return found[-1].parent


def lab_version() -> str:
    """The version of the installed lab."""
    try:
        return version("spraylab")
    except PackageNotFoundError:
        return "not installed"


def _folder(runs: Path, began_s: float) -> Path:
    """A new folder, named by the time; a second run of the same second gets a later name."""
    for number in range(100):
        name = datetime.fromtimestamp(began_s, UTC).strftime("%Y%m%d-%H%M%S") + (f"-{number}" if number else "")
        try:
            (runs / name).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise HostError(f"cannot make a folder for the run in {runs}", str(error), "run it in a folder you may write") from error
        return runs / name
    raise HostError(f"cannot make a folder for the run in {runs}", "a hundred runs began in this second", "try again")


def _host(engine: Engine) -> Mapping[str, str]:
    seen = host.facts()
    return {
        "engine": f"{engine.name} {engine.version()}",
        "kernel": seen.kernel,
        "cgroup": seen.cgroup,
        "cores": str(seen.cores),
        "memory": f"{seen.memory_bytes / cachedir.GIB:.0f} GiB",
    }
