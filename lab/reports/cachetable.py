"""What the cache holds, what of it is to go, and why old entries stay."""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lab import stale
from lab.cachedir import GIB
from lab.stale import DAY_S, Entry

LISTED = 12  # old entries that stay; more tell nothing new


def table(entries: Sequence[Entry], *, now_s: float) -> Group:
    """A row per kind and one of all; below it each old entry that stays, with the reason."""
    made = Table("kind", "entries", "size", "last used", "to go", "frees", title_justify="left")
    for row in stale.rows(entries):
        goes = (str(row.going), size(row.frees_bytes)) if row.going else ("", "")
        made.add_row(row.kind, str(row.entries), size(row.size_bytes), age(row.used_ns, now_s=now_s), *goes)
    going = [one for one in entries if not one.stays]
    made.add_section()
    made.add_row("all", str(len(entries)), size(stale.taken_bytes(entries)), "", str(len(going)), size(stale.freed_bytes(going)))
    held = [one for one in entries if one.stays not in ("", stale.USED)]
    lines = [Text(f"{one.name} stays: {one.stays}") for one in held[:LISTED]]
    more = [Text(f"and {len(held) - LISTED} more old ones that stay")] if len(held) > LISTED else []
    return Group(made, *lines, *more)


def ended(going: Sequence[Entry], gone: Sequence[Entry] | None, *, days: int) -> str:
    """What has been done, or is to be done. gone: those of `going` that were deleted, None where that was not asked for."""
    if not going:
        return f"nothing of it goes: what could was used in the last {days} day(s)"
    if gone is None:
        return f"{len(going)} not used for {days} day(s); `spraylab gc --cache --days {days} --yes` deletes them"
    stay = [f"{one.name} stays: it is in use now" for one in going if one not in gone]
    return "\n".join((*stay, f"deleted {len(gone)}, which freed {size(stale.freed_bytes(gone))}"))


def size(of_bytes: int) -> str:
    """Bytes as people say them."""
    return f"{of_bytes / GIB:.1f} GiB" if of_bytes >= GIB else f"{of_bytes / 2**20:.0f} MiB"


def age(used_ns: int, *, now_s: float) -> str:
    """How long ago that was, in whole days."""
    days = int((now_s - used_ns / 1e9) // DAY_S)
    return "today" if days < 1 else "1 day ago" if days == 1 else f"{days} days ago"
