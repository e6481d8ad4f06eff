"""Standard output as people see it: how wide it is, and what becomes of what nobody reads any more."""

import errno
import io
import os
import re
import sys
from typing import IO, cast

from rich.console import Console

PLAIN_WIDTH = 160  # columns where nobody says how many there are, as in the log of a CI system
FILLED_UP = re.compile(r" +(?=\n)")


class _Screen(Console):
    """A console that tells whoever prints that nobody reads any more; Rich would end the process, with a code that means FAIL."""

    def on_broken_pipe(self) -> None:
        """Raise it."""
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class _Plain(io.TextIOBase):
    """Standard output, whatever that is at the time; no line ends in the blanks that tables fill up with."""

    @property
    def encoding(self) -> str:  # type: ignore[override] # Rich draws what it can say
        return sys.stdout.encoding

    def write(self, text: str) -> int:
        return sys.stdout.write(FILLED_UP.sub("", text))

    def flush(self) -> None:
        sys.stdout.flush()


def console() -> Console:
    """A terminal as wide as it is; anything else as COLUMNS says, or wide enough for tables."""
    made = _Screen()
    if made.is_terminal:
        return made
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if columns.isdecimal() and int(columns) else PLAIN_WIDTH
    return _Screen(file=cast("IO[str]", _Plain()), width=width)
