"""Nodes that a run left running (--keep): the way to them."""

from pathlib import Path

from lab.ambiguous import fits_several
from lab.errors import HostError, ScenarioError

FILE = "ssh_config"  # in the folder of a cell
KEEP = "run it with --keep=failure or --keep=always"


def way(cell: str, node: str, runs: Path) -> Path:
    """The SSH configuration that leads to `node` of the cell that has `cell` in its id; of the newest run below `runs` that left its nodes.

    Raises ScenarioError when no run has such a cell, several fit, or it has no such node; HostError when all its nodes are gone.
    """
    found = [path for path in sorted(runs.absolute().glob(f"*/cells/*/{FILE}")) if cell in path.parent.name]
    if not found:
        raise ScenarioError(f"no nodes of a cell {cell!r}", f"no run in {runs.absolute()} has such a cell", KEEP)
    there = {path.parent.name: path for path in found if _control(path).parent.exists()}
    if not there:
        last = found[-1]
        raise HostError(f"the nodes of {last.parent.name} are gone", f"{_control(last).parent} was removed with them", KEEP)
    if cell not in there and len(there) > 1:
        raise fits_several(cell, there, these="nodes are there of these, which have it in their ids")
    config = there[cell] if cell in there else next(iter(there.values()))
    if node not in (names := _nodes(config)):
        raise ScenarioError(f"no node {node!r} in {config.parent.name}", f"there are {', '.join(names)}", "name one of them")
    return config


def _control(config: Path) -> Path:
    """Where its connections are; the folder is removed with the nodes."""
    return Path(next((words[1] for words in _words(config) if words[0] == "ControlPath"), ""))


def _nodes(config: Path) -> list[str]:
    return [words[1] for words in _words(config) if words[0] == "Host" and words[1] != "*"]


def _words(config: Path) -> list[list[str]]:
    return [words for line in config.read_text().splitlines() if len(words := line.split()) > 1]
