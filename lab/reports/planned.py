"""What a run would do: its sets of nodes, the stages on them, the cells judged after each, with expected time and memory."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab import estimate, takehome
from lab.course import Course, in_words, prefixes
from lab.deadline import minutes
from lab.estimate import Known
from lab.model import Prediction, Stage
from lab.schedule import Need

LAID_OUT = 200  # cells; laying out a table of more takes seconds
BESIDE = 48  # columns of the table beside the ids of its cells; with fewer, the rest stands below each id


def show(
    courses: Sequence[Course],
    console: Console,
    *,
    known: Known,
    capacity: Need,
    limit: int | None,
    stages: Mapping[str, Sequence[Stage]],
    predicted: Mapping[str, Sequence[Prediction]],
    left_out: Mapping[str, str],
    again: Sequence[str] = (),
) -> None:
    """Print `courses`. stages: longest cell's id -> its stages, told in full where there are any; predicted: cell id -> the preflight;
    left_out: id of a cell that is not run -> why; again: options with which another verb finds the same cells."""
    if not courses:
        nothing(left_out, console)
        return
    if sum(len(one.cells) for one in courses) > LAID_OUT:
        console.out("\n".join(_lines(courses, known)), highlight=False)
    else:
        console.print(table(courses, known, width=console.width))
    for one in courses if stages else ():
        console.print(tree(one, stages.get(one.longest.id, ()), predicted, again=again))
    _left_out(left_out, console)
    whole = estimate.whole_s(courses, known, capacity=capacity, limit=limit)
    told = "as they took last time" if whole.sure else "partly a guess, for not all of it was run here before"
    memory_gib = max((estimate.need(one.longest.topology, on=one.longest.bed).memory_mib for one in courses), default=0.0) / 1024
    console.print(
        f"{in_words(courses)}; about {minutes(whole.seconds)}, {told}; "
        f"a set of nodes needs up to {memory_gib:.1f} GiB, {capacity.memory_mib / 1024:.0f} GiB and {capacity.cores:.0f} cores are free",
        soft_wrap=True,
    )


def nothing(left_out: Mapping[str, str], console: Console) -> None:
    """Print why a scenario has no cell to run. left_out: as for `show`; all that were asked for."""
    _left_out(left_out, console)
    told = "no cell runs, so that nothing can be told: every one asked for is left out"
    console.print(f"{told}; its reason says with what it would run, if with anything", soft_wrap=True, highlight=False)


def _left_out(because: Mapping[str, str], console: Console) -> None:
    for name, why in because.items():
        console.print(f"{name}: not run, {why}", style="dim", soft_wrap=True, highlight=False, markup=False)


def table(courses: Sequence[Course], known: Known, *, width: int) -> Table:
    """One row per cell, its id whole; those of one set of nodes stand together, the longest last. width: columns there are for it.

    Where cells share nodes, rows have numbers, and one that is judged on the nodes of another says whose.
    """
    cells = [(one, cell) for one in courses for cell in one.cells]
    numbers = {cell.id: f"#{number}" for number, (_, cell) in enumerate(cells, start=1)}
    shared = len(courses) < len(cells)
    beside = width >= max(len(cell.id) for _, cell in cells) + BESIDE
    heads = ["#"] * shared + (["cell", "stages", *["nodes of"] * shared, "expected", "memory"] if beside else ["cell"])
    made = Table(*heads) if beside else Table(*heads, box=None, pad_edge=False, show_header=False)
    for column in made.columns:
        column.no_wrap, column.overflow = column.header != "cell", "fold"
    for one, cell in cells:
        home = "" if cell is one.longest else numbers[one.longest.id]
        number = [numbers[cell.id]] * shared
        stages, took, memory = str(len(cell.ordering)), _took(one, known), _memory(one)
        if beside:
            made.add_row(*number, Text(cell.id), stages, *[home] * shared, *(("", "") if home else (took, memory)))
        else:
            below = f"{stages} stage(s), {f'on the nodes of {home}' if home else f'{took}, {memory}'}"
            made.add_row(*number, Text.assemble(cell.id, "\n", (f"  {below}", "dim")))
    return made


def _took(one: Course, known: Known) -> str:
    expected = estimate.expected(one, known)
    return f"{'' if expected.sure else '~'}{minutes(expected.seconds)}"


def _memory(one: Course) -> str:
    return f"{estimate.need(one.longest.topology, on=one.longest.bed).memory_mib / 1024:.1f} GiB"


def _lines(courses: Sequence[Course], known: Known) -> Iterator[str]:
    for one in courses:
        for cell in one.cells:
            took = _took(one, known) if cell is one.longest else f"on the nodes of {one.longest.id}"
            yield f"{cell.id}  {len(cell.ordering)} stage(s)  {took}"


def tree(of: Course, stages: Sequence[Stage], predicted: Mapping[str, Sequence[Prediction]], *, again: Sequence[str] = ()) -> Tree:
    """The runs of the installer of one course: what each sets that the one before did not, and what is verified behind it."""
    top = Tree(Text(of.longest.id, style="bold"))
    before: Mapping[str, object] = {}
    for stage, cell in zip(stages, prefixes(of.longest), strict=True):
        branch = top.add(Text(f"stage {stage.index + 1}, {stage.name}; endpoint {stage.endpoint}"))
        branch.add(Text(f"`{takehome.command(of.longest.ref, stage)}` in {takehome.where(of.longest.ref)}"))
        changed = {name: value for name, value in stage.variables.items() if before.get(name, ...) != value}
        dropped = sorted(before.keys() - stage.variables.keys())
        listed = stage.index > 0 or of.longest.ref.source == "kind"  # the first run of a playbook sets dozens
        for name, value in changed.items() if listed else ():
            branch.add(Text(f"{name}: {value}"))
        if not listed:
            shown = shlex.join(("spraylab", "inventory", of.longest.id, "--stage", str(stage.index + 1), *again))
            branch.add(Text(f"{len(changed)} variables; `{shown}` prints them"))
        for name in dropped:
            branch.add(Text(f"{name}: no longer set"))
        judged = of.judged_at(stage.index + 1)
        what = f"its verdict is that of {judged.id}" if judged else "what is not green there ends it"
        branch.add(Text(f"then every check that applies; {what}", style="dim"))
        for one in predicted.get(cell.id, ()):
            branch.add(Text(f"predicted ({one.rule}): {one.says}", style="yellow"))
        before = stage.variables
    return top
