"""What nodes of each bed can show on a host, and what they cannot, side by side."""

from collections.abc import Mapping, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lab.fidelity import Limit

YES, NO = Text("yes", "green"), Text("no", "yellow")


def table(of: Mapping[str, Sequence[Limit]]) -> Group:
    """A row per topic that some bed cannot show, a column per bed, then the reasons. of: bed -> its limits on this host."""
    topics = list(dict.fromkeys(one.topic for found in of.values() for one in found))
    made = Table("can show", *of, title_justify="left")
    for topic in topics:
        made.add_row(topic, *(NO if topic in {one.topic for one in found} else YES for found in of.values()))
    reasons = Table.grid(padding=(0, 2))
    for says, (beds, checks) in _reasons(of).items():
        told = f"{says} Means less for it: {', '.join(checks)}." if checks else says
        reasons.add_row(Text(", ".join(beds), "bold"), Text(told))
    return Group(made, Text("why not"), reasons)


def _reasons(of: Mapping[str, Sequence[Limit]]) -> Mapping[str, tuple[list[str], tuple[str, ...]]]:
    """Each sentence once, with the beds it is true of and the checks that mean less for it."""
    found: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for bed, limits in of.items():
        for one in limits:
            found.setdefault(one.says, ([], one.checks))[0].append(bed)
    return found
