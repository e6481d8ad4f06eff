"""testinfra's host over a `ssh` of this machine, which starts what it is given in place of a node."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from lab import nodehost
from tests import made
from tests.fakes import SILENT, gone, program, set_once_there

LINE = "Q" * 64  # as of a key or a certificate: a secret, for all the lab knows


def host(folder: Path, stop: Event) -> Any:
    site = made.site(folder)
    return nodehost.host(site, site.nodes[0], stop=stop)


def test_what_a_node_says_is_told_as_it_is_by_the_sites_own_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh", 'echo "$1 $2 $3" >{folder}/asked; exec sh -c "$4"', monkeypatch)
    done = host(tmp_path, Event()).run("echo %s; echo err >&2; exit 3", LINE)
    assert (done.rc, done.stdout, done.stderr) == (3, f"{LINE}\n", "err\n")
    assert (tmp_path / "asked").read_text() == f"-F {tmp_path}/ssh_config cp1\n"
    (tmp_path / "text").write_text("caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert host(tmp_path, Event()).file(str(tmp_path / "text")).content_string == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"


def test_a_node_that_does_not_answer_is_told_with_the_words_of_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh", "echo 'No route to host, token=abcdefghijkl' >&2; exit 255", monkeypatch)
    with pytest.raises(RuntimeError, match=r"cp1 does not answer by SSH: No route to host, token=\[masked\]"):
        host(tmp_path, Event()).run("true")


def test_a_command_ends_when_the_run_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh", SILENT, monkeypatch)
    stop = Event()
    with set_once_there(tmp_path / "pid", stop), pytest.raises(KeyboardInterrupt):
        host(tmp_path, stop).run("true")
    assert gone(tmp_path)


def test_once_the_run_is_over_no_node_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh", SILENT, monkeypatch)
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        host(tmp_path, stop).run("true")
    assert not (tmp_path / "pid").exists()
