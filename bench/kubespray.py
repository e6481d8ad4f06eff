"""How long the same kubespray takes by plain `ansible-playbook` and by the lab, in one go, and which lever gave what.

    python bench/kubespray.py --kubespray PATH [--ref v2.25.1] [--ordering kube-vip+metallb+cilium] [--rounds 1] [--arm ARM]... [--write]

Every arm gets fresh nodes with the same addresses, inventory, variables and artifacts; what is timed is ansible-playbook alone, from its
start to its end. `plain` has kubespray's own ansible.cfg, with persistent connections, pipelining and a fact cache, and nothing of the lab.
The arms of a round come one after another. Prints one table; with --write puts it into docs/kubespray.md between its two marks.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

import click

from bench import page
from bench.cluster import cell_of, cluster_of
from lab import host, installer, inventory, nodeimage, notation, playbooks, stagerun
from lab.command import interrupted_by_sigterm, run, ssh
from lab.errors import BedError, LabError
from lab.journal import Journal
from lab.model import Cell, Completed, Site, Stage, StageRun
from lab.playbooks import Playbooks
from lab.refs import Refs
from lab.supply import Supply

PAGE = page.DOCS / "kubespray.md"
LIMIT_S = 5400.0
AIM = 0.6
BUILT = Supply(artifacts="built")
MITOGEN = "mitogen==0.3.54"
PIPED = {"ANSIBLE_SSH_TRANSFER_METHOD": "piped"}
STAYS = {"ANSIBLE_STRATEGY": "mitogen_linear"}
ONE_BY_ONE = "-o ControlMaster=no -o ControlPath=none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way to run the same playbooks. `what`: in words; `env`: instead of the lab's; `watched`: with the samples that a cell takes;
    `more`: requirements beside those of the ref."""

    what: str
    env: Mapping[str, str] | None = None
    watched: bool = False
    more: tuple[str, ...] = ()


ARMS: Mapping[str, Arm] = {
    "plain": Arm(what="ansible-playbook with kubespray's own ansible.cfg"),
    "lab": Arm(what="as cells are run, watched", env={}, watched=True),
    "unwatched": Arm(what="the lab without its samples", env={}),
    "no-events": Arm(what="unwatched, without the lab's callback", env={"ANSIBLE_CALLBACKS_ENABLED": ""}),
    "few-forks": Arm(what="unwatched, forks of Ansible's default", env={"ANSIBLE_FORKS": "5"}),
    "no-pipelining": Arm(what="unwatched, modules copied as files", env={"ANSIBLE_PIPELINING": "False"}),
    "no-connections": Arm(what="unwatched, a connection for every task", env={"ANSIBLE_SSH_ARGS": "-F {ssh_config} " + ONE_BY_ONE}),
    "no-facts": Arm(
        what="unwatched, facts gathered by every play", env={"ANSIBLE_GATHERING": "implicit", "ANSIBLE_CACHE_PLUGIN": "memory"}
    ),
    "with-sudo": Arm(what="unwatched, by sudo although it is root already", env={"ANSIBLE_REMOTE_USER": ""}),
    "piped": Arm(what="unwatched, files through the connection that is open", env=PIPED),
    "mitogen": Arm(what="unwatched, tasks by a Python that stays on the node", env=STAYS, more=(MITOGEN,)),
    "all": Arm(what="the two above together, watched", env={**PIPED, **STAYS}, more=(MITOGEN,), watched=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one arm took in one round. `load`: of the host before it."""

    arm: str
    seconds: float
    load: float
    slowest: tuple[tuple[str, float], ...] = ()


@click.command()
@click.option("--kubespray", "repository", required=True, metavar="PATH|URL")
@click.option("--ref", default="v2.25.1", show_default=True)
@click.option("--kubernetes", default="v1.29.5", show_default=True)
@click.option("--ordering", default="kube-vip+metallb+cilium", show_default=True, help="Of one stage.")
@click.option("--rounds", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--arm", "arms", multiple=True, type=click.Choice(list(ARMS)), default=("plain", "lab"), show_default=True)
@click.option("--write", is_flag=True, help="Put the table into docs/kubespray.md.")
def main(*, repository: str, ref: str, kubernetes: str, ordering: str, rounds: int, arms: Sequence[str], write: bool) -> None:
    """Measure and print; 3 where an arm did not end green."""
    cell = _cell(repository, ref, kubernetes, ordering)
    found: list[Took] = []
    ended = ""
    with interrupted_by_sigterm():
        try:
            for number in range(rounds):
                for name in arms:
                    found.append(_measure(cell, name, repository))
                    print(f"round {number + 1}, {name}: {found[-1].seconds:.0f} s; load before it {found[-1].load:.1f}", flush=True)
        except LabError as error:
            ended = str(error)
        except KeyboardInterrupt:
            ended = "ended before all arms were measured"
    table = _table(cell, found)
    print(f"\n{table}{ended}")
    if write and found:
        page.write(PAGE, table, bench="kubespray")
    sys.exit(3 if ended else 0)


def _cell(repository: str, name: str, kubernetes: str, text: str) -> Cell:
    named, ordering = f"kubespray@{name}", notation.parse_ordering(text)
    ref = Refs(repository=repository, look_up=True).read([named])[named]
    return cell_of(ref, ordering[:1], notation.parse_topology("1cp"), kube_version=kubernetes)


def _measure(cell: Cell, name: str, repository: str) -> Took:
    with _nodes(cell) as (site, stage, folder):
        arm, load = ARMS[name], os.getloadavg()[0]
        source = _source(cell, arm, repository, site)
        if arm.env is None:
            done = _plain(stage, site, source, folder)
            if done.rc != 0:
                raise BedError(f"{name} ended with {done.rc}", done.stdout[-2000:], "run it as a cell")
            return Took(arm=name, seconds=done.duration_s, load=load)
        seen = _by_the_lab(stage, site, source, folder, watched=arm.watched)
        if seen.rc != 0:
            raise BedError(f"{name} ended with {seen.rc}", f"{seen.failed_task}: {seen.failed_said}", "run it as a cell")
        return Took(arm=name, seconds=seen.duration_s, load=load, slowest=seen.slowest)


@contextmanager
def _nodes(cell: Cell) -> Iterator[tuple[Site, Stage, Path]]:
    """Fresh nodes of `cell`, ready for its one stage: images loaded, artifacts served where the release asks for that."""
    with cluster_of(cell, bench="kubespray", supply=BUILT) as cluster:
        nodeimage.ensure(cluster.engine, say=print)
        site, (stage,) = cluster.nodes.up(), cluster.stages
        cluster.lay(stage, site)
        for node in site.members:
            ssh(site, node, "systemctl start spraylab-images", limit_s=300)  # loaded beside a run else, which would be timed with it
        yield replace(site, api_port=inventory.api_port(stage)), stage, cluster.folder


def _source(cell: Cell, arm: Arm, repository: str, site: Site) -> Playbooks:
    made = playbooks.kubespray(cell.ref, repository)
    env = {name: value.format(ssh_config=site.ssh_config.absolute()) for name, value in (arm.env or {}).items()}
    if not arm.more:
        return replace(made, env=env)
    with TemporaryDirectory(prefix="spraylab-requirements-") as folder:
        pins = Path(folder) / "requirements.txt"
        pins.write_text("\n".join((made.cluster.with_name("requirements.txt").read_text(), *arm.more, "")))
        python = playbooks.ansible(pins, label=f"{cell.ref.label} and {', '.join(arm.more)}")
    (strategies,) = (python.parent.parent / "lib").glob("python*/site-packages/ansible_mitogen/plugins/strategy")
    program = (str(python), str(python.parent / "ansible-playbook"))
    return replace(made, ansible_playbook=program, env={**env, "ANSIBLE_STRATEGY_PLUGINS": str(strategies)})


def _plain(stage: Stage, site: Site, source: Playbooks, folder: Path) -> Completed:
    """What somebody does who has a checkout, its Ansible and the inventory. The fact cache is the arm's own: hosts have the same names."""
    made = inventory.render(stage, site)
    hosts, variables = folder / "inventory" / "hosts.yaml", folder / "inventory" / "group_vars" / "all.yaml"
    variables.parent.mkdir(parents=True)
    hosts.write_text(made.hosts)
    variables.write_text(made.variables)
    told = installer.arguments(stage, hosts=str(hosts), more=source.arguments, playbook=str(source.cluster))
    env = {
        "ANSIBLE_CONFIG": str(source.cluster.parent / "ansible.cfg"),
        "ANSIBLE_SSH_EXTRA_ARGS": f"-F {site.ssh_config.absolute()}",  # the common ones are set by kubespray itself, for bastions
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "connections"),
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
    }
    return run((*source.ansible_playbook, *told), limit_s=LIMIT_S, env=env, cwd=source.cluster.parent)


def _by_the_lab(stage: Stage, site: Site, source: Playbooks, folder: Path, *, watched: bool) -> StageRun:
    into = folder / "stage"
    into.mkdir()
    if not watched:
        return installer.install(stage, site=site, playbooks=source, folder=into, on_event=lambda _: None, stop=Event(), limit_s=LIMIT_S)
    journal = Journal(folder, tell=lambda _: None)
    tell = stagerun.Reporter(journal=journal, course="bench")
    by = stagerun.Installer(install=partial(installer.install, playbooks=source), init_tasks=source.init_tasks, full="")
    try:
        return stagerun.run_stage(stage, site=site, by=by, folder=into, patience="full", tell=tell, stop=Event())[0]
    finally:
        journal.close()


def _table(cell: Cell, found: Sequence[Took]) -> str:
    seconds = {name: [one.seconds for one in found if one.arm == name] for name in dict.fromkeys(one.arm for one in found)}
    plain_s = median(seconds["plain"]) if seconds.get("plain") else None
    when = f"{page.today()}, {host.facts().cores} cores"
    lines = [
        f"{cell.ref.label}, Kubernetes {cell.kube_version}, `{cell.ordering_text}`, one control plane; {when}; aim {AIM} of plain.",
        "",
    ]
    lines += ["| arm | what | seconds | load before | of plain |", "|---|---|---|---|---|"]
    for name, its in seconds.items():
        ratio = f"{median(its) / plain_s:.2f}" if plain_s else "-"
        loads = ", ".join(f"{one.load:.1f}" for one in found if one.arm == name)
        lines.append(f"| {name} | {ARMS[name].what} | {', '.join(f'{one:.0f}' for one in its)} | {loads} | {ratio} |")
    told = next((one for one in found if one.slowest), None)
    slowest = [f"Slowest tasks ({told.arm}): " + "; ".join(f"{task} {took:.0f} s" for task, took in told.slowest) + "."] if told else []
    return "\n".join([*lines, "", *slowest]) + "\n"


if __name__ == "__main__":
    main()
