"""The lab's own share of a cell: all time from the first container to the verdict in which neither ansible-playbook nor a check waits.

    python bench/overhead.py [runs/<time>]

Read from the run's matrix and journal, so that every figure of a line comes from one run of that cell.
"""

import sys
from pathlib import Path

from rich.table import Table

from lab import check, journal, matrix, ready, runfolder
from lab.reports import screen

STEPS = ("nodes", "checks", "evidence")


def main() -> None:
    """Print one row per cell, seconds and shares."""
    folder = Path(sys.argv[1]) if sys.argv[1:] else runfolder.newest(ready.FOLDER)
    lines = list(journal.read(folder / journal.FILE))
    table = Table("cell", "to the verdict", "ansible-playbook", "checks wait", *(f"{step} (lab)" for step in STEPS), "lab's share")
    for result in matrix.read(folder).cells:
        took = {line.name: line.duration_s or 0.0 for line in lines if line.kind == "ended" and line.cell == result.id}
        installer_s = sum(stage.duration_s for stage in result.stages)
        waiting_s = min(took.get("checks", 0.0), check.BETWEEN_S + sum(one.duration_s for one in result.checks)) if result.checks else 0.0
        whole_s = result.verdict_after_s or result.duration_s
        own = {step: took.get(step, 0.0) - (waiting_s if step == "checks" else 0.0) for step in STEPS}
        share = (whole_s - installer_s - waiting_s) / whole_s
        figures = (whole_s, installer_s, waiting_s, *own.values())
        table.add_row(result.id, *(f"{figure:.1f} s" for figure in figures), f"{share:.0%}")
    screen.console().print(table)


if __name__ == "__main__":
    main()
