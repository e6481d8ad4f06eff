"""What this host can do for the lab, its container engine asked too."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from lab import ability, cachedir, engine, host
from lab.ability import Ability
from lab.engine import Engine
from lab.errors import LabError


def rows(connect: Callable[[], AbstractContextManager[Engine]] = engine.connect) -> tuple[Ability, ...]:
    """The abilities of this host; that of an engine which cannot be reached says why."""
    name, why, fix = "", "", ""
    try:
        with connect() as connected:
            name = f"{connected.name} {connected.version()}"
    except LabError as error:
        _, why, fix = error.args
    found = ability.abilities(host.facts(), engine=name, cache=cachedir.root())
    return tuple(replace(row, seen=f"{row.seen}: {why}", fix=fix) if why and row.name == "container engine" else row for row in found)
