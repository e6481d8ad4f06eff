"""A node as testinfra sees it. Its commands go the lab's own way, so that they have a limit and end when the run is told to.

testinfra's own backend waits for each command for as long as it takes, and nothing can end it.
"""

from threading import Event

from testinfra.backend.base import BaseBackend
from testinfra.host import Host

from lab.command import ssh
from lab.deadline import heed
from lab.mask import mask
from lab.model import Node, Site

LIMIT_S = 600.0  # only ends a connection that hangs: commands of checks have limits of their own on the node
RC_NO_SSH = 255  # what ssh returns when it did not reach the node; no program of a check does


class OverSsh(BaseBackend):  # type: ignore[misc] # testinfra has no types
    """Runs what testinfra asks of `node`, unmasked: checks compare it. Raises KeyboardInterrupt once `stop` is set."""

    NAME = "ssh"

    def __init__(self, site: Site, node: Node, *, stop: Event) -> None:
        super().__init__(node.name)
        self._site, self._node, self._stop = site, node, stop

    def run(self, command: str, *args: str, **_: object) -> object:
        """What `command` gave; RuntimeError when the node does not answer, as testinfra has it."""
        line = self.get_command(command, *args)
        heed(self._stop)
        done = ssh(self._site, self._node, line, limit_s=LIMIT_S, stop=self._stop, masked=False)
        heed(self._stop)
        if done.rc == RC_NO_SSH:
            raise RuntimeError(f"{self._node.name} does not answer by SSH: {mask(done.stderr.strip()) or 'ssh said nothing'}")
        return self.result(done.rc, line.encode(), done.stdout, done.stderr)


def host(site: Site, node: Node, *, stop: Event) -> object:
    """The host of `node` for testinfra. stop: ends what runs there when it is set."""
    return Host(OverSsh(site, node, stop=stop))
