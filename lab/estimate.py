"""How long cells will take, from how long they took: what the journals of earlier runs say of the same stage, else of the like of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from threading import Lock

from lab import bed, machines
from lab.course import Course, prefixes
from lab.deadline import ticks_s
from lab.journal import JUDGED, Line
from lab.matrix import GREEN
from lab.model import Cell, Outcome, Topology
from lab.schedule import Need, forecast_s

# Install, checks and evidence of a stage on 2 cores, where no journal tells; by what installs.
STAGE_S: Mapping[str, float] = {"replica": 75.0, "kubespray": 210.0, "kind": 120.0}
NODES_S = 6.0  # from nothing to SSH, and away again
EMULATED = 7.0  # how many times longer a stage takes on emulated machines
EMULATED_NODES_S = 90.0
MEMORY_MIB: Mapping[str, float] = {"control-plane": 1400, "worker": 700, "client": 60}  # measured with all three addons, and some room
CORES: Mapping[str, float] = {"control-plane": 0.9, "worker": 0.4}  # that a node keeps busy on average while its cell runs

INOTIFY: Mapping[str, int] = {"control-plane": 24, "worker": 20, "client": 8}  # instances; counted with all three addons, and some room


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """How long a stage last took until it was judged, and whether what comes behind it was run."""

    seconds: float
    green: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """`by_cell`: cell id -> its last stage; `by_kind`: (what installs, bed, topology, addons it turns on) -> mean seconds of all such
    stages."""

    by_cell: Mapping[str, Took] = field(default_factory=dict)
    by_kind: Mapping[tuple[str, str, str, str], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`seconds` a course will take; `sure`: every stage of it was run before."""

    seconds: float
    sure: bool


def learn(lines: Iterable[Line]) -> Known:
    """What journals tell, oldest line first."""
    by_cell: dict[str, Took] = {}
    of_kind: dict[tuple[str, str, str, str], list[float]] = {}
    for line in lines:
        if line.kind == JUDGED and line.duration_s is not None and line.name in Outcome.__members__:
            at = str(line.more.get("at", ""))
            by_cell[at] = Took(seconds=line.duration_s, green=Outcome[line.name] in GREEN)
            seen = str(line.more.get("bed", "containers")), str(line.more.get("topology", "")), str(line.more.get("stage", ""))
            kind = at.partition("-")[0], *seen  # what installs is the first word of a cell's id
            of_kind.setdefault(kind, []).append(line.duration_s)
    return Known(by_cell=by_cell, by_kind={kind: fmean(seconds) for kind, seconds in of_kind.items()})


def expected(course: Course, known: Known) -> Expected:
    """How long `course` will take, up to the stage that was red last time."""
    seconds, sure = EMULATED_NODES_S if _emulated(course.longest) else NODES_S, True
    for cell in prefixes(course.longest):
        took = known.by_cell.get(cell.id)
        seconds += stage_s(cell, took, known)
        sure = sure and took is not None
        if took and not took.green:
            break
    return Expected(seconds=seconds, sure=sure)


def stage_s(cell: Cell, took: Took | None, known: Known) -> float:
    """How long the last stage of `cell` will take. took: what is known of just this cell."""
    if took:
        return took.seconds
    unseen_s = STAGE_S[cell.ref.source] * (EMULATED if _emulated(cell) else 1)
    return known.by_kind.get((cell.ref.source, cell.bed, str(cell.topology), "+".join(cell.ordering[-1]) or "base"), unseen_s)


def _emulated(cell: Cell) -> bool:
    return "emulated" in bed.find(cell.bed).conditions()


def need(topology: Topology, *, on: str = "containers") -> Need:
    """What the nodes of `topology` take of the host. on: their bed; machines have all that they are given."""
    if not (of_bed := bed.find(on)).by_engine:
        memory_mib = machines.memory_mib(topology, emulated="emulated" in of_bed.conditions())
        return Need(memory_mib=memory_mib, cores=machines.cores(topology), inotify=0)
    counts = {"control-plane": topology.control_planes, "worker": topology.workers, "client": 1}
    return Need(
        memory_mib=sum(MEMORY_MIB[role] * count for role, count in counts.items()),
        cores=sum(CORES.get(role, 0.0) * count for role, count in counts.items()),
        inotify=sum(INOTIFY[role] * count for role, count in counts.items()),
    )


def whole_s(courses: Sequence[Course], known: Known, *, capacity: Need, limit: int | None) -> Expected:
    """How long all `courses` will take on a host with that `capacity`."""
    each = [(need(one.longest.topology, on=one.longest.bed), expected(one, known)) for one in courses]
    seconds = forecast_s([(needed, one.seconds) for needed, one in each], capacity, limit=limit)
    return Expected(seconds=seconds, sure=all(one.sure for _, one in each))


class Forecast:
    """How long the rest of a run will take, kept up to date with what it shows. earlier: lines of the journals of earlier runs."""

    def __init__(self, courses: Sequence[Course], earlier: Sequence[Line], *, capacity: Need, limit: int | None) -> None:
        self.capacity, self._limit, self._lines, self._lock = capacity, limit, list(earlier), Lock()
        self._waiting, self._running = list(courses), dict[Course, float]()

    def heard(self, line: Line) -> None:
        """Take note of a line of this run's journal."""
        if line.kind == JUDGED:
            with self._lock:
                self._lines.append(line)

    def begins(self, course: Course) -> None:
        """A course of this run has begun now."""
        with self._lock:
            self._waiting.remove(course)
            self._running[course] = ticks_s()

    def ended(self, course: Course) -> None:
        """A course of this run has ended now."""
        with self._lock:
            self._running.pop(course, None)

    def left(self) -> Expected:
        """From now to the end of the run."""
        with self._lock:
            known, now_s = learn(self._lines), ticks_s()
            running = [(one, max(0.0, expected(one, known).seconds - (now_s - since_s))) for one, since_s in self._running.items()]
            waiting = [(one, expected(one, known)) for one in self._waiting]
        jobs = [(need(one.longest.topology, on=one.longest.bed), seconds) for one, seconds in running]
        jobs += [(need(one.longest.topology, on=one.longest.bed), will.seconds) for one, will in waiting]
        sure = all(will.sure for _, will in waiting)
        return Expected(seconds=forecast_s(jobs, self.capacity, limit=self._limit), sure=sure)
