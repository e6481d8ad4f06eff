"""What a run of a scenario would be: its sets of nodes, what is installed on them, and how long that takes. Makes nothing."""

from collections.abc import Sequence
from pathlib import Path

from lab import course, estimate, journal, ready
from lab.reports import planned, screen
from lab.scenario import Scenario
from lab.supply import Supply


def show(read: Scenario, supply: Supply, *, known: Path, limit: int | None, reuse: bool, in_full: bool, again: Sequence[str] = ()) -> None:
    """Print what a run of `read` would be, with what is left out of it. known: folder of runs, for how long cells took; limit: sets of
    nodes at once; reuse: cells share stages; in_full: each stage too, with what the preflight says; again: options with which
    another verb finds the same cells."""
    of = course.courses(read.cells, reuse=reuse)
    stages = {one.longest.id: ready.stages(one.longest, supply) for one in of} if in_full else {}
    cells = [(one.longest.id, cell) for one in of if in_full for cell in course.prefixes(one.longest)]
    planned.show(
        of,
        screen.console(),
        known=estimate.learn(journal.of_runs(known, kinds=(journal.JUDGED,))),
        capacity=ready.capacity(),
        limit=limit,
        stages=stages,
        predicted={cell.id: ready.predicted(cell, stages[longest]) for longest, cell in cells},
        left_out={one.cell.id: one.because for one in read.left_out},
        again=again,
    )
