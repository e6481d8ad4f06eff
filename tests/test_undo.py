from collections.abc import Callable

import pytest

from lab import undo
from lab.errors import BedError, LabError


def failing(error: Exception) -> Callable[[], None]:
    def step() -> None:
        raise error

    return step


def test_every_step_is_done_and_what_failed_is_raised_as_it_is() -> None:
    done: list[str] = []
    with pytest.raises(OSError, match="busy"):
        undo.all_of(lambda: done.append("one"), failing(OSError("busy")), lambda: done.append("two"))
    assert done == ["one", "two"]


def test_several_that_failed_are_told_together() -> None:
    steps = (failing(BedError("no container", "it hangs", "look")), failing(OSError("busy")), failing(OSError("busy")))
    with pytest.raises(LabError, match=r"3 steps of taking down failed\n  why: no container: it hangs; busy\n.*spraylab gc --yes"):
        undo.all_of(*steps)


def test_a_fault_of_the_lab_is_none_of_what_may_fail() -> None:
    with pytest.raises(LookupError):
        undo.all_of(failing(LookupError()))
