import json
from pathlib import Path

import pytest

from lab import journal
from lab.journal import Journal, Line


def test_lines_are_on_the_disk_and_told_as_they_are_written(tmp_path: Path) -> None:
    told: list[Line] = []
    written = Journal(tmp_path, tell=told.append)
    line = Line(at_s=1.0, kind="check", cell="a", name="etcd", node="cp1", more={"outcome": "PASS"})
    written.write(line)
    assert list(journal.read(written.path)) == told == [line]
    written.close()


def test_a_line_that_cannot_be_written_is_told_and_is_an_error_once(tmp_path: Path) -> None:
    (tmp_path / journal.FILE).symlink_to("/dev/full")
    told: list[Line] = []
    written = Journal(tmp_path, tell=told.append)
    with pytest.raises(OSError, match="No space left"):
        written.say("a", "it is full")
    written.close()
    assert [line.said for line in told] == ["it is full"]


def test_secrets_do_not_reach_the_file(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.say("a", "kubeadm join --token abcdef.0123456789abcdef")
    written.close()
    assert "0123456789abcdef" not in written.path.read_text()


@pytest.mark.parametrize("secret", ["abcdef.0123456789abcdef", "certificateKey: 0123456789abcdef", "token: 0123456789abcdef"])
def test_a_secret_that_begins_a_line_of_what_was_said_does_not_either(tmp_path: Path, secret: str) -> None:
    written = Journal(tmp_path)
    written.write(Line(at_s=1.0, kind="sample", said=f"first\n{secret}", more={"facts": {"log": [f"a\t{secret}"]}}))
    written.close()
    assert "0123456789abcdef" not in written.path.read_text()


def test_a_masked_line_is_a_line_still(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.say("a", "-----BEGIN RSA PRIVATE KEY-----\ncut off here")
    written.write(Line(at_s=1.0, kind="said", more={"where": tmp_path}))
    written.close()
    assert [line.said for line in journal.read(written.path)] == ["[masked]", ""]


def test_a_line_cut_off_by_a_killed_run_is_left_out(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    written.say("a", "whole")
    written.close()
    written.path.write_text(written.path.read_text() + '{"at_s": 2.0, "kind": "sa')
    assert [line.said for line in journal.read(written.path)] == ["whole"]


def test_a_line_with_broken_bytes_does_not_hide_the_others(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    for said in ("first", "half", "last"):
        written.say("a", said)
    written.close()
    written.path.write_bytes(written.path.read_bytes().replace(b'"half"', b'"\xff\xfe') + b"\x80\n")
    assert [line.said for line in journal.read(written.path)] == ["first", "last"]


def test_a_step_says_how_long_it_took_and_why_it_failed(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    with pytest.raises(ValueError, match="no node"), written.step("a", "nodes"):
        raise ValueError("no node")
    written.close()
    began, ended = journal.read(written.path)
    assert (began.kind, ended.kind, ended.name, ended.said) == ("began", "ended", "nodes", "ValueError: no node")
    assert ended.duration_s is not None


def test_after_the_end_nothing_is_written_and_listeners_still_hear(tmp_path: Path) -> None:
    told: list[Line] = []
    written = Journal(tmp_path, tell=told.append)
    written.close()
    written.say("a", "late")
    assert [line.said for line in told] == ["late"]
    assert written.path.read_text() == ""


def test_last_durations_are_those_of_the_newest_run_that_ended_well(tmp_path: Path) -> None:
    for name, took in (("20261101-000000", 10.0), ("20261102-000000", 20.0), ("20261103-000000", 30.0)):
        (tmp_path / name).mkdir()
        lines = [
            Line(at_s=1.0, kind="ended", cell="a", name="nodes", duration_s=took, said="failed" if took == 30.0 else ""),
            Line(at_s=2.0, kind="verdict", cell="a", name="PASS", said="green", duration_s=took * 10),
            Line(at_s=3.0, kind="began", cell="a", name="checks"),
        ]
        (tmp_path / name / "journal.jsonl").write_text("".join(json.dumps(vars_of(line)) + "\n" for line in lines))
    assert journal.last_durations(tmp_path) == {("a", "nodes"): 20.0, ("a", journal.WHOLE): 300.0}


def vars_of(line: Line) -> dict[str, object]:
    return {name: getattr(line, name) for name in Line.__slots__}


def test_where_nothing_ran_no_duration_is_known(tmp_path: Path) -> None:
    assert journal.last_durations(tmp_path / "runs") == {}


def test_lines_of_some_cells_can_be_read_alone(tmp_path: Path) -> None:
    written = Journal(tmp_path)
    for cell in ("a", "b", 'c"', "a"):
        written.write(Line(at_s=1.5, kind="said", cell=cell, said='{"at_s": 1, "kind": "said", "cell": "a"'))
    written.close()
    assert [line.cell for line in journal.read(written.path, cells={"a"})] == ["a", "a"]
    assert [line.cell for line in journal.read(written.path, cells=["b", 'c"'])] == ["b", 'c"']
