"""What of an earlier run still stands when a run goes on with it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab import matrix
from lab.errors import ScenarioError
from lab.matrix import GREEN, CellResult, Matrix
from lab.model import Cell
from lab.owner import of_folder
from lab.result import CELLS

ASIDE = "before"  # where the folder of a cell that is run again goes, so that nothing is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A run to go on with: its folder, and the results that stand."""

    folder: Path
    kept: tuple[CellResult, ...]


def find(
    runs: Path,
    *,
    scenarios: tuple[str, ...],
    patience: str,
    failed: bool,
    cells: Iterable[Cell],
    supply: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> Earlier:
    """The newest run of the same scenarios below `runs`; every result stands, or with `failed` those that are not red.

    cells: what is asked for now; a result of another commit, from before a branch moved, or with other variables does not stand.
    supply: what was asked for of what is installed; say: told of each run that cannot be read, and is passed over. Raises ScenarioError
    when there is none, when somebody still works in it, or when it was run with another patience or supply.
    """
    now = {cell.id: cell for cell in cells}
    for path in sorted(runs.glob(f"*/{matrix.FILE}"), reverse=True):
        try:
            found = matrix.read(path)
        except ScenarioError as error:
            say(f"run {path.parent.name} is passed over: {error.args[0]}: {error.args[1]}")
            continue
        if found.scenarios != scenarios:
            continue
        if why := _unfit(found, path.parent, patience=patience, supply=supply):
            raise ScenarioError(f"run {path.parent.name} cannot be gone on with", *why)
        kept = tuple(one for one in found.cells if _stands(one, now.get(one.id)) and not (failed and one.verdict.outcome not in GREEN))
        return Earlier(folder=path.parent, kept=kept)
    raise ScenarioError(
        f"no run of {', '.join(scenarios)} to go on with", f"{runs.absolute()} has none", "leave --resume and --failed out to begin one"
    )


def _unfit(found: Matrix, folder: Path, *, patience: str, supply: str) -> tuple[str, ...]:
    """Why a run cannot be gone on with, and what to do; nothing when it can."""
    if (owner := of_folder(folder)) and owner.alive():
        return f"process {owner.pid} still works in it", "wait for its end, or begin a new run beside it: leave --resume and --failed out"
    if found.patience != patience:
        why = f"it was run with --patience={found.patience}, this one would be with --patience={patience}"
        return why, "give the same --patience, or begin a new run"
    if found.supply != supply:
        why = f"it was run with {found.supply or 'neither --artifacts nor --component'}, this one would be with {supply or 'neither'}"
        return why, "give the same of both, or begin a new run"
    return ()


def _stands(result: CellResult, cell: Cell | None) -> bool:
    """Whether `result` is of `cell` as it is now; of one that is not asked for nothing is known that it could differ from."""
    return cell is None or (result.ref, dict(result.variables)) == (cell.ref.label, dict(cell.variables))


def set_aside(folder: Path, cell: str) -> None:
    """Move what an earlier try of `cell` left in the run's `folder` out of the way."""
    left = folder / CELLS / cell
    if not left.exists():
        return
    number = 1
    while (to := folder / ASIDE / f"{cell}.{number}").exists():
        number += 1
    to.parent.mkdir(exist_ok=True)
    left.rename(to)
