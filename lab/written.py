"""Where in the playbooks stands what they write on a node: lines with file and number, as the fact `playbooks`."""

import re
from functools import cache
from pathlib import Path

from lab.datafile import Schema, read

FILE = Path(__file__).parent / "data" / "written.yaml"


class LineSchema(Schema):
    """Lines of `files` (paths from the root of the playbooks; of each ref some are there) that `pattern` is found in."""

    files: list[str]
    pattern: str


class WrittenSchema(Schema):
    """data/written.yaml."""

    lines: list[LineSchema]


@cache
def known() -> WrittenSchema:
    """All of the file. Raises ScenarioError when it is wrong."""
    return read(FILE, WrittenSchema)


def lines(root: Path, label: str) -> str:
    """`<file>:<line> of <label>: <text>` for each line of the playbooks below `root`; empty where none is known there."""
    found = []
    for one in known().lines:
        for name in one.files:
            text = (root / name).read_text().splitlines() if (root / name).is_file() else []
            found += [f"{name}:{number} of {label}: {line.strip()}" for number, line in enumerate(text, 1) if re.search(one.pattern, line)]
    return "\n".join(found)
