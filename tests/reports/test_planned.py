import io
from dataclasses import replace

import pytest
from rich.console import Console

from lab.course import courses
from lab.estimate import Known, Took
from lab.model import Cell, Prediction, Stage
from lab.reports import planned
from lab.schedule import Need
from tests import made

SHORT, LONG = made.cell("metallb"), made.cell("metallb > kube-vip")
STAGES = (
    Stage(index=0, name="metallb", addons=("metallb",), endpoint="node", variables={"a": 1, "b": 2}),
    Stage(index=1, name="kube-vip", addons=("metallb", "kube-vip"), endpoint="vip", variables={"a": 1, "c": 3}, tags=("node", "kube-vip")),
)


def shown(*cells: Cell, in_full: bool = False, known: Known | None = None, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width)
    planned.show(
        courses(cells or (SHORT, LONG)),
        console,
        known=known or Known(),
        capacity=Need(memory_mib=20480, cores=2, inotify=128),
        limit=None,
        stages={LONG.id: STAGES} if in_full else {},
        predicted={LONG.id: (Prediction(rule="pool-overlap", signature="x", says="the pool holds the VIP"),)},
        left_out={"another cell": "the installer cannot express it"},
        again=("--scenario", "my own.yaml", "--ref", "pr/7"),
    )
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_every_cell_has_a_row_and_says_on_whose_nodes_it_is_judged() -> None:
    text = shown()
    rows = [[part.strip() for part in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert [row[:4] for row in rows] == [["#1", SHORT.id, "1", "#2"], ["#2", LONG.id, "2", ""]]
    assert rows[0][4:] == ["", ""]
    assert "2 cells, 2 stages on 1 set of nodes; about 3 min, partly a guess" in text
    assert "20 GiB and 2 cores are free" in text
    assert "another cell: not run, the installer cannot express it" in text


def test_where_no_cells_share_nodes_no_row_needs_a_number() -> None:
    text = shown(LONG)
    assert "nodes of" not in text
    assert "#1" not in text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_ids_are_whole_at_any_width(width: int) -> None:
    longest = replace(LONG, mitigations=("a-long-name-of-a-change-of-variables",))
    text = shown(SHORT, LONG, longest, width=width)
    folded = text.replace("│", "").replace("\n", "").replace(" ", "")
    assert all(cell.id in folded for cell in (SHORT, LONG, longest))
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()[:-2]) <= width


def test_where_ids_leave_no_room_the_rest_stands_below_them() -> None:
    lines = [line.rstrip() for line in shown(width=80).splitlines()]
    assert lines[:4] == [
        f"#1  {SHORT.id}",
        "      1 stage(s), on the nodes of #2",
        f"#2  {LONG.id}",
        "      2 stage(s), ~3 min, 1.4 GiB",
    ]


def test_where_no_cell_runs_the_reasons_are_all_there_is() -> None:
    console = Console(file=io.StringIO(), width=200)
    planned.nothing({"a": "[older] than the question"}, console)
    first, second = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert first == "a: not run, [older] than the question"
    assert second.startswith("no cell runs, so that nothing can be told: every one asked for is left out; its reason says")


def test_what_was_run_before_takes_what_it_took() -> None:
    known = Known(by_cell={SHORT.id: Took(seconds=20, green=True), LONG.id: Took(seconds=30, green=True)})
    assert "about 56 s, as they took last time" in shown(known=known)


def test_in_full_each_stage_has_its_command_what_it_changes_and_what_is_verified() -> None:
    text = shown(in_full=True)
    assert "stage 2, kube-vip; endpoint vip" in text
    command = "ansible-playbook -i inventory.yaml -b -e @releases/v2.25.0.yml --tags node,kube-vip cluster.yml"
    assert f"`{command}` in lab/replica" in text
    again = "--scenario 'my own.yaml' --ref pr/7"
    assert f"2 variables; `spraylab inventory {LONG.id} --stage 1 {again}` prints them" in text
    assert "c: 3" in text
    assert "b: no longer set" in text
    assert f"its verdict is that of {SHORT.id}" in text
    assert "predicted (pool-overlap): the pool holds the VIP" in text


def test_thousands_of_cells_are_lines() -> None:
    cells = [replace(LONG, mitigations=(f"m{number}",)) for number in range(planned.LAID_OUT + 1)]
    console = Console(file=io.StringIO(), width=200)
    planned.show(
        courses(cells),
        console,
        known=Known(),
        capacity=Need(memory_mib=20480, cores=2, inotify=128),
        limit=None,
        stages={},
        predicted={},
        left_out={},
    )
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(f"{cell.id}  2 stage(s)  ~" in text for cell in cells)
