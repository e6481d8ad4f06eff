from pathlib import Path
from typing import cast

import pytest

from lab import journal
from lab.engine import Engine
from lab.errors import BedError
from lab.hostload import HostLoad
from lab.journal import Journal
from lab.shared import Lab

SAID = "nodes were not taken down: no container: it hangs; what to do: look"


def lab(folder: Path) -> Lab:
    return Lab(run_id="r", folder=folder, journal=Journal(folder), engine=cast("Engine", None), load=HostLoad())


def test_what_fails_beside_the_results_is_kept_and_said_once(tmp_path: Path) -> None:
    one = lab(tmp_path)
    for _ in range(2):
        with one.beside("nodes were not taken down", cell="a"):
            raise BedError("no container", "it hangs", "look")
    with one.beside("a report cannot be written"):
        raise OSError("no room")
    one.journal.close()
    assert one.troubles == (SAID, "a report cannot be written: no room")
    assert [(line.cell, line.said) for line in journal.read(one.journal.path)] == [("a", SAID), ("", "a report cannot be written: no room")]


def test_a_journal_that_cannot_be_written_hides_no_trouble(tmp_path: Path) -> None:
    (tmp_path / journal.FILE).symlink_to("/dev/full")
    one = lab(tmp_path)
    one.trouble("the disk is full")
    one.journal.close()
    assert one.troubles == ("the disk is full",)


def test_a_fault_of_the_lab_is_no_trouble_of_the_run(tmp_path: Path) -> None:
    one = lab(tmp_path)
    with pytest.raises(LookupError), one.beside("a report cannot be written"):
        raise LookupError
    one.journal.close()
    assert one.troubles == ()


def test_a_cell_has_a_folder(tmp_path: Path) -> None:
    one = lab(tmp_path)
    assert one.folder_of("a") == one.folder_of("a") == tmp_path / "cells" / "a"
    assert (tmp_path / "cells" / "a").is_dir()
    one.journal.close()
