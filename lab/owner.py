"""Whose something is: the mark that everything a run creates carries, and folders for sockets that carry it too."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.host import HOST, started

RUN_FOLDER = Path("/run/spraylab")  # short paths (a socket's may have 107 bytes), on memory, gone with the next boot
OWNER_FILE = "owner.json"  # in each folder below it
OWNER = "spraylab.owner"  # label: the run
CELL = "spraylab.cell"
PID = "spraylab.pid"  # of the lab's process
STARTED = "spraylab.started"  # of that process, so that a reused number is not mistaken for it
SLOT = "spraylab.slot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The process that made something, and for which run."""

    run_id: str
    pid: int
    started: str

    def labels(self) -> dict[str, str]:
        """What everything it creates carries."""
        return {OWNER: self.run_id, PID: str(self.pid), STARTED: self.started}

    def alive(self, *, root: Path = HOST) -> bool:
        """Whether that very process still runs on this host."""
        return bool(self.started) and started(self.pid, root=root) == self.started

    def named(self, name: str) -> bool:
        """Whether `name` is one that something of its run has on the host."""
        return bool(self.run_id) and re.match(rf"spraylab-{re.escape(self.run_id)}-s\d+-", name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Whose the things of one cell in one slot are: the labels they carry, and how their names begin."""

    owner: Owner
    cell: str
    slot: int

    def labels(self) -> dict[str, str]:
        """What each of them carries."""
        return {**self.owner.labels(), CELL: self.cell, SLOT: str(self.slot)}

    def is_on(self, labels: Mapping[str, str]) -> bool:
        """Whether something with `labels` is one of them."""
        return self.labels().items() <= labels.items()

    def name(self, thing: str) -> str:
        """The name that one of them has on the host."""
        return f"spraylab-{self.owner.run_id}-s{self.slot}-{thing}"


def this_process(run_id: str) -> Owner:
    """Name this process as the owner of `run_id`."""
    return Owner(run_id=run_id, pid=os.getpid(), started=started(os.getpid()))


def of_labels(labels: Mapping[str, str]) -> Owner | None:
    """Who the labels say owns it; None when the lab does not own it."""
    if not (run_id := labels.get(OWNER, "")):
        return None
    pid = labels.get(PID, "")
    return Owner(run_id=run_id, pid=int(pid) if pid.isdigit() else 0, started=labels.get(STARTED, ""))


def make_folder(kind: str, *, run_id: str = "") -> Path:
    """Make a folder under /run/spraylab that says whose it is; whoever asked for it removes it."""
    path = RUN_FOLDER / f"{kind}-{secrets.token_hex(4)}"
    path.mkdir(parents=True, mode=0o700)
    _sign(path, run_id)
    return path


@contextmanager
def signed(path: Path, *, run_id: str) -> Iterator[None]:
    """A block in which the folder `path` says that this process works in it."""
    _sign(path, run_id)
    try:
        yield
    finally:
        (path / OWNER_FILE).unlink(missing_ok=True)


def _sign(path: Path, run_id: str) -> None:
    (path / OWNER_FILE).write_text(json.dumps(asdict(this_process(run_id))))


@contextmanager
def folder(kind: str, *, run_id: str = "") -> Iterator[Path]:
    """A folder as of `make_folder` for as long as the block runs."""
    path = make_folder(kind, run_id=run_id)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def of_folder(path: Path) -> Owner | None:
    """Who owns a folder of `make_folder`, or works in one that is `signed`; None when it does not tell (yet)."""
    try:
        raw = json.loads((path / OWNER_FILE).read_text())
        return Owner(run_id=str(raw["run_id"]), pid=int(raw["pid"]), started=str(raw["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
