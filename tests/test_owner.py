import json
from pathlib import Path

import pytest

from lab import owner


def test_labels_lead_back_to_the_owner() -> None:
    me = owner.this_process("r1")
    assert owner.of_labels(me.labels()) == me
    assert me.alive()


def test_what_has_no_owner_label_is_not_ours() -> None:
    assert owner.of_labels({"app": "web", "spraylab.pid": "1"}) is None


@pytest.mark.parametrize("labels", [{}, {owner.PID: "x"}, {owner.PID: "1"}, {owner.PID: "1", owner.STARTED: "00000000.1"}])
def test_an_owner_without_a_process_that_started_then_is_dead(labels: dict[str, str]) -> None:
    found = owner.of_labels({owner.OWNER: "r1", **labels})
    assert found is not None
    assert not found.alive()


@pytest.mark.parametrize(
    ("run_id", "name", "its"),
    [
        ("r1", "spraylab-r1-s0-cp1", True),
        ("r1", "spraylab-r1-s12-cp1-lab.qcow2", True),
        ("r1", "spraylab-r12-s0-cp1", False),
        ("r.", "spraylab-r1-s0-cp1", False),
        ("r1", "spraylab-r1-slow-cp1", False),
        ("r1", "web-spraylab-r1-s0-cp1", False),
        ("", "spraylab--s0-cp1", False),
    ],
)
def test_a_name_tells_its_run(run_id: str, name: str, *, its: bool) -> None:
    assert owner.Owner(run_id=run_id, pid=1, started="x.1").named(name) is its


def test_the_name_of_a_mark_is_its_runs() -> None:
    me = owner.this_process("r1")
    assert me.named(owner.Mark(owner=me, cell="c", slot=3).name("cp1"))


def test_a_folder_says_whose_it_is_and_goes_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path)
    with owner.folder("ssh", run_id="r1") as path:
        assert path.parent == tmp_path
        assert owner.of_folder(path) == owner.this_process("r1")
    assert not path.exists()


def test_who_works_in_a_folder_signs_it_and_takes_nothing_else_of_it_away(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with owner.signed(tmp_path, run_id="r1"):
        assert owner.of_folder(tmp_path) == owner.this_process("r1")
    assert owner.of_folder(tmp_path) is None
    assert (tmp_path / "kept").exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"run_id": "r", "pid": "many", "started": ""})])
def test_a_folder_that_does_not_tell_has_no_owner(tmp_path: Path, text: str) -> None:
    (tmp_path / owner.OWNER_FILE).write_text(text)
    assert owner.of_folder(tmp_path) is None
