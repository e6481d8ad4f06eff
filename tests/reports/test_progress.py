import io

from rich.console import Console

from lab.journal import WHOLE, Line
from lab.reports.progress import Progress

CELL = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"


def told(*lines: Line, last_s: dict[tuple[str, str], float] | None = None, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=terminal)
    with Progress(console, last_s=last_s or {}, cells=2) as shown:
        for line in lines:
            shown(line)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def line(kind: str, name: str = "", *, said: str = "", duration_s: float | None = None, **more: str) -> Line:
    return Line(
        at_s=1.0,
        kind=kind,
        cell=CELL,
        name=name,
        node="cp1",
        said=said,
        duration_s=duration_s,
        more={"is" if name == "ends" else name: value for name, value in more.items()},
    )


def test_a_log_has_cells_steps_and_verdicts_with_their_times() -> None:
    text = told(
        line("cell"), line("began", "nodes"), line("ended", "nodes", duration_s=1.5), line("verdict", "FAIL", said="red", duration_s=40.0)
    )
    assert text.splitlines() == [f"  [0/2] #1 {CELL}", "  [0/2] #1 nodes: 1.5 s", f"  [1/2] #1 FAIL {CELL} after 40 s: red"]


def test_what_took_how_long_last_time_is_told_before_it_begins() -> None:
    text = told(line("cell"), line("began", "stage kube-vip"), last_s={(CELL, WHOLE): 41.0, (CELL, "stage kube-vip"): 31.0})
    assert "(last time 41 s)" in text
    assert "stage kube-vip: last time 31 s" in text


def test_short_tasks_retries_and_green_checks_are_no_news() -> None:
    quiet = (
        line("task", "a", duration_s=0.5, ends="ok"),
        line("task", "b", said="not yet", ends="retry"),
        line("check", "etcd", said="is healthy", outcome="PASS"),
        line("sample"),
    )
    assert told(*quiet) == ""


def test_long_tasks_failures_and_red_checks_are_news() -> None:
    text = told(
        line("task", "Initialize first master", duration_s=30.0, ends="failed", said=""),
        line("task", "b", said="permission denied", ends="failed"),
        line("check", "etcd", said="is not", outcome="FAIL"),
    )
    assert "Initialize first master on cp1: 30 s, failed" in text
    assert "b on cp1: permission denied" in text
    assert "FAIL etcd on cp1: is not" in text


def test_a_terminal_shows_what_runs_now() -> None:
    text = told(line("cell"), line("began", "stage kube-vip"), line("task", "Initialize first master", ends="start"), terminal=True)
    assert "Initialize first master" in text


def test_what_is_left_is_told_after_each_verdict() -> None:
    console = Console(file=io.StringIO(), width=160)
    shown = Progress(console, last_s={}, cells=2, left_s=lambda: 300.0)
    shown(line("cell"))
    shown(line("verdict", "PASS", said="green", duration_s=40.0))
    assert "about 5 min left" in console.file.getvalue()  # type: ignore[attr-defined]


def test_courses_beside_each_other_are_told_apart() -> None:
    other = Line(at_s=1.0, kind="cell", cell="another")
    text = told(line("cell"), other, line("ended", "nodes", duration_s=1.0), Line(at_s=1.0, kind="said", cell="another", said="hello"))
    assert "#1 nodes: 1.0 s" in text
    assert "#2 hello" in text


def test_what_has_its_verdict_from_before_is_counted() -> None:
    resumed = Line(at_s=1.0, kind="resumed", more={"cells": 1})
    assert "[1/2] #1" in told(resumed, line("cell"))
    assert "[2/2] #1 PASS" in told(resumed, line("cell"), line("verdict", "PASS", said="green"))
