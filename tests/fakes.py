"""What tests of several modules put in place of the real thing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from lab.deadline import until
from lab.host import started

SILENT = "echo $$ >{folder}/pid.part && mv {folder}/pid.part {folder}/pid; exec sleep 300"  # of a program that says nothing and stays


def program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `name` that does `script`, in the place of the real one; `{folder}` in it is `folder`."""
    (folder / "bin").mkdir(exist_ok=True)
    one = folder / "bin" / name
    one.write_text(f"#!/bin/sh\n{script.replace('{folder}', str(folder))}\n")
    one.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


def gone(folder: Path) -> bool:
    """Whether the program that did SILENT in `folder` has ended."""
    pid = int((folder / "pid").read_text())
    return until(lambda: started(pid), lambda seen: not seen, limit_s=10, every_s=0.05) == ""


@contextmanager
def set_once_there(path: Path, event: Event) -> Iterator[None]:
    """A block in which `event` is set as soon as `path` is there."""
    over = Event()

    def wait() -> None:
        if until(lambda: over.is_set() or path.exists(), bool, limit_s=60, every_s=0.02) and not over.is_set():
            event.set()

    waiting = Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()
