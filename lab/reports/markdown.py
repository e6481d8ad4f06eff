"""The matrix as matrix.md: fit for a comment on a pull request, an issue or a nightly page.

A comment on GitHub holds so many characters and no more: what comes first is kept, and a sentence says what was cut.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.grid import Entry, Grid, counts, grid, notes, predicted
from lab.matrix import GREEN, CellResult, Matrix, failed_tasks, memory, ports_verdict, reason, slowest
from lab.model import Finding, Outcome

FILE = "matrix.md"
LIMIT_BYTES = 65_536  # of a comment on GitHub, in characters there; bytes are never fewer
CUT_BYTES = 400  # kept free for the sentence that says what was cut
MARK = {Outcome.PASS: "✅ PASS", Outcome.FAIL: "❌ FAIL", Outcome.ERROR: "💥 ERROR", Outcome.UNKNOWN: "❓ UNKNOWN", Outcome.SKIP: "⏭ SKIP"}
LETTERS = {
    "s": "its verdict is that of another cell",
    "p": "predicted, and seen",
    "n": "predicted, and not seen",
    "u": "predicted, and something else broke: it cannot be told",
    "h": "the host lacked something meanwhile",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """Lines that are kept or cut together; of a lower `rank` first. `kind`: what they are called when they are cut."""

    text: str
    rank: int = 0
    kind: str = ""


def write(matrix: Matrix, folder: Path) -> Path:
    """Write `folder`/matrix.md."""
    path = folder / FILE
    path.write_text(text(matrix), errors="replace")
    return path


def text(matrix: Matrix) -> str:
    """The whole report, or as much of it as LIMIT_BYTES hold."""
    laid = grid(matrix)
    is_grid = len(laid.rows) * len(laid.columns) > 1
    blocks = [_Block(text=_lines(_head(matrix, laid)))]
    if is_grid:
        blocks.append(_Block(text=_lines(_grid(laid)), rank=1, kind="the grid"))
    blocks += [*_table(matrix, folded=is_grid), *_reasons(matrix), *_ports(matrix)]
    notes = (_measured(matrix), _slowest(matrix), _memory(matrix), _deviations(matrix), _limits(matrix))
    blocks += [_Block(text=_lines(part), rank=3, kind="notes") for part in notes]
    return _fitting(blocks)


def _fitting(blocks: list[_Block]) -> str:
    room, kept = LIMIT_BYTES - CUT_BYTES, set[int]()
    for number in sorted(range(len(blocks)), key=lambda number: (blocks[number].rank, number)):
        if (size := len(blocks[number].text.encode(errors="replace"))) <= room:
            kept.add(number)
            room -= size
    cut = Counter(block.kind for number, block in enumerate(blocks) if number not in kept)
    whole = "".join(block.text for number, block in enumerate(blocks) if number in kept)
    if not cut:
        return whole
    told = ", ".join(f"{times} {kind}" if times > 1 else kind for kind, times in cut.items())
    return f"{whole}\nA comment holds no more than {LIMIT_BYTES} characters; cut: {told}. matrix.html and matrix.json have all of it.\n"


def _head(matrix: Matrix, laid: Grid) -> Iterator[str]:
    when = datetime.fromtimestamp(matrix.started_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"# {', '.join(matrix.scenarios)}"
    yield ""
    host = ", ".join(f"{name} {value}" for name, value in matrix.host.items())
    yield f"spraylab {matrix.lab_version}, {when}, patience {matrix.patience}; {host}."
    yield ""
    yield ", ".join(f"{MARK[outcome]} {number}" for outcome, number in counts(matrix).items()) + f" ({', '.join(laid.common)})."
    yield ""
    yield from _listed("What went wrong beside the cells:", [_text(said) for said in matrix.troubles])


def _grid(laid: Grid) -> Iterator[str]:
    yield "| ordering | " + " | ".join("<br>".join(map(_cell, column)) for column in laid.columns) + " |"
    yield "|---|" + ":-:|" * len(laid.columns)
    told: dict[str, None] = {}
    for row, name in enumerate(laid.rows):
        found = [[_symbol(entry, told) for entry in laid.cells.get((row, column), ())] for column in range(len(laid.columns))]
        yield f"| {_cell(name)} | " + " | ".join(" ".join(one) for one in found) + " |"
    yield ""
    if told:
        yield "; ".join(f"<sup>{letter}</sup> {means}" for letter, means in LETTERS.items() if letter in told) + "."
        yield ""


def _symbol(entry: Entry, told: dict[str, None]) -> str:
    """The outcome, and letters for what stands beside it; those are noted in `told`."""
    symbol, result = MARK[entry.outcome].partition(" ")[0], entry.result
    if result is None:
        return symbol
    come = {one.come for one in predicted(result)}
    holds = {
        "s": bool(result.judged_in),
        "p": "seen" in come,
        "n": "not seen" in come,
        "u": "cannot tell" in come,
        "h": bool(result.host_load),
    }
    letters = [letter for letter in LETTERS if holds[letter]]
    told |= dict.fromkeys(letters)
    return f"{symbol}<sup>{' '.join(letters)}</sup>" if letters else symbol


def _table(matrix: Matrix, *, folded: bool) -> Iterator[_Block]:
    """A row per cell; below a grid it is folded away."""
    head = ["<details><summary>Every cell with its reason</summary>", ""] if folded else []
    head += ["| playbooks | Kubernetes | topology | ordering | endpoint | outcome | after | reason |", "|---|---|---|---|---|---|---|---|"]
    yield _Block(text=_lines(head), rank=1)
    for result in matrix.cells:
        ref = result.ref + (f" with {', '.join(result.mitigations)}" if result.mitigations else "")
        after = f"{result.verdict_after_s:.0f} s" if result.verdict_after_s is not None else "-"
        row = (ref, result.kube_version, result.topology, result.ordering, result.endpoint, MARK[result.verdict.outcome], after)
        told = " | ".join(_cell(one) for one in (*row, "; ".join((reason(result), *notes(result)))))
        yield _Block(text=f"| {told} |\n", rank=6 if result.verdict.outcome in GREEN else 4, kind="rows")
    for left_out in matrix.left_out:
        yield _Block(text=f"| {_cell(left_out.id)} | | | | | {MARK[Outcome.SKIP]} | - | {_cell(left_out.because)} |\n", rank=6, kind="rows")
    yield _Block(text=_lines(["", "</details>", ""] if folded else [""]), rank=1)


def _reasons(matrix: Matrix) -> Iterator[_Block]:
    """Of every cell that is not green; those with a cause that no cell before them had are the last to be cut."""
    red = [result for result in matrix.cells if result.verdict.outcome not in GREEN]
    ids = {result.id for result in red}
    causes: dict[str, None] = {}
    for result in red:
        if result.judged_in in ids:
            continue  # its row says whose verdict it is
        is_new = result.verdict.cause not in causes or not result.verdict.cause
        causes[result.verdict.cause] = None
        yield _Block(text=_lines(_reason(result, is_open=len(red) == 1)), rank=2 if is_new else 5, kind="details of red cells")


def _reason(result: CellResult, *, is_open: bool) -> Iterator[str]:
    verdict = result.verdict
    why = f": {_text(verdict.cause)}" if verdict.cause else ""
    yield f"<details{' open' if is_open else ''}><summary>{MARK[verdict.outcome]} <code>{_text(result.id)}</code>{why}</summary>"
    yield ""
    yield _text(f"{verdict.summary}. {verdict.ended}".strip(". ") + ".")
    yield ""
    for task in failed_tasks(result):
        yield f"The installer failed in {_text(task.where)}:"
        yield ""
        yield from (f"- {name}: `{_line(said)}`" for name, said in (("first it said", task.first), ("said", task.said)) if said)
        yield ""
    for finding in verdict.findings:
        yield from _chain(finding)
    came = [f"`{_line(one.name)}`, {one.come}: {_text(one.prediction.says)}" for one in predicted(result)]
    yield from _listed("Predicted beside seen:", came)
    failed = [check for check in result.checks if check.outcome not in GREEN]
    yield from _listed(
        "Checks that are not green:", [f"{one.outcome.name} {_text(one.check)} on {one.node}: {_text(one.said)}" for one in failed]
    )
    others = [f"not `{one.signature}`: {_text(one.because)}" + (f" `{_line(one.line)}`" if one.line else "") for one in verdict.ruled_out]
    yield from _listed("What it is not, of the failures it could be taken for:", others)
    if result.host_load:
        yield f"What the host lacked meanwhile: {_text(result.host_load)}"
        yield ""
    if verdict.look_at:
        yield f"Where to look: {', '.join(f'`{path}`' for path in verdict.look_at)}"
        yield ""
    yield "</details>"
    yield ""


def _listed(title: str, items: list[str]) -> Iterator[str]:
    if items:
        yield from (title, "", *(f"- {item}" for item in items), "")


def _chain(finding: Finding) -> Iterator[str]:
    yield f"From symptom to cause (`{finding.signature}`{_catalogue(finding)}):"
    yield ""
    for number, link in enumerate(finding.chain, start=1):
        yield f"{number}. {_text(link.says)}  "
        yield f"   `{_line(link.line)}` ({link.node}/{link.probe})"
    yield ""
    yield f"It means: {_text(finding.means)}"
    yield ""
    yield f"What to do: {_text(finding.fix)}"
    yield ""
    if finding.upstream:
        yield f"Upstream: {', '.join(finding.upstream)}"
        yield ""


def _ports(matrix: Matrix) -> Iterator[_Block]:
    told = [result for result in matrix.cells if result.ports]
    if told:
        head = [f'## "kube-vip occupies ports 6443, 10259 and 10257": {ports_verdict(matrix)}', ""]
        yield _Block(text=_lines([*head, "<details><summary>What was seen in each cell</summary>", ""]), rank=3, kind="notes")
        for result in told:
            yield _Block(text=f"- `{result.id}`: {_text(result.ports)}\n", rank=7, kind="cells of the story of the ports")
        yield _Block(text=_lines(["", "</details>", ""]), rank=3, kind="notes")


def _measured(matrix: Matrix) -> Iterator[str]:
    told = [(result, one) for result in matrix.cells for one in result.checks if one.measured]
    if told:
        yield "## What was measured"
        yield ""
        yield "| cell | check | measured |"
        yield "|---|---|---|"
        for result, one in told:
            numbers = ", ".join(f"{name}: {value:g}" for name, value in one.measured)
            yield f"| `{result.id}` | {_cell(one.check)} on {one.node} | {numbers} |"
        yield ""


def _slowest(matrix: Matrix) -> Iterator[str]:
    told = slowest(matrix)
    if told:
        yield "## What took the installer longest"
        yield ""
        yield "| playbooks | task | took | stage | in |"
        yield "|---|---|---|---|---|"
        yield from (f"| {one.ref} | {_cell(one.task)} | {one.seconds:.1f} s | {_cell(one.stage)} | `{one.cell}` |" for one in told)
        yield ""


def _memory(matrix: Matrix) -> Iterator[str]:
    told = [result for result in matrix.cells if result.memory_mib]
    if told:
        yield "## Memory of the nodes"
        yield ""
        yield from (f"- `{result.id}`: {memory(result)}" for result in told)
        yield ""


def _deviations(matrix: Matrix) -> Iterator[str]:
    told = {(one.what, one.released, one.used, one.why): None for result in matrix.cells for one in result.deviations}
    if told:
        yield "## Where the lab departs from what the releases ship"
        yield ""
        yield "| what | released | used | why |"
        yield "|---|---|---|---|"
        yield from ("| " + " | ".join(_cell(one) for one in row) + " |" for row in told)
        yield ""


def _limits(matrix: Matrix) -> Iterator[str]:
    told = {limit: None for result in matrix.cells for limit in result.limits}
    if told:
        yield "## What the nodes could not show"
        yield ""
        yield from (f"- {_text(limit)}" for limit in told)


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|")


def _text(text: str) -> str:
    """One line in which nothing is markup."""
    return _line(text).replace("&", "&amp;").replace("<", "&lt;")


def _line(text: str) -> str:
    """One line, fit for a code span."""
    return " ".join(text.split()).replace("`", "'")


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _catalogue(finding: Finding) -> str:
    return f", {finding.catalogue}" if finding.catalogue else ""
