"""A stage for somebody who runs it by hand: its command, and its inventory as one file with the reason of every variable. Pure."""

import shlex
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab import installer, inventory
from lab.ambiguous import fits_several
from lab.datafile import dump_yaml
from lab.errors import ScenarioError
from lab.model import Cell, Ref, Site, Stage
from lab.plan import DEPARTS

FILE = "inventory.yaml"  # as the command calls what is printed here
WIDTH = 110  # of comments
OF_NODES = "It is what nodes of the lab are given, and what departs from the release is for them. For machines of your own:"
OF_THE_LAB = ("upstream_dns_servers",)  # variables that make sense where a client of the lab stands beside the nodes


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where an inventory is taken: its path as the command has it, and sentences that stand above it."""

    hosts: str
    notes: tuple[str, ...]


def find(part: str, *sources: Iterable[Cell]) -> Cell:
    """The cell whose id is `part`; else the only one of whose id that is some whole fields; else the only one that has it in its id.

    Each is looked for in the first of `sources` with such a cell. Raises ScenarioError with those that fit.
    """
    wanted = [list(dict.fromkeys(cells)) for cells in sources]
    ways: tuple[Callable[[str], bool], ...] = (
        lambda name: name == part,
        lambda name: f":{part}:" in f":{name}:",
        lambda name: part in name,
    )
    found = ([cell for cell in cells if fits(cell.id)] for fits in ways for cells in wanted)
    fits = next((cells for cells in found if cells), [])
    if len(fits) == 1:
        return fits[0]
    if not fits:
        raise ScenarioError(f"no cell has {part!r} in its id", "no scenario has such a cell", "`spraylab list` shows them")
    if len({cell.id for cell in fits}) == 1:
        why = "scenarios give its mitigations different variables"
        raise ScenarioError(f"{part!r} is a cell of {len(fits)} scenarios", why, "name one of them: --scenario NAME")
    raise fits_several(part, (cell.id for cell in fits), these="these have it in their ids")


def nth(number: int | None, stages: Sequence[Stage]) -> Stage:
    """Stage `number` of `stages`, counted from 1; the last one for None. Raises ScenarioError when there is none."""
    if number is None:
        return stages[-1]
    if number not in range(1, len(stages) + 1):
        names = ", ".join(f"{stage.index + 1} {stage.name}" for stage in stages)
        raise ScenarioError(f"there is no stage {number}", f"the cell has {names}", "name one of them")
    return stages[number - 1]


def command(ref: Ref, stage: Stage, *, hosts: str = FILE) -> str:
    """What runs `stage`, in the folder of the playbooks. hosts: path of its inventory."""
    if ref.source == "kind":
        return "kind create cluster --config kind.yaml"
    more = ("-e", f"@releases/{ref.release}.yml") if ref.source == "replica" else ()
    return shlex.join(("ansible-playbook", *installer.arguments(stage, hosts=hosts, more=more, playbook=stage.playbook)))


def where(ref: Ref) -> str:
    """The folder that `command` is run in, in words."""
    if ref.source == "kind":
        return "a folder of `spraylab export --as kind`"
    return "lab/replica" if ref.source == "replica" else f"a checkout of {ref.label}, with the Ansible of its requirements.txt"


def document(
    cell: Cell,
    stages: Sequence[Stage],
    stage: Stage,
    site: Site,
    *,
    reasons: Mapping[str, str],
    home: Home | None = None,
    again: Sequence[str] = (),
) -> str:
    """The inventory of `stage` as one YAML file with comments. reasons: variable -> why it has its value; others are addresses.

    home: where it is taken, with nothing of the lab; None prints what the lab itself gives to its nodes, and how the cell, found again by
    the options `again`, is taken home.
    """
    if cell.ref.source == "kind":
        raise ScenarioError(
            f"{cell.id} has no inventory", "kind installs it, and no playbook does", "spraylab export CELL FOLDER --as kind"
        )
    whole = inventory.of_one_file(stage, site)["all"]
    told = dict(whole) if isinstance(whole, Mapping) else {}
    variables = told.pop("vars")
    head = _comment(
        (
            f"Inventory of stage {stage.index + 1} of {len(stages)}, {stage.name}, of the cell {cell.id}",
            f"Run it in {where(cell.ref)}:",
            f"  {command(cell.ref, stage, hosts=home.hosts if home else FILE)}",
            *(home.notes if home else (*_before(stages, stage), *_of_slot(site), *_at_home(cell, again))),
        )
    )
    variables = variables if isinstance(variables, Mapping) else {}
    if home:
        variables = {name: value for name, value in variables.items() if name not in OF_THE_LAB}
    body = _vars(variables, reasons, addresses="addresses of the nodes" if home else f"addresses of slot {site.slot.number}")
    return "\n".join((*head, "all:", "  vars:", *body, "", *_indented(dump_yaml(told), 2))) + "\n"


def _of_slot(site: Site) -> tuple[str, ...]:
    return (f"The addresses are those of slot {site.slot.number}, and hosts are reached under their names.",)


def _at_home(cell: Cell, again: Sequence[str]) -> tuple[str, ...]:
    return OF_NODES, f"  {shlex.join(('spraylab', 'export', cell.id, 'FOLDER', '--as', 'inventory', *again))}"


def _before(stages: Sequence[Stage], stage: Stage) -> Iterator[str]:
    if stage.index:
        names = ", ".join(one.name for one in stages[: stage.index])
        yield f"It comes after {names}, each with an inventory of its own: --stage 1 to {stage.index}."


def _vars(variables: Mapping[str, object], reasons: Mapping[str, str], *, addresses: str) -> Iterator[str]:
    """The variables in groups of one reason each: what says what the cell is, addresses, then what departs from the release."""
    groups: dict[str, dict[str, object]] = {}
    for name in (*(name for name in reasons if name in variables), *variables):
        groups.setdefault(reasons.get(name, addresses), {})[name] = variables[name]
    for why in sorted(groups, key=lambda why: why.startswith(DEPARTS)):
        yield ""
        yield from (f"    {line}" for line in _comment((why,)))
        yield from _indented(dump_yaml(groups[why]), 4)


def _comment(sentences: Iterable[str]) -> Iterator[str]:
    for sentence in sentences:
        if sentence.startswith(" "):
            yield f"# {sentence}"  # a command stays on one line
        else:
            yield from (f"# {line}" for line in textwrap.wrap(sentence, WIDTH, break_long_words=False, break_on_hyphens=False))


def _indented(text: str, columns: int) -> list[str]:
    return textwrap.indent(text.rstrip("\n"), " " * columns).splitlines()
