"""What of an earlier run still stands when a run goes on with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab import matrix
from lab.errors import ScenarioError
from lab.matrix import GREEN, CellResult
from lab.result import CELLS

ASIDE = "before"  # where the folder of a cell that is run again goes, so that nothing is lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """A run to go on with: its folder, and the results that stand."""

    folder: Path
    kept: tuple[CellResult, ...]


def find(runs: Path, *, scenarios: tuple[str, ...], patience: str, failed: bool, refs: Mapping[str, str], supply: str = "") -> Earlier:
    """The newest run of the same scenarios below `runs`; every result stands, or with `failed` those that are not red.

    refs: cell id -> what reports call its ref now; a result of another commit, from before a branch moved, does not stand.
    supply: what was asked for of what is installed. Raises ScenarioError when there is none, or when it was run with another patience or
    supply.
    """
    for path in sorted(runs.glob(f"*/{matrix.FILE}"), reverse=True):
        found = matrix.read(path)
        if found.scenarios != scenarios:
            continue
        if found.patience != patience:
            why = f"it was run with --patience={found.patience}, this one would be with --patience={patience}"
            raise ScenarioError(f"run {path.parent.name} cannot be gone on with", why, "give the same --patience, or begin a new run")
        if found.supply != supply:
            why = f"it was run with {found.supply or 'neither --artifacts nor --component'}, this one would be with {supply or 'neither'}"
            raise ScenarioError(f"run {path.parent.name} cannot be gone on with", why, "give the same of both, or begin a new run")
        same = (one for one in found.cells if refs.get(one.id, one.ref) == one.ref)
        kept = tuple(one for one in same if not failed or one.verdict.outcome in GREEN)
        return Earlier(folder=path.parent, kept=kept)
    raise ScenarioError(
        f"no run of {', '.join(scenarios)} to go on with", f"{runs.absolute()} has none", "leave --resume and --failed out to begin one"
    )


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
