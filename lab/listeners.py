"""Which ports a control plane listens on, and who does, out of the fact `listeners` (`ss -Hltnp`). Pure.

Where its API servers listen, the cell says: `api_port` of its site.
"""

import re

ETCD, ETCD_PEERS = 2379, 2380
KUBELET, CONTROLLER_MANAGER, SCHEDULER = 10250, 10257, 10259
_LISTENER = re.compile(r'^LISTEN\s+\d+\s+\d+\s+\S+:(?P<port>\d+)\s+\S+\s+users:\(\("(?P<process>[^"]+)"')


def in_question(api_port: int) -> tuple[int, ...]:
    """The ports of which people say that kube-vip takes them: API server, controller manager, scheduler."""
    return api_port, CONTROLLER_MANAGER, SCHEDULER


def listeners(text: str) -> frozenset[tuple[int, str]]:
    """(port, process) of every line that tells both."""
    found = (_LISTENER.match(line.strip()) for line in text.splitlines())
    return frozenset((int(one["port"]), one["process"]) for one in found if one)
