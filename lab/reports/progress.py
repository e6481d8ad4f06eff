"""What a run is doing now, how long it has taken and how long it took last time: a live panel on a terminal, else plain lines."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from lab.deadline import ticks_s
from lab.journal import WHOLE, Line
from lab.matrix import COLOUR
from lab.model import Outcome

REFRESH_HZ = 4
LONG_TASK_S = 5.0  # tasks that took longer are worth a line of their own
SAID_CHARACTERS = 200


class Progress:
    """A listener of the journal, inside a `with` block. last_s: (cell, step or task) -> seconds it took last time."""

    def __init__(self, console: Console, *, last_s: Mapping[tuple[str, str], float], cells: int) -> None:
        self._console, self._last_s, self._cells = console, last_s, cells
        self._begun = 0
        self._cell, self._step, self._task = "", "", ""
        self._cell_began_s = self._step_began_s = self._task_began_s = ticks_s()
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
        told = {
            "cell": self._cell_begins,
            "began": self._step_begins,
            "ended": self._step_ended,
            "task": self._of_task,
            "build": self._of_build,
            "said": lambda line: self._print(line.said),
            "check": self._of_check,
            "verdict": self._of_verdict,
        }
        if line.kind in told:
            told[line.kind](line)

    def _print(self, text: str, style: str = "") -> None:
        number = f"[{self._begun}/{self._cells}]" if self._cells else ""
        self._console.print(Text(f"{number:>7} {text}".rstrip(), style=style), soft_wrap=True)

    def _panel(self) -> Group:
        if not self._step:
            return Group()
        step = f" {self._step} {self._took(self._step_began_s, self._step)}"
        rows: list[RenderableType] = [Spinner("dots", Text(f" {self._cell} {self._took(self._cell_began_s, WHOLE)}")), Text(step)]
        if self._task:
            rows.append(Text(f"  {self._task} {self._took(self._task_began_s, self._task)}", style="dim"))
        return Group(*rows)

    def _took(self, since_s: float, name: str) -> str:
        last_s = self._last_s.get((self._cell, name))
        return f"{ticks_s() - since_s:.0f} s" + (f" (last time {last_s:.0f} s)" if last_s else "")

    def _step_begins(self, line: Line) -> None:
        self._step, self._task, self._step_began_s = line.name, "", ticks_s()
        last_s = self._last_s.get((line.cell, line.name))
        if not self._console.is_terminal and last_s and last_s > LONG_TASK_S:
            self._print(f"{line.name}: last time {last_s:.0f} s", "dim")

    def _step_ended(self, line: Line) -> None:
        self._print(f"{line.name}: {line.duration_s or 0:.1f} s" + (f", {line.said}" if line.said else ""), "dim")
        self._step = self._task = ""

    def _of_task(self, line: Line) -> None:
        if line.more.get("is") == "start":
            self._task, self._task_began_s = line.name, ticks_s()
        elif line.duration_s and line.duration_s >= LONG_TASK_S:
            self._print(f"  {line.name} on {line.node}: {line.duration_s:.0f} s, {line.more.get('is')}", "dim")
        if line.said and line.more.get("is") != "retry":  # a task that waits retries for a living
            self._print(f"  {line.name} on {line.node}: {_short(line.said)}", "dim")

    def _of_build(self, line: Line) -> None:
        if line.duration_s is None:
            self._step, self._step_began_s = line.name, ticks_s()
            self._print(f"{line.name}: about {_minutes(line.more.get('expected_s'))}")
        else:
            self._print(f"{line.name}: {_minutes(line.duration_s)}", "dim")

    def _of_check(self, line: Line) -> None:
        outcome = Outcome[str(line.more["outcome"])]
        if outcome not in (Outcome.PASS, Outcome.SKIP):
            self._print(f"  {outcome.name} {line.name} on {line.node}: {_short(line.said)}", COLOUR[outcome])

    def _of_verdict(self, line: Line) -> None:
        outcome = Outcome[line.name]
        self._print(f"{outcome.name} after {line.duration_s or 0:.0f} s: {line.said}", COLOUR[outcome])

    def _cell_begins(self, line: Line) -> None:
        self._begun += 1
        self._cell, self._step, self._cell_began_s = line.cell, "", ticks_s()
        last_s = self._last_s.get((line.cell, WHOLE))
        self._print(line.cell + (f" (last time {last_s:.0f} s)" if last_s else ""), "bold")


def announced(cells: Sequence[str], last_s: Mapping[tuple[str, str], float]) -> str:
    """How many cells, and how long they took last time, as far as that is known."""
    known = [last_s[cell, WHOLE] for cell in cells if (cell, WHOLE) in last_s]
    took = f", {len(known)} of them took {_minutes(sum(known))} last time" if known else ", none of them run here before"
    return f"{len(cells)} cell{'' if len(cells) == 1 else 's'}{took}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SAID_CHARACTERS else f"{line[: SAID_CHARACTERS - 1]}…"


def _minutes(seconds: object) -> str:
    given = float(seconds) if isinstance(seconds, int | float) else 0.0
    return f"{given / 60:.0f} min" if given >= 100 else f"{given:.0f} s"
