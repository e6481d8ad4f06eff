from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import cast

from lab import doctor
from lab.engine import Engine
from lab.errors import HostError


@contextmanager
def _one() -> Iterator[Engine]:
    class Answering:
        name = "podman"

        @staticmethod
        def version() -> str:
            return "5.4.2"

    yield cast("Engine", Answering())


def _none() -> AbstractContextManager[Engine]:
    raise HostError("no container engine", "nothing answers", "start one")


def test_an_engine_that_answers_is_told_with_its_version() -> None:
    (row,) = [one for one in doctor.rows(_one) if one.name == "container engine"]
    assert (row.ok, row.seen) == (True, "podman 5.4.2")


def test_one_that_cannot_be_reached_is_told_with_the_reason_and_no_other_row_is() -> None:
    rows = doctor.rows(_none)
    (row,) = [one for one in rows if one.name == "container engine"]
    assert not row.ok
    assert row.seen.endswith(": nothing answers")
    assert row.fix == "start one"
    assert [one for one in rows if "nothing answers" in one.seen] == [row]
