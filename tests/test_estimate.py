from dataclasses import replace

import pytest

from lab import emulation, estimate
from lab.course import Course, courses
from lab.estimate import EMULATED, EMULATED_NODES_S, NODES_S, Forecast, Known, Took
from lab.journal import JUDGED, Line
from lab.model import Topology
from lab.schedule import Need
from tests import made

SHORT, LONG = made.cell("metallb"), made.cell("metallb > kube-vip")
STAGE_S = estimate.STAGE_S["replica"]
HOST = Need(memory_mib=8000, cores=2, inotify=100)


def course(*cells: object) -> Course:
    (one,) = courses([made.cell(str(cell)) for cell in cells])
    return one


def course_of(ref: str) -> Course:
    (one,) = courses([made.cell("metallb", ref=ref)])
    return one


def line(at: str, seconds: float, outcome: str = "PASS", *, stage: str = "metallb", bed: str = "containers") -> Line:
    return Line(at_s=1.0, kind=JUDGED, name=outcome, duration_s=seconds, more={"at": at, "topology": "1cp", "stage": stage, "bed": bed})


def test_a_course_takes_what_its_stages_took_last_time() -> None:
    known = estimate.learn([line(SHORT.id, 99), line(SHORT.id, 30), line(LONG.id, 20, stage="kube-vip")])
    will = estimate.expected(course("metallb", "metallb > kube-vip"), known)
    assert (will.seconds, will.sure) == (NODES_S + 50, True)


def test_a_line_whose_outcome_cannot_be_read_tells_nothing() -> None:
    assert estimate.learn([line(SHORT.id, 30, "PA\ufffdS")]) == Known()


def test_what_comes_behind_a_red_stage_takes_no_time() -> None:
    known = estimate.learn([line(SHORT.id, 30, "FAIL"), line(LONG.id, 20)])
    assert estimate.expected(course("metallb > kube-vip"), known).seconds == NODES_S + 30


def test_a_stage_that_was_never_run_takes_what_the_like_of_it_took_and_is_a_guess() -> None:
    known = estimate.learn(
        [line("replica-v1", 40), line("replica-v2", 60), line("kubespray-v2", 600), line("replica-v3", 900, bed="vagrant")]
    )
    will = estimate.expected(course("metallb"), known)
    assert (will.seconds, will.sure) == (NODES_S + 50, False)
    assert estimate.expected(course("metallb"), Known()).seconds == NODES_S + STAGE_S
    assert estimate.stage_s(SHORT, Took(seconds=7, green=True), Known()) == 7


def test_what_was_never_run_takes_longer_by_kubespray_and_on_emulated_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulation, "accelerated", lambda: False)
    by_kubespray, (on_machines,) = course_of("kubespray@v2.25.1"), courses([replace(SHORT, bed="vagrant")])
    assert estimate.expected(by_kubespray, Known()).seconds == NODES_S + estimate.STAGE_S["kubespray"]
    assert estimate.expected(on_machines, Known()).seconds == EMULATED_NODES_S + STAGE_S * EMULATED


@pytest.mark.parametrize(
    ("topology", "planes", "workers"), [(Topology(control_planes=3), 3, 0), (Topology(control_planes=1, workers=2), 1, 2)]
)
def test_more_nodes_need_more_of_the_host(topology: Topology, planes: int, workers: int) -> None:
    small, large = estimate.need(Topology(control_planes=1)), estimate.need(topology)
    more = (planes - 1) * estimate.MEMORY_MIB["control-plane"] + workers * estimate.MEMORY_MIB["worker"]
    assert large.memory_mib - small.memory_mib == more
    assert large.cores > small.cores


@pytest.mark.parametrize(("accelerated", "more_mib"), [(True, 0), (False, 3 * 1024)])
def test_machines_take_what_they_are_given_and_more_where_they_are_emulated(
    monkeypatch: pytest.MonkeyPatch, more_mib: int, *, accelerated: bool
) -> None:
    monkeypatch.setattr(emulation, "accelerated", lambda: accelerated)
    taken = estimate.need(Topology(control_planes=1, workers=1), on="vagrant")
    assert (taken.memory_mib, taken.cores, taken.inotify) == (3072 + 2048 + 512 + more_mib, 2 + 2 + 1, 0)


def test_the_rest_of_a_run_grows_shorter_as_it_shows_what_it_takes() -> None:
    of = courses([made.cell("metallb"), made.cell("metallb", ref="replica@v2.25.1")], reuse=False)
    forecast = Forecast(of, [], capacity=HOST, limit=1)
    assert forecast.left().seconds == 2 * (NODES_S + STAGE_S)
    forecast.begins(of[0])
    forecast.heard(line(of[0].longest.id, 10))
    forecast.ended(of[0])
    assert forecast.left().seconds == NODES_S + 10
    assert not forecast.left().sure
    forecast.begins(of[1])
    forecast.ended(of[1])
    assert forecast.left().seconds == 0


def test_all_courses_side_by_side_take_as_long_as_the_host_makes_them() -> None:
    of = courses([made.cell("metallb"), made.cell("metallb", ref="replica@v2.25.1")], reuse=False)
    assert estimate.whole_s(of, Known(), capacity=HOST, limit=None).seconds == NODES_S + STAGE_S
    assert estimate.whole_s(of, Known(), capacity=HOST, limit=1).seconds == 2 * (NODES_S + STAGE_S)
