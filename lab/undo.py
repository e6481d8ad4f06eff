"""Taking down: every step is done, whatever became of those before it, so that one that fails leaves no more behind than it must."""

from collections.abc import Callable

from lab.errors import BedError, LabError


def all_of(*steps: Callable[[], object]) -> None:
    """Do every one of `steps`, in order. Raises the LabError or OSError of the one that failed; of several, a BedError with all."""
    failed: list[LabError | OSError] = []
    for step in steps:
        try:
            step()
        except (LabError, OSError) as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        why = "; ".join(dict.fromkeys(f"{one.args[0]}: {one.args[1]}" if isinstance(one, LabError) else str(one) for one in failed))
        raise BedError(f"{len(failed)} steps of taking down failed", why, "remove what is left once this run has ended: spraylab gc --yes")
