"""What the loop does when something breaks; what it does when nothing does is seen on real nodes, in tests/real."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab import artifacts, bed, check, course, journal, playbooks, release
from lab.artifacts import Artifacts
from lab.bed import Bed
from lab.check import Answer, Check, Scope
from lab.engine import Engine
from lab.errors import BedError, ScenarioError
from lab.host import node_needs
from lab.hostload import HostLoad, Load
from lab.journal import Journal, Line
from lab.matrix import CellResult
from lab.model import Cell, Deviation, Outcome, Ref, Site, Stage, StageRun, Verdict
from lab.over import Over
from lab.result import Seen
from lab.run import TRACE, _installer, _of_evidence, run_course
from lab.shared import Keep, Lab
from lab.stagerun import Installer
from lab.watch import PortsStory, Story
from tests import made
from tests.fakes import SILENT, gone, program, set_once_there

NO_ENGINE = cast("Engine", None)  # no test here comes as far as needing one


def run(tmp_path: Path, *cells: Cell, tell: Callable[[Line], None] = lambda _: None, over: Over | None = None) -> list[CellResult]:
    results, _ = told(tmp_path, *cells, tell=tell, over=over)
    return results


def told(
    tmp_path: Path, *cells: Cell, tell: Callable[[Line], None] = lambda _: None, over: Over | None = None, keep: Keep = "never"
) -> tuple[list[CellResult], tuple[str, ...]]:
    """The results of `cells`, and what went wrong beside them."""
    lab = Lab(
        run_id="r1",
        folder=tmp_path,
        journal=Journal(tmp_path, tell=tell),
        engine=NO_ENGINE,
        load=HostLoad(),
        because={cells[0].id: "why it is asked"},
        over=over or Over(),
        keep=keep,
    )
    results: list[CellResult] = []
    try:
        for one in course.courses(cells):
            run_course(one, lab, done=results.append)
    finally:
        lab.journal.close()
    return results, lab.troubles


def test_what_the_lab_lacks_is_an_error_with_what_to_do(tmp_path: Path) -> None:
    (result,) = run(tmp_path, made.cell(kube_version="v1.29.99"))
    assert result.verdict.outcome is Outcome.ERROR
    assert "Kubernetes 'v1.29.99' cannot be built" in result.verdict.summary
    assert result.verdict.ended.startswith("what to do: ")


def test_every_cell_of_a_broken_course_has_the_error(tmp_path: Path) -> None:
    short, long = made.cell("metallb", kube_version="v1.29.99"), made.cell("metallb > kube-vip", kube_version="v1.29.99")
    results = run(tmp_path, short, long)
    assert [result.id for result in results] == [short.id, long.id]
    assert [result.judged_in for result in results] == [long.id, ""]
    assert {result.verdict.outcome for result in results} == {Outcome.ERROR}


def test_a_fault_of_the_lab_costs_one_course_and_is_kept(tmp_path: Path) -> None:
    def fail(line: Line) -> None:
        if line.kind == "began":
            raise LookupError("a fault")

    (result,) = run(tmp_path, made.cell(), tell=fail)
    assert result.verdict.outcome is Outcome.ERROR
    assert "a fault" in result.verdict.summary
    (trace,) = result.verdict.look_at
    assert trace == f"{result.evidence}/{TRACE}"
    assert "Traceback" in (tmp_path / trace).read_text()


def test_a_result_says_what_was_asked_and_why(tmp_path: Path) -> None:
    (result,) = run(tmp_path, made.cell("base", ref="replica@v2.25.1", kube_version="v1.29.99"))
    assert (result.ref, result.ordering, result.endpoint, result.because) == ("replica of v2.25.1", "base", "node", "why it is asked")
    assert (tmp_path / result.evidence).is_dir()


def test_the_journal_has_the_course_and_its_verdict(tmp_path: Path) -> None:
    run(tmp_path, made.cell(kube_version="v1.29.99"))
    kinds = [(line.kind, line.name) for line in journal.read(tmp_path / journal.FILE)]
    assert kinds == [("cell", ""), ("began", "components"), ("ended", "components"), ("verdict", "ERROR"), ("over", "")]


def test_kubespray_without_a_checkout_never_falls_back_to_the_replica(tmp_path: Path) -> None:
    (result,) = run(tmp_path, made.cell(ref="kubespray@v2.25.0", kube_version="v1.29.99"))
    assert result.ref == "kubespray v2.25.0"
    assert result.verdict.outcome is Outcome.ERROR


def test_how_a_ref_departs_from_its_release_stands_in_the_result(tmp_path: Path) -> None:
    departure = Deviation(what="facts of the release", released="of pr/7", used="of v2.25.0", why="the lab has none of pr/7")
    ref = Ref(source="kubespray", name="pr/7", release="v2.25.0", commit="0123456789" * 4, deviations=(departure,))
    (result,) = run(tmp_path, replace(made.cell(kube_version="v1.29.99"), ref=ref))
    assert (result.ref, result.deviations) == ("kubespray pr/7 (012345678)", (departure,))
    assert result.evidence.startswith("cells/kubespray-pr+7:")


class Kindly:
    """A bed that installs itself."""

    name = "kindly"
    init_tasks, full = ("Starting",), "rc=1 after 1 x 240 s"

    def takes(self, cell: Cell, stage: Stage, *, versions: Mapping[str, str]) -> None:
        pass

    def install(self, stage: Stage, **_: object) -> StageRun:
        return StageRun(stage=stage.name, rc=0, duration_s=1.0)


def test_a_bed_that_installs_itself_needs_no_playbooks() -> None:
    by = _installer(made.cell(), None, cast("Bed", Kindly()))
    assert (by.init_tasks, by.full) == (("Starting",), "rc=1 after 1 x 240 s")
    with pytest.raises(ScenarioError, match="nothing installs"):
        _installer(made.cell(), None, cast("Bed", type("Dumb", (), {"name": "dumb"})()))


def test_playbooks_win_where_there_are_some() -> None:
    source = playbooks.replica(release.load("v2.25.0"))
    by = _installer(made.cell(), source, cast("Bed", Kindly()))
    assert (by.init_tasks, by.full) == (source.init_tasks, "rc=124 after 4 x 300 s")


def test_a_run_that_is_over_begins_nothing(tmp_path: Path) -> None:
    def end(line: Line) -> None:
        if line.kind == "ended":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, made.cell(), tell=end)


class Nodes(Kindly):
    """Such a bed, whose nodes take everything at once; `told`: what it was asked."""

    by_engine = False
    needs = staticmethod(node_needs)

    def __init__(self, folder: Path) -> None:
        self.site, self.told = made.site(folder), list[str]()
        self.breaks_in, self.stays = "", False

    def __call__(self, **_: object) -> "Nodes":
        return self

    def prepare(self, **_: object) -> None: ...

    def conditions(self) -> tuple[str, ...]:
        return ()

    def limits(self) -> tuple[str, ...]:
        return ()

    def up(self) -> Site:
        self.told.append("up")
        return self.site

    def install(self, stage: Stage, **more: object) -> StageRun:
        if stage.name == self.breaks_in:
            raise BedError("a node went away", "seen", "look")
        return super().install(stage, **more)

    def down(self) -> None:
        self.told.append("down")
        if self.stays:
            raise BedError("the engine could not remove cp1", "timeout", "look")


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Nodes:
    """Nodes on which every command ends well and the one check there is sees what it wants."""
    made_ = Nodes(tmp_path)
    look = Check(name="one", on="client", lacks=check.always, look=lambda _: Answer(ok=True, said="yes"), apart_s=0.0)
    monkeypatch.setattr(bed, "find", lambda _: made_)
    monkeypatch.setattr(check, "everything", lambda: (look,))
    monkeypatch.setattr(artifacts, "prepare", lambda *_, **__: Artifacts(path=tmp_path, versions={}, deviations=()))
    program(tmp_path, "ssh", "exit 0", monkeypatch)
    return made_


def by_kind(ordering: str) -> Cell:
    """A cell whose bed installs it."""
    return replace(made.cell(ordering), ref=Ref(source="kind", name="v2.25.0", release="v2.25.0"))


TROUBLE = "nodes were not taken down: the engine could not remove cp1: timeout; what to do: look"


def test_a_clean_up_that_fails_costs_no_verdict_and_is_told(tmp_path: Path, nodes: Nodes) -> None:
    nodes.stays = True
    (result,), troubles = told(tmp_path, by_kind("kube-vip"))
    assert result.verdict.outcome is Outcome.PASS
    assert troubles == (TROUBLE,)
    assert TROUBLE in [line.said for line in journal.read(tmp_path / journal.FILE)]


def test_a_clean_up_that_fails_hides_no_error_before_it(tmp_path: Path, nodes: Nodes) -> None:
    nodes.stays, nodes.breaks_in = True, "kube-vip"
    (result,), troubles = told(tmp_path, by_kind("kube-vip"))
    assert (result.verdict.outcome, result.verdict.summary) == (Outcome.ERROR, "a node went away: seen")
    assert troubles == (TROUBLE,)


def test_what_breaks_once_every_cell_has_its_result_is_told_too(tmp_path: Path, nodes: Nodes) -> None:
    def fail(line: Line) -> None:
        if (line.kind, line.name) == ("began", "clean-up"):
            raise LookupError("a fault")

    cell = by_kind("kube-vip")
    (result,), troubles = told(tmp_path, cell, tell=fail)
    assert result.verdict.outcome is Outcome.PASS
    assert troubles == (f"{cell.id}: the lab itself failed: LookupError: a fault; what to do: report it",)


@pytest.mark.parametrize(("keep", "asked"), [("failure", ["up"]), ("always", ["up"]), ("never", ["up", "down"])])
def test_nodes_on_which_the_lab_failed_are_kept_where_that_was_asked(
    keep: Keep, asked: list[str], tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(_: Scope) -> str:
        raise LookupError("a fault of the lab")

    monkeypatch.setattr(check, "everything", lambda: (Check(name="one", on="client", lacks=wrong, look=lambda _: pytest.fail("looked")),))
    (result,), troubles = told(tmp_path, by_kind("kube-vip"), keep=keep)
    assert "LookupError: a fault of the lab" in result.verdict.summary
    assert (nodes.told, troubles) == (asked, ())


def test_a_stage_that_breaks_has_nothing_of_the_stage_before(tmp_path: Path, nodes: Nodes) -> None:
    nodes.breaks_in = "kube-vip"
    short, long = by_kind("base"), by_kind("base > kube-vip")
    short = replace(short, endpoint="node")
    first, second = run(tmp_path, short, long)
    assert (first.checks[0].check, first.evidence) == ("one", f"cells/{short.id}")
    assert (second.verdict.outcome, second.checks, second.evidence) == (Outcome.ERROR, (), f"cells/{long.id}")


def test_a_journal_that_cannot_be_written_costs_no_cell_its_result(tmp_path: Path, nodes: Nodes) -> None:
    (tmp_path / journal.FILE).symlink_to("/dev/full")
    cells = (by_kind("base"), by_kind("base > kube-vip"))
    results, troubles = told(tmp_path, *cells)
    assert [one.id for one in results] == [cell.id for cell in cells]
    assert {one.verdict.outcome for one in results} == {Outcome.ERROR}
    assert "No space left on device" in results[0].verdict.summary
    assert any(said.startswith("the journal cannot be written: ") for said in troubles)


@pytest.mark.parametrize("checks", [check.everything(), ()], ids=["in its checks", "in its evidence"])
def test_a_run_that_is_told_to_end_takes_its_nodes_down_and_judges_nothing(
    checks: tuple[Check, ...], tmp_path: Path, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "everything", lambda: checks)
    program(tmp_path, "ssh", f'case "$4" in *spraylab-images*) exit 0;; esac; {SILENT}', monkeypatch)
    over, cell = Over(), by_kind("cilium+kube-vip")
    with set_once_there(tmp_path / "pid", over.event), pytest.raises(KeyboardInterrupt):
        run(tmp_path, cell, over=over)
    assert nodes.told == ["up", "down"]
    assert gone(tmp_path)
    assert "verdict" not in [line.kind for line in journal.read(tmp_path / journal.FILE)]


STOPPED = StageRun(stage="kube-vip", rc=None, duration_s=30.0, attempts=1, stopped_after_s=20.0)
LATE = StageRun(stage="base", rc=2, duration_s=90.0, failed_task="etcd : Wait", failed_during=(1000.0, 1080.0))
STEAL = Load(at_s=1080.0, seconds=80.0, idle_percent=0, iowait_percent=0, steal_percent=90, runnable=1, free_mib=9000)


class Busy:
    """A host that was short of its cores for all of that time."""

    def since(self, at_s: float, *, until_s: float = float("inf")) -> tuple[Load, ...]:
        return tuple(load for load in (STEAL,) if at_s <= load.at_s <= until_s)


def judged(tmp_path: Path, run: StageRun, *, stopped_for: str = "") -> tuple[Verdict, Seen]:
    """The verdict on a stage whose nodes do not answer any more."""
    journal = Journal(tmp_path, tell=lambda _: None)
    lab = Lab(run_id="r1", folder=tmp_path, journal=journal, engine=NO_ENGINE, load=cast("HostLoad", Busy()))
    story = Story(samples=1, missed=(), ports=PortsStory(verdict="cannot tell", says=""), stopped_for=stopped_for)
    seen = Seen(course="c", began_s=0.0, started_at_s=0.0, stages=[run], stories=[story], evidence="c")
    by = Installer(install=Kindly().install, init_tasks=(), full="rc=1 after 1 x 240 s")
    try:
        return _of_evidence(made.cell(), lab, seen, site=made.site(tmp_path), by=by, began_at_s=0.0), seen
    finally:
        journal.close()


def test_what_a_stage_was_stopped_for_is_asked_of_the_evidence(tmp_path: Path) -> None:
    verdict, _ = judged(tmp_path, STOPPED, stopped_for="kubelet-never-starts")
    assert verdict.outcome is Outcome.UNKNOWN
    assert "stopped kubeadm init for 'kubelet-never-starts', which does not hold" in verdict.summary


def test_a_shortage_is_always_told_and_excuses_only_what_it_may_have_caused(tmp_path: Path) -> None:
    late, seen = judged(tmp_path, LATE)
    assert (late.outcome, seen.host_load.startswith("short of time on its cores")) == (Outcome.UNKNOWN, True)
    told, seen = judged(tmp_path, replace(LATE, failed_during=None))
    assert (told.outcome, seen.host_load.startswith("short of time on its cores")) == (Outcome.FAIL, True)
