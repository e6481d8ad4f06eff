"""The command `spraylab`: parse, call, print. Running cells is pytest's; `repro` and `run` call it."""

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click

from lab import (
    bed,
    building,
    cachedir,
    doctor,
    ending,
    engine,
    export,
    fidelity,
    gc,
    handover,
    host,
    kept,
    libvirt,
    matrix,
    named,
    outlook,
    preview,
    ready,
    runfolder,
    runs,
    scenario,
    slots,
    stale,
)
from lab.deadline import now_s, today
from lab.ending import BAD_INPUT, UNREAD
from lab.model import Outcome
from lab.reports import bedtable, cachetable, progress, screen, terminal

SAY = partial(click.echo, err=True)  # what is no part of an answer


class Command(click.Group):
    """Ends as the README says, whatever a verb raises: click's own 2 for what it cannot read, and Python's 1, mean verdicts here."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run the verb of the command line."""
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
            sys.stdout.flush()
        except click.ClickException as error:
            error.show()
            code = BAD_INPUT
        except Exception as error:  # noqa: BLE001 - the border of the program: `ending` tells each
            told = ending.of(KeyboardInterrupt() if isinstance(error, click.Abort) else error)
            ending.tell(told)
            code = told.code
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # which click would end with 1
            ending.tell(ending.of(BrokenPipeError()))
            ctx.exit(UNREAD)


@click.group(cls=Command, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(runs.lab_version())
def main() -> None:
    """Reproducible integration test lab for kubespray with kube-vip, MetalLB and Cilium."""


SUPPLY = (
    click.option("--artifacts", type=click.Choice(["built", "upstream"]), help="Built by the lab, or fetched by kubespray itself."),
    click.option("--component", multiple=True, metavar="NAME=VERSION", help="This version of a component: kube-vip=v1.0.0."),
)


def _of_cells(verb: Callable[..., None]) -> Callable[..., None]:
    """The options of a verb that runs cells; pytest's plugin has the same."""
    for option in reversed(
        (
            click.option("--bed", type=click.Choice(bed.names()), help="Nodes of this bed in place of the scenario's."),
            click.option("--engine", type=click.Choice(["auto", "docker", "podman"]), help="auto: DOCKER_HOST, Docker, podman."),
            click.option("--patience", type=click.Choice(["early", "full"]), help="full: wait every time-out out, as kubespray does."),
            click.option("--keep", type=click.Choice(["never", "failure", "always"]), help="Whose nodes stay for `spraylab shell`."),
            click.option(
                "--kubespray", metavar="PATH|URL", help="Kubespray's repository; runs a scenario of the replica by it, unpatched."
            ),
            click.option(
                "--ref", multiple=True, help="Run this in place of the scenario's refs: v2.25.0, a branch, a commit, pr/7, worktree."
            ),
            *SUPPLY,
            click.option("--slot", type=int, help="The fixed subnet to use, 0 to 15."),
            click.option("--runs", type=click.Path(path_type=Path), help="Gets a folder per run; default: runs."),
            click.option("--jobs", type=click.IntRange(min=1), help="Sets of nodes at once; default: as many as the host has room for."),
            click.option("--no-reuse", is_flag=True, help="Nodes of its own for every cell; no stage is shared."),
            click.option("--seed", type=int, help="Shuffle the order; default: that of the scenario."),
            click.option("--resume", is_flag=True, help="Go on with the newest run of this scenario."),
            click.option("--failed", is_flag=True, help="As --resume, and run what was red again."),
            click.option("-k", "only", help="Run only cells whose id matches, as pytest's -k."),
        )
    ):
        verb = option(verb)
    return verb


@main.command()
@click.argument("name")
@_of_cells
def repro(name: str, **options: object) -> None:
    """Run the scenario NAME and explain every red cell; 0 when every cell is green or has its cause."""
    _pytest(name, asked="verdicts", options=options)


@main.command()
@click.argument("name")
@_of_cells
def run(name: str, **options: object) -> None:
    """Run the scenario NAME; 0 when every cell is green."""
    _pytest(name, asked="green", options=options)


def _pytest(name: str, *, asked: str, options: dict[str, object]) -> None:
    """Become pytest: its plugins must come before what this process has imported, and its exit code is the run's."""
    arguments = handover.arguments(named.scenario_file(name), asked=asked, options=options, root=named.PROJECT)
    sys.stdout.flush()
    os.execv(sys.executable, (sys.executable, "-m", "pytest", *arguments))  # noqa: S606 - the same Python


@main.command("list")
@click.argument("name", required=False)
def list_(name: str | None) -> None:
    """List the scenarios and their cells, without touching an engine."""
    for path in named.scenario_files(name):
        read = scenario.load(path, check=ready.installable, lacks=ready.lacking)
        click.echo(f"{read.name}: {read.about}")
        because = dict(read.because)
        for cell in read.cells:
            click.echo(f"  {cell.id}" + (f"  ({because[cell.id]})" if because[cell.id] else ""))
        for left_out in read.left_out:
            click.echo(f"  {left_out.cell.id}  (left out: {left_out.because})")
        for said in scenario.expired(read, today=today()):
            click.echo(f"  {said}")


def _of_planned(verb: Callable[..., None]) -> Callable[..., None]:
    """The options that say which cells are meant, where none is run."""
    for option in reversed(
        (
            click.option("--kubespray", metavar="PATH|URL", help="As a run is given it; a URL is not asked, but what was fetched is used."),
            click.option("--ref", multiple=True, help="As a run is given it: v2.25.0, a branch, a commit, pr/7, worktree."),
            click.option("--bed", type=click.Choice(bed.names()), help="Nodes of this bed in place of the scenario's."),
        )
    ):
        verb = option(verb)
    return verb


SCENARIO = click.option("--scenario", help="Only cells of this scenario, a name or the path of a file.")


@main.command("plan")
@click.argument("name")
@click.option("--jobs", type=click.IntRange(min=1), help="Sets of nodes at once; default: as many as the host has room for.")
@click.option("--no-reuse", is_flag=True, help="Nodes of its own for every cell; no stage is shared.")
@_of_planned
@SUPPLY[0]
@SUPPLY[1]
@click.option("--stages", is_flag=True, help="Every run of the installer in full: its command, what it sets, what is verified behind it.")
@click.option("--runs", "folder", type=click.Path(path_type=Path), default=ready.FOLDER, help="Folder of runs, for how long cells took.")
@click.option("-k", "only", default="", help="Only cells whose id matches, as pytest's -k.")
def plan_(name: str, folder: Path, only: str, *, jobs: int | None, no_reuse: bool, stages: bool, **asked: Any) -> None:
    """Show what a run of the scenario NAME would do: nodes, stages, cells, expected time and memory. Makes no node, asks no network.

    Ends with 2 when every cell is left out.
    """
    given, file = named.Asked(scenario=name, **asked), named.scenario_file(name)
    refs, supply = given.refs(), given.supply()
    check = partial(ready.installable, supply=supply)
    whole = scenario.load(file, check=check, refs=refs, bed=given.bed, lacks=ready.lacking, asked=str(given))
    named.say_assumed(refs.assumed, SAY)
    read = scenario.chosen(whole, only, file=file)
    again = (*given.words(), *given.words_of_supply())
    preview.show(read, supply, known=folder, limit=jobs, reuse=not no_reuse, in_full=stages, again=again)
    for said in scenario.expired(read, today=today()):
        click.echo(said)
    if not read.cells:
        sys.exit(matrix.EXIT[Outcome.UNKNOWN])


@main.command("inventory")
@click.argument("cell")
@click.option("--stage", "number", type=int, help="Counted from 1, as `spraylab plan --stages` does; default: the last.")
@click.option("--slot", type=click.IntRange(0, slots.COUNT - 1), default=0, help="Whose addresses; default: 0.")
@SCENARIO
@_of_planned
@SUPPLY[0]
@SUPPLY[1]
def inventory_(cell: str, *, number: int | None, slot: int, **asked: Any) -> None:
    """Print the inventory that a stage of CELL gets, with the reason of every variable; a part of an id that fits one cell will do."""
    click.echo(outlook.inventory(cell, named.Asked(**asked), number=number, slot=slot, say=SAY), nl=False)


@main.command("export")
@click.argument("cell")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--as", "form", type=click.Choice(export.FORMS), required=True, help="What the folder is run with.")
@SCENARIO
@_of_planned
def export_(cell: str, folder: Path, *, form: export.Form, **asked: Any) -> None:
    """Write CELL to a new FOLDER, with a README: to be run by plain kind, Vagrant and Ansible, or kubespray, with nothing of the lab."""
    name = outlook.folder(cell, named.Asked(**asked), form, folder, say=SAY)
    click.echo(f"{folder / 'README.md'} says how to run {name}")


@main.command()
@click.argument("names", nargs=-1)
def build(names: tuple[str, ...]) -> None:
    """Build components (by default all but optional ones), or the `box` of virtual machines; what is in the cache is not built again."""
    with progress.Progress(screen.console(), last_s={}, cells=0) as shown:
        built = building.build(names, shown)
    for name, path in built.items():
        click.echo(f"{name}: {path}")


@main.command("matrix")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def matrix_(folder: Path | None) -> None:
    """Show the matrix and the reasons of a run, by default the newest of ./runs; ends with the run's exit code."""
    shown = runfolder.shown(folder or runfolder.newest(ready.FOLDER))
    terminal.show(shown, screen.console())
    sys.exit(matrix.exit_code(shown.cells, asked=shown.asked, troubles=shown.troubles))


@main.command("gc")
@click.option("--yes", is_flag=True, help="Delete what is shown.")
@click.option("--engine", "choice", type=click.Choice(["auto", "docker", "podman"]), default="auto", help="Container engine.")
@click.option("--cache", is_flag=True, help="What of the cache was not used for some days, in place of what killed runs left.")
@click.option("--days", type=click.IntRange(min=1), default=14, show_default=True, help="With --cache: how many.")
def gc_(choice: engine.Choice, days: int, *, yes: bool, cache: bool) -> None:
    """Show what killed runs left on this host, or with --cache what of the cache is old; delete it with --yes.

    What living runs own or have just used is not touched; what goes of the cache is made again when it is asked for.
    """
    if cache:
        _gc_cache(days, yes=yes)
        return
    machines = libvirt.answering()
    with gc.reached(choice, machines=machines) as connected:
        found = gc.leftovers(connected, machines=machines)
        for one in found:
            click.echo(f"{one.kind:9} {one.name}  ({one.why}{f'; it stays: {one.stays}' if one.stays else ''})")
        if yes:
            gc.delete(connected, found, machines=machines)
        click.echo(gc.ended(found, deleted=yes))


def _gc_cache(days: int, *, yes: bool) -> None:
    click.echo(f"looking through {cachedir.root()}", err=True)
    entries = stale.look(days=days)
    screen.console().print(cachetable.table(entries, now_s=now_s()))
    going = [one for one in entries if not one.stays]
    click.echo(cachetable.ended(going, stale.delete(going) if yes else None, days=days))


@main.command()
@click.argument("cell")
@click.argument("node")
@click.option("--runs", "folder", type=click.Path(path_type=Path), default=ready.FOLDER, help="Folder of runs.")
def shell(cell: str, node: str, folder: Path) -> None:
    """Open a shell on NODE (cp1, client) of CELL, whose nodes --keep left running; a part of the cell's id will do."""
    os.execvp("ssh", ("ssh", "-F", str(kept.way(cell, node, folder)), node))  # noqa: S606, S607 - the terminal is handed over to it


@main.command("beds")
def beds_() -> None:
    """Show what nodes of each bed can show on this host, and what they cannot, with the checks that mean less for it."""
    limits = {name: fidelity.limits(name, host.facts(), told=bed.find(name).conditions()) for name in bed.names()}
    screen.console().print(bedtable.table(limits))


@main.command("doctor")
def doctor_() -> None:
    """Say what this host can and cannot do for the lab, each with its fix; 4 when a cell cannot run."""
    rows = doctor.rows()
    screen.console().print(terminal.abilities(rows))
    sys.exit(BAD_INPUT if any(row.needed and not row.ok for row in rows) else 0)


if __name__ == "__main__":
    main()
