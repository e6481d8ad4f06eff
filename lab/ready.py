"""What a run is asked, and whether this host can do it: all that would stop its cells is told before anything is made."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab import (
    artifacts,
    bed,
    cachedir,
    checkout,
    component,
    engine,
    host,
    kindcluster,
    matrix,
    plan,
    playbooks,
    preflight,
    release,
    slots,
    toolchain,
    upstream,
)
from lab.datafile import load_yaml
from lab.engine import Choice
from lab.errors import HostError, ScenarioError
from lab.host import NodeNeeds
from lab.model import Cell, Prediction, Site, Stage
from lab.notation import resets, upgrades
from lab.schedule import Need
from lab.shared import Keep
from lab.supply import Supply, parse
from lab.watch import Patience

FOLDER = Path("runs")
RUN_BYTES = cachedir.GIB  # evidence of a cell is under 2 MiB, its nodes' volumes some hundred
SPARE_MIB = 1024.0  # of the host's free memory that nodes are not given


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a run is asked. `kubespray`: path or URL of its repository, None for the public one; `runs`: the folder that gets one
    folder per run; `slot`: None takes a free one per course; `jobs`: how many courses at once, None as many as the host has room for;
    `reuse`: cells share the stages they have in common; `seed`: shuffles the courses; `going_on`: with the newest run of the same
    scenarios, `failed`: and runs its red cells again; `asked`: what a cell must be, so that the run ends with 0; `supply`: where what is
    installed comes from."""

    engine: Choice = "auto"
    patience: Patience = "early"
    keep: Keep = "never"
    kubespray: str | None = None
    slot: int | None = None
    runs: Path = FOLDER
    jobs: int | None = None
    reuse: bool = True
    seed: int | None = None
    going_on: bool = False
    failed: bool = False
    asked: matrix.Asked = "green"
    supply: Supply = field(default_factory=Supply)

    @property
    def limit(self) -> int | None:
        """How many courses at once at the most; a slot that is named has room for one."""
        return 1 if self.slot is not None else self.jobs


def possible(options: Options) -> None:
    """Raise ScenarioError, with all reasons, when no run can be asked that."""
    wrong = [f"--jobs {options.jobs} is less than one set of nodes"] if options.jobs is not None and options.jobs < 1 else []
    if options.slot is not None and options.slot not in range(slots.COUNT):
        wrong.append(f"--slot {options.slot} is none of 0 to {slots.COUNT - 1}")
    if wrong:
        raise ScenarioError("the command asks for what cannot be", "; ".join(wrong), "give others, or leave them out")


def supply(source: str | None, components: Iterable[str]) -> Supply:
    """What `--artifacts` and `--component` ask for. Raises ScenarioError when one of them cannot be read, or names no component, or one
    that cannot be built where it has to be."""
    asked = parse(source, components, downloads=str(cachedir.root() / cachedir.DOWNLOADS))
    artifacts.known(asked)
    return asked


def installable(cell: Cell, supply: Supply = plan.OWN) -> None:
    """Raise ScenarioError when `cell` asks for what cannot be installed or built."""
    plan.check(cell, supply)
    if cell.bed == "kind" and (wrong := kindcluster.cannot(cell)):
        raise ScenarioError(f"cell {cell.id!r} cannot run", "; ".join(wrong), "change the scenario, or name another bed")
    if cell.ref.source == "replica" and cell.ref.release not in release.replicas():
        raise release.no_replica(cell.ref.name)
    versions_of(cell, supply)


def lacking(cell: Cell) -> str:
    """What nodes of the bed of `cell` lack on this host that it asks for; empty where they have it."""
    if resets(cell.ordering) and not bed.restocks(cell.bed):
        return (
            f"reset.yml takes away the images that nodes of the bed {cell.bed} are made with, and nothing gives them back; containers can"
        )
    if _needs_ipvs(cell) and not bed.find(cell.bed).has_kernel("IP_VS", module="ip_vs"):
        return f"it asks for IPVS, which the kernel of nodes of the bed {cell.bed} does not have on this host; --bed vagrant has it"
    return ""


def _needs_ipvs(cell: Cell) -> bool:
    changed = {name: load_yaml(value) for name, value in cell.variables}
    return changed.get("kube_proxy_mode") == "ipvs" or changed.get("kube_vip_lb_enable") is True


def ready(cells: Iterable[Cell], options: Options, *, say: Callable[[str], None] = lambda _: None) -> None:
    """Raise the LabError that would stop `cells` from running on this host; makes nothing but what the cache lacks of
    Go, of the files of kubespray's refs and of their Ansible; `say` is told of those."""
    wanted = tuple(cells)
    fetching = [cell for cell in wanted if options.supply.of(cell.ref) == "upstream"]
    if inside := sorted({cell.bed for cell in fetching if not bed.outward(cell.bed)}):
        why = f"nodes of the bed {', '.join(inside)} reach one another alone"
        raise HostError("nodes cannot fetch what they install", why, "install what the lab builds: --artifacts built")
    for name in sorted({cell.bed for cell in wanted}):
        bed.find(name).ready([cell.topology for cell in wanted if cell.bed == name])
    if any(bed.find(cell.bed).by_engine for cell in wanted):
        engine.see(options.engine)
    slots.hold(options.slot, slots.of_host()).release()
    if (free := host.disk_free_bytes(options.runs.absolute())) < RUN_BYTES:
        why = f"{options.runs.absolute()} has {free / cachedir.GIB:.1f} GiB free, {RUN_BYTES / cachedir.GIB:.0f} GiB are needed"
        raise HostError("not enough room on the disk for a run", why, "make room there, or run in a folder on a larger disk")
    asked = {(cell.kube_version, plan.addons_of(cell), options.supply.settled(cell.ref), upgrades(cell.ordering)) for cell in wanted}
    missing = {name for version, addons, given, later in asked for name in artifacts.missing(version, addons, given, later=later)}
    if missing:
        toolchain.program(toolchain.find())
    for ref in dict.fromkeys(cell.ref for cell in wanted if cell.ref.source == "kubespray"):
        say(f"making the files and the Ansible of {ref.label} ready")
        playbooks.kubespray(ref, options.kubespray or checkout.PUBLIC)
    if fetching:
        upstream.check()
        cachedir.shared(cachedir.DOWNLOADS)
    needed = sum(component.load(name).needs_mib * 2**20 for name in missing)
    needed += sum(bed.find(name).room_bytes() for name in {cell.bed for cell in wanted})
    if needed:
        cachedir.need_room(needed, f"build what is not in the cache yet ({', '.join(sorted(missing)) or 'what nodes are made of'})")


def capacity() -> Need:
    """What this host has for nodes now."""
    seen = host.facts()
    return Need(memory_mib=seen.memory_free_bytes / 2**20 - SPARE_MIB, cores=seen.cores, inotify=host.inotify_free())


def needs(cell: Cell) -> NodeNeeds:
    """What the nodes of `cell` ask of the installer, on their bed and this host."""
    return bed.find(cell.bed).needs(host.facts())


def versions_of(cell: Cell, supply: Supply = plan.OWN) -> Mapping[str, str]:
    """Component -> version of what nodes of `cell` get, where it is not the release's own. Raises ScenarioError when it cannot be had."""
    return artifacts.versions(cell.kube_version, plan.addons_of(cell), supply.settled(cell.ref), later=upgrades(cell.ordering))


def stages(cell: Cell, supply: Supply = plan.OWN) -> tuple[Stage, ...]:
    """The runs of the installer that `cell` would be on this host."""
    facts, versions = release.load(cell.ref.release), versions_of(cell, supply)
    return plan.stages(cell, facts, needs=needs(cell), versions=versions, supply=supply)


def predicted(cell: Cell, made: tuple[Stage, ...]) -> tuple[Prediction, ...]:
    """What the preflight says of `cell`, with the addresses it would have in the first slot. made: `stages` of it or of a longer one."""
    place = slots.slot(0)
    site = Site(nodes=slots.layout(cell.topology, place), slot=place, ssh_config=Path("ssh_config"))
    return preflight.predict(cell, release.load(cell.ref.release), made[: len(cell.ordering)], site)
