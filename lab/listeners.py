"""Who listens on which port, out of the fact `listeners` (`ss -Hltnp`). Pure."""

import re

PORTS = (6443, 10257, 10259)  # API server, controller manager, scheduler
_LISTENER = re.compile(r'^LISTEN\s+\d+\s+\d+\s+\S+:(?P<port>\d+)\s+\S+\s+users:\(\("(?P<process>[^"]+)"')


def listeners(text: str) -> frozenset[tuple[int, str]]:
    """(port, process) of every line that tells both."""
    found = (_LISTENER.match(line.strip()) for line in text.splitlines())
    return frozenset((int(one["port"]), one["process"]) for one in found if one)
