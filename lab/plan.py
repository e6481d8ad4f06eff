"""Cell -> the stages that run it, and the departures from the release that come with them. Pure but for reading data files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from lab import deviation, fileserver
from lab.datafile import dump_yaml, load_yaml
from lab.errors import ScenarioError
from lab.host import NodeNeeds
from lab.model import ADDONS, RESET, Cell, Deviation, Endpoint, Stage
from lab.notation import Ordering, act_of, upgrades
from lab.release import Release, load, numbers
from lab.supply import Supply

# What turns an addon on, under kubespray's names; addresses enter with the site's slot, in the inventory.
ADDON_VARIABLES: Mapping[str, Mapping[str, object]] = {
    "kube-vip": {
        "kube_vip_enabled": True,
        "kube_vip_controlplane_enabled": True,
        "kube_vip_arp_enabled": True,
        "kube_vip_interface": "{interface}",
        "kube_vip_services_enabled": False,
    },
    "metallb": {"metallb_enabled": True, "metallb_speaker_enabled": True, "metallb_namespace": "metallb-system"},
    "cilium": {"kube_network_plugin": "cilium", "cilium_kube_proxy_replacement": "strict", "kube_proxy_remove": True},
}
NETWORK_ADDONS = frozenset({"cilium"})
OWN = Supply()
PLAYBOOKS: Mapping[str, str] = {"": "cluster.yml", "reset": RESET, "upgrade": "upgrade-cluster.yml"}  # by what a stage does
ASKED_OF: Mapping[str, Mapping[str, object]] = {"reset": {"reset_confirmation": True}}
ASKED_FOR = "the run asks for this version (--component)"
DEPARTS = "departs from the release: "  # how the reason of a variable begins that is not the release's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One reason to depart. `variable`: empty when the playbooks need not be told; values as YAML would load them."""

    what: str
    variable: str
    released: object
    used: object
    why: str


def check(cell: Cell, supply: Supply = OWN) -> None:
    """Raise ScenarioError, with all reasons, when `cell` asks for what cannot be installed."""
    release = load(cell.ref.release)
    wrong: list[str] = []
    if cell.topology.control_planes % 2 == 0:  # each carries a member of etcd; kubespray refuses an even number too
        wrong.append(f"topology {cell.topology} gives etcd an even number of members")
    looked_up = cell.ref.commit or cell.ref.source != "kubespray" or cell.ref.name in (release.name, release.tag)
    if looked_up and not release.supports(cell.kube_version):
        wrong.append(f"{release.tag} installs Kubernetes from {release.kube_version_min} up to the minor version of {release.kube_version}")
    if supply.of(cell.ref) == "upstream" and cell.ref.source != "kubespray":
        wrong.append(f"the {cell.ref.source} installs what the lab builds and nothing else")
    by_program = cell.ref.source == "kubespray" and release.cilium.installer == "cilium-cli"
    if by_program and supply.of(cell.ref) == "built" and "cilium" in addons_of(cell):
        wrong.append(
            f"{release.tag} installs Cilium by cilium-cli, of which no version can be had as a Go module; --artifacts upstream has it"
        )
    wrong += _wrong_acts(cell, release)
    if wrong:
        fix = "change what the reason names, in the scenario or on the command line"
        raise ScenarioError(f"cell {cell.id!r} cannot run", "; ".join(wrong), fix)


def _wrong_acts(cell: Cell, release: Release) -> list[str]:
    acts = [stage for stage in cell.ordering if act_of(stage)]
    if acts and cell.ref.source != "kubespray":
        return [f"{cell.ref.label} has no {' and no '.join(sorted({PLAYBOOKS[act_of(stage)] for stage in acts}))}"]
    wrong = [f"{release.tag} does not install Kubernetes {found}" for found in upgrades(cell.ordering) if not release.supports(found)]
    steps = pairwise((cell.kube_version, *upgrades(cell.ordering)))
    backward = [
        f"upgrade({after}) is not newer than the {before} that is there" for before, after in steps if numbers(after) <= numbers(before)
    ]
    return wrong + backward


def stages(cell: Cell, release: Release, *, needs: NodeNeeds, versions: Mapping[str, str], supply: Supply = OWN) -> tuple[Stage, ...]:
    """The runs of the installer, first to last; the addons of a stage are all that are on after it.

    The first stages of an ordering are the stages of the ordering that ends there: every prefix is a cell of its own.
    versions: component name -> the version that nodes get, where it is not the release's own; supply: where that comes from.
    """

    def departs(at: Cell, during: tuple[str, ...]) -> list[Departure]:
        return _departures(at, during, release, needs=needs, versions=versions, supply=supply)

    return _runs(cell, release, departs)


def at_home(cell: Cell, release: Release) -> tuple[Stage, ...]:
    """The runs of the installer as somebody has them whose machines can download: what departs from the release for nodes of the lab is
    left away."""
    return _runs(cell, release, lambda _, __: [])


def _runs(cell: Cell, release: Release, departs: Callable[[Cell, tuple[str, ...]], list[Departure]]) -> tuple[Stage, ...]:
    """departs: of a stage of the cell, with what the installer is told is on."""

    def made(index: int, added: tuple[str, ...], on: tuple[str, ...]) -> Stage:
        at, during = _at(cell, index)
        return Stage(
            index=index,
            name="+".join(added) or "base",
            addons=on,
            endpoint=endpoint(cell, during),
            variables={**_variables(at, during, release, departs(at, during)), **ASKED_OF.get(act_of(added), {})},
            playbook=PLAYBOOKS[act_of(added)],
        )

    return tuple(made(index, added, on) for index, (added, on) in enumerate(zip(cell.ordering, on_after(cell.ordering), strict=True)))


def deviations(
    cell: Cell, release: Release, *, needs: NodeNeeds, versions: Mapping[str, str], supply: Supply = OWN
) -> tuple[Deviation, ...]:
    """Every departure of `cell` from what `release` ships or defaults to, with its reasons; sorted."""
    changed = dict(cell.variables)
    departures: list[Departure] = []
    for index in range(len(cell.ordering)):
        of_stage = _departures(*_at(cell, index), release, needs=needs, versions=versions, supply=supply)
        departures += [one for one in of_stage if one.variable not in changed and one not in departures]
    told = {what: _told([one for one in departures if one.what == what]) for what in {one.what for one in departures}}
    why = f"mitigation {', '.join(cell.mitigations) or 'of the cell'}"
    told |= {name: Deviation(what=name, released="the release's own", used=value, why=why) for name, value in changed.items()}
    return tuple(told[what] for what in sorted(told))


def _told(its: list[Departure]) -> Deviation:
    """One deviation out of its departures in all stages, in their order; lists are added up, other values follow one another."""
    added = _values(its).get(its[0].variable)
    used = [_text(added)] if isinstance(added, list) else dict.fromkeys(_text(one.used) for one in its)
    why = dict.fromkeys(one.why for one in its)
    return Deviation(what=its[0].what, released=_text(its[0].released), used=", then ".join(used), why="; ".join(why))


def reasons(
    cell: Cell, stage: Stage, release: Release, *, needs: NodeNeeds, versions: Mapping[str, str], supply: Supply = OWN
) -> Mapping[str, str]:
    """Variable of `stage` -> why it has its value: the Kubernetes, the addons, the mitigations, then what departs from the release."""
    at, during = _at(cell, stage.index)
    found = _departures(at, during, release, needs=needs, versions=versions, supply=supply)
    departures = [one for one in found if one.variable]
    departs: dict[str, str] = {}
    for one in departures:
        before = departs.get(one.variable)
        departs[one.variable] = f"{before}; {one.why}" if before else f"{DEPARTS}{one.why}"
    told = {"kube_version": "Kubernetes of the cell"} if "kube_version" not in departs else {}
    told |= {name: f"turns {addon} on" for addon in during for name in ADDON_VARIABLES[addon]}
    told |= dict.fromkeys(ASKED_OF.get(act_of(cell.ordering[stage.index]), {}), f"what {stage.playbook} asks on the terminal otherwise")
    told |= dict.fromkeys(dict(cell.variables), f"mitigation {', '.join(cell.mitigations) or 'of the cell'}")
    return {**told, **{name: why for name, why in departs.items() if name not in told}}


def addons_of(cell: Cell) -> tuple[str, ...]:
    """All addons that some stage turns on, in the order of the stages."""
    return tuple(dict.fromkeys(name for stage in cell.ordering if not act_of(stage) for name in stage))


def has_plain_network(cell: Cell, on: tuple[str, ...]) -> bool:
    """Whether pods of `cell` have the lab's own bridges for a network while the addons `on` are on."""
    return cell.network == "plain" and not NETWORK_ADDONS & set(on)


def has_network(cell: Cell, on: tuple[str, ...]) -> bool:
    """Whether pods of `cell` have any network while the addons `on` are on."""
    return cell.network == "plain" or bool(NETWORK_ADDONS & set(on))


def on_after(ordering: Ordering) -> tuple[tuple[str, ...], ...]:
    """The addons that are on after each stage of `ordering`: after a reset none, after an upgrade those before it."""

    def then(on: tuple[str, ...], stage: tuple[str, ...]) -> tuple[str, ...]:
        return {"reset": (), "upgrade": on}.get(act_of(stage), (*on, *stage))

    nothing: tuple[str, ...] = ()
    return tuple(accumulate(ordering, then, initial=nothing))[1:]


def _at(cell: Cell, index: int) -> tuple[Cell, tuple[str, ...]]:
    """`cell` with the Kubernetes of its stage `index`, and the addons that this run of the installer is told: what a reset takes away
    is what was there."""
    at = replace(cell, kube_version=(cell.kube_version, *upgrades(cell.ordering[: index + 1]))[-1])
    on = on_after(cell.ordering)
    return at, on[index - 1 if act_of(cell.ordering[index]) == "reset" else index]


def endpoint(cell: Cell, on: tuple[str, ...]) -> Endpoint:
    """The VIP from the stage on that turns kube-vip on; where no stage does, what the cell says holds throughout."""
    late = any("kube-vip" in addons for addons in cell.ordering) and "kube-vip" not in on
    return "node" if late else cell.endpoint


def _variables(cell: Cell, on: tuple[str, ...], release: Release, departures: list[Departure]) -> dict[str, object]:
    """What the installer is told: departures, then the addons, then what the cell itself changes."""
    variables: dict[str, object] = {"kube_version": release.written(cell.kube_version), **_values(departures)}
    for name in on:
        variables.update(ADDON_VARIABLES[name])
    if "cilium" in on:
        variables["cilium_kube_proxy_replacement"] = release.cilium.kube_proxy_replacement[0]
    variables.update({name: load_yaml(value) for name, value in cell.variables})
    return variables


def _departures(
    cell: Cell, on: tuple[str, ...], release: Release, *, needs: NodeNeeds, versions: Mapping[str, str], supply: Supply
) -> list[Departure]:
    known = deviation.known()
    later = f"{cell.kube_version}/" if cell.kube_version in upgrades(cell.ordering) else ""  # of the artifacts: an upgrade's own programs
    place = fileserver.instead if serves_files(cell, supply) else lambda value: value
    found = [
        Departure(
            what=name,
            variable=_variable(name, group, release),
            released=change.released,
            used=supply.filled(place(change.used), kubernetes=later),
            why=group.why,
        )
        for group in known.groups
        if _applies(group, cell, on, release, supply)
        for name, change in group.variables.items()
        if release.defaults.get(name, change.released) != change.used
    ]
    if cell.kube_version != release.kube_version:
        why = "the cell asks for this version; the release defaults to another"
        released, used = release.written(release.kube_version), release.written(cell.kube_version)
        found.append(Departure(what="kube_version", variable="kube_version", released=released, used=used, why=why))
    for name, component in known.components.items():
        shipped, there = release.version(name, cell.kube_version), versions.get(name)
        installed = name in on or name not in ADDONS
        if installed and there is not None and there != shipped:
            why = ASKED_FOR if name in dict(supply.components) else component.why
            found.append(_other_version(name, component, release, shipped=shipped, there=there, why=why))
    for field, need in known.needs.items():
        found += _needed(need, getattr(needs, field)) if not need.addon or need.addon in on else []
    return found


def _variable(name: str, group: deviation.GroupSchema, release: Release) -> str:
    """The variable that `name` of `group` is; of what kind does, most is none."""
    return name if group.source != "kind" or name in release.defaults else ""


def serves_files(cell: Cell, supply: Supply) -> bool:
    """Whether nodes of `cell` have to fetch artifacts by HTTP, for its playbooks take no file:// URLs."""
    return cell.ref.source == "kubespray" and supply.of(cell.ref) == "built" and not load(cell.ref.release).file_urls


def _other_version(name: str, component: deviation.ComponentSchema, release: Release, *, shipped: str, there: str, why: str) -> Departure:
    """Images are tagged with a v in every release, whatever their versions are written like."""
    variable = release.kube_vip.version_variable if name == "kube-vip" else component.variable
    written = str if variable.endswith("_tag") else release.written
    return Departure(what=f"{name} version", variable=variable, released=written(shipped), used=written(there), why=why)


def _needed(need: deviation.NeedSchema, asked: object) -> list[Departure]:
    asked = list(asked) if isinstance(asked, tuple) else asked
    if not asked or asked == need.released:
        return []
    besides = [
        Departure(what=name, variable=name, released=its.released, used=its.used, why=need.why) for name, its in need.besides.items()
    ]
    return [Departure(what=need.what, variable=need.variable, released=need.released, used=asked, why=need.why), *besides]


def _applies(group: deviation.GroupSchema, cell: Cell, on: tuple[str, ...], release: Release, supply: Supply) -> bool:
    holds = {
        "always": True,
        "named-preflight": release.kubeadm_init.preflight == "named",
        "plain-network": has_plain_network(cell, on),
        "without-network": not has_network(cell, on),
        "cilium": "cilium" in on,
        "workers-by-node": cell.topology.workers > 0 and endpoint(cell, on) == "node",
    }
    of_source = group.source == cell.ref.source or (group.source == "any" and cell.ref.source != "kind")
    of_nodes = group.artifacts in ("any", supply.of(cell.ref)) and (not group.beds or cell.bed in group.beds)
    return of_source and of_nodes and holds[group.when]


def _values(departures: list[Departure]) -> dict[str, object]:
    """Variable -> value; lists of the same variable are added up."""
    values: dict[str, object] = {}
    for one in departures:
        before = values.get(one.variable)
        if one.variable:
            values[one.variable] = [*before, *one.used] if isinstance(before, list) and isinstance(one.used, list) else one.used
    return values


def _text(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(str(one) for one in value)}]"
    return value if isinstance(value, str) else dump_yaml(value).removesuffix("\n").removesuffix("\n...")
