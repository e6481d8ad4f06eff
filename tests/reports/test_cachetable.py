import io
from pathlib import Path

import pytest
from rich.console import Console

from lab import cachedir
from lab.cachedir import GIB
from lab.reports import cachetable
from lab.stale import DAY_S, USED, Entry

NOW_S = 1_000_000_000.0


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def entry(kind: str, key: str, *, days: float, gib: float, stays: str = "") -> Entry:
    folder, used_ns = cachedir.root() / kind / key, int((NOW_S - days * DAY_S) * 1e9)
    return Entry(kind=kind, folder=folder, used_ns=used_ns, own_bytes=int(gib * GIB), folder_bytes=0, linked={}, stays=stays)


def text(*entries: Entry) -> list[list[str]]:
    """The lines of the table and what stands below it, as words."""
    console = Console(file=io.StringIO(), width=120)
    console.print(cachetable.table(entries, now_s=NOW_S))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    return [[cell.strip() for cell in line.strip("│ ").split("│")] for line in lines]


def test_a_kind_has_its_size_its_last_use_and_what_it_would_free() -> None:
    lines = text(
        entry("box", "a", days=30, gib=1.5),
        entry("box", "b", days=1.5, gib=0.5, stays=USED),
        entry("kvm", "c", days=0, gib=0.1, stays=USED),
    )
    assert ["box", "2", "2.0 GiB", "1 day ago", "1", "1.5 GiB"] in lines
    assert ["kvm", "1", "102 MiB", "today"] in lines
    assert ["all", "3", "2.1 GiB", "", "1", "1.5 GiB"] in lines


def test_an_old_entry_that_stays_says_why_and_a_used_one_does_not() -> None:
    many = [entry("artifacts", f"{n:02}", days=30, gib=1, stays="mounted") for n in range(cachetable.LISTED + 3)]
    lines = text(*many, entry("box", "b", days=1, gib=1, stays=USED))
    assert ["artifacts/00 stays: mounted"] in lines
    assert ["and 3 more old ones that stay"] in lines
    assert sum("stays:" in line[0] for line in lines) == cachetable.LISTED


def test_what_was_used_meanwhile_is_told_and_not_counted() -> None:
    one, other = entry("box", "a", days=30, gib=2), entry("box", "b", days=30, gib=1)
    assert cachetable.ended([one, other], [one], days=14) == "box/b stays: it is in use now\ndeleted 1, which freed 2.0 GiB"
