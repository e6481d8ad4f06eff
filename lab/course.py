"""Which cells are judged on the same nodes: a cell whose stages another cell runs first needs no nodes of its own. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from lab import plan
from lab.model import Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One set of nodes. `longest`: the cell whose stages are run on them; `cells`: those judged on the way, `longest` last."""

    longest: Cell
    cells: tuple[Cell, ...]

    def judged_at(self, stages: int) -> Cell | None:
        """The cell of this course that is at its end after so many stages."""
        return next((cell for cell in self.cells if len(cell.ordering) == stages), None)

    def behind(self, stages: int) -> tuple[Cell, ...]:
        """The cells that need more than so many stages."""
        return tuple(cell for cell in self.cells if len(cell.ordering) > stages)


def prefix(cell: Cell, stages: int) -> Cell:
    """The cell that `cell` is after so many of its stages: same nodes, same variables, and the endpoint that holds then."""
    if stages == len(cell.ordering):
        return cell
    ordering = cell.ordering[:stages]
    return replace(cell, ordering=ordering, endpoint=plan.endpoint(cell, plan.on_after(ordering)[-1]))


@lru_cache(maxsize=1 << 15)  # asked for again and again where thousands of cells are planned
def prefixes(cell: Cell) -> tuple[Cell, ...]:
    """What `cell` is after each of its stages; the last one is `cell` itself."""
    return (*(prefix(cell, stages) for stages in range(1, len(cell.ordering))), cell)


def courses(cells: Iterable[Cell], *, reuse: bool = True) -> tuple[Course, ...]:
    """Every cell of `cells` in exactly one course, in the order of their longest cells. reuse: False gives each nodes of its own."""
    wanted = tuple(dict.fromkeys(cells))
    if not reuse:
        return tuple(Course(longest=cell, cells=(cell,)) for cell in wanted)
    longest_of: dict[Cell, Cell] = {}
    for cell in sorted(wanted, key=lambda cell: -len(cell.ordering)):  # sorted is stable: of two as long, the first asked for
        home = longest_of.get(cell, cell)
        for one in prefixes(cell) if home is cell else ():
            longest_of.setdefault(one, cell)
    place = {cell: number for number, cell in enumerate(wanted)}
    of_home: dict[Cell, list[Cell]] = {}
    for cell in wanted:
        of_home.setdefault(longest_of[cell], []).append(cell)
    return tuple(
        Course(longest=home, cells=tuple(sorted(its, key=lambda cell: len(cell.ordering))))
        for home, its in sorted(of_home.items(), key=lambda item: place[item[0]])
    )


def in_words(courses: Sequence[Course], *, aside: str = "") -> str:
    """How much there is to do: "52 cells, 64 stages on 28 sets of nodes". aside: told of the cells."""
    counted = (
        (sum(len(one.cells) for one in courses), "cell", "cells"),
        (sum(len(one.longest.ordering) for one in courses), "stage", "stages"),
        (len(courses), "set of nodes", "sets of nodes"),
    )
    cells, stages, sets = (f"{count} {one if count == 1 else many}" for count, one, many in counted)
    return f"{cells}{aside}, {stages} on {sets}"
