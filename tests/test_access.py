import stat
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from lab import access, owner
from lab.command import run
from lab.errors import BedError, HostError
from lab.owner import of_folder
from tests import made
from tests.fakes import SILENT, gone, program, set_once_there


@pytest.fixture(autouse=True)
def _own_run_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path / "r")


def test_nodes_are_reached_by_their_names_with_a_key_of_their_own(tmp_path: Path) -> None:
    nodes = made.site(tmp_path).nodes
    first, second = (access.make(nodes, folder=tmp_path / name, run_id="r1") for name in ("one", "two"))
    assert first.public_key.startswith("ssh-ed25519 ")
    assert first.public_key != second.public_key
    key = first.control / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    told = run(("ssh", "-G", "-F", str(first.config), "cp1"), limit_s=10).stdout.splitlines()
    assert {"hostname 10.231.0.10", "user root", f"identityfile {key}", "batchmode yes"} <= set(told)
    marked = of_folder(first.control)
    assert marked is not None
    assert marked.run_id == "r1"


def test_what_is_closed_leaves_no_key(tmp_path: Path) -> None:
    made_ = access.make(made.site(tmp_path).nodes, folder=tmp_path / "one", run_id="r1")
    made_.hang_up(made.site(tmp_path).nodes[0])  # harmless: nobody is connected
    made_.close()
    assert not made_.control.exists()
    assert not made_.config.exists()
    made_.close()  # harmless


def test_without_a_program_for_keys_it_says_so_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="cannot start 'ssh-keygen'"):
        access.make(made.site(tmp_path).nodes, folder=tmp_path / "one", run_id="r1")
    assert list((tmp_path / "r").iterdir()) == []


def test_a_key_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh-keygen", "echo no room >&2; exit 1", monkeypatch)
    with pytest.raises(BedError, match=r"ssh-keygen made no key\n.*no room"):
        access.make(made.site(tmp_path).nodes, folder=tmp_path / "one", run_id="r1")
    assert list((tmp_path / "r").iterdir()) == []


def test_a_node_is_waited_for_no_longer_than_the_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, stop = replace(made.site(tmp_path), pace=100.0), Event()
    program(tmp_path, "ssh", SILENT, monkeypatch)
    with set_once_there(tmp_path / "pid", stop), pytest.raises(KeyboardInterrupt):
        access.answer(site, site.nodes[0], limit_s=3600, stop=stop)
    assert gone(tmp_path)
