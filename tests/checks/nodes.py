"""Nodes that say what they are told to, in the shape of testinfra's hosts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from lab.check import Answer, Check, Scope, Target, is_for
from lab.model import Site
from tests import made


@dataclass
class Nodes:
    """`says`: words of a command -> exit code and output, the first that fits; `addresses`: node -> of its interface; `services`: that
    run; `files`: path -> text; `complain`: what every command says on stderr beside its answer."""

    says: dict[str, tuple[int, str]]
    addresses: dict[str, list[str]] = field(default_factory=dict)
    services: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    complain: str = ""

    def host(self, name: str) -> object:
        """The host of one node."""
        return SimpleNamespace(run=partial(self._run, name))

    def _run(self, name: str, command: str, *args: str) -> object:
        line = command % args if args else command
        self.asked.append(line)
        if " addr show dev " in line:
            listed = "".join(f"2: eth0    inet {address}/24 scope global eth0\n" for address in self.addresses.get(name, []))
            return SimpleNamespace(rc=0, stdout=listed, stderr=self.complain)
        if " is-active " in line:
            return SimpleNamespace(rc=0 if line.split()[-1] in self.services else 3, stdout="", stderr=self.complain)
        if " cat " in line:
            return SimpleNamespace(rc=0, stdout=self.files[line.split()[-1]], stderr=self.complain)
        words = next(words for words in self.says if f" {words} " in f" {line} ".replace("'", " "))
        rc, stdout = self.says[words]
        return SimpleNamespace(rc=rc, stdout=stdout, stderr=self.complain)


def look(
    folder: Path,
    check: Check,
    nodes: Nodes,
    *,
    site: Site | None = None,
    on: tuple[str, ...] = ("kube-vip",),
    variables: Mapping[str, object] | None = None,
    scope: Scope | None = None,
) -> Answer:
    """One look of `check` on the first node of its role, with the addons `on`; on one control plane and a client where no site is given."""
    site = site or made.site(folder)
    node = next(node for node in site.nodes if is_for(check, node))
    scope = scope or Scope(cell=made.cell("+".join(on)), on=on)
    hosts = {one.name: nodes.host(one.name) for one in site.nodes}
    return check.look(Target(node=node, site=site, scope=scope, hosts=hosts, variables=variables or {}))
