"""A bench writes between the marks of its page and nowhere else."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from bench import failover, kubespray, page, snapshot
from lab.errors import ScenarioError
from tests import made

MARK = "<!-- table: bench/x.py --write -->\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return tmp_path / "x.md"


@pytest.mark.parametrize("old", ["", "Not measured yet.\n", "| a |\n|---|\n"])
def test_what_stands_around_the_table_stays(docs: Path, old: str) -> None:
    docs.write_text(f"# X\n\n{MARK}{old}{page.END}\nAfter it, {page.END}")
    page.write(docs, "| b |\n", bench="x")
    assert docs.read_text() == f"# X\n\n{MARK}| b |\n{page.END}\nAfter it, {page.END}"


@pytest.mark.parametrize(
    "text",
    ["# X\n", f"{MARK}\n", f"{page.END}\n", f"{page.END}{MARK}", MARK.replace("/x.py", "/y.py") + page.END],
    ids=["neither", "no end", "no begin", "the wrong way round", "of another bench"],
)
def test_a_page_without_its_marks_stays_as_it_is_and_is_told(docs: Path, text: str) -> None:
    docs.write_text(text)
    with pytest.raises(
        ScenarioError, match=r"x\.md has no place for the table\n.*bench/x\.py --write.*end of the table.*\n.*put both lines"
    ):
        page.write(docs, "| b |\n", bench="x")
    assert docs.read_text() == text


@pytest.mark.parametrize("bench", [failover, kubespray, snapshot])
def test_the_page_of_each_bench_has_its_marks(docs: Path, bench: ModuleType) -> None:
    docs.write_text(bench.PAGE.read_text())
    page.write(docs, "| b |\n", bench=bench.__name__.rpartition(".")[2])
    assert f"--write -->\n| b |\n{page.END}" in docs.read_text()


def test_a_table_says_when_of_what_and_on_what_it_was_measured() -> None:
    said = page.about(made.cell(), {"kube-vip": "v0.9.2", "Kubernetes": "v1.29.5"})
    pattern = r"\d{4}-\d\d-\d\d, replica of v2\.25\.0, topology 1cp, Kubernetes v1\.29\.5, kube-vip v0\.9\.2, \d+ cores, kernel \S+\."
    assert re.fullmatch(pattern, said)
