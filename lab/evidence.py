"""Raw facts from the nodes, one round trip each, as data/probes.yaml says; kept as files that people can read.

A probe that cannot be run gives a fact that says so: it proves nothing, and it hides nothing.
"""

import json
import os
import re
import shlex
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from itertools import chain
from pathlib import Path
from threading import Event
from typing import Literal

from lab import tasks
from lab.command import RC_LIMIT, ssh
from lab.datafile import Schema, decode
from lab.datafile import read as read_data
from lab.deadline import heed, now_s
from lab.errors import ScenarioError
from lab.facts import Evidence, Fact
from lab.model import CheckResult, Node, Site, StageRun
from lab.signature import NOTHING, UNREADABLE, Context

PROBES = Path(__file__).parent / "data" / "probes.yaml"
FOLDER = "evidence"  # of a cell
INDEX = "facts.json"
LAB = "lab"  # the node that facts of the lab itself stand under
NOT_FOUND_RC = 127  # what a shell returns for a program that is not there
NOTHING_RC = 66  # of a probe that finds nothing to read, such as no container whose log it is; sysexits.h calls it EX_NOINPUT
KILLED_RC = 137  # of a probe that did not end at its limit either: `timeout -k` kills it then
WAITS_S = {"CONNECT_S": 1, "ANSWER_S": 3, "API_S": 5}  # what probes may wait for one answer, under the names that their commands use
OVERHEAD_S = 20.0  # to reach the node at all, and to start all probes on a busy one


class ProbeSchema(Schema):
    """One probe: a shell command of the node. `limit_s`: after which it is ended."""

    on: Literal["cluster", "client"]
    command: str
    watch: bool = False
    limit_s: float = 8.0


class ProbesSchema(Schema):
    """data/probes.yaml: name -> probe."""

    probes: dict[str, ProbeSchema]


@cache
def probes() -> Mapping[str, ProbeSchema]:
    """All there are; name -> probe."""
    return read_data(PROBES, ProbesSchema).probes


def sample(site: Site, node: Node) -> tuple[Fact, ...]:
    """The facts of `node` that a watch looks at; cheap enough for every two seconds."""
    return _take(site, node, {name: probe for name, probe in probes().items() if probe.watch and probe.on == "cluster"})


def collect(
    site: Site,
    *,
    folder: Path,
    runs: tuple[StageRun, ...],
    checks: tuple[CheckResult, ...] = (),
    told: Mapping[str, str] | None = None,
    stop: Event | None = None,
) -> Evidence:
    """Every fact of every node, written below `folder` as <node>/<probe>.txt and facts.json.

    runs, checks: how the stages ended and what the checks said, which are facts of the lab itself; told: further ones, name -> text.
    stop: when set, it ends by KeyboardInterrupt and writes nothing: half of it would prove less than it seems.
    """
    of_lab = {"init": "\n".join(map(_told, runs)), "ansible": tasks.told(runs), "checks": "\n".join(map(_checked, checks)), **(told or {})}
    facts = [Fact(probe=name, node=LAB, text=text, at_s=now_s(), command="spraylab") for name, text in of_lab.items()]
    with ThreadPoolExecutor(max_workers=len(site.nodes)) as pool:  # a probe of a VIP that nobody holds waits for seconds
        facts += chain.from_iterable(pool.map(partial(_of_node, site, stop=stop), site.nodes))
    if stop:
        heed(stop)
    for fact in facts:
        path = folder / fact.node / f"{fact.probe}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fact.text)
    index = {"context": asdict(Context.of(site)), "facts": [asdict(fact) for fact in facts]}
    (folder / INDEX).write_text(json.dumps(index, indent=1))
    return Evidence(facts=tuple(facts))


def files(taken: Evidence, *, of: Path, stage: Path) -> list[str]:
    """What can be opened, as paths from a cell's folder `of`: what `collect` wrote to FOLDER there, and installer logs in `stage`."""
    logs = [os.path.relpath(path, of) for path in sorted(stage.glob("*.log"))]
    return [f"{FOLDER}/{fact.node}/{fact.probe}.txt" for fact in taken.facts] + logs


def read(folder: Path) -> tuple[Evidence, Context]:
    """What `collect` wrote to `folder`, fit for signature.match; ScenarioError when it did not."""
    try:
        raw = json.loads((folder / INDEX).read_text())
        return Evidence(facts=decode(tuple[Fact, ...], raw["facts"])), decode(Context, raw["context"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScenarioError(f"{folder} is not evidence of a cell", str(error), "name the evidence folder of a cell of a run") from error


def _of_node(site: Site, node: Node, *, stop: Event | None) -> tuple[Fact, ...]:
    on = "client" if node.role == "client" else "cluster"
    return _take(site, node, {name: probe for name, probe in probes().items() if probe.on == on}, stop=stop)


def _take(site: Site, node: Node, asked: Mapping[str, ProbeSchema], *, stop: Event | None = None) -> tuple[Fact, ...]:
    token = uuid.uuid4().hex  # a log may hold any line, but not this one
    limit_s = site.pace * (max(probe.limit_s for probe in asked.values()) + OVERHEAD_S)
    done = ssh(site, node, _script(site, node, asked, token), limit_s=limit_s, stop=stop)
    at_s = now_s()
    ended = re.finditer(rf"^{token} begin (\S+)\n(.*?)\n{token} end (\d+)$", done.stdout, re.DOTALL | re.MULTILINE)
    found = {name: _text(said.strip("\n"), int(rc)) for name, said, rc in (match.groups() for match in ended)}
    why = f"{UNREADABLE} {node.name} did not answer (rc {done.rc}): {done.stderr.strip()}"
    return tuple(
        Fact(probe=name, node=node.name, text=found.get(name, why), at_s=at_s, command=probe.command) for name, probe in asked.items()
    )


def _script(site: Site, node: Node, asked: Mapping[str, ProbeSchema], token: str) -> str:
    """All probes at once, for most of them wait; then what each said, between lines with the token, and its exit code."""
    waits = " ".join(f"{name}={seconds * site.pace:g}" for name, seconds in WAITS_S.items())
    lines = [f"export NODE={node.address} VIP={site.slot.vip} PORT={site.api_port} INTERFACE={node.interface} {waits}"]
    lines.append("said=$(mktemp -d)")
    for name, probe in asked.items():
        limited = f"timeout -k 1 {probe.limit_s * site.pace:g} sh -c {shlex.quote(probe.command)}"
        lines.append(f"{{ {limited} >$said/{name} 2>&1; echo $? >$said/{name}.rc; }} &")
    lines.append("wait")
    lines += [f"echo '{token} begin {name}'; cat $said/{name}; printf '\\n{token} end %s\\n' $(cat $said/{name}.rc)" for name in asked]
    return "\n".join([*lines, "rm -r $said"])


def _text(said: str, rc: int) -> str:
    limit = f"{UNREADABLE} the probe was ended at its limit"
    reasons = {RC_LIMIT: limit, KILLED_RC: limit, NOT_FOUND_RC: f"{UNREADABLE} a program of the probe is not there", NOTHING_RC: NOTHING}
    return f"{reasons[rc]}: {said}" if rc in reasons else said


def _told(run: StageRun) -> str:
    init_rc = "unknown" if run.init_rc is None else run.init_rc
    stopped = f" stopped_after_s={run.stopped_after_s:.0f}" if run.stopped_after_s is not None else ""
    rc = "stopped" if run.rc is None else run.rc
    return f"stage={run.stage} rc={rc} attempts={run.attempts} init_rc={init_rc} init_s={run.init_s:.0f}{stopped}"


def _checked(one: CheckResult) -> str:
    return f"{one.outcome.name} {one.check} on {one.node}: {' '.join(one.said.split())}"
