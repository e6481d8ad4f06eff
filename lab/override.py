"""Source of a pinned module that is changed for a host which lacks a file: by Go's overlay, in the build alone.

The module in the cache stays as it is and verified; the build sees it through a link, because Go overlays no cached file.
"""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from lab import datafile
from lab.errors import BuildError
from lab.model import Deviation

HOST = Path("/")


class Override(datafile.Schema):
    """`old`, which `path` of `module` must hold exactly once, is read as `new`, but only where the host has no `unless_host_has`."""

    module: str
    path: str
    old: str
    new: str
    unless_host_has: str
    deviation: Deviation


def needed(declared: Iterable[Override], *, host: Path = HOST) -> tuple[Override, ...]:
    """Those of `declared` that this host asks for."""
    return tuple(one for one in declared if not (host / one.unless_host_has.lstrip("/")).exists())


def arguments(overrides: tuple[Override, ...], work: Path, *, place_of: Callable[[str], Path]) -> tuple[str, ...]:
    """What `go build` in `work`, which holds go.mod and go.sum, must be told besides; nothing without overrides.

    place_of: module -> its folder in the module cache. Writes files into `work`. Raises BuildError when a module does
    not hold what is to be changed.
    """
    if not overrides:
        return ()
    seen_as: dict[str, Path] = {}
    changed: dict[str, str] = {}
    for index, one in enumerate(overrides):
        source = place_of(one.module)
        if one.module not in seen_as:
            seen_as[one.module] = work / f"module-{len(seen_as)}"
            seen_as[one.module].symlink_to(source)
        to = work / f"override-{index}{Path(one.path).suffix}.txt"  # a name that Go does not take for its own
        to.write_text(_changed((source / one.path).read_text(), one))
        changed[str(seen_as[one.module] / one.path)] = str(to)
    (work / "overlay.json").write_text(json.dumps({"Replace": changed}))
    replaced = "".join(f"replace {module} => ./{link.name}\n" for module, link in seen_as.items())
    (work / "override.mod").write_text(f"{(work / 'go.mod').read_text()}\n{replaced}")
    shutil.copyfile(work / "go.sum", work / "override.sum")
    return ("-modfile=override.mod", "-overlay=overlay.json")


def _changed(text: str, one: Override) -> str:
    if (count := text.count(one.old)) != 1:
        raise BuildError(
            f"cannot override {one.path!r} of {one.module}",
            f"{one.old!r} stands in it {count} times, not once",
            "make the override in component.yaml fit the module's version",
        )
    return text.replace(one.old, one.new)
