"""A cell by its name on the command line, handed out: the inventory that a stage of it gets, the folder that it is taken home in."""

from collections.abc import Callable
from pathlib import Path

from lab import artifacts, export, named, plan, ready, release, slots, takehome
from lab.model import Site
from lab.named import Asked

Say = Callable[[str], None]


def inventory(part: str, asked: Asked, *, number: int | None, slot: int, say: Say) -> str:
    """The inventory that stage `number` of the cell gets in that slot, with the reason of every variable."""
    found, supply = named.cell(part, asked, say=say), asked.supply()
    stages, place = ready.stages(found, supply), slots.slot(slot)
    stage = takehome.nth(number, stages)
    site = Site(nodes=slots.layout(found.topology, place), slot=place, ssh_config=Path("ssh_config"))
    facts, versions = release.load(found.ref.release), ready.versions_of(found, supply)
    reasons = plan.reasons(found, stage, facts, needs=ready.needs(found), versions=versions, supply=supply)
    return takehome.document(found, stages, stage, site, reasons=reasons, again=asked.words())


def folder(part: str, asked: Asked, form: export.Form, path: Path, *, say: Say) -> str:
    """Write the cell to the new folder `path`; its id. Raises ScenarioError and HostError as export does."""
    found = named.cell(part, asked, say=say)
    versions = artifacts.versions(found.kube_version, plan.addons_of(found)) if form == "kind" else {}
    export.write(export.files(found, form, versions=versions), path)
    return found.id
