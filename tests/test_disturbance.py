from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from lab import disturbance
from lab.check import Answer, Scope, Target
from lab.disturbance import Disturbance
from lab.model import CheckResult, Node, Outcome
from tests import made

BACK = Answer(ok=True, said="back", measured=(("without API s", 6.4),))


SCOPE = Scope(cell=made.cell(), on=("kube-vip",))


class Switch:
    def stop(self, node: Node) -> None: ...

    def start(self, node: Node) -> None: ...


def run(
    folder: Path, act: Callable[[Target, object], Answer], *, lacks: str = "", green: bool = True, power: Switch | None = None
) -> CheckResult:
    """The result of one disturbance that switches nodes off."""
    told: list[CheckResult] = []
    one = Disturbance(name="one", lacks=lambda _: lacks, act=act, needs_power=True)
    (result,) = disturbance.run_all(SCOPE, made.site(folder), power=power, green=green, on_result=told.append, disturbances=(one,))
    assert told == [result]
    return result


def test_what_it_says_and_measured_is_the_result_on_the_client(tmp_path: Path) -> None:
    result = run(tmp_path, lambda _target, _power: BACK, power=Switch())
    assert (result.node, result.outcome, result.said, result.measured) == ("client", Outcome.PASS, BACK.said, BACK.measured)


def test_it_gets_the_power_of_the_bed(tmp_path: Path) -> None:
    got: list[object] = []
    switch = Switch()

    def act(_: Target, power: object) -> Answer:
        got.append(power)
        return BACK

    run(tmp_path, act, power=switch)
    assert got == [switch]


@pytest.mark.parametrize(("ok", "outcome"), [(True, Outcome.PASS), (False, Outcome.FAIL), (None, Outcome.UNKNOWN)])
def test_what_it_cannot_tell_is_unknown(tmp_path: Path, ok: bool | None, outcome: Outcome) -> None:
    assert run(tmp_path, lambda _target, _power: Answer(ok=ok, said="so"), power=Switch()).outcome is outcome


def test_a_node_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    def act(_target: Target, _power: object) -> Answer:
        raise RuntimeError("ssh ended with 255")

    result = run(tmp_path, act, power=Switch())
    assert (result.outcome, result.said) == (Outcome.UNKNOWN, "could not tell: ssh ended with 255")


@pytest.mark.parametrize(
    ("lacks", "green", "power", "said"),
    [
        ("one control plane", True, Switch(), "one control plane"),
        ("", False, Switch(), "the cluster was not green before"),
        ("", True, None, "the bed 'containers' cannot stop one node alone"),
    ],
)
def test_nothing_is_broken_where_it_would_prove_nothing(tmp_path: Path, lacks: str, green: bool, power: Switch | None, said: str) -> None:
    def act(_target: Target, _power: object) -> Answer:
        raise AssertionError("it was broken")

    result = run(tmp_path, act, lacks=lacks, green=green, power=power)
    assert (result.outcome, result.said) == (Outcome.SKIP, said)


def test_after_a_reset_there_is_nothing_to_break(tmp_path: Path) -> None:
    one = Disturbance(name="one", lacks=lambda _: "", act=lambda *_: pytest.fail("it was broken"))
    gone = Scope(cell=made.cell(), on=(), cluster=False)
    (result,) = disturbance.run_all(gone, made.site(tmp_path), power=None, green=True, on_result=lambda _: None, disturbances=(one,))
    assert (result.outcome, result.said) == (Outcome.SKIP, "there is no cluster after a reset")


def test_once_the_run_is_over_what_a_disturbance_asks_ends_it(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    one = Disturbance(name="one", lacks=lambda _: "", act=lambda target, _: target.livez("10.231.0.100"))
    with pytest.raises(KeyboardInterrupt):
        disturbance.run_all(SCOPE, made.site(tmp_path), power=None, green=True, on_result=lambda _: None, stop=stop, disturbances=(one,))


def test_each_disturbance_has_a_name_of_its_own() -> None:
    names = [one.name for one in disturbance.everything()]
    assert names
    assert len(set(names)) == len(names)
