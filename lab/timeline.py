"""The journal lines of one cell -> what happened when, as rows of spans and marks that a picture can show. Pure.

What samples tell holds from one sample to the next; where none was taken for a while, nothing is claimed.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lab.journal import Line
from lab.listeners import in_question, listeners
from lab.model import API_PORT, Outcome

GAP_S = 20.0  # between two samples of a node; after a longer one nobody knows what was meanwhile
LONG_TASK_S = 5.0  # shorter tasks of Ansible would hide the others
PROBES = ("addresses", "lease", "listeners")
State = Literal["step", "task", "done", "failed", "stopped", "yes", "no", "note"]
_HOLDER = re.compile(r'^\s*holderIdentity:\s*"?(?P<holder>[^"\s]*)"?\s*$', re.MULTILINE)
_NO_LEASE = re.compile(r'"plndr-cp-lock" not found|\(NotFound\)')
_ENDED = {"ok": "done", "changed": "done", "failed": "failed", "unreachable": "failed"}

Samples = Mapping[str, Sequence[tuple[float, Mapping[str, str]]]]  # node -> when, and all its facts then


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that lasted; seconds since the cell began."""

    name: str
    begins_s: float
    ends_s: float
    state: State
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at one moment; seconds since the cell began."""

    name: str
    at_s: float
    outcome: Outcome | None = None
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What belongs on one line of a picture."""

    name: str
    spans: tuple[Span, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One cell from its first line to its last. `says`: the same in sentences, for who cannot see a picture."""

    cell: str
    ends_s: float
    rows: tuple[Row, ...]
    says: tuple[str, ...]


def slim(line: Line) -> Line:
    """`line` without the facts that no timeline shows; they are most of a journal."""
    facts = line.more.get("facts")
    if line.kind != "sample" or not isinstance(facts, Mapping):
        return line
    return replace(line, more={**line.more, "facts": {probe: facts[probe] for probe in PROBES if probe in facts}})


def build(lines: Iterable[Line], *, vip: str, init_tasks: Collection[str], api_port: int = API_PORT) -> Timeline | None:
    """The timeline of the cell that `lines` are of; of the last time it began, None when it never did.

    vip: its virtual address, empty where it is not known; init_tasks: what tasks that run kubeadm init may be called; api_port: where its
    API servers listen.
    """
    of_cell = _last_time(lines)
    if not of_cell:
        return None
    zero_s, last_s = of_cell[0].at_s, max(line.at_s for line in of_cell)
    since = [replace(line, at_s=line.at_s - zero_s) for line in of_cell]
    samples = _samples(since, zero_s)
    rows = [_steps(since), _tasks(since, init_tasks), *_inits(since, init_tasks), _checks(since)]
    rows += [*_vip(samples, vip), _lease(samples), *_ports(samples, in_question(api_port)), _notes(since), _verdict(since)]
    shown = tuple(row for row in rows if row.spans or row.marks)
    return Timeline(cell=of_cell[0].cell, ends_s=last_s - zero_s, rows=shown, says=tuple(_says(shown)))


def _last_time(lines: Iterable[Line]) -> list[Line]:
    found: list[Line] = []
    for line in lines:
        if line.kind == "cell":
            found = [line]
        elif found:
            found.append(line)
    return found


def _steps(lines: Sequence[Line]) -> Row:
    """Nested steps do not occur; one that never ended, of a killed run, ends with the last line."""
    began: dict[str, float] = {}
    spans = []
    for line in lines:
        if line.kind == "began":
            began[line.name] = line.at_s
        elif line.kind == "ended" and line.name in began:
            state: State = "failed" if line.said else "step"
            spans.append(Span(name=line.name, begins_s=began.pop(line.name), ends_s=line.at_s, state=state, said=line.said))
    spans += [Span(name=name, begins_s=at_s, ends_s=lines[-1].at_s, state="stopped") for name, at_s in began.items()]
    return Row(name="steps", spans=tuple(spans))


def _tasks(lines: Sequence[Line], init_tasks: Collection[str]) -> Row:
    """A task that runs on several nodes at once is one span; a failed one is marked however short it was."""
    of_task = [line for line in lines if line.kind == "task" and _plain(line.name) not in init_tasks]
    spans: list[Span] = []
    for line in of_task:
        if (line.duration_s or 0.0) < LONG_TASK_S:
            continue
        span = Span(
            name=_plain(line.name),
            begins_s=line.at_s - (line.duration_s or 0.0),
            ends_s=line.at_s,
            state="failed" if line.more.get("is") in ("failed", "unreachable") else "task",
            said=f"on {line.node}",
        )
        if spans and spans[-1].name == span.name and span.begins_s < spans[-1].ends_s:
            both = f"{spans[-1].said}, {line.node}"
            state: State = "failed" if "failed" in (spans[-1].state, span.state) else span.state
            spans[-1] = replace(span, begins_s=min(span.begins_s, spans[-1].begins_s), said=both, state=state)
        else:
            spans.append(span)
    failed = [line for line in of_task if line.more.get("is") in ("failed", "unreachable")]
    marks = [Mark(name=f"{_plain(line.name)} on {line.node}", at_s=line.at_s, outcome=Outcome.FAIL, said=line.said) for line in failed]
    return Row(name="Ansible tasks", spans=tuple(spans), marks=tuple(marks))


def _inits(lines: Sequence[Line], init_tasks: Collection[str]) -> Iterator[Row]:
    """A row per node that kubeadm init ran on, a span per attempt; one that nothing ended was stopped with its stage."""
    by_node: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.kind == "task" and _plain(line.name) in init_tasks:
            by_node[line.node].append(line)
    stage_ends = [line.at_s for line in lines if line.kind == "ended" and line.name.startswith("stage ")] or [lines[-1].at_s]
    for node, told in by_node.items():
        spans: list[Span] = []
        began_s: float | None = None
        for line in told:
            how = str(line.more.get("is"))
            if how == "start":
                began_s = line.at_s
            elif began_s is not None:
                if how != "skipped":
                    spans.append(_attempt(len(spans) + 1, began_s, line, how))
                began_s = line.at_s if how == "retry" else None
        if began_s is not None:
            ends_s = next((at_s for at_s in stage_ends if at_s >= began_s), lines[-1].at_s)
            spans.append(Span(name=f"attempt {len(spans) + 1}", begins_s=began_s, ends_s=ends_s, state="stopped", said="stopped"))
        yield Row(name=f"kubeadm init on {node}", spans=tuple(spans))


def _attempt(number: int, began_s: float, line: Line, how: str) -> Span:
    rc = line.more.get("rc")
    state: State = "done" if _ENDED.get(how) == "done" else "failed"
    return Span(name=f"attempt {number}", begins_s=began_s, ends_s=line.at_s, state=state, said="" if rc is None else f"rc={rc}")


def _checks(lines: Sequence[Line]) -> Row:
    marks = [
        Mark(name=f"{line.name} on {line.node}", at_s=line.at_s, outcome=_outcome(str(line.more.get("outcome"))), said=line.said)
        for line in lines
        if line.kind == "check"
    ]
    return Row(name="checks", marks=tuple(marks))


def _verdict(lines: Sequence[Line]) -> Row:
    told = (line for line in lines if line.kind == "verdict")
    return Row(
        name="verdict", marks=tuple(Mark(name=line.name, at_s=line.at_s, outcome=_outcome(line.name), said=line.said) for line in told)
    )


def _notes(lines: Sequence[Line]) -> Row:
    return Row(name="notes", marks=tuple(Mark(name="note", at_s=line.at_s, said=line.said) for line in lines if line.kind == "said"))


def _samples(lines: Sequence[Line], zero_s: float) -> Samples:
    """A sample has only what is new since the one before; here each has all that held then."""
    held: dict[str, dict[str, str]] = defaultdict(dict)
    found: dict[str, list[tuple[float, Mapping[str, str]]]] = defaultdict(list)
    for line in lines:
        facts, node, at_s = line.more.get("facts"), str(line.more.get("node", "")), line.more.get("at_s")
        if line.kind == "sample" and isinstance(facts, Mapping):
            held[node] = held[node] | {str(probe): str(text) for probe, text in facts.items()}
            found[node].append((at_s - zero_s if isinstance(at_s, int | float) else line.at_s, held[node]))
    return {node: found[node] for node in sorted(found)}


def _vip(samples: Samples, vip: str) -> Iterator[Row]:
    def held(text: str | None) -> str | None:
        return None if text is None or " inet " not in text else "held" if f" inet {vip}/" in text else "not held"

    for node, taken in samples.items() if vip else ():
        yield Row(name=f"VIP on {node}", spans=_spans([(at_s, held(facts.get("addresses"))) for at_s, facts in taken], no="not held"))


def _lease(samples: Samples) -> Row:
    """All nodes together: the newest readable answer counts, for they ask the same API."""
    told: list[tuple[float, str | None]] = []
    newest: dict[str, str | None] = {}
    for at_s, node, text in sorted((at_s, node, facts.get("lease", "")) for node, taken in samples.items() for at_s, facts in taken):
        newest[node] = _holder(text)
        told.append((at_s, newest[node] or next((one for one in newest.values() if one), None)))
    return Row(name="lease holder", spans=_spans(told, no="nobody"))


def _holder(text: str) -> str | None:
    match = _HOLDER.search(text)
    return (match["holder"] or "nobody") if match else "nobody" if _NO_LEASE.search(text) else None


def _ports(samples: Samples, ports: Iterable[int]) -> Iterator[Row]:
    def on(port: int) -> Callable[[str], str]:
        return lambda text: " and ".join(sorted({process for seen, process in listeners(text) if seen == port})) or "nobody"

    for node, taken in samples.items():
        for port in ports:
            who = on(port)
            told = [(at_s, who(facts["listeners"]) if "LISTEN" in facts.get("listeners", "") else None) for at_s, facts in taken]
            yield Row(name=f"port {port} on {node}", spans=_spans(told, no="nobody"))


def _spans(told: Sequence[tuple[float, str | None]], *, no: str) -> tuple[Span, ...]:
    """What holds from one sample to the next, as spans; `no`: what a sample says where there is nothing."""
    spans: list[Span] = []
    for number, (at_s, what) in enumerate(told, start=1):
        next_s = told[number][0] if number < len(told) else at_s
        ends_s = next_s if next_s - at_s <= GAP_S else at_s
        if what is None:
            continue
        if spans and spans[-1].name == what and spans[-1].ends_s == at_s:
            spans[-1] = replace(spans[-1], ends_s=ends_s)
        else:
            spans.append(Span(name=what, begins_s=at_s, ends_s=ends_s, state="no" if what == no else "yes"))
    return tuple(spans)


def _says(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        spans = [f"{one.name}{f' ({one.said})' if one.said else ''} from {one.begins_s:.0f} s to {one.ends_s:.0f} s" for one in row.spans]
        marks = [f"{_named(one)} at {one.at_s:.0f} s" for one in row.marks]
        yield f"{row.name}: {', '.join([*spans, *marks])}."


def _named(mark: Mark) -> str:
    return mark.name if mark.outcome is None or mark.name == mark.outcome.name else f"{mark.name} {mark.outcome.name}"


def _plain(task: str) -> str:
    """The name of a task without that of its role."""
    return task.rpartition(" : ")[2]


def _outcome(name: str) -> Outcome | None:
    return Outcome.__members__.get(name)
