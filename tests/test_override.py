import json
from pathlib import Path

import pytest

from lab import override
from lab.errors import BuildError
from lab.model import Deviation
from lab.override import Override

WHY = Deviation(what="a file", released="/proc/modules", used="/dev/null", why="there is none")
ONE = Override(
    module="example.org/m", path="a/b.go", old='"/proc/modules"', new='"/dev/null"', unless_host_has="/proc/modules", deviation=WHY
)


def module(tmp_path: Path, text: str) -> Path:
    source = tmp_path / "cache" / "m@v1"
    (source / "a").mkdir(parents=True)
    (source / "a" / "b.go").write_text(text)
    return source


def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n")
    (folder / "go.sum").write_text("sum\n")
    return folder


def test_a_host_that_has_the_file_needs_none(tmp_path: Path) -> None:
    assert override.needed((ONE,), host=tmp_path) == (ONE,)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "modules").touch()
    assert override.needed((ONE,), host=tmp_path) == ()


def test_without_overrides_the_build_is_told_nothing(tmp_path: Path) -> None:
    assert override.arguments((), tmp_path, place_of=lambda _: tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


def test_the_build_sees_the_change_and_the_module_stays_as_it_is(tmp_path: Path) -> None:
    source, folder = module(tmp_path, 'const path = "/proc/modules"\n'), work(tmp_path)
    told = override.arguments((ONE,), folder, place_of=lambda _: source)
    assert told == ("-modfile=override.mod", "-overlay=overlay.json")
    ((seen, instead),) = json.loads((folder / "overlay.json").read_text())["Replace"].items()
    assert Path(seen).read_text() == 'const path = "/proc/modules"\n'
    assert Path(instead).read_text() == 'const path = "/dev/null"\n'
    assert (source / "a" / "b.go").read_text() == 'const path = "/proc/modules"\n'
    assert "replace example.org/m => ./module-0" in (folder / "override.mod").read_text()


@pytest.mark.parametrize("text", ["nothing of it", 'a "/proc/modules" b "/proc/modules"'])
def test_a_module_that_does_not_hold_it_exactly_once_is_an_error(tmp_path: Path, text: str) -> None:
    source, folder = module(tmp_path, text), work(tmp_path)
    with pytest.raises(BuildError, match="not once"):
        override.arguments((ONE,), folder, place_of=lambda _: source)
