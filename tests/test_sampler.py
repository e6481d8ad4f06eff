"""The script that nodes run: here on this machine, on an address it has and one it has not."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest

from lab import outage
from lab.command import run
from lab.disturbances.failover import SAMPLER


@pytest.mark.parametrize(("address", "has"), [("127.0.0.1", True), ("10.231.255.254", False)])
def test_a_node_tells_whether_it_has_an_address(tmp_path: Path, address: str, has: bool) -> None:
    done = run((sys.executable, str(SAMPLER), "address", str(tmp_path / "samples"), "0.35", address), limit_s=20)
    assert (done.rc, done.stderr) == (0, "")
    samples = outage.read((tmp_path / "samples").read_text())
    assert len(samples) >= 2
    assert {sample.yes for sample in samples} == {has}
    assert all(later.at_s > earlier.at_s for earlier, later in pairwise(samples))


def test_samples_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "samples"
    path.write_text("[100.0, true, []]\n")
    assert run((sys.executable, str(SAMPLER), "address", str(path), "0.05", "127.0.0.1"), limit_s=20).rc == 0
    first, *rest = outage.read(path.read_text())
    assert (first.at_s, first.yes) == (100.0, True)
    assert rest
