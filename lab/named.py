"""What a command line means: a scenario's file, a cell of the scenarios, and what is asked for beside its name."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lab import checkout, ready, scenario, takehome
from lab.errors import InstallError, ScenarioError
from lab.host import is_there
from lab.model import Cell
from lab.refs import Refs
from lab.supply import Supply

PROJECT = Path(__file__).parent.parent
FOLDER = "scenarios"
SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command line asks for beside a name, as it is written there; nothing means what the scenario says."""

    scenario: str | None = None
    ref: tuple[str, ...] = ()
    kubespray: str | None = None
    bed: str | None = None
    artifacts: str | None = None
    component: tuple[str, ...] = ()

    def refs(self, *, moved: bool = False) -> Refs:
        """Reads refs by what is on this host. moved: as a run is asked for with `--kubespray`."""
        return Refs(repository=self.kubespray or (checkout.PUBLIC if moved else None), instead=self.ref, look_up=True, network=False)

    def supply(self) -> Supply:
        """Where what is installed comes from. Raises ScenarioError as ready.supply does."""
        return ready.supply(self.artifacts, self.component)

    def words(self) -> tuple[str, ...]:
        """The options that find the same cell again, whatever it installs."""
        scenario = (("--scenario", self.scenario),) if self.scenario else ()
        one = ((f"--{name}", value) for name, value in (("kubespray", self.kubespray), ("bed", self.bed)) if value)
        return tuple(word for pair in (*scenario, *(("--ref", ref) for ref in self.ref), *one) for word in pair)

    def words_of_supply(self) -> tuple[str, ...]:
        """The options that say what it installs."""
        artifacts = (("--artifacts", self.artifacts),) if self.artifacts else ()
        return tuple(word for pair in (*artifacts, *(("--component", one) for one in self.component)) for word in pair)

    def __str__(self) -> str:
        return shlex.join(replace(self, scenario=None).words() + self.words_of_supply())


def scenario_file(name: str) -> Path:
    """The file that `name` means: a path, or a file of scenarios/ here, else of the project. Raises ScenarioError."""
    here, there = Path(name), _by_name()
    if here.suffix == SUFFIX and is_there(here):
        return here.absolute()
    if name in there:
        return there[name]
    if is_there(here) and here.is_file():
        why = f"a scenario's file ends in {SUFFIX}, so that pytest and lists find it"
        raise ScenarioError(f"{name} is not taken for a scenario", why, f"rename it to {here.with_suffix(SUFFIX).name}")
    why = f"there are {', '.join(there) or 'none'}"
    raise ScenarioError(f"no scenario {name!r}", why, f"name one of them, or the path of a {SUFFIX} file")


def scenario_files(name: str | None = None) -> list[Path]:
    """The file that `name` means, or those that all names mean."""
    return [scenario_file(name)] if name else list(_by_name().values())


def _by_name() -> Mapping[str, Path]:
    """Name -> the file that it means, sorted by name; what is here goes before what the project has."""
    folders = (PROJECT / FOLDER, Path.cwd() / FOLDER)
    found = {path.stem: path for folder in folders for path in folder.glob(f"*{SUFFIX}")}
    return dict(sorted(found.items()))


def cell(part: str, asked: Asked, *, say: Callable[[str], None] = lambda _: None) -> Cell:
    """The cell that `part` of an id means, as `asked`; by kubespray where no scenario has it as it is written and nothing else is asked.

    say: told which one it is, where `part` is not its id, and whose facts are assumed for it. Raises the LabError of what means nothing; no
    network is asked.
    """
    sources = [asked.refs()] if asked.ref or asked.kubespray else [asked.refs(), asked.refs(moved=True)]
    found = takehome.find(part, *(_cells(asked, refs) for refs in sources))
    ready.installable(found, asked.supply())
    if found.id != part:
        say(f"{part!r} is no whole id; the cell it fits is {found.id}")
    say_assumed({name: facts for refs in sources for name, facts in refs.assumed.items() if name == found.ref.name}, say)
    return found


def say_assumed(assumed: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Say in one line which refs were not looked up. assumed: as Refs has it."""
    if assumed:
        told = ", ".join(f"{name} (the facts of {facts} are assumed)" for name, facts in assumed.items())
        say(f"not looked up, for nothing on this host has it and no network is asked: {told}; name a checkout: --kubespray PATH")


def _cells(asked: Asked, refs: Refs) -> list[Cell]:
    """Those of every file. A checkout may lack a ref that only other files than the one that is meant have."""
    found: list[Cell] = []
    wrong: list[InstallError] = []
    for path in scenario_files(asked.scenario):
        try:
            found += scenario.load(path, check=lambda _: None, refs=refs, bed=asked.bed).cells
        except InstallError as error:
            wrong.append(error)
    if wrong and not found:
        raise wrong[0]
    return found
