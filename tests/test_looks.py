from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from lab import looks
from lab.check import BETWEEN_S, Answer, Check, Scope, Shared, Target, everything
from lab.errors import CheckError
from lab.model import CheckResult, Outcome
from tests import made
from tests.fakes import SILENT, gone, program, set_once_there


def result_of(tmp_path: Path, look: Callable[[Target], Answer], *, lacks: str = "", settle_s: float = 0.0) -> CheckResult:
    """The result of one check on the control plane, without waiting."""
    one = Check(name="one", on="control-plane", lacks=lambda _: lacks, look=look)
    (result,) = round_of(tmp_path, one, settle_s=settle_s)
    return result


def round_of(
    tmp_path: Path, *checks: Check, settle_s: float = 0.0, sleep: Callable[[float], None] = lambda _: None
) -> tuple[CheckResult, ...]:
    """One round of `checks` on nodes with kube-vip; what is told on the way is what comes back."""
    told: list[CheckResult] = []
    results = looks.run_all(SCOPE, made.site(tmp_path), on_result=told.append, checks=checks, settle_s=settle_s, sleep=sleep)
    assert sorted(told, key=results.index) == list(results)
    return results


def says(*answers: Answer) -> Callable[[Target], Answer]:
    left: Iterator[Answer] = iter(answers)
    return lambda _: next(left)


SCOPE = Scope(cell=made.cell(), on=("kube-vip",))
GOOD, BAD, UNSURE = Answer(ok=True, said="yes"), Answer(ok=False, said="no"), Answer(ok=None, said="who knows")


def shared(asked: list[str], *, made: Answer = GOOD, removed: Answer = GOOD) -> Shared:
    """What checks share: it writes down what it was `asked`, and answers what it is told to."""

    def answer(name: str, said: Answer) -> Callable[[Target], Answer]:
        def ask(_: Target) -> Answer:
            asked.append(name)
            return said

        return ask

    return Shared(make=answer("made", made), remove=answer("removed", removed))


def unreachable(_: Target) -> Answer:
    raise RuntimeError("ssh ended with 255")


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
    assert result_of(tmp_path, says(*answers)).outcome is outcome


def test_both_looks_are_told_where_they_differ(tmp_path: Path) -> None:
    assert result_of(tmp_path, says(GOOD, BAD)).said == "yes; 5 s later: no"


def test_what_changed_between_two_good_looks_is_a_failure(tmp_path: Path) -> None:
    result = result_of(tmp_path, says(Answer(ok=True, said="on cp1", state="cp1"), Answer(ok=True, said="on cp2", state="cp2")))
    assert result.outcome is Outcome.FAIL
    assert "changed between two looks: cp1 -> cp2" in result.said


def test_the_first_look_gives_a_cluster_time_to_settle(tmp_path: Path) -> None:
    result = result_of(tmp_path, says(BAD, GOOD, GOOD), settle_s=30)
    assert result.outcome is Outcome.PASS
    assert "(true after 1 s)" in result.said
    ((name, seconds),) = result.measured
    assert name == "true after s"
    assert seconds > 0


def test_a_check_is_given_its_own_time_to_settle_and_no_more(tmp_path: Path) -> None:
    one = Check(name="one", on="client", lacks=lambda _: "", look=says(BAD, BAD), settle_s=0)
    (result,) = round_of(tmp_path, one, settle_s=90)
    assert result.outcome is Outcome.FAIL


def test_while_one_check_waits_for_its_second_look_the_others_look(tmp_path: Path) -> None:
    asked: list[str] = []
    slept: list[float] = []

    def one(name: str, *, apart_s: float = BETWEEN_S, uses: Shared | None = None) -> Check:
        def look(_: Target) -> Answer:
            asked.append(name)
            return GOOD

        return Check(name=name, on="client", lacks=lambda _: "", look=look, apart_s=apart_s, uses=uses)

    there = shared(asked)
    checks = (one("steady", apart_s=30, uses=there), one("service", uses=there), one("quick"))
    results = round_of(tmp_path, *checks, sleep=slept.append)
    assert asked == ["made", "quick", "steady", "service", "service", "quick", "steady", "removed"]
    assert [result.check for result in results] == ["steady", "service", "quick"]
    assert max(slept) > BETWEEN_S


def test_what_checks_share_is_made_once_before_and_removed_also_when_a_check_is_wrong(tmp_path: Path) -> None:
    asked: list[str] = []
    there = shared(asked)

    def wrong(_: Target) -> Answer:
        asked.append("looked")
        raise LookupError

    checks = tuple(Check(name=name, on="client", lacks=lambda _: "", look=wrong, uses=there) for name in ("one", "two"))
    with pytest.raises(CheckError):
        round_of(tmp_path, *checks)
    assert asked == ["made", "looked", "removed"]


def test_what_a_look_measured_stands_in_the_result(tmp_path: Path) -> None:
    answer = Answer(ok=True, said="there", measured=(("address after s", 2.1),))
    assert result_of(tmp_path, says(answer, answer)).measured == (("address after s", 2.1),)


@pytest.mark.parametrize(
    "error", [RuntimeError("ssh ended with 255"), OSError("gone"), ValueError("no JSON"), AssertionError("unexpected exit code")]
)
def test_a_node_that_does_not_answer_is_unknown(tmp_path: Path, error: Exception) -> None:
    def look(_: Target) -> Answer:
        raise error

    result = result_of(tmp_path, look)
    assert result.outcome is Outcome.UNKNOWN
    assert str(error) in result.said


def test_a_check_that_is_wrong_is_no_verdict_on_the_product(tmp_path: Path) -> None:
    with pytest.raises(CheckError, match="check 'one' is wrong"):
        result_of(tmp_path, lambda _: {}["none"])  # type: ignore[index]


def test_where_a_cluster_is_gone_only_what_looks_for_that_is_asked_and_the_other_way_round(tmp_path: Path) -> None:
    checks = everything()
    assert {one.cluster for one in checks} == {True, False}
    for cluster in (True, False):
        scope = Scope(cell=made.cell(), on=(), cluster=cluster)
        told = looks.run_all(
            scope, made.site(tmp_path), on_result=lambda _: None, checks=tuple(map(blind, checks)), settle_s=0, sleep=lambda _: None
        )
        assert {one.check for one in told} == {one.name for one in checks if one.cluster is cluster}


def blind(one: Check) -> Check:
    """The check, which does not look."""
    return replace(one, lacks=lambda _: "it does not look")


def test_on_slow_nodes_the_two_looks_are_as_much_further_apart(tmp_path: Path) -> None:
    slept: list[float] = []
    one = Check(name="one", on="client", lacks=lambda _: "", look=says(GOOD, BAD))
    slow = replace(made.site(tmp_path), pace=6.0)
    (result,) = looks.run_all(SCOPE, slow, on_result=lambda _: None, checks=(one,), settle_s=0, sleep=slept.append)
    assert BETWEEN_S < max(slept) <= 6 * BETWEEN_S
    assert "30 s later" in result.said


def interrupted(folder: Path, one: Check, stop: Event) -> list[CheckResult]:
    """What a round of one check had told when the end of the run broke it off."""
    told: list[CheckResult] = []
    with pytest.raises(KeyboardInterrupt):
        looks.run_all(SCOPE, made.site(folder), on_result=told.append, checks=(one,), settle_s=3600, stop=stop)
    return told


@pytest.mark.parametrize("answer", [BAD, GOOD], ids=["while it settles", "between its looks"])
def test_the_end_of_the_run_ends_a_wait_of_a_check(tmp_path: Path, answer: Answer) -> None:
    stop, looked = Event(), list[str]()

    def look(_: Target) -> Answer:
        looked.append("once")
        stop.set()
        return answer

    one = Check(name="one", on="client", lacks=lambda _: "", look=look, apart_s=3600, settle_s=3600)
    assert interrupted(tmp_path, one, stop) == []
    assert looked == ["once"]


def test_the_end_of_the_run_ends_what_a_check_waits_for_on_a_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "ssh", SILENT, monkeypatch)
    stop = Event()
    one = Check(name="one", on="client", lacks=lambda _: "", look=lambda target: target.livez("10.231.0.100"))
    with set_once_there(tmp_path / "pid", stop):
        assert interrupted(tmp_path, one, stop) == []
    assert gone(tmp_path)


def test_the_end_of_the_run_ends_the_wait_for_what_checks_share(tmp_path: Path) -> None:
    stop = Event()

    def make(_: Target) -> Answer:
        stop.set()
        return BAD

    there = Shared(make=make, remove=lambda _: GOOD)
    one = Check(name="one", on="client", lacks=lambda _: "", look=lambda _: pytest.fail("it looked"), uses=there)
    assert interrupted(tmp_path, one, stop) == []


def test_a_check_of_members_is_asked_on_every_node_of_the_cluster(tmp_path: Path) -> None:
    one = Check(name="one", on="member", lacks=lambda _: "", look=lambda _: GOOD)
    site = made.site_of_three(tmp_path)
    results = looks.run_all(Scope(cell=made.cell(), on=()), site, on_result=lambda _: None, checks=(one,), settle_s=0, sleep=lambda _: None)
    assert [result.node for result in results] == ["cp1", "cp2", "cp3", "w1"]


def test_a_check_that_does_not_apply_is_skipped_with_its_reason_and_asks_nothing(tmp_path: Path) -> None:
    result = result_of(tmp_path, says(), lacks="no VIP in this cell")
    assert (result.outcome, result.said) == (Outcome.SKIP, "no VIP in this cell")


def using(there: Shared, look: Callable[[Target], Answer], name: str = "one") -> Check:
    return Check(name=name, on="client", lacks=lambda _: "", look=look, uses=there)


@pytest.mark.parametrize(("answer", "outcome"), [(BAD, Outcome.FAIL), (UNSURE, Outcome.UNKNOWN)])
def test_why_what_checks_share_could_not_be_made_stands_with_what_they_saw(tmp_path: Path, answer: Answer, outcome: Outcome) -> None:
    there = shared([], made=Answer(ok=False, said="admission webhook denied"))
    alone = Check(name="alone", on="client", lacks=lambda _: "", look=lambda _: answer)
    (one, other, good) = round_of(tmp_path, using(there, lambda _: answer), alone, using(there, lambda _: GOOD, "good"))
    assert (one.outcome, one.said) == (outcome, f"{answer.said}; what it asks through could not be made: admission webhook denied")
    assert (other.outcome, other.said) == (outcome, answer.said)
    assert (good.outcome, good.said) == (Outcome.PASS, "yes")


def test_a_node_that_does_not_answer_while_what_checks_share_is_made_costs_no_other_check(tmp_path: Path) -> None:
    there = Shared(make=unreachable, remove=lambda _: GOOD)
    one, other = round_of(
        tmp_path, using(there, lambda _: UNSURE), Check(name="alone", on="client", lacks=lambda _: "", look=lambda _: GOOD)
    )
    assert (one.outcome, other.outcome) == (Outcome.UNKNOWN, Outcome.PASS)
    assert one.said.endswith("could not be made: could not tell: ssh ended with 255")


@pytest.mark.parametrize("remove", [unreachable, lambda _: BAD], ids=["nobody answers", "it is refused"])
def test_what_cannot_be_removed_is_a_result_of_its_own_beside_those_that_are_there(
    tmp_path: Path, remove: Callable[[Target], Answer]
) -> None:
    one, left = round_of(tmp_path, using(Shared(make=lambda _: GOOD, remove=remove), lambda _: GOOD))
    assert one.outcome is Outcome.PASS
    assert (left.check, left.node, left.outcome) == (looks.REMOVED, "client", Outcome.UNKNOWN)


def test_one_failed_try_to_remove_is_tried_again(tmp_path: Path) -> None:
    answers = iter((BAD, GOOD))
    (one,) = round_of(tmp_path, using(Shared(make=lambda _: GOOD, remove=lambda _: next(answers)), lambda _: GOOD), settle_s=5)
    assert one.outcome is Outcome.PASS
