import errno
import os
import sys

import pytest
from rich.table import Table

from lab.reports import screen


def wide() -> Table:
    made = Table("cell", title="a title", title_justify="left", expand=True, box=None)
    made.add_row("x")
    return made


@pytest.mark.parametrize(("columns", "width"), [("", 160), ("60", 60), ("200", 200), ("0", 160), ("many", 160)])
def test_what_is_no_terminal_is_as_wide_as_columns_says(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setenv("COLUMNS", columns)
        assert screen.console().width == width


def test_what_is_no_terminal_gets_no_trailing_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    screen.console().print(wide())
    text = capsys.readouterr().out
    assert "a title\n" in text
    assert not [line for line in text.splitlines() if line.endswith(" ")]


def test_standard_output_is_what_it_is_when_something_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    made = screen.console()
    with capsys.disabled():
        before = sys.stdout
    assert made.file is not before
    made.print("heard")
    assert capsys.readouterr().out == "heard\n"


def test_a_reader_that_went_away_is_told_to_whoever_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> int:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    made = screen.console()
    monkeypatch.setattr(sys.stdout, "write", gone)
    with pytest.raises(BrokenPipeError):
        made.print("unheard")
