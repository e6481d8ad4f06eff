"""Copies of folders with all that lies in them: whole, or as second names of the same files."""

import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from lab.command import run
from lab.errors import BedError

LIMIT_S = 600.0


def copy(source: Path, to: Path) -> None:
    """All that lies in `source` into `to`, with owners, times, devices and extended attributes. Raises BedError."""
    to.mkdir(parents=True, exist_ok=True)
    _cp([f"{source}/."], to, "-a", "--reflink=auto")


def copy_sharing(source: Path, to: Path, *, shared: Collection[str]) -> None:
    """As `copy`, but files below the folders `shared` (paths in `source`), which nobody writes to, get second names where that is possible.

    Raises BedError.
    """
    to.mkdir(parents=True, exist_ok=True)
    heads = {path.partition("/")[0] for path in shared}
    _cp([str(child) for child in source.iterdir() if child.name not in heads], to, "-a", "--reflink=auto")
    for head in sorted(heads):
        below = [path.partition("/")[2] for path in shared if path.partition("/")[0] == head]
        if not all(below):
            _cp([str(source / head)], to, "-al" if source.stat().st_dev == to.stat().st_dev else "-a")
        elif (source / head).is_dir():
            copy_sharing(source / head, to / head, shared=below)
    there = source.stat()
    os.chown(to, there.st_uid, there.st_gid)
    shutil.copystat(source, to)


def _cp(sources: Sequence[str], to: Path, *switches: str) -> None:
    if not sources:
        return
    done = run(("cp", *switches, *sources, str(to)), limit_s=LIMIT_S)
    if done.rc != 0:
        why = done.stderr.strip()[-400:] or f"cp ended with {done.rc}"
        raise BedError(
            f"{sources[0].removesuffix('/.')} could not be copied", why, "make room on the disk; the engine must run on this host"
        )
