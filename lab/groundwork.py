"""What nodes that are up are given before an installer begins there from nothing: at first, and again after a reset."""

from lab import bed, fileserver, network, plan
from lab.errors import BedError
from lab.model import Cell, Site, Stage
from lab.notation import earlier
from lab.supply import Supply


def due(cell: Cell, stage: Stage) -> bool:
    """Whether `stage` of `cell` begins from nothing."""
    return not earlier(cell.ordering, stage.index)


def lay(cell: Cell, stage: Stage, *, site: Site, nodes: bed.Bed, supply: Supply) -> None:
    """The plain network and the artifacts by HTTP where `cell` has them; where nodes were reset, what that took. Raises BedError."""
    if stage.index:
        if not isinstance(nodes, bed.Restocks):
            why = f"reset.yml took away what nodes of the bed {nodes.name} are made with"
            raise BedError(f"stage {stage.name!r} cannot begin", why, "name a bed that gives it back")
        nodes.restock()
    if plan.has_plain_network(cell, stage.addons):
        network.place(site)
    if plan.serves_files(cell, supply):
        fileserver.place(site)
