"""The matrix and the reasons for every red cell, for people at a terminal."""

from collections.abc import Iterable, Iterator

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from lab.ability import Ability
from lab.matrix import COLOUR, GREEN, CellResult, Matrix, memory, ports_verdict, reason
from lab.model import CheckResult, Finding, Link, Verdict

LINE_CHARACTERS = 300  # of a proving line; its file has all of it
RULED_OUT_SHOWN = 12
PLAIN_WIDTH = 160


def console() -> Console:
    """Standard output; wide enough for tables where nobody says how wide it is, as in the log of a CI system."""
    made = Console()
    return made if made.is_terminal else Console(width=max(made.width, PLAIN_WIDTH))


def show(matrix: Matrix, console: Console) -> None:
    """Print the table, the chain of every cell that is not green, and where everything lies."""
    console.print(table(matrix))
    for result in matrix.cells:
        if result.verdict.outcome not in GREEN:
            console.print(explanation(result))
    for part in (*_measured(matrix), *_memory(matrix), *_ports(matrix), *_departures(matrix)):
        console.print(part)


def table(matrix: Matrix) -> Table:
    """One row per cell: what it is, its outcome and its reason."""
    made = Table(title=f"{', '.join(matrix.scenarios)}: {len(matrix.cells)} cell(s)", title_justify="left", expand=True)
    for name, ratio in (("playbooks", 3), ("Kubernetes", 2), ("ordering", 2), ("endpoint", 1), ("outcome", 1), ("after", 1), ("reason", 8)):
        made.add_column(name, overflow="fold", ratio=ratio)
    for result in matrix.cells:
        outcome = result.verdict.outcome
        with_ = f" with {', '.join(result.mitigations)}" if result.mitigations else ""
        made.add_row(
            escape(result.ref + with_),
            result.kube_version,
            result.ordering,
            result.endpoint,
            Text(outcome.name, style=COLOUR[outcome]),
            f"{result.verdict_after_s:.0f} s" if result.verdict_after_s is not None else "-",
            escape(reason(result)),
        )
    for left_out in matrix.left_out:
        made.add_row(escape(left_out.id), "", "", "", Text("SKIP", style="dim"), "-", escape(left_out.because))
    return made


def explanation(result: CellResult) -> RenderableType:
    """What happened, the chain from symptom to cause with the line that proves each link, what it is not, what to do."""
    verdict = result.verdict
    top = Tree(Text.assemble((verdict.outcome.name, f"bold {COLOUR[verdict.outcome]}"), f"  {result.id}"))
    top.add(Text(verdict.summary, style="bold"))
    if verdict.ended:
        top.add(Text(verdict.ended))
    failed = [check for check in result.checks if check.outcome not in GREEN]
    if failed:
        branch = top.add("checks that are not green")
        for check in failed:
            branch.add(Text(f"{check.outcome.name} {check.check} on {check.node}: {_short(check.said)}"))
    for branch in _findings(verdict):
        top.add(branch)
    if verdict.ruled_out:
        branch = top.add("what it is not")
        for other in verdict.ruled_out[:RULED_OUT_SHOWN]:
            branch.add(Text(f"{other.signature}: {other.because}" + (f" [{_short(other.line)}]" if other.line else "")))
    if verdict.look_at:
        branch = top.add("where to look")
        for path in verdict.look_at:
            branch.add(Text(path))
    if result.evidence:
        top.add(Text(f"evidence: {result.evidence}"))
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
    told = [(result, one) for result in matrix.cells for one in result.checks if one.measured]
    if told:
        tree = Tree(Text("what was measured", style="bold"))
        for result, one in told:
            numbers = ", ".join(f"{name}: {value:g}" for name, value in one.measured)
            tree.add(Group(Text(f"{one.check} on {one.node}, {result.id}"), Text(numbers, style="dim")))
        yield Padding(tree, (1, 0, 0, 0))


def _memory(matrix: Matrix) -> Iterator[RenderableType]:
    told = [result for result in matrix.cells if result.memory_mib]
    if told:
        tree = Tree(Text("memory of the nodes, the most each used when it was looked at", style="bold"))
        for result in told:
            tree.add(Group(Text(result.id), Text(memory(result), style="dim")))
        yield Padding(tree, (1, 0, 0, 0))


def _ports(matrix: Matrix) -> Iterator[RenderableType]:
    told = [(result, result.ports) for result in matrix.cells if result.ports]
    if told:
        title = f'"kube-vip occupies ports 6443, 10259 and 10257": {ports_verdict(matrix)}, by the listeners sampled through kubeadm init'
        tree = Tree(Text(title, style="bold"))
        for result, ports in told:
            tree.add(Group(Text(result.id), Text(ports, style="dim")))
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


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LINE_CHARACTERS else f"{line[: LINE_CHARACTERS - 1]}…"


def _catalogue(finding: Finding) -> str:
    return f", {finding.catalogue}" if finding.catalogue else ""
