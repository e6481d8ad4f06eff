"""The way to the nodes of a site: a key and an SSH configuration of their own, and connections that are shared and kept open."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from lab.command import run, ssh
from lab.deadline import pausing, until
from lab.errors import BedError
from lab.model import Completed, Node, Site
from lab.owner import make_folder

ASK_LIMIT_S = 5.0  # one try
EVERY_S = 0.2
FILE = "ssh_config"  # in the folder of the cell
CONFIG = """\
Host *
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  GlobalKnownHostsFile /dev/null
  LogLevel ERROR
  BatchMode yes
  ConnectTimeout {connect_s}
  ServerAliveInterval 5
  ServerAliveCountMax {tries}
  ControlMaster auto
  ControlPath {control}/%n
  ControlPersist 60
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """`control`: the folder of the key and of the connections' sockets; `public_key`: what nodes must accept."""

    control: Path
    config: Path
    public_key: str

    def hang_up(self, node: Node) -> None:
        """End the shared connection to `node`: once nobody is at its other end, what asks through it would wait for seconds."""
        if (self.control / node.name).exists():
            run(("ssh", "-F", str(self.config), "-O", "exit", node.name), limit_s=ASK_LIMIT_S)

    def close(self) -> None:
        """Forget the key and all sockets, and the configuration; harmless when they are gone."""
        shutil.rmtree(self.control, ignore_errors=True)
        self.config.unlink(missing_ok=True)


def make(nodes: tuple[Node, ...], *, folder: Path, run_id: str, pace: float = 1.0) -> Access:
    """A new key, and an SSH configuration in `folder` whose host names are those of `nodes`. pace: as of a Site. Raises BedError."""
    made = Access(control=make_folder("ssh", run_id=run_id), config=folder / FILE, public_key="")
    try:
        return replace(made, public_key=_fill(made, nodes, pace=pace))
    except BaseException:
        made.close()  # nobody else knows of it
        raise


def _fill(made: Access, nodes: tuple[Node, ...], *, pace: float) -> str:
    """Make the key and write the configuration; tells the public key."""
    key = made.control / "key"
    done = run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "spraylab", "-f", str(key)), limit_s=ASK_LIMIT_S)
    if done.rc != 0:
        raise BedError("ssh-keygen made no key", done.stderr.strip(), f"check that {made.control} can be written")
    hosts = "".join(f"Host {node.name}\n  HostName {node.address}\n" for node in nodes)
    made.config.parent.mkdir(parents=True, exist_ok=True)
    limits = {"connect_s": round(ASK_LIMIT_S * pace), "tries": round(3 * pace)}
    made.config.write_text(hosts + CONFIG.format(key=key, control=made.control, **limits))
    return key.with_suffix(".pub").read_text().strip()


def answer(site: Site, node: Node, *, limit_s: float, stop: Event) -> Completed:
    """The last answer of `node` by SSH within `limit_s`, or the first good one. stop: when set, it ends by KeyboardInterrupt."""

    def ask() -> Completed:
        return ssh(site, node, "true", limit_s=ASK_LIMIT_S * site.pace, stop=stop)

    return until(ask, lambda done: done.rc == 0, limit_s=limit_s, every_s=EVERY_S, sleep=pausing(stop))
