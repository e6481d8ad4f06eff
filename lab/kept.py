"""Nodes that a run left running (--keep): the way to them."""

from pathlib import Path

from lab.errors import HostError, ScenarioError


def way(cell: str, runs: Path) -> Path:
    """The SSH configuration of the nodes of the newest cell that has `cell` in its id, of the runs in the folder `runs`.

    Raises ScenarioError when no run has such a cell, HostError when its nodes are gone.
    """
    configs = sorted(runs.absolute().glob(f"*/cells/*{cell}*/ssh_config"))
    if not configs:
        raise ScenarioError(
            f"no nodes of a cell {cell!r}", f"no run in {runs.absolute()} has such a cell", "run it with --keep=failure or --keep=always"
        )
    control = next((line.split()[1] for line in configs[-1].read_text().splitlines() if line.split()[:1] == ["ControlPath"]), "")
    if not Path(control).parent.exists():
        raise HostError(
            f"the nodes of {configs[-1].parent.name} are gone", f"{Path(control).parent} was removed with them", "run it with --keep=always"
        )
    return configs[-1]
