"""A page of docs/ with a table that a bench writes: what stands between its two marks, and nothing else of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from lab import host
from lab.deadline import now_s
from lab.errors import ScenarioError
from lab.model import Cell

DOCS = Path(__file__).parent.parent / "docs"
END = "<!-- end of the table -->\n"


def write(page: Path, table: str, *, bench: str) -> None:
    """Put `table` between the marks of `bench` in `page`. Raises ScenarioError, and leaves the page as it is, where they are not there."""
    begin = f"<!-- table: bench/{bench}.py --write -->\n"
    before, began, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(END)
    if not (began and ended):
        why = f"it does not have the line {begin.strip()!r} and, below it, {END.strip()!r}"
        raise ScenarioError(f"{page.name} has no place for the table", why, "put both lines where the table shall stand")
    page.write_text(before + begin + table + END + after)


def today() -> str:
    """The day, as tables name it."""
    return f"{datetime.fromtimestamp(now_s(), UTC):%Y-%m-%d}"


def about(cell: Cell, versions: Mapping[str, str]) -> str:
    """When a table was measured, of what and on what, as the line above it. versions: of those components that matter there."""
    seen = host.facts()
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{today()}, {cell.ref.label}, topology {cell.topology}, {named}, {seen.cores} cores, kernel {seen.kernel}."
