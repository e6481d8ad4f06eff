"""What is built ahead of time: components, and the box of virtual machines under the name `box`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from lab import box, component
from lab.deadline import now_s
from lab.errors import ScenarioError
from lab.journal import Line

BOX = "box"


def build(names: Sequence[str], tell: Callable[[Line], None]) -> dict[str, Path]:
    """Name -> where it lies in the cache: all components but optional ones where none is named, the box only where it is. Raises as what
    builds them, and ScenarioError for a name that is none of these.

    tell: told each step.
    """
    if unknown := [name for name in names if name not in (*component.names(), BOX)]:
        why = f"there are {', '.join(component.names())}, and {BOX}, which is that of virtual machines"
        raise ScenarioError(f"nothing to build is called {', '.join(map(repr, unknown))}", why, "name some of them, or none")
    wanted = tuple(name for name in names if name != BOX)
    built: dict[str, Path] = {}
    if BOX in names:
        built[BOX] = box.ensure(say=lambda said: tell(Line(at_s=now_s(), kind="said", said=said))).folder
    if wanted or not names:
        built |= component.build(wanted or component.usual(), on_progress=lambda one: tell(line(one)))
    return built


def line(one: component.Progress) -> Line:
    """What a display is told of the progress of a component."""
    kind = "said" if one.state == "cached" else "build"
    duration_s = one.elapsed_s if one.state == "built" else None
    said = f"{one.component}: in the cache" if one.state == "cached" else ""
    return Line(
        at_s=now_s(), kind=kind, name=f"build {one.component}", said=said, duration_s=duration_s, more={"expected_s": one.expected_s}
    )
