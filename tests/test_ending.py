import errno
import os
import sys
from pathlib import Path

import pytest

from lab import ending
from lab.command import run
from lab.errors import BuildError, HostError

PROJECT = Path(__file__).parent.parent
REFUSED = "error: this system refused what the command needs"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (HostError("no engine", "none answers", "start one"), 4, "error: no engine\n  why: none answers\n  fix: start one"),
        (BuildError("no kind", "go said no", "see the log"), 4, "error: no kind\n  why: go said no\n  fix: see the log"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (
            PermissionError(errno.EACCES, "Permission denied", "/srv/x"),
            4,
            "error: /srv/x cannot be used\n  why: Permission denied\n  fix: name a place you may use, or run it as a user who may",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            4,
            f"{REFUSED}\n  why: No space left on device\n  fix: make room there, or name another place",
        ),
        (
            OSError(errno.EIO, "Input/output error", "/srv/x"),
            4,
            "error: /srv/x cannot be used\n  why: Input/output error\n  fix: `spraylab doctor` shows what this host lacks",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_was_raised_is_one_message_and_a_code_that_says_whose_matter_it_is(error: BaseException, code: int, says: str) -> None:
    assert ending.of(error) == ending.Ending(code=code, says=says)


def test_what_nobody_foresaw_is_the_labs_own_fault_with_where_it_came_from() -> None:
    with pytest.raises(KeyError) as raised:
        os.environ["SPRAYLAB_NOT_THERE"]
    told = ending.of(raised.value)
    assert told.code == 3
    assert told.says.startswith("Traceback")
    assert told.says.endswith(
        "error: the lab itself is broken\n  why: KeyError: 'SPRAYLAB_NOT_THERE'\n  fix: report it with the lines above"
    )


TAKES_NONE = """
import sys
from lab import ending
sys.stdout.write("much")
ending.tell(ending.Ending(code=4, says="error: full"))
"""


def test_what_standard_output_cannot_take_is_told_once() -> None:
    words = ("sh", "-c", 'exec "$@" >/dev/full', "sh", sys.executable, "-c", TAKES_NONE)
    done = run(words, limit_s=60, env={"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": ""})
    assert (done.rc, done.stderr) == (0, "error: full\n")
