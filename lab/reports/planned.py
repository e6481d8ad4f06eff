"""What a run would do: its sets of nodes, the stages on them, the cells judged after each, with expected time and memory."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
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
) -> None:
    """Print `courses`. stages: longest cell's id -> its stages, told in full where there are any; predicted: cell id -> the preflight;
    left_out: id of a cell that is not run -> why."""
    if sum(len(one.cells) for one in courses) > LAID_OUT:
        console.out("\n".join(_lines(courses, known)), highlight=False)
    else:
        console.print(table(courses, known))
    for one in courses if stages else ():
        console.print(tree(one, stages.get(one.longest.id, ()), predicted))
    for name, because in left_out.items():
        console.print(f"{name}: not run, {because}", style="dim", soft_wrap=True, highlight=False, markup=False)
    whole = estimate.whole_s(courses, known, capacity=capacity, limit=limit)
    told = "as they took last time" if whole.sure else "partly a guess, for not all of it was run here before"
    memory_gib = max((estimate.need(one.longest.topology, on=one.longest.bed).memory_mib for one in courses), default=0.0) / 1024
    console.print(
        f"{in_words(courses)}; about {minutes(whole.seconds)}, {told}; "
        f"a set of nodes needs up to {memory_gib:.1f} GiB, {capacity.memory_mib / 1024:.0f} GiB and {capacity.cores:.0f} cores are free",
        soft_wrap=True,
    )


def table(courses: Sequence[Course], known: Known) -> Table:
    """One row per cell; those of one set of nodes stand together, the longest last."""
    made = Table("cell", "stages", "judged on the nodes of", "expected", "memory", title_justify="left")
    for one in courses:
        expected = estimate.expected(one, known)
        memory = f"{estimate.need(one.longest.topology, on=one.longest.bed).memory_mib / 1024:.1f} GiB"
        for cell in one.cells:
            own = cell is one.longest
            took = f"{'' if expected.sure else '~'}{minutes(expected.seconds)}" if own else ""
            made.add_row(escape(cell.id), str(len(cell.ordering)), "" if own else escape(one.longest.id), took, memory if own else "")
    return made


def _lines(courses: Sequence[Course], known: Known) -> Iterator[str]:
    for one in courses:
        expected = estimate.expected(one, known)
        for cell in one.cells:
            took = (
                f"{'' if expected.sure else '~'}{minutes(expected.seconds)}" if cell is one.longest else f"on the nodes of {one.longest.id}"
            )
            yield f"{cell.id}  {len(cell.ordering)} stage(s)  {took}"


def tree(of: Course, stages: Sequence[Stage], predicted: Mapping[str, Sequence[Prediction]]) -> Tree:
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
            branch.add(Text(f"{len(changed)} variables; `spraylab inventory {of.longest.id} --stage 1` prints them"))
        for name in dropped:
            branch.add(Text(f"{name}: no longer set"))
        judged = of.judged_at(stage.index + 1)
        what = f"its verdict is that of {judged.id}" if judged else "what is not green there ends it"
        branch.add(Text(f"then every check that applies; {what}", style="dim"))
        for one in predicted.get(cell.id, ()):
            branch.add(Text(f"predicted ({one.rule}): {one.says}", style="yellow"))
        before = stage.variables
    return top
