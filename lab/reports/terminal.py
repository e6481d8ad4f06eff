"""The matrix and the reasons for every red cell, for people at a terminal."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab.ability import Ability
from lab.grid import counts, grid, notes
from lab.matrix import COLOUR, GREEN, CellResult, Matrix, failed_tasks, ports_verdict, reason, slowest
from lab.model import CheckResult, Finding, Link, Outcome, Verdict

LINE_CHARACTERS = 300  # of a proving line; its file has all of it
RULED_OUT_SHOWN = 12
SKIPPED = (Text("SKIP", style="dim"), "-")
PORTS_SHOWN = 6  # cells in which who listened where is told; one is enough to answer the question
NARROW = 100  # columns; with fewer, reasons stand below what they are of: beside it they would be a word wide


def show(matrix: Matrix, console: Console) -> None:
    """Print the table, the chain of every cell that is not green, once per cause, and where everything lies."""
    console.print(table(matrix) if console.width >= NARROW else narrow(matrix))
    for first, others in _by_cause(matrix):
        console.print(explanation(first))
        if others:
            console.print(_same(first, others))
    for part in (*_measured(matrix), *_slowest(matrix), *_memory(matrix), *_ports(matrix), *_departures(matrix), *_troubles(matrix)):
        console.print(part)


def table(matrix: Matrix) -> Table:
    """One row per cell: what it is, its outcome and its reason. What all cells have in common stands in the title."""
    made = Table(title=escape(_title(matrix)), title_justify="left", expand=True)
    columns = _telling(matrix)
    for column in columns:
        made.add_column(column.name, overflow="fold", no_wrap=not column.ratio, ratio=column.ratio)
    for name in ("outcome", "after"):
        made.add_column(name, no_wrap=True)
    made.add_column("reason", overflow="fold", ratio=8)
    for result in matrix.cells:
        made.add_row(*(escape(column.of(result)) for column in columns), *_outcome(result), _why(result))
    for left_out in matrix.left_out:
        made.add_row(*[""] * len(columns), *SKIPPED, escape(f"{left_out.id}: {left_out.because}"))
    return made


def narrow(matrix: Matrix) -> Table:
    """The same for few columns: what a cell is in one line, its reason below it."""
    made = Table("outcome", "after", "cell and reason", title=escape(_title(matrix)), title_justify="left", show_lines=True, expand=True)
    for column in made.columns[:2]:
        column.no_wrap = True
    for result in matrix.cells:
        what = ", ".join(column.of(result) for column in _telling(matrix))
        made.add_row(*_outcome(result), Group(Text(what, style="bold"), _why(result)))
    for left_out in matrix.left_out:
        made.add_row(*SKIPPED, Group(Text(left_out.id, overflow="fold"), Text(left_out.because)))
    return made


def _outcome(result: CellResult) -> tuple[Text, str]:
    """Outcome, and after how many seconds it was known."""
    outcome = result.verdict.outcome
    return Text(outcome.name, style=COLOUR[outcome]), f"{result.verdict_after_s:.0f} s" if result.verdict_after_s is not None else "-"


def _why(result: CellResult) -> Text:
    why = Text(reason(result), overflow="fold")
    for note in notes(result):
        why.append(f"\n{note}", style="dim")
    return why


def _title(matrix: Matrix) -> str:
    told = [f"{len(matrix.cells)} cell(s)"]
    if len(matrix.cells) > 1:
        told.append(", ".join(f"{number} {outcome.name}" for outcome, number in counts(matrix).items()))
    told += [f"all: {', '.join(common)}"] if (common := grid(matrix).common) else []
    return f"{', '.join(matrix.scenarios)}: {'; '.join(told)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """Of the table. `ratio`: of the room that is left; one without is as wide as its text, and there only when its cells differ."""

    name: str
    of: Callable[[CellResult], str]
    ratio: int | None = None


def _telling(matrix: Matrix) -> list[_Column]:
    """The columns of a table of `matrix`: those in which its cells may differ."""
    every = (
        _Column(name="playbooks", of=lambda one: ", ".join((one.ref, *(f"with {name}" for name in one.mitigations))), ratio=2),
        _Column(name="Kubernetes", of=lambda one: one.kube_version),
        _Column(name="topology", of=lambda one: one.topology),
        _Column(name="ordering", of=lambda one: one.ordering, ratio=3),
        _Column(name="endpoint", of=lambda one: one.endpoint),
        _Column(name="network", of=lambda one: one.network),
    )
    return [one for one in every if one.ratio or len({one.of(result) for result in matrix.cells}) > 1]


def _by_cause(matrix: Matrix) -> list[tuple[CellResult, list[CellResult]]]:
    """Every cell that is not green: the first with its cause, and the others with it; where no cause is known, each is its own."""
    found: dict[str, tuple[CellResult, list[CellResult]]] = {}
    for result in matrix.cells:
        if result.verdict.outcome not in GREEN:
            key = f"{result.verdict.outcome.name} {result.verdict.cause}" if result.verdict.cause else result.id
            if key in found:
                found[key][1].append(result)
            else:
                found[key] = (result, [])
    return list(found.values())


def _same(first: CellResult, others: list[CellResult]) -> RenderableType:
    """The other cells with the cause that `first` has."""
    top = Tree(Text(f"the same cause, {first.verdict.cause}, in {len(others)} more; matrix.html has the lines that prove it in each"))
    for other in others:
        top.add(Text(f"{other.id}: {other.verdict.ended}" if other.verdict.ended else other.id))
    return Padding(top, (0, 0, 0, 4))


def explanation(result: CellResult) -> RenderableType:
    """What happened, the chain from symptom to cause with the line that proves each link, what it is not, what to do."""
    verdict = result.verdict
    top = Tree(Text.assemble((verdict.outcome.name, f"bold {COLOUR[verdict.outcome]}"), f"  {result.id}"))
    top.add(Text(verdict.summary, style="bold"))
    if verdict.ended:
        top.add(Text(verdict.ended))
    for branch in (*_failed_tasks(result), *_failed_checks(result), *_findings(verdict)):
        top.add(branch)
    if verdict.ruled_out:
        branch = top.add("what it is not, of the failures it could be taken for")
        for other in verdict.ruled_out[:RULED_OUT_SHOWN]:
            branch.add(Text(f"not {other.signature}: {other.because}" + (f" [{_short(other.line)}]" if other.line else "")))
    if verdict.look_at:
        branch = top.add("where to look")
        for path in verdict.look_at:
            branch.add(Text(path))
    for line in (*notes(result), *([f"evidence: {result.evidence}"] if result.evidence else [])):
        top.add(Text(line))
    return Padding(top, (1, 0, 0, 0))


def abilities(rows: Iterable[Ability]) -> Table:
    """What a host can do, one row each, with the fix of what it cannot."""
    made = Table("", "what", "seen", "what to do")
    for row in rows:
        mark = Text("ok", "green") if row.ok else Text("missing", "red") if row.needed else Text("without", "yellow")
        made.add_row(mark, row.name, escape(row.seen), escape(row.fix))
    return made


def checks(results: tuple[CheckResult, ...]) -> str:
    """The checks of one cell as text, one line each."""
    return "\n".join(f"{one.outcome.name:7} {one.check} on {one.node}: {one.said}" for one in results)


def _failed_tasks(result: CellResult) -> Iterator[Tree]:
    for task in failed_tasks(result):
        branch = Tree(Text(f"the installer failed in {task.where}"))
        for name, said in (("first: ", task.first), ("", task.said)):
            if said:
                branch.add(Text(f"{name}{said}", style="dim"))
        yield branch


def _failed_checks(result: CellResult) -> Iterator[Tree]:
    failed = [check for check in result.checks if check.outcome not in GREEN]
    if failed:
        branch = Tree("checks that are not green")
        for check in failed:
            branch.add(Text(f"{check.outcome.name} {check.check} on {check.node}: {_short(check.said)}"))
        yield branch


def _findings(verdict: Verdict) -> Iterator[Tree]:
    for finding in verdict.findings:
        branch = Tree(Text(f"from symptom to cause ({finding.signature}{_catalogue(finding)})"))
        for number, link in enumerate(finding.chain, start=1):
            branch.add(Group(Text(f"{number}. {link.says}"), Text(f"{_place(link)}: {_short(link.line)}", style="dim")))
        branch.add(Text.assemble(("it means: ", "bold"), finding.means))
        branch.add(Text.assemble(("what to do: ", "bold"), finding.fix))
        if finding.upstream:
            branch.add(Text.assemble(("upstream: ", "bold"), ", ".join(finding.upstream)))
        yield branch


def _place(link: Link) -> str:
    return f"{link.node}/{link.probe}"


def _measured(matrix: Matrix) -> Iterator[RenderableType]:
    """What checks measured, over all cells; matrix.md has it by cell."""
    found: dict[tuple[str, str], list[float]] = {}
    for one in (check for result in matrix.cells for check in result.checks):
        for name, value in one.measured:
            found.setdefault((one.check, name), []).append(value)
    if found:
        tree = Tree(Text("what was measured", style="bold"))
        for (check, name), values in found.items():
            spread = (
                f"{min(values):g} to {max(values):g}, median {median(values):g}, {len(values)} times"
                if len(values) > 1
                else f"{values[0]:g}"
            )
            tree.add(Text(f"{check}, {name}: {spread}"))
        yield Padding(tree, (1, 0, 0, 0))


def _slowest(matrix: Matrix) -> Iterator[RenderableType]:
    """The installer's slowest tasks with each ref; matrix.html and matrix.json have those of each stage."""
    told: dict[str, list[str]] = {}
    for one in slowest(matrix):
        told.setdefault(one.ref, []).append(f"{one.task} {one.seconds:.0f} s")
    if told:
        tree = Tree(Text("what took the installer longest", style="bold"))
        for ref, tasks in told.items():
            tree.add(Text(f"{ref}: {', '.join(tasks)}"))
        yield Padding(tree, (1, 0, 0, 0))


def _memory(matrix: Matrix) -> Iterator[RenderableType]:
    """The most that nodes of each topology used, over all cells; matrix.md has it by cell."""
    most: dict[str, dict[str, float]] = {}
    for result in matrix.cells:
        nodes = most.setdefault(result.topology, {})
        nodes |= {name: max(used, nodes.get(name, 0.0)) for name, used in result.memory_mib.items()}
    for topology, nodes in most.items():
        if nodes:
            each = ", ".join(f"{name} {used:.0f} MiB" for name, used in nodes.items())
            text = f"memory of the nodes of {topology}, the most that any cell saw: {each}; together {sum(nodes.values()):.0f} MiB"
            yield Padding(Text(text), (1, 0, 0, 0))


def _ports(matrix: Matrix) -> Iterator[RenderableType]:
    told = [(result, result.ports) for result in matrix.cells if result.ports]
    if told:
        title = f'"kube-vip occupies ports 6443, 10259 and 10257": {ports_verdict(matrix)}, by the listeners sampled through kubeadm init'
        tree = Tree(Text(title, style="bold"))
        for result, ports in told[:PORTS_SHOWN]:
            tree.add(Group(Text(result.id), Text(ports, style="dim")))
        if len(told) > PORTS_SHOWN:
            tree.add(Text(f"and {len(told) - PORTS_SHOWN} more cells, which matrix.md has"))
        yield Padding(tree, (1, 0, 0, 0))


def _departures(matrix: Matrix) -> Iterator[RenderableType]:
    told: dict[str, dict[str, None]] = {}
    for one in (deviation for result in matrix.cells for deviation in result.deviations):
        told.setdefault(one.why, {})[f"{one.what} {one.used}" if one.what.endswith("version") else one.what] = None
    if told:
        tree = Tree(Text("where the lab departs from what the releases ship, and why (matrix.md has the values)", style="bold"))
        for why, what in told.items():
            tree.add(Text(f"{', '.join(what)}: {why}"))
        yield Padding(tree, (1, 0, 0, 0))


def _troubles(matrix: Matrix) -> Iterator[RenderableType]:
    """Last, for it is why a run whose cells are all green ends with 3."""
    if matrix.troubles:
        tree = Tree(Text("what went wrong beside the cells: the run ends with 3 for it", style=f"bold {COLOUR[Outcome.ERROR]}"))
        for said in matrix.troubles:
            tree.add(Text(" ".join(said.split())))
        yield Padding(tree, (1, 0, 0, 0))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"


def _catalogue(finding: Finding) -> str:
    return f", {finding.catalogue}" if finding.catalogue else ""
