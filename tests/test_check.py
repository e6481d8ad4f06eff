from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import check
from lab.check import Answer, Check, Target
from lab.errors import CheckError
from lab.model import CheckResult, Outcome
from tests import made


def looks(tmp_path: Path, look: Callable[[Target], Answer], *, lacks: str = "", settle_s: float = 0.0) -> CheckResult:
    """The result of one check on the control plane, without waiting."""
    told: list[CheckResult] = []
    one = Check(name="one", on="control-plane", lacks=lambda _: lacks, look=look)
    (result,) = check.run_all(made.cell(), made.site(tmp_path), on_result=told.append, checks=(one,), between_s=0, settle_s=settle_s)
    assert told == [result]
    return result


def says(*answers: Answer) -> Callable[[Target], Answer]:
    left: Iterator[Answer] = iter(answers)
    return lambda _: next(left)


GOOD, BAD, UNSURE = Answer(ok=True, said="yes"), Answer(ok=False, said="no"), Answer(ok=None, said="who knows")


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ((GOOD, GOOD), Outcome.PASS),
        ((GOOD, BAD), Outcome.FAIL),
        ((BAD, GOOD), Outcome.FAIL),
        ((GOOD, UNSURE), Outcome.UNKNOWN),
        ((UNSURE, GOOD), Outcome.UNKNOWN),
        ((UNSURE, UNSURE), Outcome.UNKNOWN),
        ((UNSURE, BAD), Outcome.FAIL),
    ],
)
def test_what_holds_must_hold_at_both_looks(tmp_path: Path, answers: tuple[Answer, Answer], outcome: Outcome) -> None:
    assert looks(tmp_path, says(*answers)).outcome is outcome


def test_both_looks_are_told_where_they_differ(tmp_path: Path) -> None:
    assert looks(tmp_path, says(GOOD, BAD)).said == "yes; 5 s later: no"


def test_what_changed_between_two_good_looks_is_a_failure(tmp_path: Path) -> None:
    result = looks(tmp_path, says(Answer(ok=True, said="on cp1", state="cp1"), Answer(ok=True, said="on cp2", state="cp2")))
    assert result.outcome is Outcome.FAIL
    assert "changed between two looks: cp1 -> cp2" in result.said


def test_the_first_look_gives_a_cluster_time_to_settle(tmp_path: Path) -> None:
    result = looks(tmp_path, says(BAD, GOOD, GOOD), settle_s=30)
    assert result.outcome is Outcome.PASS
    assert "(true after 1 s)" in result.said


@pytest.mark.parametrize("error", [RuntimeError("ssh ended with 255"), OSError("gone"), ValueError("no JSON")])
def test_a_node_that_does_not_answer_is_unknown(tmp_path: Path, error: Exception) -> None:
    def look(_: Target) -> Answer:
        raise error

    result = looks(tmp_path, look)
    assert result.outcome is Outcome.UNKNOWN
    assert str(error) in result.said


def test_a_check_that_is_wrong_is_no_verdict_on_the_product(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="check 'one' is wrong"):
        looks(tmp_path, lambda _: {}["none"])  # type: ignore[index]


def test_a_check_of_members_is_asked_on_every_node_of_the_cluster(tmp_path: Path) -> None:
    one = Check(name="one", on="member", lacks=lambda _: "", look=lambda _: GOOD)
    site = made.site_of_three(tmp_path)
    results = check.run_all(made.cell(), site, on_result=lambda _: None, checks=(one,), between_s=0, settle_s=0)
    assert [result.node for result in results] == ["cp1", "cp2", "cp3", "w1"]


def test_a_check_that_does_not_apply_is_skipped_with_its_reason_and_asks_nothing(tmp_path: Path) -> None:
    result = looks(tmp_path, says(), lacks="no VIP in this cell")
    assert (result.outcome, result.said) == (Outcome.SKIP, "no VIP in this cell")


def test_every_check_has_a_name_of_its_own_and_a_node_to_run_on(tmp_path: Path) -> None:
    everything = check.everything()
    names = [one.name for one in everything]
    roles = {node.role for node in made.site(tmp_path).nodes}
    assert len(set(names)) == len(names)
    assert {one.on for one in everything} <= {*roles, "member"}


@pytest.mark.parametrize(("ordering", "left"), [("base", "kube-vip is off"), ("kube-vip", "without a CNI")])
def test_every_check_applies_or_says_why_not(ordering: str, left: str) -> None:
    reasons = {one.lacks(made.cell(ordering)) for one in check.everything()}
    assert "" in reasons
    assert any(left in reason for reason in reasons)
