"""A round with checks that ask no node; what real ones say of real nodes is seen in tests/real."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import cast

import pytest

from lab import check, checkround, disturbance
from lab.bed import Bed
from lab.check import Answer, Check
from lab.disturbance import Disturbance
from lab.hostload import HostLoad, Load
from lab.model import CheckResult, Outcome, Stage
from tests import made

STAGE = Stage(index=0, name="kube-vip", addons=("kube-vip",), endpoint="vip", variables={})
STEAL = Load(at_s=0, seconds=6, idle_percent=0, iowait_percent=0, steal_percent=90, runnable=1, free_mib=9000)


class Loads:
    """A host that was short of its cores while the first round ran, and during what is broken on purpose."""

    def __init__(self, *told: tuple[Load, ...]) -> None:
        self._told = iter(told)

    def since(self, at_s: float, *, until_s: float = float("inf")) -> tuple[Load, ...]:
        return next(self._told)


def answering(name: str, *answers: bool) -> Check:
    left: Iterator[bool] = iter(answers)
    look = lambda _: Answer(ok=next(left), said=name)  # noqa: E731
    return Check(name=name, on="client", lacks=lambda _: "", look=look, apart_s=0, settle_s=0)


def round_of(tmp_path: Path, *loads: tuple[Load, ...], bed: Bed | None = None) -> tuple[tuple[CheckResult, ...], list[CheckResult]]:
    told: list[CheckResult] = []
    results = checkround.run_all(
        made.cell(),
        STAGE,
        made.site(tmp_path),
        nodes=bed,
        engine="podman",
        load=cast("HostLoad", Loads(*loads)),
        stop=Event(),
        on_result=told.append,
    )
    return results, told


def test_only_what_was_red_while_the_host_was_short_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = (answering("well", *[True] * 2), answering("ill", *[False] * 4))
    monkeypatch.setattr(check, "everything", lambda: checks)
    results, told = round_of(tmp_path, (STEAL,), (), ())
    assert [(one.check, one.outcome) for one in results] == [("well", Outcome.PASS), ("ill", Outcome.FAIL)]
    assert [one.check for one in told] == ["well", "ill", "ill"]
    assert [one.excused for one in results] == ["", ""]


def test_what_is_broken_on_purpose_comes_where_a_cell_ends_and_is_excused_by_a_host_that_was_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = Disturbance(name="lost", lacks=lambda _: "", act=lambda _target, _power: Answer(ok=False, said="it stays away"))
    monkeypatch.setattr(disturbance, "everything", lambda: (lost,))
    monkeypatch.setattr(check, "everything", lambda: (answering("well", *[True] * 4),))
    assert len(round_of(tmp_path, ())[0]) == 1
    (_, result), told = round_of(tmp_path, (), (STEAL,), bed=cast("Bed", object()))
    assert result.excused.startswith("short of time on its cores")
    assert replace(result, excused="") == told[1]
