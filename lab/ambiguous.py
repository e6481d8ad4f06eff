"""What is told of a part of an id that fits several cells."""

from collections.abc import Iterable

from lab.errors import ScenarioError

LISTED = 30  # more nobody reads


def fits_several(part: str, ids: Iterable[str], *, these: str) -> ScenarioError:
    """The error that lists those that fit. these: what they are, in words, as in "these have it in their ids"."""
    names = sorted(ids)
    listed = "\n    ".join([*names[:LISTED], *([f"and {len(names) - LISTED} more"] if len(names) > LISTED else [])])
    return ScenarioError(f"{part!r} fits {len(names)} cells", f"{these}:\n    {listed}", "name one, or more of its id")
