"""One stage on nodes that are up: the installer, watched, its tasks and samples written to the journal as they come."""

import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event

from lab import evidence, signature, tasks
from lab.command import ssh
from lab.deadline import now_s
from lab.errors import BedError, InstallError
from lab.journal import Journal, Line
from lab.model import Node, Site, Stage, StageRun, TaskEvent
from lab.watch import Patience, Story, Watch

STAGE_LIMIT_S = 3 * 3600.0  # only ends what hangs: four attempts of 300 s, and downloads on a slow line
IMAGES_LIMIT_S = 300.0  # importing the component images takes 5 s on 2 cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """What runs a stage: `install`, with the arguments of lab.installer.install but for the playbooks; `init_tasks`: the tasks of its
    events that run kubeadm init; `full`: how that would end if nothing happened any more; `written`: lines of its files that evidence
    names beside what they wrote."""

    install: Callable[..., StageRun]
    init_tasks: tuple[str, ...]
    full: str
    written: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """Writes what belongs to one set of nodes; `course`: the id of its longest cell."""

    journal: Journal
    course: str

    def say(self, said: str) -> None:
        """Write a sentence for whoever watches."""
        self.journal.say(self.course, said)

    def write(self, kind: str, **fields: object) -> None:
        """Write one fact."""
        self.journal.write(Line(**{"at_s": now_s(), "kind": kind, "cell": self.course, **fields}))  # type: ignore[arg-type]


def run_stage(
    stage: Stage, *, site: Site, by: Installer, folder: Path, patience: Patience, tell: Reporter, stop: Event
) -> tuple[StageRun, Story]:
    """How `stage` ended, and what the watch saw meanwhile. folder: gets its inventory, log and events; stop: ends it when set.

    Raises BedError when a node went away or never got its images, InstallError when the installer could not be started.
    """
    heard_of = _Tasks(tell)
    watch = Watch(
        site=site,
        signatures=signature.load(),
        sample=partial(evidence.sample, site),
        stop=stop,
        patience=patience,
        write=partial(_sampled, tell),
        init_tasks=by.init_tasks,
    )

    def heard(event: TaskEvent) -> None:
        watch.heard(event)
        heard_of.heard(event)

    folder.mkdir(parents=True, exist_ok=True)
    with tell.journal.step(tell.course, f"stage {stage.name}"), watch:
        run = by.install(stage, site=site, folder=folder, on_event=heard, stop=stop, limit_s=STAGE_LIMIT_S)
    story = watch.story()
    if story.stopped_for:
        tell.say(f"kubeadm init was stopped: {story.stopped_for!r} had held for {story.held_s:.0f} s")
    for why, times in Counter(story.missed).items():
        tell.say(f"{times} sample(s) could not be taken: {why}")
    for node in site.members:
        _see_images(site, node)
    _see_end(run, folder)
    if "unreachable" in heard_of.ended_as:
        raise BedError(f"a node went away in stage {stage.name!r}", run.failed_said or run.failed_task, f"see {folder / 'ansible.log'}")
    return run, story


def _see_end(run: StageRun, folder: Path) -> None:
    """Raise InstallError when somebody else ended ansible-playbook: that is no word on what it installed."""
    if run.rc is not None and run.rc < 0:
        why = f"signal {signal.Signals(-run.rc).name} ended it after {run.duration_s:.0f} s, and the lab sent none"
        fix = f"see whether the host ran out of memory (dmesg), and {folder / 'ansible.log'}; run it again (--failed)"
        raise InstallError(f"ansible-playbook was killed in stage {run.stage!r}", why, fix)


class _Tasks:
    """Turns Ansible's events into journal lines: what began, and how long it took."""

    def __init__(self, tell: Reporter) -> None:
        self._tell = tell
        self._began_s: dict[tuple[str, str], float] = {}
        self.ended_as: set[str] = set()

    def heard(self, event: TaskEvent) -> None:
        """Write one line for `event`."""
        key = event.task, event.node
        if event.kind == "start":
            self._began_s[key] = event.at_s
        ended = event.kind in tasks.ENDED
        self.ended_as |= {event.kind} if ended else set()
        duration_s = event.at_s - self._began_s[key] if ended and key in self._began_s else None
        said = event.said if event.kind in ("failed", "retry", "unreachable") else ""
        more = {"is": event.kind, "rc": event.rc, **({"path": event.path} if event.path else {})}
        self._tell.write("task", at_s=event.at_s, name=event.task, node=event.node, said=said, duration_s=duration_s, more=more)


def _sampled(tell: Reporter, sample: Mapping[str, object]) -> None:
    tell.write("sample", more=sample)


def _see_images(site: Site, node: Node) -> None:
    """Raise BedError when the image archives could not be loaded: a node does it from its boot on, and kubelet waits for the end."""
    script = "systemctl start spraylab-images || { journalctl -u spraylab-images -n 20 --no-pager; false; }"
    done = ssh(site, node, script, limit_s=IMAGES_LIMIT_S * site.pace)
    if done.rc != 0:
        why = (done.stdout + done.stderr).strip() or f"rc {done.rc}"
        raise BedError(f"the component images did not get into {node.name}", why, "`spraylab doctor` shows what this host lacks")
