"""The matrix as matrix.md: for a pull request, an issue or a nightly page."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lab.matrix import GREEN, CellResult, Matrix, memory, ports_verdict, reason
from lab.model import Finding, Outcome

FILE = "matrix.md"
MARK = {Outcome.PASS: "✅ PASS", Outcome.FAIL: "❌ FAIL", Outcome.ERROR: "💥 ERROR", Outcome.UNKNOWN: "❓ UNKNOWN", Outcome.SKIP: "⏭ SKIP"}


def write(matrix: Matrix, folder: Path) -> Path:
    """Write `folder`/matrix.md."""
    path = folder / FILE
    path.write_text(text(matrix))
    return path


def text(matrix: Matrix) -> str:
    """The whole report."""
    parts = (_head, _table, _reasons, _measured, _memory, _ports, _deviations, _limits)
    return "\n".join(line for part in parts for line in part(matrix)) + "\n"


def _head(matrix: Matrix) -> Iterator[str]:
    when = datetime.fromtimestamp(matrix.started_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"# {', '.join(matrix.scenarios)}"
    yield ""
    host = ", ".join(f"{name} {value}" for name, value in matrix.host.items())
    yield f"spraylab {matrix.lab_version}, {when}, patience {matrix.patience}; {host}."
    yield ""


def _table(matrix: Matrix) -> Iterator[str]:
    yield "| playbooks | Kubernetes | topology | ordering | endpoint | outcome | after | reason |"
    yield "|---|---|---|---|---|---|---|---|"
    for result in matrix.cells:
        ref = result.ref + (f" with {', '.join(result.mitigations)}" if result.mitigations else "")
        after = f"{result.verdict_after_s:.0f} s" if result.verdict_after_s is not None else "-"
        row = (ref, result.kube_version, result.topology, result.ordering, result.endpoint, MARK[result.verdict.outcome], after)
        yield "| " + " | ".join(_cell(one) for one in (*row, reason(result))) + " |"
    for left_out in matrix.left_out:
        yield f"| {_cell(left_out.id)} | | | | | {MARK[Outcome.SKIP]} | - | {_cell(left_out.because)} |"
    yield ""


def _reasons(matrix: Matrix) -> Iterator[str]:
    for result in matrix.cells:
        if result.verdict.outcome not in GREEN:
            yield from _reason(result)


def _reason(result: CellResult) -> Iterator[str]:
    verdict = result.verdict
    yield f"## {verdict.outcome.name}: `{result.id}`"
    yield ""
    yield f"{verdict.summary} {verdict.ended}".strip()
    yield ""
    for finding in verdict.findings:
        yield from _chain(finding)
    failed = [check for check in result.checks if check.outcome not in GREEN]
    if failed:
        yield "Checks that are not green:"
        yield ""
        yield from (f"- {check.outcome.name} {check.check} on {check.node}: {_line(check.said)}" for check in failed)
        yield ""
    if verdict.ruled_out:
        yield "What it is not:"
        yield ""
        yield from (
            f"- `{other.signature}`: {other.because}" + (f" `{_line(other.line)}`" if other.line else "") for other in verdict.ruled_out
        )
        yield ""
    if verdict.look_at:
        yield f"Where to look: {', '.join(f'`{path}`' for path in verdict.look_at)}"
        yield ""


def _chain(finding: Finding) -> Iterator[str]:
    yield f"From symptom to cause (`{finding.signature}`{_catalogue(finding)}):"
    yield ""
    for number, link in enumerate(finding.chain, start=1):
        yield f"{number}. {link.says}  "
        yield f"   `{_line(link.line)}` ({link.node}/{link.probe})"
    yield ""
    yield f"It means: {finding.means}"
    yield ""
    yield f"What to do: {finding.fix}"
    yield ""
    if finding.upstream:
        yield f"Upstream: {', '.join(finding.upstream)}"
        yield ""


def _ports(matrix: Matrix) -> Iterator[str]:
    if any(result.ports for result in matrix.cells):
        yield f'## "kube-vip occupies ports 6443, 10259 and 10257": {ports_verdict(matrix)}'
        yield ""
        yield from (f"- `{result.id}`: {result.ports}" for result in matrix.cells if result.ports)
        yield ""


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
        yield from (f"- {limit}" for limit in told)


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _line(text: str) -> str:
    return " ".join(text.split()).replace("`", "'")


def _catalogue(finding: Finding) -> str:
    return f", {finding.catalogue}" if finding.catalogue else ""
