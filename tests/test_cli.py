"""How verbs end. What they do is tested beside what does it, and by the real tests."""

import errno
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab import stale
from lab.cli import main
from lab.command import run

PROJECT = Path(__file__).parent.parent
ENV = {"PYTHONPATH": str(PROJECT)}


def spraylab(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("frob",), "No such command 'frob'"),
        (("--bogus",), "No such option"),
        (("plan",), "Missing argument 'NAME'"),
        (("run", "advice", "--jobs", "0"), "0 is not in the range x>=1"),
        (("gc", "--cache", "--days", "0"), "0 is not in the range x>=1"),
        (("export", "x", "y"), "Missing option '--as'"),
    ],
)
def test_what_click_cannot_read_is_bad_input_in_clicks_own_words(words: tuple[str, ...], said: str) -> None:
    ended = spraylab(*words)
    assert (ended.exit_code, said in ended.stderr) == (4, True)


def raising(error: BaseException) -> object:
    def look(*, days: int) -> None:
        raise error

    return look


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/x"), 4, "error: /srv/x cannot be used\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (RuntimeError("no idea"), 3, "error: the lab itself is broken\n  why: RuntimeError: no idea\n"),
    ],
    ids=["Ctrl-C", "system", "pipe", "bug"],
)
def test_what_a_verb_raises_is_one_message_and_its_code(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stale, "look", raising(error))
    ended = spraylab("gc", "--cache")
    assert (ended.exit_code, said in ended.stderr) == (code, True)


def test_output_that_cannot_be_written_is_told_and_no_verdict() -> None:
    words = ("sh", "-c", 'exec "$@" >/dev/full', "sh", sys.executable, "-m", "lab.cli")
    for verb in (("list", "advice"), ("plan", "kubespray-11338"), ("beds",)):
        done = run((*words, *verb), limit_s=60, env=ENV)
        assert (done.rc, done.stderr.count("\n")) == (4, 3), done.stderr
        assert "why: No space left on device" in done.stderr


def test_output_that_nobody_reads_any_more_ends_a_verb_quietly() -> None:
    words = ("bash", "-c", '"$@" | true; echo "${PIPESTATUS[0]}"', "bash", sys.executable, "-m", "lab.cli")
    for verb in (("list",), ("plan", "orderings")):
        done = run((*words, *verb), limit_s=60, env=ENV)
        assert (done.stdout, done.stderr) == ("141\n", "")
