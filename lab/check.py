"""What a check is, and what it may ask of nodes: by testinfra over the bed's SSH. `lab.looks` runs them.

All that is asked goes one way, by a command with a limit on the node whose exit code is looked at; and what a node or testinfra does not
tell is no error of the lab but an answer, "could not tell".
"""

import importlib
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from types import MappingProxyType
from typing import Any, Literal

from lab import nodehost
from lab.mask import mask
from lab.model import Cell, Node, Role, Site

BETWEEN_S = 5.0  # between the two looks of every check; kube-vip's lease runs out after 5 s
SETTLE_S = 60.0  # in which the first look of all checks together must come true; 15 s are usual on 2 cores, more beside another cell
# The same where MetalLB's speaker takes part: no installer waits for it, and kubelet tries up to every 64 s to mount its secret.
PODS_SETTLE_S = 90.0
ADMIN_CONF = "/etc/kubernetes/admin.conf"
COMMAND_LIMIT_S = 20.0  # of one command of a check
ANSWER_S = 5.0  # for one answer over HTTP
API_S = 10.0  # for one answer of the API to kubectl
RUNS, RUNS_NOT = 0, (3, 4)  # what `systemctl is-active` ends with; 4: there is no such service. Anything else: it cannot tell
_ADDRESS = re.compile(r"\binet ([\d.]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command on a node gave; `out` is stdout alone, to be read; `text`, to be told, stdout and stderr."""

    rc: int
    out: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One look. `ok` None: could not tell; `state`: what must be the same at both looks; `measured`: name with its unit -> number."""

    ok: bool | None
    said: str
    state: str = ""
    measured: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What checks are asked of: a cell, and the addons that are on by now. `cluster`: whether there is to be one; after a reset not."""

    cell: Cell
    on: tuple[str, ...]
    cluster: bool = True

    @property
    def certificates(self) -> str:
        """Where kubeadm keeps the cluster's certificates: kubespray has it another place than its own."""
        return "/etc/kubernetes/pki" if self.cell.ref.source == "kind" else "/etc/kubernetes/ssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a check may use: the node it runs on, the site, the scope, testinfra's host of every node by name, and the variables that
    the installer was told last. `stop`: once it is set, whatever asks a node raises KeyboardInterrupt."""

    node: Node
    site: Site
    scope: Scope
    hosts: Mapping[str, object] = field(repr=False)
    variables: Mapping[str, object] = field(default_factory=dict, repr=False)
    stop: Event = field(default_factory=Event, repr=False)

    def run(self, command: str, *args: str, node: Node | None = None) -> Said:
        """Run `command` (with testinfra's quoting of %s) on `node`, or on the check's own."""
        done = self._done(command, *args, node=node or self.node)
        return Said(rc=done.rc, out=mask(done.stdout.strip()), text=mask(f"{done.stdout}{done.stderr}".strip()))

    def addresses(self, node: Node) -> tuple[str, ...]:
        """All IPv4 addresses of the cluster interface of `node`. Raises RuntimeError when it does not tell."""
        return tuple(_ADDRESS.findall(self._told("ip -o -4 addr show dev %s", node.interface, node=node)))

    def service_runs(self, name: str) -> bool:
        """Whether the systemd service `name` of the check's node runs. Raises RuntimeError when systemd does not tell."""
        done = self.run("systemctl is-active %s", name)
        if done.rc not in (RUNS, *RUNS_NOT):
            raise RuntimeError(f"systemctl of {self.node.name} ended with {done.rc}: {done.text}")
        return done.rc == RUNS

    def kubectl(self, command: str, *args: str, stdin: str = "") -> Said:
        """What kubectl says on the first control plane, by the API server of that node alone: no VIP and no Service stand in between."""
        first = self.site.control_planes[0]
        server, limit = f"https://{first.address}:{self.site.api_port}", f"{API_S * self.site.pace:g}s"
        line = f"kubectl --kubeconfig {ADMIN_CONF} --server {server} --request-timeout {limit} {command}"
        return self.run("sh -c %s", f"printf %s {shlex.quote(stdin)} | {line}", node=first) if stdin else self.run(line, *args, node=first)

    def get(self, url: str, *, node: Node | None = None) -> Said:
        """What curl on `node`, or on the check's own, gets from `url`, whoever signed its certificate."""
        return self.run(f"curl -sSk --max-time {ANSWER_S * self.site.pace:g} %s", url, node=node)

    def livez(self, address: str) -> Answer:
        """/livez of the API server at `address`, asked from the check's node."""
        url = f"https://{address}:{self.site.api_port}/livez"
        done = self.get(url)
        return Answer(ok=done.rc == 0 and done.out == "ok", said=f"{url} says {done.text or 'nothing'}")

    def holders(self, nodes: Iterable[Node]) -> tuple[str, ...]:
        """The names of those `nodes` that have the VIP."""
        return tuple(node.name for node in nodes if self.site.slot.vip in self.addresses(node))

    def text_of(self, path: str, *, node: Node) -> str:
        """The text of a file of `node`, unmasked. Raises RuntimeError when it cannot be read."""
        return self._told("cat %s", path, node=node)

    def _told(self, command: str, *args: str, node: Node) -> str:
        done = self._done(command, *args, node=node)
        if done.rc != 0:
            raise RuntimeError(f"`{command % args}` on {node.name} ended with {done.rc}: {mask(done.stderr.strip())}")
        return str(done.stdout)

    def _done(self, command: str, *args: str, node: Node) -> Any:
        return self.hosts[node.name].run(f"timeout {COMMAND_LIMIT_S * self.site.pace:g} {command}", *args)  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What checks of one round need on the cluster, made once before the first look and removed after the last.

    make: whether it is there now; remove: whether it is gone, also what was half made. Either may be asked again.
    """

    make: Callable[[Target], Answer]
    remove: Callable[[Target], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One assertion. `on`: the nodes it runs on, `member` all of the cluster; `lacks`: why it does not apply, or nothing; `look`: asks
    once; `uses`: what must be on the cluster for it; `apart_s`: seconds between its two looks, at least; `settle_s`: after the
    installer, until the first is true; `cluster`: it asks something of a cluster, else whether one is gone."""

    name: str
    on: Role | Literal["member"]
    lacks: Callable[[Scope], str]
    look: Callable[[Target], Answer]
    uses: Shared | None = None
    apart_s: float = BETWEEN_S
    settle_s: float = SETTLE_S
    cluster: bool = True


def asked(ask: Callable[[Target], Answer], target: Target) -> Answer:
    """What `ask` answers of `target`; that it could not tell, and why, where a node or testinfra gave nothing to answer with.

    The one border: no SSH, no such program, a command that failed, an answer that cannot be read. Whatever checks, or acts for them, is
    called by it.
    """
    try:
        return ask(target)
    except (RuntimeError, OSError, ValueError, AssertionError) as error:  # the last is testinfra's, of an exit code it did not expect
        return Answer(ok=None, said=f"could not tell: {mask(str(error))}")


def always(_: Scope) -> str:
    """Of a check that applies everywhere."""
    return ""


def one_holder(target: Target) -> Answer:
    """The VIP is on one control plane; the state is which."""
    holders = target.holders(target.site.control_planes)
    said = f"{target.site.slot.vip} is on {', '.join(holders) or 'no node'}"
    return Answer(ok=len(holders) == 1, said=said, state=" ".join(holders))


def without_vip(scope: Scope) -> str:
    """Why a check of the VIP says nothing about `scope`; nothing where it does."""
    return "" if "kube-vip" in scope.on else "kube-vip is off: nobody is meant to hold a VIP"


def everything() -> tuple[Check, ...]:
    """The checks of every file of lab/checks/, each of which exports CHECKS."""
    names = sorted(path.stem for path in (Path(__file__).parent / "checks").glob("[!_]*.py"))
    return tuple(one for name in names for one in importlib.import_module(f"lab.checks.{name}").CHECKS)


def targets(scope: Scope, site: Site, *, stop: Event, variables: Mapping[str, object] = MappingProxyType({})) -> tuple[Target, ...]:
    """What a check gets on each node of `site`. stop: as of a Target."""
    hosts = {node.name: nodehost.host(site, node, stop=stop) for node in site.nodes}
    return tuple(Target(node=node, site=site, scope=scope, hosts=hosts, variables=variables, stop=stop) for node in site.nodes)


def is_for(check: Check, node: Node) -> bool:
    """Whether `check` is one for `node`."""
    return node.role != "client" if check.on == "member" else node.role == check.on
