"""What the courses of one run share; among it what went wrong beside the results of cells, which no course may hide from the run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal

from lab import checkout
from lab.course import Course
from lab.engine import Engine
from lab.errors import LabError
from lab.hostload import HostLoad
from lab.journal import Journal
from lab.over import Over
from lab.result import CELLS
from lab.stagerun import Reporter
from lab.supply import Supply
from lab.watch import Patience

Keep = Literal["never", "failure", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What the courses of one run share. `folder`: runs/<time>; `kubespray`: path or URL of its repository; `slot`: None takes a free one;
    `supply`: where what is installed comes from; `building`: held while components are built, so that two courses do not wait on the
    same compiler unseen; `told`: what went wrong beside the results, each once, in the order it came."""

    run_id: str
    folder: Path
    journal: Journal
    engine: Engine | None  # None where no cell's bed has its nodes from one
    load: HostLoad
    over: Over = field(default_factory=Over)
    building: Lock = field(default_factory=Lock)
    patience: Patience = "early"
    keep: Keep = "never"
    kubespray: str = checkout.PUBLIC
    slot: int | None = None
    supply: Supply = field(default_factory=Supply)
    because: Mapping[str, str] = field(default_factory=dict)
    told: dict[str, None] = field(default_factory=dict)

    @property
    def troubles(self) -> tuple[str, ...]:
        """What went wrong until now that is in no cell's result: the run ends with 3 for it."""
        return tuple(self.told)

    def reporter(self, of: Course) -> Reporter:
        """Who writes down what the nodes of a course do."""
        return Reporter(journal=self.journal, course=of.longest.id)

    def folder_of(self, cell: str) -> Path:
        """The folder of a cell; made."""
        made = self.folder / CELLS / cell
        made.mkdir(parents=True, exist_ok=True)
        return made

    def trouble(self, said: str, *, cell: str = "") -> None:
        """Keep what went wrong beside the results of cells, and say it the first time."""
        if said in self.told:
            return
        self.told[said] = None
        with suppress(OSError):  # the journal may be what cannot be written
            self.journal.say(cell, said)

    @contextmanager
    def beside(self, what: str, *, cell: str = "") -> Iterator[None]:
        """A block that no result hangs on: that it failed is a trouble, said as `what`, and nobody is stopped by it."""
        try:
            yield
        except LabError as error:
            said, why, fix = error.args
            self.trouble(f"{what}: {said}: {why}; what to do: {fix}", cell=cell)
        except OSError as error:
            self.trouble(f"{what}: {error}", cell=cell)
