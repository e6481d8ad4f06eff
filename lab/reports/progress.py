"""What a run is doing now, how long it has taken, how long it took last time and how long is left: a live panel on a terminal, else
plain lines. Several courses run at once; each has a number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from lab.deadline import minutes, ticks_s
from lab.journal import JUDGED, WHOLE, Line
from lab.matrix import COLOUR
from lab.model import Outcome

REFRESH_HZ = 4
LONG_TASK_S = 5.0  # tasks that took longer are worth a line of their own
SAID_CHARACTERS = 200


@dataclass(slots=True)
class _Course:
    """What one set of nodes is doing."""

    number: int
    cell: str
    began_s: float
    step: str = ""
    step_began_s: float = 0.0
    task: str = ""
    task_began_s: float = 0.0


class Progress:
    """A listener of the journal, inside a `with` block. last_s: (cell, step or task) -> seconds it took last time; left_s: seconds the
    run will still take, as far as anybody can tell."""

    def __init__(
        self, console: Console, *, last_s: Mapping[tuple[str, str], float], cells: int, left_s: Callable[[], float] | None = None
    ) -> None:
        self._console, self._last_s, self._cells, self._left_s = console, last_s, cells, left_s
        self._judged, self._courses = 0, dict[str, _Course]()
        self._begun = 0
        self._live = Live(console=console, get_renderable=self._panel, refresh_per_second=REFRESH_HZ, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, line: Line) -> None:
        """Take note of `line`, and print what is worth a line."""
        told: dict[str, Callable[[Line], object]] = {
            "cell": self._course_begins,
            "began": self._step_begins,
            "ended": self._step_ended,
            "task": self._of_task,
            "build": self._of_build,
            "said": lambda line: self._print(line, line.said),
            "check": self._of_check,
            JUDGED: self._of_stage,
            "verdict": self._of_verdict,
            "resumed": self._resumed,
            "over": lambda line: self._courses.pop(line.cell, None),
        }
        if line.kind in told:
            told[line.kind](line)

    def _print(self, line: Line, text: str, style: str = "") -> None:
        number = f"[{self._judged}/{self._cells}]" if self._cells else ""
        course = self._courses.get(line.cell)
        mark = f"#{course.number} " if course else ""
        self._console.print(Text(f"{number:>7} {mark}{text}".rstrip(), style=style), soft_wrap=True)

    def _of(self, line: Line) -> _Course:
        return self._courses.get(line.cell) or _Course(number=0, cell=line.cell, began_s=ticks_s())

    def _panel(self) -> Group:
        rows: list[RenderableType] = []
        for course in tuple(self._courses.values()):
            rows.append(Spinner("dots", Text(f" #{course.number} {course.cell} {self._took(course, course.began_s, WHOLE)}")))
            if course.step:
                rows.append(Text(f"     {course.step} {self._took(course, course.step_began_s, course.step)}"))
            if course.task:
                rows.append(Text(f"       {course.task} {self._took(course, course.task_began_s, course.task)}", style="dim"))
        if rows and self._cells:
            rows.append(Text(f" {self._judged} of {self._cells} cells{self._left()}", style="bold"))
        return Group(*rows)

    def _left(self) -> str:
        return f", about {minutes(self._left_s())} left" if self._left_s and self._judged < self._cells else ""

    def _took(self, course: _Course, since_s: float, name: str) -> str:
        last_s = self._last_s.get((course.cell, name))
        return f"{ticks_s() - since_s:.0f} s" + (f" (last time {last_s:.0f} s)" if last_s else "")

    def _step_begins(self, line: Line) -> None:
        course = self._of(line)
        course.step, course.task, course.step_began_s = line.name, "", ticks_s()
        last_s = self._last_s.get((line.cell, line.name))
        if not self._console.is_terminal and last_s and last_s > LONG_TASK_S:
            self._print(line, f"{line.name}: last time {last_s:.0f} s", "dim")

    def _step_ended(self, line: Line) -> None:
        self._print(line, f"{line.name}: {line.duration_s or 0:.1f} s" + (f", {line.said}" if line.said else ""), "dim")
        course = self._of(line)
        course.step = course.task = ""

    def _of_task(self, line: Line) -> None:
        course = self._of(line)
        if line.more.get("is") == "start":
            course.task, course.task_began_s = line.name, ticks_s()
        elif line.duration_s and line.duration_s >= LONG_TASK_S:
            self._print(line, f"  {line.name} on {line.node}: {line.duration_s:.0f} s, {line.more.get('is')}", "dim")
        if line.said and line.more.get("is") != "retry":  # a task that waits retries for a living
            self._print(line, f"  {line.name} on {line.node}: {_short(line.said)}", "dim")

    def _of_build(self, line: Line) -> None:
        if line.duration_s is None:
            course = self._of(line)
            course.step, course.step_began_s = line.name, ticks_s()
            self._print(line, f"{line.name}: about {minutes(line.more.get('expected_s'))}")
        else:
            self._print(line, f"{line.name}: {minutes(line.duration_s)}", "dim")

    def _of_check(self, line: Line) -> None:
        outcome = Outcome[str(line.more["outcome"])]
        if outcome not in (Outcome.PASS, Outcome.SKIP):
            self._print(line, f"  {outcome.name} {line.name} on {line.node}: {_short(line.said)}", COLOUR[outcome])

    def _of_stage(self, line: Line) -> None:
        outcome = Outcome[line.name]
        self._print(line, f"after stage {line.more.get('stage')}: {outcome.name}, {line.duration_s or 0:.0f} s", COLOUR[outcome])

    def _of_verdict(self, line: Line) -> None:
        self._judged += 1
        outcome = Outcome[line.name]
        self._print(line, f"{outcome.name} {line.cell} after {line.duration_s or 0:.0f} s: {_short(line.said)}", COLOUR[outcome])
        if left := self._left():
            self._print(line, left.removeprefix(", "), "dim")

    def _resumed(self, line: Line) -> None:
        self._judged += int(str(line.more.get("cells", 0)))

    def _course_begins(self, line: Line) -> None:
        self._begun += 1
        self._courses[line.cell] = _Course(number=self._begun, cell=line.cell, began_s=ticks_s())
        last_s = self._last_s.get((line.cell, WHOLE))
        self._print(line, line.cell + (f" (last time {last_s:.0f} s)" if last_s else ""), "bold")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAID_CHARACTERS else f"{line[: SAID_CHARACTERS - 1]}…"
