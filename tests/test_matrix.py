import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from lab import matrix
from lab.errors import ScenarioError
from lab.model import CheckResult, Outcome, Verdict
from tests import made

UNEXPLAINED = replace(made.RED, findings=())


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    measured = CheckResult(check="one", node="cp1", outcome=Outcome.PASS, said="yes", measured=(("without API s", 6.4),))
    more = replace(made.result(), checks=(measured,), memory_mib={"cp1": 590.2})
    whole = replace(
        made.matrix(more, made.result(made.RED), made.result(made.GREEN), made.result(made.LOST, known=("kubespray#1",))), asked="verdicts"
    )
    matrix.write(whole, tmp_path)
    assert matrix.read(tmp_path) == whole
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.json"]


def test_the_file_says_its_schema_and_outcomes_by_name(tmp_path: Path) -> None:
    raw = json.loads(matrix.write(made.matrix(made.result(made.RED)), tmp_path).read_text())
    assert (raw["schema"], raw["version"]) == ("spraylab/matrix", 1)
    assert raw["cells"][0]["verdict"]["outcome"] == "FAIL"
    assert [check["outcome"] for check in raw["cells"][0]["checks"]] == ["PASS", "SKIP"]


def test_an_older_file_that_does_not_say_what_was_asked_was_asked_for_green_cells(tmp_path: Path) -> None:
    path = matrix.write(replace(made.matrix(made.result()), asked="verdicts"), tmp_path)
    raw = json.loads(path.read_text())
    assert raw.pop("asked") == "verdicts"
    path.write_text(json.dumps(raw))
    assert matrix.read(path).asked == "green"


def test_a_name_that_no_file_can_have_is_no_matrix() -> None:
    with pytest.raises(ScenarioError, match=r"is not a matrix\n.*File name too long"):
        matrix.read(Path("x" * 300))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{}", "it is not spraylab/matrix of version 1"),
        ("[]", "it is not spraylab/matrix of version 1"),
        ("3", "it is not spraylab/matrix of version 1"),
        ('{"schema": "spraylab/matrix", "version": 2}', "it is not spraylab/matrix of version 1"),
        ('{"schema": "other", "version": 1}', "it is not spraylab/matrix of version 1"),
        ("nothing", "it is not JSON: "),
        ("[" * 100_000, "it is not JSON: "),
        ('{"schema": "spraylab/matrix", "version": 1, "run": 3}', "run: must be text, not 3"),
    ],
)
def test_what_is_no_matrix_of_this_version_is_refused_in_the_labs_words(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "matrix.json").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        matrix.read(tmp_path)
    assert why in caught.value.args[1]
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize("changed", [{"version": 2}, {"schema": "other"}])
def test_a_whole_matrix_of_another_schema_is_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    path = matrix.write(made.matrix(made.result()), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(ScenarioError, match="it is not spraylab/matrix of version 1"):
        matrix.read(path)


def test_an_outcome_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    path = matrix.write(made.matrix(made.result()), tmp_path)
    path.write_text(path.read_text().replace('"PASS"', '"GREENISH"'))
    with pytest.raises(ScenarioError, match="is not a matrix"):
        matrix.read(path)


@pytest.mark.parametrize(
    ("verdicts", "asked", "code"),
    [
        ((made.GREEN,), "green", 0),
        ((made.GREEN, made.RED), "green", 1),
        ((made.GREEN, made.RED), "verdicts", 0),
        ((UNEXPLAINED,), "verdicts", 1),
        ((made.LOST, made.GREEN), "verdicts", 2),
        ((made.LOST, made.RED), "green", 1),
        ((made.BROKEN, made.RED, made.LOST), "green", 3),
        ((), "green", 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_cell(verdicts: tuple[Verdict, ...], asked: Literal["green", "verdicts"], code: int) -> None:
    assert matrix.exit_code(tuple(made.result(verdict) for verdict in verdicts), asked=asked) == code


CODES = {
    Outcome.SKIP: (0, 0),
    Outcome.PASS: (0, 0),
    Outcome.UNKNOWN: (2, 2),
    Outcome.FAIL: (1, 0),
    Outcome.ERROR: (3, 3),
}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_exit_code_by_what_was_asked(outcome: Outcome) -> None:
    results = (made.result(replace(made.RED, outcome=outcome)),)
    assert (matrix.exit_code(results, asked="green"), matrix.exit_code(results, asked="verdicts")) == CODES[outcome]


def test_what_went_wrong_beside_green_cells_is_the_labs_fault() -> None:
    assert matrix.exit_code((made.result(),), asked="verdicts", troubles=("nodes were not taken down",)) == 3


def test_a_known_red_cell_is_fine_only_with_its_cause() -> None:
    assert matrix.is_fine(made.result(made.RED, known=("kubespray#11338",)), asked="green")
    assert not matrix.is_fine(made.result(UNEXPLAINED, known=("kubespray#11338",)), asked="green")


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (("refuted: a", "cannot tell: b"), "refuted"),
        (("refuted: a", "confirmed: b"), "confirmed"),
        (("cannot tell: a",), "cannot tell"),
        ((), "cannot tell"),
    ],
)
def test_one_cell_decides_about_the_ports(said: tuple[str, ...], verdict: str) -> None:
    assert matrix.ports_verdict(made.matrix(*(replace(made.result(), ports=one) for one in said))) == verdict


def test_the_slowest_tasks_of_a_ref_are_those_of_all_its_cells() -> None:
    def cell(name: str, *slowest: tuple[str, float]) -> matrix.CellResult:
        return replace(made.result(name=name), stages=(replace(made.REFUSED, slowest=slowest),))

    first, second = cell("a", ("x", 5.0), ("y", 4.0)), cell("b", ("x", 9.0), ("z", 1.0))
    other = replace(cell("c", ("x", 1.0)), ref="kubespray v2.25.0")
    told = matrix.slowest(made.matrix(first, second, other))
    assert [(one.ref, one.task, one.seconds, one.cell) for one in told] == [
        ("replica of v2.25.0", "x", 9.0, "b"),
        ("replica of v2.25.0", "y", 4.0, "a"),
        ("replica of v2.25.0", "z", 1.0, "b"),
        ("kubespray v2.25.0", "x", 1.0, "c"),
    ]
    many = cell("d", *((f"t{number}", float(number)) for number in range(20)))
    assert [one.task for one in matrix.slowest(made.matrix(many))] == ["t19", "t18", "t17", "t16", "t15"]


def test_a_failed_task_is_told_by_its_last_words() -> None:
    run = replace(made.REFUSED, failed_said="x" * 999 + "\nthe end", failed_first="", failed_rc=1)
    (told,) = matrix.failed_tasks(replace(made.result(), stages=(run, made.result().stages[0])))
    assert told.where.startswith("stage 'metallb': task 'kubernetes-apps/metallb : Check cluster settings' on cp1 (rc=1), roles/")
    assert told.said.startswith("…xxx")
    assert told.said.endswith("x the end")
    assert told.first == ""


def test_a_stage_that_failed_outside_of_any_task_says_so() -> None:
    run = replace(made.REFUSED, failed_task="", failed_at="", failed_said="ERROR! no such role")
    (told,) = matrix.failed_tasks(replace(made.result(), stages=(run,)))
    assert (told.where, told.said) == ("stage 'metallb', outside of any task", "ERROR! no such role")
