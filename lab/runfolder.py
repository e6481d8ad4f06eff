"""The folders of runs: a new one, the newest, what one shows, and what all that a run makes carries of its folder."""

from datetime import UTC, datetime
from pathlib import Path

from lab import cachedir, journal, matrix
from lab.errors import HostError, ScenarioError
from lab.host import is_there
from lab.matrix import Matrix


def make(runs: Path, began_s: float) -> Path:
    """A new folder, named by the time; a second run of the same second gets a later name."""
    for number in range(100):
        name = datetime.fromtimestamp(began_s, UTC).strftime("%Y%m%d-%H%M%S") + (f"-{number}" if number else "")
        try:
            (runs / name).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise HostError(f"cannot make a folder for the run in {runs}", str(error), "run it in a folder you may write") from error
        return runs / name
    raise HostError(f"cannot make a folder for the run in {runs}", "a hundred runs began in this second", "try again")


def newest(runs: Path) -> Path:
    """The folder of the newest run that has a matrix; ScenarioError when there is none."""
    if not (found := sorted(runs.glob(f"*/{matrix.FILE}"))):
        raise ScenarioError("no run to show", f"{runs.absolute()} has none", "run one: spraylab repro kubespray-11338")
    return found[-1].parent


def shown(folder: Path) -> Matrix:
    """The matrix of the run in `folder`, or of the file of that name. Raises ScenarioError when there is none."""
    written = folder / journal.FILE
    if is_there(written) and not is_there(folder / matrix.FILE):
        begun = sorted(folder.glob("cells/*"))
        left = f"cells/ has what there is of {', '.join(path.name for path in begun)}" if begun else "no cell had begun"
        why = f"it ended before that; {left}, and {written} says how far it came"
        raise ScenarioError(f"no cell of the run {folder.name} got its verdict", why, "run it again, to the end")
    return matrix.read(folder)


def run_id(folder: Path) -> str:
    """What all that a run makes carries: runs of one second in two folders are two."""
    return f"{folder.name}-{cachedir.digest([str(folder)])[:6]}"
