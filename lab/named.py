"""What a name on the command line means: a scenario's file, a cell of the scenarios."""

from collections.abc import Iterator
from pathlib import Path

from lab import checkout, plan, ready, scenario, takehome
from lab.errors import ScenarioError
from lab.model import Cell
from lab.refs import Refs
from lab.supply import Supply

PROJECT = Path(__file__).parent.parent
FOLDER = "scenarios"


def scenario_file(name: str) -> Path:
    """The file that `name` means: a path, or a file of scenarios/ here or of the project. Raises ScenarioError."""
    here = Path(name)
    if here.suffix == ".yaml" and _there(here):
        return here.absolute()
    folders = list(dict.fromkeys((Path.cwd() / FOLDER, PROJECT / FOLDER)))
    for folder in folders:
        if _there(path := folder / f"{name}.yaml"):
            return path
    there = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
    raise ScenarioError(f"no scenario {name!r}", f"there are {', '.join(there) or 'none'}", "name one of them, or the path of a .yaml file")


def _there(path: Path) -> bool:
    """Whether it is there; what this system cannot even look for, such as a name of 300 letters, is not."""
    try:
        return path.exists()
    except OSError:
        return False


def scenario_files(name: str | None = None) -> list[Path]:
    """The file that `name` means, or all of the project."""
    return [scenario_file(name)] if name else sorted((PROJECT / FOLDER).glob("*.yaml"))


def cell(part: str, *, of: str | None = None, bed: str | None = None, supply: Supply = plan.OWN) -> Cell:
    """The cell that `part` of an id means, of the scenario `of` or of all; by kubespray where no scenario has it as it is written.

    bed: whose nodes it has in place of the scenario's; supply: where what it installs is to come from. Raises ScenarioError; no repository
    is asked.
    """
    paths, moved = scenario_files(of), Refs(repository=checkout.PUBLIC)  # as --kubespray moves them
    found = takehome.find(part, _cells(paths, Refs(), bed=bed), _cells(paths, moved, bed=bed))
    ready.installable(found, supply)
    return found


def _cells(paths: list[Path], refs: Refs, *, bed: str | None) -> Iterator[Cell]:
    for path in paths:
        yield from scenario.load(path, check=lambda _: None, refs=refs, bed=bed).cells
