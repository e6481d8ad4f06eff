"""What Ansible's events say of its tasks: where and how the installer failed, what took longest; told as the fact `ansible`. Pure."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lab.model import StageRun, TaskEvent

ENDED = frozenset({"ok", "changed", "failed", "skipped", "unreachable"})
FAILED = frozenset({"failed", "unreachable"})
SLOWEST = 5  # tasks of a stage that are told
SAID_CHARACTERS = 3000  # of a failed task, in the result; the log has all of it
LATE_RC = (124, 137)  # of timeout(1), which ended or killed what a task ran
# How programs say that something did not come in time, or was not there when it was asked.
LATE = re.compile(r"(?i)timed out|time-?out\b|deadline exceeded|not healthy after|connection (?:refused|reset)|was refused|leader changed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The task that failed last. `at`: its file and line; `first`: what its first try said, empty where that is what it said last;
    `during`: Unix times from its first try to its end, where something did not come in time: it was ended, tried in vain, or says so."""

    task: str
    at: str
    node: str
    rc: int | None
    said: str
    first: str = ""
    during: tuple[float, float] | None = None


def failure(events: Iterable[TaskEvent]) -> Failure | None:
    """What failed last; None where nothing did. An earlier failure may have been rescued: its playbook went on.

    First try is what Ansible retries by itself, and what a block named alike tries before: `... (1st try)`, then `... (retry)`.
    """
    heard = tuple(events)
    last = next((event for event in reversed(heard) if event.kind in FAILED), None)
    if last is None:
        return None
    of_task: list[TaskEvent] = []
    for event in heard[: heard.index(last) + 1]:
        if (_stem(event.task), event.node) == (_stem(last.task), last.node):  # playbooks may run a task many times: the last time counts
            of_task = [*of_task, event] if event.kind not in ENDED - FAILED else []
    tried = [event for event in of_task if event.kind != "start"]
    first, late = tried[0], len(tried) > 1 or last.rc in LATE_RC or bool(LATE.search(last.said))
    return Failure(
        task=last.task,
        at=last.path,
        node=last.node,
        rc=last.rc,
        said=last.said[-SAID_CHARACTERS:],
        first=first.said[-SAID_CHARACTERS:] if first.said != last.said else "",
        during=(of_task[0].at_s, last.at_s) if late else None,
    )


def slowest(events: Iterable[TaskEvent], *, until_s: float, number: int = SLOWEST) -> tuple[tuple[str, float], ...]:
    """The tasks that took longest, with their seconds; of a task that ran several times the sum, on the node where it took longest.

    until_s: when the stage ended, on the clock of the events, for the task that it was ended in.
    """
    took: dict[tuple[str, str], float] = {}
    began_s: dict[tuple[str, str], float] = {}
    for event in events:
        key = event.task, event.node
        if event.kind == "start":
            began_s[key] = event.at_s
        elif event.kind in ENDED and key in began_s:
            took[key] = took.get(key, 0.0) + event.at_s - began_s.pop(key)
    for key, since_s in began_s.items():
        took[key] = took.get(key, 0.0) + max(0.0, until_s - since_s)
    by_task: dict[str, float] = {}
    for (task, _), seconds in took.items():
        by_task[task] = max(seconds, by_task.get(task, 0.0))
    return tuple(sorted(by_task.items(), key=lambda one: -one[1])[:number])


def told(runs: Iterable[StageRun]) -> str:
    """The fact `ansible`: how each stage ended and, of one that failed, its task, place, node and words, one to a line."""
    return "\n".join(line for run in runs for line in _told(run))


def _told(run: StageRun) -> Iterator[str]:
    yield f"stage: {run.stage}, {'stopped' if run.rc is None else f'rc {run.rc}'} after {run.duration_s:.0f} s"
    if run.failed_task:
        yield f"task: {run.failed_task}"
        yield f"at: {run.failed_at}"
        yield f"node: {run.failed_node}, rc {'none' if run.failed_rc is None else run.failed_rc}"
    yield from (f"first: {line}" for line in run.failed_first.splitlines() if line.strip())
    yield from (f"said: {line}" for line in run.failed_said.splitlines() if line.strip())


def _stem(task: str) -> str:
    return task.partition(" (")[0]
