"""What a name on the command line means: a scenario's file, a cell of the scenarios."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from lab import checkout, plan, ready, scenario, takehome
from lab.errors import ScenarioError
from lab.model import Cell
from lab.refs import Refs
from lab.supply import Supply

PROJECT = Path(__file__).parent.parent
FOLDER = "scenarios"
SUFFIX = ".yaml"


def scenario_file(name: str) -> Path:
    """The file that `name` means: a path, or a file of scenarios/ here, else of the project. Raises ScenarioError."""
    here, there = Path(name), _by_name()
    if here.suffix == SUFFIX and _there(here):
        return here.absolute()
    if name in there:
        return there[name]
    if _there(here) and here.is_file():
        why = f"a scenario's file ends in {SUFFIX}, so that pytest and lists find it"
        raise ScenarioError(f"{name} is not taken for a scenario", why, f"rename it to {here.with_suffix(SUFFIX).name}")
    why = f"there are {', '.join(there) or 'none'}"
    raise ScenarioError(f"no scenario {name!r}", why, f"name one of them, or the path of a {SUFFIX} file")


def _there(path: Path) -> bool:
    """Whether it is there; what this system cannot even look for, such as a name of 300 letters, is not."""
    try:
        return path.exists()
    except OSError:
        return False


def scenario_files(name: str | None = None) -> list[Path]:
    """The file that `name` means, or those that all names mean."""
    return [scenario_file(name)] if name else list(_by_name().values())


def _by_name() -> Mapping[str, Path]:
    """Name -> the file that it means, sorted by name; what is here goes before what the project has."""
    folders = (PROJECT / FOLDER, Path.cwd() / FOLDER)
    found = {path.stem: path for folder in folders for path in folder.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


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
