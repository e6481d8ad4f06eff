from pathlib import Path

import pytest

from lab import box, building, component
from lab.component import Progress
from lab.errors import ScenarioError
from lab.journal import Line


def test_the_box_is_built_where_it_is_named_and_components_where_nothing_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []

    def of_components(names: tuple[str, ...], *, on_progress: object) -> dict[str, Path]:
        asked.append(tuple(names))
        return {name: tmp_path / name for name in names}

    monkeypatch.setattr(component, "build", of_components)
    monkeypatch.setattr(box, "ensure", lambda *, say: say("making it") or box.Built(folder=tmp_path / "box", version="1"))
    told: list[Line] = []
    assert building.build(("box",), told.append) == {"box": tmp_path / "box"}
    assert asked == []
    assert [line.said for line in told] == ["making it"]
    assert list(building.build(("box", "etcd"), told.append)) == ["box", "etcd"]
    building.build((), told.append)
    assert asked == [("etcd",), component.usual()]


def test_a_name_of_nothing_is_told_with_all_that_can_be_built() -> None:
    with pytest.raises(ScenarioError, match=r"nothing to build is called 'nosuch'\n.*there are cilium, .*, pause, and box"):
        building.build(("box", "nosuch"), lambda _: None)


@pytest.mark.parametrize(("state", "kind", "duration_s"), [("cached", "said", None), ("building", "build", None), ("built", "build", 3.0)])
def test_progress_becomes_a_line(state: str, kind: str, duration_s: float | None) -> None:
    line = building.line(Progress(component="etcd", state=state, elapsed_s=3.0, expected_s=30.0))  # type: ignore[arg-type]
    assert (line.kind, line.name, line.duration_s, line.more["expected_s"]) == (kind, "build etcd", duration_s, 30.0)
