"""How a command ends that cannot go on: one message, and the exit code that says whose matter it is."""

import errno
import os
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass

from lab.errors import LabError

BROKEN = 3  # the lab itself is; as for a cell that is ERROR
BAD_INPUT = 4  # or a host that lacks something
INTERRUPTED = 130  # what a shell reports for Ctrl-C
UNREAD = 141  # and for a program whose reader went away: `| head -1`
ROOM, ALLOWED = "make room there, or name another place", "name a place you may use, or run it as a user who may"
FIXES = {
    errno.ENOSPC: ROOM,
    errno.EDQUOT: ROOM,
    errno.EACCES: ALLOWED,
    errno.EPERM: ALLOWED,
    errno.EROFS: ALLOWED,
    errno.ENAMETOOLONG: "give a shorter name",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """`says`: for standard error; empty where nobody is to be told."""

    code: int
    says: str


def of(error: BaseException) -> Ending:
    """How a command ends that raised `error`. What nobody foresaw is the lab's own fault, and is told with where it came from."""
    match error:
        case LabError():
            return Ending(code=BAD_INPUT, says=f"error: {error}")
        case KeyboardInterrupt():
            return Ending(code=INTERRUPTED, says="interrupted")
        case BrokenPipeError():
            return Ending(code=UNREAD, says="")
        case OSError():
            what = f"{error.filename} cannot be used" if error.filename else "this system refused what the command needs"
            return Ending(code=BAD_INPUT, says=_message(what, error.strerror or str(error), _fix(error)))
        case _:
            where, why = "".join(traceback.format_exception(error)), f"{type(error).__name__}: {error}"
            return Ending(code=BROKEN, says=where + _message("the lab itself is broken", why, "report it with the lines above"))


def tell(ending: Ending) -> None:
    """Say it on standard error, as far as that takes it, after what standard output has still to take."""
    try:
        sys.stdout.flush()
    except OSError:
        _give_up_output()
    if ending.says:
        with suppress(OSError):
            sys.stderr.write(f"{ending.says}\n")
            sys.stderr.flush()


def _give_up_output() -> None:
    """Let what standard output could not take go nowhere: Python would try again at its end, and tell that in words of its own."""
    with suppress(OSError):  # it is no file, as in a test
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _fix(error: OSError) -> str:
    return FIXES.get(error.errno or 0, "`spraylab doctor` shows what this host lacks")


def _message(what: str, why: str, fix: str) -> str:
    return f"error: {LabError(what, why, fix)}"
