"""The one loop: a course in, the result of each of its cells out. The only module that knows every seam.

A course is one set of nodes; the stages of its longest cell are run on them one after another, and after each the nodes are judged:
that verdict is a cell's where one ends there, and what has to be green before the next stage begins.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from lab import (
    artifacts,
    bed,
    checkround,
    component,
    course,
    evidence,
    excuse,
    groundwork,
    host,
    hostload,
    installer,
    inventory,
    plan,
    playbooks,
    preflight,
    release,
    result,
    written,
)
from lab import signature as signatures
from lab import verdict as verdicts
from lab.artifacts import Artifacts
from lab.course import Course
from lab.deadline import now_s, ticks_s
from lab.errors import LabError, ScenarioError
from lab.journal import JUDGED, Line
from lab.matrix import GREEN, CellResult
from lab.model import Cell, CheckResult, Outcome, Site, Stage, Verdict
from lab.notation import upgrades
from lab.result import Seen
from lab.shared import Lab
from lab.stagerun import Installer, Reporter, run_stage

TRACE = "error.txt"  # of a cell in which the lab itself failed
UNWRITTEN = "the journal cannot be written"


def run_course(of: Course, lab: Lab, *, done: Callable[[CellResult], None]) -> None:
    """Run `of` on nodes of its own; `done` is told the result of each of its cells as soon as there is one.

    A broken lab is a result too: ERROR, with what, why and fix, for every cell that has none yet; what breaks once all have one is a
    trouble of the run. Raises KeyboardInterrupt when the end of the run was asked for.
    """
    seen = Seen(course=of.longest.id, began_s=ticks_s(), started_at_s=now_s())
    left = {cell.id: cell for cell in of.cells}

    def tell(cell: Cell, judged: Verdict) -> None:
        made = result.of(left.pop(cell.id), judged, seen, because=lab.because.get(cell.id, ""))
        try:
            lab.journal.write(
                Line(at_s=now_s(), kind="verdict", cell=cell.id, name=judged.outcome.name, said=judged.summary, duration_s=made.duration_s)
            )
        finally:
            done(made)  # whatever becomes of the journal: somebody waits for it

    broken: Verdict | None = None
    try:
        lab.reporter(of).write("cell", at_s=seen.started_at_s, more={"cells": list(left)})
        _run_on_nodes(of, lab, seen, tell=tell)
    except Exception as error:  # noqa: BLE001 - a fault of the lab must cost one course, not the results of the others
        broken = _broken(error, of, lab, seen)
    if broken is not None:
        if not left:
            lab.trouble(f"{of.longest.id}: {broken.summary}; {broken.ended}", cell=of.longest.id)
        for cell in tuple(left.values()):
            with lab.beside(UNWRITTEN):
                tell(cell, broken)
    with lab.beside(UNWRITTEN):
        lab.reporter(of).write("over")


def _broken(error: Exception, of: Course, lab: Lab, seen: Seen) -> Verdict:
    """The verdict on cells that have none, once `error` ended their course."""
    if isinstance(error, LabError):
        what, why, fix = error.args
        return Verdict(outcome=Outcome.ERROR, summary=f"{what}: {why}", ended=f"what to do: {fix}")
    seen.evidence = of.longest.id
    with lab.beside(f"{TRACE} cannot be written"):
        (lab.folder_of(of.longest.id) / TRACE).write_text("".join(traceback.format_exception(error)))
    what = f"the lab itself failed: {type(error).__name__}: {error}"
    return Verdict(outcome=Outcome.ERROR, summary=what, ended="what to do: report it", look_at=(TRACE,))


def _run_on_nodes(of: Course, lab: Lab, seen: Seen, *, tell: Callable[[Cell, Verdict], None]) -> None:
    cell, folder, facts = of.longest, lab.folder_of(of.longest.id), release.load(of.longest.ref.release)
    seen.deviations, of_bed = {one.id: one.ref.deviations for one in of.cells}, bed.find(cell.bed)
    with ExitStack() as stack:
        with lab.building, lab.journal.step(cell.id, "components"):
            supply = lab.supply.settled(cell.ref)
            built = partial(_built, lab.reporter(of))
            made = artifacts.prepare(cell.kube_version, plan.addons_of(cell), supply, later=upgrades(cell.ordering), on_progress=built)
            of_bed.prepare(say=lab.reporter(of).say)
        needs = of_bed.needs(host.facts())
        source = _playbooks(cell, facts, lab) if cell.ref.source != "kind" else None
        departs = partial(plan.deviations, release=facts, needs=needs, versions=made.versions, supply=supply)
        stages = plan.stages(cell, facts, needs=needs, versions=made.versions, supply=supply)
        seen.deviations = {one.id: (*one.ref.deviations, *made.deviations, *departs(one)) for one in of.cells}
        site, nodes = stack.enter_context(_nodes(of, stages[0], lab, folder=folder, brought=made, seen=seen))
        by = _installer(cell, source, nodes)
        site = replace(site, api_port=inventory.api_port(stages[0]))
        seen.predicted = {one.id: preflight.predict(one, facts, stages[: len(one.ordering)], site) for one in of.cells}
        for stage in stages:
            lab.over.check()
            if groundwork.due(cell, stage):
                with lab.journal.step(cell.id, "groundwork"):
                    groundwork.lay(cell, stage, site=site, nodes=nodes, supply=supply)
            judged = _judged(of, stage, lab, seen, site=site, nodes=nodes, by=by)
            seen.red = judged.outcome not in GREEN
            if (ends := of.judged_at(stage.index + 1)) is not None:
                tell(ends, judged)
            if seen.red:
                for behind in of.behind(stage.index + 1):
                    tell(behind, _behind(judged, stage))
                return


def _judged(of: Course, stage: Stage, lab: Lab, seen: Seen, *, site: Site, nodes: bed.Bed, by: Installer) -> Verdict:
    """Run `stage`, look at what it made, and judge it as the cell that the longest one is by then."""
    cell = course.prefix(of.longest, stage.index + 1)
    ends = of.judged_at(stage.index + 1)
    tell, began_s, began_at_s = lab.reporter(of), ticks_s(), now_s()
    stage_folder = lab.folder_of(of.longest.id) / f"stage-{stage.index}"
    seen.checks, seen.evidence, seen.host_load = (), "", ""  # of the stage before: if this one breaks, they say nothing of it
    with lab.over.bound() as stop:
        run, story = run_stage(stage, site=site, by=by, folder=stage_folder, patience=lab.patience, tell=tell, stop=stop)
    lab.over.check()
    seen.stages.append(run)
    seen.stories.append(story)
    if run.rc == 0:
        with lab.journal.step(of.longest.id, "checks"):
            seen.checks = checkround.run_all(
                cell,
                stage,
                site,
                nodes=nodes if ends else None,
                engine=lab.engine.name if lab.engine else "",
                load=lab.load,
                stop=lab.over.event,
                on_result=partial(_checked, tell),
            )
    seen.memory_mib = bed.weigh(nodes, site.nodes, before=seen.memory_mib)
    seen.evidence = ends.id if ends else f"{of.longest.id}/stage-{stage.index}"
    judged = _of_evidence(cell, lab, seen, site=site, by=by, began_at_s=began_at_s)
    more = {"at": cell.id, "topology": str(cell.topology), "stage": stage.name, "bed": cell.bed}
    tell.write(JUDGED, name=judged.outcome.name, duration_s=ticks_s() - began_s, said=judged.summary, more=more)
    return judged


def _of_evidence(cell: Cell, lab: Lab, seen: Seen, *, site: Site, by: Installer, began_at_s: float) -> Verdict:
    cores, loads = host.facts().cores, lab.load.since(began_at_s)
    seen.host_load = hostload.starved(loads, cores=cores)
    with lab.journal.step(seen.course, "evidence"):
        taken = evidence.collect(
            site,
            folder=lab.folder_of(seen.evidence) / evidence.FOLDER,
            runs=tuple(seen.stages),
            checks=seen.checks,
            told={"host-load": hostload.told(loads, cores=cores), "playbooks": by.written},
            stop=lab.over.event,
        )
    matched = signatures.match(signatures.load(), taken, context=signatures.Context.of(site), addons=plan.addons_of(cell))
    files = evidence.files(taken, of=lab.folder_of(seen.evidence), stage=lab.folder_of(seen.course) / f"stage-{len(seen.stages) - 1}")
    excused, stopped_for = excuse.of_stage(seen.stages[-1], lab.load, cores=cores), seen.stories[-1].stopped_for
    return verdicts.judge(seen.checks, seen.stages, matched=matched, files=files, full=by.full, stopped_for=stopped_for, excused=excused)


def _behind(judged: Verdict, stage: Stage) -> Verdict:
    """The verdict of a cell whose later stages were not run."""
    return replace(judged, summary=f"not gone on with after stage {stage.name!r}, whose verdict it shares: {judged.summary}")


def _playbooks(cell: Cell, facts: release.Release, lab: Lab) -> playbooks.Playbooks:
    if cell.ref.source == "replica":
        return playbooks.replica(facts)
    with lab.journal.step(cell.id, "playbooks"):
        return playbooks.kubespray(cell.ref, lab.kubespray)


def _installer(cell: Cell, source: playbooks.Playbooks | None, nodes: bed.Bed) -> Installer:
    """Ansible with the playbooks of `source`; without any the bed installs itself."""
    if source is not None:
        full = verdicts.would_end(release.load(cell.ref.release).kubeadm_init, cell)
        run, lines = partial(installer.install, playbooks=source), written.lines(source.cluster.parent, source.label)
        return Installer(install=run, init_tasks=source.init_tasks, full=full, written=lines)
    if not isinstance(nodes, bed.Installs):
        raise ScenarioError(f"nothing installs {cell.id}", f"the bed {nodes.name} brings no installer", "name another bed")
    return Installer(install=nodes.install, init_tasks=nodes.init_tasks, full=nodes.full)


@contextmanager
def _nodes(of: Course, stage: Stage, lab: Lab, *, folder: Path, brought: Artifacts, seen: Seen) -> Iterator[tuple[Site, bed.Bed]]:
    """The nodes of a course and the bed they come from, for as long as the block runs. stage: the first one that will run on them;
    brought: what they install."""
    cell, tell = of.longest, lab.reporter(of)
    made = bed.find(cell.bed)(
        cell_id=cell.id,
        topology=cell.topology,
        artifacts=brought.path,
        run_id=lab.run_id,
        folder=folder,
        engine=lab.engine,
        slot=lab.slot,
        say=tell.say,
        stop=lab.over.event,
    )
    if lab.supply.of(cell.ref) == "upstream":
        bed.let_out(made)
    if isinstance(made, bed.Installs):
        made.takes(cell, stage, versions=brought.versions)
    seen.limits = made.limits()
    interrupted = False
    try:
        seen.node_s = ticks_s()
        with lab.journal.step(cell.id, "nodes"):
            site = made.up()
        yield site, made
    except KeyboardInterrupt:
        seen.red, interrupted = False, True  # it asks for an end, not for nodes to look at
        raise
    except BaseException:
        seen.red = True
        raise
    finally:
        if (lab.keep == "always" and not interrupted) or (lab.keep == "failure" and seen.red):
            tell.say(f"nodes kept: `spraylab shell {cell.id} cp1` opens one, `spraylab gc --yes` removes them")
        else:
            with lab.beside("nodes were not taken down", cell=cell.id), lab.journal.step(cell.id, "clean-up"):
                made.down()


def _built(tell: Reporter, progress: component.Progress) -> None:
    if progress.state != "cached":
        duration_s = progress.elapsed_s if progress.state == "built" else None
        tell.write("build", name=f"build {progress.component}", duration_s=duration_s, more={"expected_s": progress.expected_s})


def _checked(tell: Reporter, made: CheckResult) -> None:
    tell.write("check", name=made.check, node=made.node, said=made.said, more={"outcome": made.outcome.name})
