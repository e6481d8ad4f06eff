"""What makes a matrix fast, lever by lever: early verdicts, shared stages, courses side by side.

    python bench/matrix.py                  runs the same few cells four times, each time with one lever more, and prints ratios
    python bench/matrix.py runs/<time>      what the stages of a run that is there would have taken without the levers

The second way measures nothing anew: each stage of the run took what its journal says, on a host that ran others beside it, so that
what it prints for "one by one" is too long rather than too short; a red stage is waited out as the release would.
"""

import sys
import tempfile
from pathlib import Path

from rich.table import Table

from lab import journal, matrix, release
from lab.command import run
from lab.course import courses, prefixes
from lab.deadline import ticks_s
from lab.errors import BedError
from lab.estimate import NODES_S, learn
from lab.journal import JUDGED
from lab.matrix import CellResult
from lab.model import Cell
from lab.notation import parse_ordering, parse_ref, parse_topology
from lab.reports import screen

LIMIT_S = 7200.0
SHORT_S = 45  # of each of four attempts of kubeadm init, so that a red cell can be waited out here
CELLS = f"""\
name: bench
about: a red cell and what is behind it, a green one and what it shares
defaults: {{kubernetes: [v1.29.5], mitigations: [short]}}
mitigations:
  short: {{why: so that it can be waited out, variables: {{kubeadm_init_timeout: {SHORT_S}s}}}}
cells:
  - {{refs: [replica@v2.25.0], orderings: [kube-vip, kube-vip > metallb]}}
  - {{refs: [replica@v2.25.1], orderings: [metallb, metallb > kube-vip, base]}}
"""
LEVERS = (
    ("one by one, waited out", ("--patience=full", "--no-reuse", "--jobs=1")),
    ("+ early verdicts", ("--no-reuse", "--jobs=1")),
    ("+ shared stages", ("--jobs=1",)),
    ("+ side by side", ()),
)


def main() -> None:
    """Print the table of one or the other way."""
    rows = of_run(Path(sys.argv[1])) if sys.argv[1:] else measured()
    first = rows[0][1]
    table = Table("with", "seconds", "of the first", "of the one above")
    above = first
    for name, seconds in rows:
        table.add_row(name, f"{seconds:.0f}", f"{seconds / first:.2f}", f"{seconds / above:.2f}")
        above = seconds
    screen.console().print(table)


def measured() -> list[tuple[str, float]]:
    """Each lever's wall time, run one after the other."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="spraylab-bench-") as place:
        path = Path(place) / "bench.yaml"
        path.write_text(CELLS)
        for name, flags in LEVERS:
            began_s = ticks_s()
            done = run((sys.executable, "-m", "lab.cli", "repro", str(path), *flags), limit_s=LIMIT_S, cwd=Path(place))
            if done.rc not in (0, 1):
                raise BedError(f"the run {name!r} ended with {done.rc}", done.stdout[-2000:] + done.stderr[-2000:], "see what it says")
            rows.append((name, ticks_s() - began_s))
            print(f"{name}: {rows[-1][1]:.0f} s", flush=True)
    return rows


def of_run(folder: Path) -> list[tuple[str, float]]:
    """What the run in `folder` took, and what it would have taken without each lever."""
    found, known = matrix.read(folder), learn(journal.read(folder / journal.FILE, kinds=(JUDGED,)))
    cells = [_cell(one) for one in found.cells]
    waited = {one.id: _waited_s(one) for one in found.cells}
    took = {cell.id: known.by_cell[cell.id].seconds for cell in cells if cell.id in known.by_cell}

    def each(*, reuse: bool, wait: bool) -> float:
        whole = 0.0
        for course in courses(cells, reuse=reuse):
            whole += NODES_S
            for cell in prefixes(course.longest):
                whole += took.get(cell.id, 0.0) + (waited.get(cell.id, 0.0) if wait else 0.0)
                if cell.id in known.by_cell and not known.by_cell[cell.id].green:
                    break
        return whole

    lines = [line.at_s for line in journal.read(folder / journal.FILE, kinds=("cell", "over", "verdict"))]
    return [
        ("one by one, waited out", each(reuse=False, wait=True)),
        ("+ early verdicts", each(reuse=False, wait=False)),
        ("+ shared stages", each(reuse=True, wait=False)),
        ("+ side by side (measured)", max(lines) - min(lines)),
    ]


def _waited_s(result: CellResult) -> float:
    """Seconds that the stage that was stopped early would have gone on."""
    init = release.load(result.id.partition(":")[0].partition("-")[2]).kubeadm_init
    full_s = init.attempts * init.timeout_s + (init.attempts - 1) * init.delay_s
    return sum(full_s - one.stopped_after_s for one in result.stages if one.stopped_after_s is not None)


def _cell(result: CellResult) -> Cell:
    source, _, tag = result.id.partition(":")[0].partition("-")
    return Cell(
        ref=parse_ref(f"{source}@{tag}"),
        kube_version=result.kube_version,
        topology=parse_topology(result.topology),
        ordering=parse_ordering(result.ordering),
        endpoint="vip" if result.endpoint == "vip" else "node",
        network="none" if result.network == "none" else "plain",
        bed=result.bed,
        mitigations=result.mitigations,
    )


if __name__ == "__main__":
    main()
