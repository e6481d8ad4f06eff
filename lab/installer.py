"""Runs one stage by ansible-playbook, streams its events, and tells what kubeadm init did by what was seen.

Ansible's events come as marked lines of its output, written by the callback plugin in lab/ansible/callback.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from threading import Event
from typing import TextIO

from lab import inventory, tasks
from lab.command import RC_LIMIT, RC_STOPPED, run
from lab.datafile import decode
from lab.errors import InstallError
from lab.mask import mask
from lab.model import Completed, Site, Stage, StageRun, TaskEvent
from lab.playbooks import Playbooks

CALLBACKS = Path(__file__).parent / "ansible" / "callback"
MARK = "@lab-event@"  # as lab_events.py writes it
FORKS = 10
ANSWER_S = 300  # of a slow node, to a connection and to sudo's prompt; an emulated one was seen to miss the 12 s that are usual

OnEvent = Callable[[TaskEvent], None]


def install(stage: Stage, *, site: Site, playbooks: Playbooks, folder: Path, on_event: OnEvent, stop: Event, limit_s: float) -> StageRun:
    """Run `stage` on the nodes of `site`; a playbook that fails is a value.

    folder: gets inventory/, ansible.log and events.jsonl, secrets masked. on_event: called from another thread with each
    event as it comes. stop: when set, ansible-playbook is ended and the nodes stay as they are, kubeadm too.
    Raises InstallError when the playbooks could not be started at all.
    """
    _write_inventory(inventory.render(stage, site), folder)
    root, events = playbooks.cluster.parent.resolve(), list[TaskEvent]()
    with (folder / "ansible.log").open("w", buffering=1) as log, (folder / "events.jsonl").open("w", buffering=1) as kept:
        done = run(
            _argv(stage, playbooks, folder),
            limit_s=limit_s,
            env=_environment(site, playbooks, folder),
            cwd=playbooks.cluster.parent,
            on_line=lambda line: _line(line, events, on_event, log=log, kept=kept, root=root),
            stop=stop,
        )
        log.write(done.stderr)
    if done.rc not in (0, RC_STOPPED, RC_LIMIT) and not any(event.kind in tasks.ENDED for event in events):
        said = (done.stderr or done.stdout).strip()[-tasks.SAID_CHARACTERS :]
        raise InstallError(f"ansible-playbook ended with {done.rc} before any task", said, f"see {folder / 'ansible.log'}")
    told = outcome(stage, done, tuple(events), init_tasks=playbooks.init_tasks)
    return replace(told, failed_at=f"{told.failed_at} of {playbooks.label}") if told.failed_at else told


def event_of(line: str) -> TaskEvent | None:
    """The event that an output line carries, secrets masked; None when it carries none."""
    if not line.startswith(MARK):
        return None
    try:
        event = decode(TaskEvent, json.loads(base64.b64decode(line.removeprefix(MARK).strip(), validate=True)))
    except ValueError:
        return None
    return replace(event, said=mask(event.said), task=mask(event.task))


def outcome(stage: Stage, done: Completed, events: tuple[TaskEvent, ...], *, init_tasks: tuple[str, ...]) -> StageRun:
    """What `events` say about the run `done`: attempts of kubeadm init are those that were seen to start."""
    of_init = [event for event in events if event.task.rpartition(" : ")[2] in init_tasks]
    idle = {(event.task, event.node) for event in of_init if event.kind in ("skipped", "unreachable")}
    of_init = [event for event in of_init if (event.task, event.node) not in idle]
    starts, retries = ([event for event in of_init if event.kind == kind] for kind in ("start", "retry"))
    ends = [event for event in of_init if event.kind in tasks.ENDED]
    told = [event for event in of_init if event.kind in ("retry", *tasks.ENDED) and event.rc is not None]
    began = starts[0].at_s if starts else None
    until_s = ends[-1].at_s if len(ends) >= len(starts) > 0 else done.started_at_s + done.duration_s
    stopped = done.rc == RC_STOPPED
    run = StageRun(
        stage=stage.name,
        rc=None if stopped else done.rc,
        duration_s=done.duration_s,
        attempts=len(starts) + len(retries),
        init_rc=told[-1].rc if starts and told else None,
        init_s=until_s - began if began is not None else 0.0,
        stopped_after_s=(until_s - began if began is not None else 0.0) if stopped else None,
        slowest=tasks.slowest(events, until_s=done.started_at_s + done.duration_s),
    )
    if done.rc == 0:
        return run
    whole = (done.started_at_s, done.started_at_s + done.duration_s) if done.rc == RC_LIMIT else None
    failed = _failed(run, tasks.failure(events), outside="" if stopped else mask(done.stderr.strip()))
    return replace(failed, failed_during=whole or failed.failed_during)


def _failed(run: StageRun, failure: tasks.Failure | None, *, outside: str) -> StageRun:
    """`run` with what failed in it. outside: what Ansible said of itself, such as of a file of tasks that it cannot read."""
    limit = f"ended by the lab after its limit of {run.duration_s:.0f} s; " if run.rc == RC_LIMIT else ""
    if failure is None:
        return replace(run, failed_said=limit + outside[-tasks.SAID_CHARACTERS :])
    return replace(
        run,
        failed_task=failure.task,
        failed_said=limit + failure.said,
        failed_at=failure.at,
        failed_node=failure.node,
        failed_rc=failure.rc,
        failed_first=failure.first,
        failed_during=failure.during,
    )


def _write_inventory(made: inventory.Inventory, folder: Path) -> None:
    hosts = folder / "inventory" / "hosts.yaml"
    variables = folder / "inventory" / "group_vars" / "all.yaml"
    variables.parent.mkdir(parents=True, exist_ok=True)
    hosts.write_text(made.hosts)
    variables.write_text(made.variables)


def arguments(stage: Stage, *, hosts: str, more: tuple[str, ...], playbook: str) -> tuple[str, ...]:
    """What `ansible-playbook` is told for `stage`. hosts: path of the inventory; more: what the source of the playbooks adds."""
    tags = ("--tags", ",".join(stage.tags)) if stage.tags else ()
    return ("-i", hosts, "-b", *more, *tags, playbook)


def _argv(stage: Stage, playbooks: Playbooks, folder: Path) -> tuple[str, ...]:
    hosts = str(folder.absolute() / "inventory" / "hosts.yaml")
    told = arguments(stage, hosts=hosts, more=playbooks.arguments, playbook=str(playbooks.cluster.with_name(stage.playbook)))
    return (*playbooks.ansible_playbook, *told)


def _environment(site: Site, playbooks: Playbooks, folder: Path) -> Mapping[str, str]:
    """What holds whatever the ansible.cfg beside the playbooks says."""
    return {
        "ANSIBLE_CONFIG": str(playbooks.cluster.parent / "ansible.cfg"),
        "ANSIBLE_SSH_ARGS": f"-F {site.ssh_config.absolute()}",
        "ANSIBLE_REMOTE_USER": "root",  # as the SSH configuration says, to ssh alone: Ansible would start sudo for every task
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": str(FORKS),
        **({"ANSIBLE_TIMEOUT": str(ANSWER_S)} if site.pace > 1 else {}),
        "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
        "ANSIBLE_CALLBACKS_ENABLED": "lab_events",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder.absolute() / "facts"),
        "ANSIBLE_LOCAL_TEMP": str(folder.absolute() / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_FORCE_COLOR": "False",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        **playbooks.env,
    }


def _line(line: str, events: list[TaskEvent], on_event: OnEvent, *, log: TextIO, kept: TextIO, root: Path) -> None:
    event = event_of(line)
    if event is None:
        log.write(line + "\n")
        return
    event = replace(event, path=event.path.removeprefix(f"{root}/"))
    events.append(event)
    kept.write(json.dumps(asdict(event)) + "\n")
    on_event(event)
