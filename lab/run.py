"""The one loop: a cell in, its result out. The only module that knows every seam."""

import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Literal

from lab import artifacts, bed, check, component, evidence, host, installer, network, plan, playbooks, release, signature, verdict
from lab.command import ssh
from lab.deadline import now_s, ticks_s
from lab.disturbance import run_all as disturb
from lab.engine import Engine
from lab.errors import BedError, LabError, ScenarioError
from lab.journal import Journal, Line
from lab.matrix import GREEN, CellResult
from lab.model import Cell, CheckResult, Deviation, Evidence, Node, Outcome, Site, Stage, StageRun, TaskEvent, Verdict
from lab.watch import Story, Watch

Patience = Literal["early", "full"]
Keep = Literal["never", "failure", "always"]
STAGE_LIMIT_S = 3 * 3600.0  # only ends what hangs: four attempts of 300 s, and downloads on a slow line
IMAGES_LIMIT_S = 300.0  # importing the component images takes 5 s on 2 cores
TRACE = "error.txt"  # of a cell in which the lab itself failed
CELLS = "cells"  # folder of a run, one folder per cell in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What the cells of one run share. `folder`: runs/<time>; `kubespray`: a checkout, for refs of kubespray; `slot`: None
    takes a free one."""

    run_id: str
    folder: Path
    journal: Journal
    engine: Engine
    patience: Patience = "early"
    keep: Keep = "never"
    kubespray: Path | None = None
    slot: int | None = None
    because: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Seen:
    """What a cell has shown until now; it grows while the cell runs, so that an error loses nothing."""

    began_s: float
    node_s: float | None = None
    stages: list[StageRun] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    checks: tuple[CheckResult, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    limits: tuple[str, ...] = ()
    memory_mib: dict[str, float] = field(default_factory=dict)
    verdict_after_s: float | None = None
    red: bool = False


def run_cell(cell: Cell, lab: Lab) -> CellResult:
    """Run `cell` on nodes of its own and judge it. A broken lab is a result too: ERROR, with what, why and fix."""
    seen = _Seen(began_s=ticks_s())
    started_at_s = now_s()
    folder = lab.folder / CELLS / cell.id
    folder.mkdir(parents=True, exist_ok=True)
    lab.journal.write(Line(at_s=started_at_s, kind="cell", cell=cell.id))
    try:
        judged = _judge_on_nodes(cell, lab, folder, seen)
    except LabError as error:
        what, why, fix = error.args
        judged = Verdict(outcome=Outcome.ERROR, summary=f"{what}: {why}", ended=f"what to do: {fix}")
    except Exception as error:  # noqa: BLE001 - a fault of the lab must cost one cell, not the results of the others
        (folder / TRACE).write_text(traceback.format_exc())
        what = f"the lab itself failed: {type(error).__name__}: {error}"
        judged = Verdict(outcome=Outcome.ERROR, summary=what, ended="what to do: report it", look_at=(TRACE,))
    result = _result(cell, lab, seen, judged=judged, started_at_s=started_at_s)
    lab.journal.write(
        Line(at_s=now_s(), kind="verdict", cell=cell.id, name=judged.outcome.name, said=judged.summary, duration_s=result.duration_s)
    )
    return result


def _judge_on_nodes(cell: Cell, lab: Lab, folder: Path, seen: _Seen) -> Verdict:
    facts = release.load(cell.ref.release)
    with ExitStack() as stack:
        with lab.journal.step(cell.id, "components"):
            made = artifacts.prepare(cell.kube_version, plan.addons_of(cell), on_progress=partial(_built, lab, cell))
        source = stack.enter_context(_playbooks(cell, facts, lab, folder))
        needs = host.node_needs(host.facts())
        stages = plan.stages(cell, facts, needs=needs, versions=made.versions)
        seen.deviations = (*made.deviations, *plan.deviations(cell, facts, needs=needs, versions=made.versions))
        site, nodes = stack.enter_context(_nodes(cell, lab, folder, artifacts=made.path, seen=seen))
        if plan.has_plain_network(cell, stages[0].addons):
            network.place(site)
        for stage in stages:
            seen.stages.append(_install(stage_folder(folder, stage.index), cell, lab, seen, site=site, source=source, stage=stage))
            seen.memory_mib = bed.weigh(nodes, site.nodes, before=seen.memory_mib)
            if seen.stages[-1].rc != 0:
                break
        if seen.stages[-1].rc == 0:
            with lab.journal.step(cell.id, "checks"):
                seen.checks = _check(cell, lab, site, nodes)
            seen.memory_mib = bed.weigh(nodes, site.nodes, before=seen.memory_mib)
        with lab.journal.step(cell.id, "evidence"):
            taken = evidence.collect(site, folder=folder / "evidence", runs=tuple(seen.stages))
        judged = _verdict(cell, facts, site, taken, seen)
        seen.verdict_after_s = ticks_s() - seen.node_s if seen.node_s is not None else None
        seen.red = judged.outcome not in GREEN
    return judged


def _check(cell: Cell, lab: Lab, site: Site, nodes: bed.Bed) -> tuple[CheckResult, ...]:
    told = partial(_checked, lab, cell)
    results = check.run_all(cell, site, on_result=told)
    power = nodes if isinstance(nodes, bed.Power) else None
    green = {one.outcome for one in results} <= set(GREEN)
    return (*results, *disturb(cell, site, power=power, green=green, on_result=told))


def stage_folder(folder: Path, index: int) -> Path:
    """Where a stage of the cell in `folder` keeps its inventory, log and events."""
    made = folder / f"stage-{index}"
    made.mkdir(parents=True, exist_ok=True)
    return made


@contextmanager
def _playbooks(cell: Cell, facts: release.Release, lab: Lab, folder: Path) -> Iterator[playbooks.Playbooks]:
    if cell.ref.source == "replica":
        yield playbooks.replica(facts)
        return
    if lab.kubespray is None:
        raise ScenarioError(f"no playbooks for {cell.ref.label}", "no checkout of kubespray was named", "name one: --kubespray PATH")
    with playbooks.checkout(lab.kubespray, facts, folder=folder) as source:
        yield source


@contextmanager
def _nodes(cell: Cell, lab: Lab, folder: Path, *, artifacts: Path, seen: _Seen) -> Iterator[tuple[Site, bed.Bed]]:
    """The cell's nodes with their images in place, and the bed they come from, for as long as the block runs."""
    made = bed.find(cell.bed)(
        cell_id=cell.id,
        topology=cell.topology,
        artifacts=artifacts,
        run_id=lab.run_id,
        folder=folder,
        engine=lab.engine,
        slot=lab.slot,
        say=partial(lab.journal.say, cell.id),
    )
    seen.limits = made.limits()
    interrupted = False
    try:
        seen.node_s = ticks_s()
        with lab.journal.step(cell.id, "nodes"):
            site = made.up()
        yield site, made
    except LabError:
        seen.red = True
        raise
    except BaseException:
        seen.red, interrupted = False, True  # Ctrl-C asks for an end, not for nodes to look at
        raise
    finally:
        if (lab.keep == "always" and not interrupted) or (lab.keep == "failure" and seen.red):
            lab.journal.say(cell.id, f"nodes kept: `spraylab shell {cell.id} cp1` opens one, `spraylab gc --yes` removes them")
        else:
            with lab.journal.step(cell.id, "clean-up"):
                made.down()


def _see_images(site: Site, node: Node) -> None:
    """Raise BedError when the image archives could not be loaded: a node does it from its boot on, and kubelet waits for the end."""
    script = "systemctl start spraylab-images || { journalctl -u spraylab-images -n 20 --no-pager; false; }"
    done = ssh(site, node, script, limit_s=IMAGES_LIMIT_S)
    if done.rc != 0:
        why = (done.stdout + done.stderr).strip() or f"rc {done.rc}"
        raise BedError(f"the component images did not get into {node.name}", why, "`spraylab doctor` shows what this host lacks")


def _install(folder: Path, cell: Cell, lab: Lab, seen: _Seen, *, site: Site, source: playbooks.Playbooks, stage: Stage) -> StageRun:
    stop = Event()
    tasks = _Tasks(lab, cell)
    watch = Watch(
        site=site,
        signatures=signature.load(),
        sample=partial(evidence.sample, site),
        stop=stop,
        patience=lab.patience,
        write=partial(_sampled, lab, cell),
        init_task=source.init_task,
    )

    def heard(event: TaskEvent) -> None:
        watch.heard(event)
        tasks.heard(event)

    with lab.journal.step(cell.id, f"stage {stage.name}"), watch:
        run = installer.install(stage, site=site, playbooks=source, folder=folder, on_event=heard, stop=stop, limit_s=STAGE_LIMIT_S)
    story = watch.story()
    seen.stories.append(story)
    for why, times in Counter(story.missed).items():
        lab.journal.say(cell.id, f"{times} sample(s) could not be taken: {why}")
    for node in site.members:
        _see_images(site, node)
    if any(event_kind == "unreachable" for event_kind in tasks.ended_as):
        raise BedError(f"a node went away in stage {stage.name!r}", run.failed_said or run.failed_task, f"see {folder / 'ansible.log'}")
    return run


class _Tasks:
    """Turns Ansible's events into journal lines: what began, and how long it took."""

    def __init__(self, lab: Lab, cell: Cell) -> None:
        self._lab, self._cell = lab, cell
        self._began_s: dict[tuple[str, str], float] = {}
        self.ended_as: set[str] = set()

    def heard(self, event: TaskEvent) -> None:
        """Write one line for `event`."""
        key = event.task, event.node
        if event.kind == "start":
            self._began_s[key] = event.at_s
        ended = event.kind in installer.ENDED
        self.ended_as |= {event.kind} if ended else set()
        duration_s = event.at_s - self._began_s[key] if ended and key in self._began_s else None
        said = event.said if event.kind in ("failed", "retry", "unreachable") else ""
        more = {"is": event.kind, "rc": event.rc}
        self._lab.journal.write(
            Line(
                at_s=event.at_s,
                kind="task",
                cell=self._cell.id,
                name=event.task,
                node=event.node,
                said=said,
                duration_s=duration_s,
                more=more,
            )
        )


def _verdict(cell: Cell, facts: release.Release, site: Site, taken: Evidence, seen: _Seen) -> Verdict:
    matched = signature.match(signature.load(), taken, context=signature.Context.of(site))
    files = [f"evidence/{fact.node}/{fact.probe}.txt" for fact in taken.facts]
    full = verdict.would_end(facts.kubeadm_init, cell)
    return verdict.judge(seen.checks, seen.stages, matched=matched, files=files, full=full)


def _result(cell: Cell, lab: Lab, seen: _Seen, *, judged: Verdict, started_at_s: float) -> CellResult:
    return CellResult(
        id=cell.id,
        ref=cell.ref.label,
        kube_version=cell.kube_version,
        topology=str(cell.topology),
        ordering=cell.ordering_text,
        endpoint=cell.endpoint,
        network=cell.network,
        bed=cell.bed,
        mitigations=cell.mitigations,
        because=lab.because.get(cell.id, ""),
        verdict=replace(judged, look_at=tuple(f"{CELLS}/{cell.id}/{path}" for path in judged.look_at)),
        stages=tuple(seen.stages),
        checks=seen.checks,
        deviations=tuple(dict.fromkeys(seen.deviations)),
        limits=seen.limits,
        ports=" ".join(story.ports.says for story in seen.stories),
        started_at_s=started_at_s,
        duration_s=ticks_s() - seen.began_s,
        verdict_after_s=seen.verdict_after_s,
        memory_mib=seen.memory_mib,
        evidence=f"{CELLS}/{cell.id}",
    )


def _built(lab: Lab, cell: Cell, progress: component.Progress) -> None:
    if progress.state != "cached":
        duration_s = progress.elapsed_s if progress.state == "built" else None
        more = {"expected_s": progress.expected_s}
        name = f"build {progress.component}"
        lab.journal.write(Line(at_s=now_s(), kind="build", cell=cell.id, name=name, duration_s=duration_s, more=more))


def _checked(lab: Lab, cell: Cell, result: CheckResult) -> None:
    more = {"outcome": result.outcome.name}
    lab.journal.write(Line(at_s=now_s(), kind="check", cell=cell.id, name=result.check, node=result.node, said=result.said, more=more))


def _sampled(lab: Lab, cell: Cell, sample: Mapping[str, object]) -> None:
    lab.journal.write(Line(at_s=now_s(), kind="sample", cell=cell.id, more=sample))
