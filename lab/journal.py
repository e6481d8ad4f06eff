"""The one stream of facts of a run: one JSON line each, told to listeners as it is written, and read back later."""

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import TextIO

from lab.datafile import decode
from lab.deadline import now_s, ticks_s
from lab.mask import mask

FILE = "journal.jsonl"
WHOLE = ""  # the step that is the whole cell
JUDGED = "judged"  # the kind of line that ends a stage: `more` has the cell it makes (at), its topology and what it turned on (stage)
LOOKED_AT_BYTES = 64 * 2**20  # of the newest journals, for how long a step took last time: a fifth of a second
_CELL = re.compile(r'\{"at_s": [\d.e+]+, "kind": "\w+", "cell": "(?P<cell>[^"\\]*)"')  # how `write` begins a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One fact. `kind`: cell, began, ended, task, build, sample, check, judged, verdict, host, resumed, over, said; `at_s`: Unix time;
    `name`: of the step, task or check; `duration_s` of what ended; `more`: what only this kind has."""

    at_s: float
    kind: str
    cell: str = ""
    name: str = ""
    node: str = ""
    said: str = ""
    duration_s: float | None = None
    more: Mapping[str, object] = field(default_factory=dict)


class Journal:
    """Appends lines to `folder`/journal.jsonl, from any thread; each line is on the disk when `write` returns."""

    def __init__(self, folder: Path, *, tell: Callable[[Line], None] = lambda _: None) -> None:
        self.path = folder / FILE
        self._tell, self._lock = tell, Lock()
        self._file: TextIO = self.path.open("a", buffering=1)

    def write(self, line: Line) -> None:
        """Append `line`, secrets masked, and tell the listener, who hears it also when it cannot be written. Raises OSError."""
        try:
            with self._lock:
                if not self._file.closed:
                    self._file.write(json.dumps(_masked(asdict(line)), default=lambda one: mask(str(one))) + "\n")
        finally:
            self._tell(line)

    def say(self, cell: str, said: str) -> None:
        """Write a sentence for whoever watches."""
        self.write(Line(at_s=now_s(), kind="said", cell=cell, said=said))

    @contextmanager
    def step(self, cell: str, name: str) -> Iterator[None]:
        """Write when the block began, and how long it took when it ended, however it ended."""
        began_s, why = ticks_s(), ""
        self.write(Line(at_s=now_s(), kind="began", cell=cell, name=name))
        try:
            yield
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.write(Line(at_s=now_s(), kind="ended", cell=cell, name=name, duration_s=ticks_s() - began_s, said=why))

    def close(self) -> None:
        """End the file; later lines are only told."""
        with self._lock, suppress(OSError):  # of a line that could not be written: whoever wrote it was told
            self._file.close()


def _masked(value: object) -> object:
    """`value` with every text in it masked; not its JSON, where the `n` of a line break would hide the word after it."""
    if isinstance(value, Mapping):
        return {key: _masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(one) for one in value]
    return mask(value) if isinstance(value, str) else value


def read(path: Path, *, cells: Container[str] | None = None, kinds: Sequence[str] = ()) -> Iterator[Line]:
    """The lines of a journal, first to last, of `cells` and of `kinds` alone where they are given; a line that is none, such as
    the last one of a killed run, is left out."""
    marks = tuple(f'"kind": "{kind}"' for kind in kinds)
    with path.open(errors="replace") as stream:  # of a full disk or a killed machine, anything may be left
        for text in stream:
            if marks and not any(mark in text for mark in marks):
                continue
            if cells is not None and (cell := _CELL.match(text)) and cell["cell"] not in cells:
                continue  # unread: a journal of a whole matrix has hundreds of MiB
            try:
                line = decode(Line, json.loads(text))
            except ValueError:
                continue
            if (not kinds or line.kind in kinds) and (cells is None or line.cell in cells):
                yield line


def of_runs(runs: Path, *, kinds: Sequence[str] = ()) -> Iterator[Line]:
    """The lines of the newest runs below `runs`, oldest first; at least one run."""
    paths: list[Path] = []
    size_bytes = 0
    for path in sorted(runs.glob(f"*/{FILE}"), reverse=True):
        size_bytes += path.stat().st_size
        if paths and size_bytes > LOOKED_AT_BYTES:
            break
        paths.append(path)
    for path in reversed(paths):
        yield from read(path, kinds=kinds)


def last_durations(runs: Path) -> Mapping[tuple[str, str], float]:
    """(cell, step) -> seconds it last took, the whole cell as WHOLE; steps that ended well, in one of the newest runs below `runs`."""
    found: dict[tuple[str, str], float] = {}
    for line in of_runs(runs, kinds=("ended", "task", "verdict")):
        if line.kind in ("ended", "task") and line.duration_s is not None and not line.said:
            found[line.cell, line.name] = line.duration_s
        elif line.kind == "verdict" and line.duration_s is not None:
            found[line.cell, WHOLE] = line.duration_s
    return found
