"""A cell as a folder to take home: with plain kind, with Vagrant and Ansible, or on machines of one's own, and with nothing of the lab.

What departs from the release for the lab's own nodes is left out of it, and no outcome is told but what the preflight foretells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from lab import checkout, kindcluster, plan, preflight, release, signature, slots, takehome, template
from lab.errors import HostError, ScenarioError
from lab.host import NodeNeeds
from lab.model import Cell, Node, Ref, Site, Slot, Stage
from lab.release import Release

Form = Literal["kind", "vagrant", "inventory"]
FORMS: tuple[Form, ...] = get_args(Form)
FOLDER = "export"  # of templates
KIND_PLACE = slots.slot(255)  # beside those that runs of the lab take
# VirtualBox lets host-only networks be in 192.168.56.0/21 alone, and libvirt takes it too.
VAGRANT_PLACE = Slot(
    number=0,
    subnet="192.168.56.0/24",
    gateway="192.168.56.1",
    client="192.168.56.2",
    vip="192.168.56.100",
    pool="192.168.56.200-192.168.56.220",
)
VAGRANT_INTERFACE = "eth1"  # of a private network, beside the one that Vagrant itself uses
NOTHING = NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)
STRICT_ARP = (
    "departs from the release, as the cell does: with ipvs, kube-vip and MetalLB would ask for kube_proxy_strict_arp, "
    "also where Cilium replaces kube-proxy"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What the preflight says of the cell, with what is known of the failure it names; `means` is empty where none is catalogued."""

    says: str
    means: str = ""
    fix: str = ""
    upstream: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the installer, counted from 0: its command, the file of its inventory, and what it turns on."""

    number: int
    command: str
    file: str
    says: str


def files(cell: Cell, form: Form, *, versions: Mapping[str, str]) -> Mapping[str, str]:
    """File name -> text of the folder. versions: component -> the version that the lab would run.

    Raises ScenarioError when the cell cannot be had in that form.
    """
    facts = release.load(cell.ref.release)
    return _kind(cell, facts, versions) if form == "kind" else _playbooks(cell, form, facts)


def write(made: Mapping[str, str], folder: Path) -> None:
    """Lay `made` out in `folder`, which must be new or empty. Raises HostError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HostError(f"{folder} is not empty", "what is in it would be mixed with the files of the cell", "name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o755 if name.endswith(".sh") else 0o644)
    except OSError as error:
        raise HostError(f"{folder} cannot be written", str(error), "name a folder that you may write") from error


def _kind(cell: Cell, facts: Release, versions: Mapping[str, str]) -> Mapping[str, str]:
    of_release = cell.ref.source == "replica" or cell.ref.name in (facts.name, facts.tag)
    cell = replace(cell, bed="kind", ref=replace(cell.ref, source="kind") if of_release else cell.ref)
    if wrong := kindcluster.cannot(cell):
        raise ScenarioError(f"{cell.id} cannot be had with kind", "; ".join(wrong), "take it home --as vagrant or --as inventory")
    image = kindcluster.image(cell.kube_version)
    if not image:
        why = f"no published node image of Kubernetes {release.minor(cell.kube_version)} is known"
        raise ScenarioError(f"{cell.id} cannot be had with kind", why, "add it to lab/data/kind/facts.yaml")
    (stage,) = (_on("eth0", stage, cell) for stage in plan.at_home(cell, facts))
    if "kube-vip" in stage.addons:  # not the one that the release ships, and what is foretold may follow from that
        stage = replace(stage, variables={**stage.variables, facts.kube_vip.version_variable: versions["kube-vip"]})
    site = _site(cell, KIND_PLACE, interface="eth0")
    name = f"kind-{'-'.join(stage.addons) or 'base'}"
    place = kindcluster.Place(name=name, manifest=kindcluster.MANIFEST, versions=versions, default_network=cell.network == "plain")
    shipped = facts.version("kube-vip", cell.kube_version)
    values = _told(cell, [stage], site, facts) | {
        "name": name,
        "image": image,
        "published": image.partition(":")[2].partition("@")[0],
        "gateway": site.slot.gateway,
        "versions": versions,
        "shipped": shipped,
        "addons": [addon for addon in ("cilium", "metallb") if addon in stage.addons],
    }
    texts = {one: template.text(f"{FOLDER}/kind/{one}.j2", **values) for one in ("README.md", "run.sh")}
    return {**texts, **kindcluster.files(cell, stage, site, facts, place=place)}


def _playbooks(cell: Cell, form: Form, facts: Release) -> Mapping[str, str]:
    """By kubespray itself: the replica is the lab's."""
    ref = replace(cell.ref, source="kubespray") if cell.ref.source != "kubespray" else cell.ref
    by_kubespray = replace(cell, ref=ref, bed="containers" if cell.bed == "kind" else cell.bed)
    place, interface = (VAGRANT_PLACE, VAGRANT_INTERFACE) if form == "vagrant" else (slots.slot(0), "eth0")
    site = _site(cell, place, interface=interface)
    stages = [_on(interface, stage, cell) for stage in plan.at_home(by_kubespray, facts)]
    names = [f"stage{stage.index + 1}-{stage.name.replace('(', '-').rstrip(')')}.yaml" for stage in stages]
    runs = [
        Run(number=stage.index, command=takehome.command(ref, stage, hosts=f"../{name}"), file=name, says=_says(stage, before))
        for stage, name, before in zip(stages, names, (None, *stages), strict=False)
    ]
    values = _told(cell, stages, site, facts) | {
        "runs": runs,
        "tag": facts.tag if ref.name in (facts.name, facts.tag) else ref.name,
        "fetch": _fetch(ref),
        "interface": interface if any("kube_vip_interface" in stage.variables for stage in stages) else "",
        "nodes": site.nodes,
        "first": site.control_planes[0].name,
        "gib": 3 * len(site.members) + 1,
    }
    values["look"] = template.text(f"{FOLDER}/look.txt.j2", **values)
    made = {run.file: _inventory(by_kubespray, stages, run, site, facts) for run in runs}
    wanted = ("README.md", "run.sh", "Vagrantfile") if form == "vagrant" else ("README.md",)
    texts = {one: template.text(f"{FOLDER}/{form}/{one}.j2", **values) for one in wanted}
    return {**texts, **made, **({"look.txt": str(values["look"])} if form == "vagrant" else {})}


def _inventory(cell: Cell, stages: Sequence[Stage], run: Run, site: Site, facts: Release) -> str:
    stage = stages[run.number]
    reasons = {**plan.reasons(cell, stage, facts, needs=NOTHING, versions={}), "kube_proxy_mode": STRICT_ARP}
    notes = ("Hosts are reached under their names in an SSH configuration; where there is none, give each its address as ansible_host.",)
    return takehome.document(cell, stages, stage, site, reasons=reasons, home=takehome.Home(hosts=f"../{run.file}", notes=notes))


def _on(interface: str, stage: Stage, cell: Cell) -> Stage:
    """`stage` for nodes whose cluster interface is `interface`, with what departs from the release not for nodes of the lab but because the
    cell is about it; what the cell itself sets stays."""
    changed = {"kube_proxy_mode": "iptables"}
    changed |= {"kube_network_plugin": "cni"} if not plan.has_network(cell, stage.addons) and not _plugin(stage) else {}
    changed |= {"kube_vip_interface": interface} if "kube_vip_interface" in stage.variables else {}
    own = dict(cell.variables)
    return replace(stage, variables={**stage.variables, **{name: value for name, value in changed.items() if name not in own}})


def _plugin(stage: Stage) -> bool:
    """Whether an addon is the network; a reset is told so of what it takes away."""
    return "kube_network_plugin" in stage.variables


def _fetch(ref: Ref) -> str:
    """What has to be fetched of a ref that is no tag and no branch of its own name; empty for others. Raises ScenarioError for what nobody
    else can fetch."""
    if ref.name == checkout.WORKTREE:
        why = "what a checkout has and nobody committed is there alone"
        raise ScenarioError("the ref worktree cannot be taken home", why, "commit and push it, and name the branch, the commit or pr/N")
    if ref.name.startswith("pr/"):
        return f"pull/{ref.name.removeprefix('pr/')}/head"
    commit = ref.commit or ref.name
    if not checkout.is_commit(ref.name) or not commit.startswith(ref.name):
        return ""
    if len(commit) < checkout.DIGITS:
        why = "a commit is fetched by all of its 40 digits, and nothing on this host has the others"
        raise ScenarioError(f"{ref.name} cannot be taken home", why, "give all digits, or name a checkout that has it: --kubespray PATH")
    return commit


def _says(stage: Stage, before: Stage | None) -> str:
    if stage.playbook != plan.PLAYBOOKS[""]:
        return f"{stage.name}, by {stage.playbook}"
    new = [addon for addon in stage.addons if before is None or addon not in before.addons]
    return f"turns {' and '.join(new)} on" if new else "the cluster without addons"


def _site(cell: Cell, place: Slot, *, interface: str) -> Site:
    nodes: tuple[Node, ...] = tuple(replace(node, interface=interface) for node in slots.layout(cell.topology, place))
    return Site(nodes=nodes, slot=place, ssh_config=Path("ssh_config"))


def _told(cell: Cell, stages: Sequence[Stage], site: Site, facts: Release) -> dict[str, object]:
    """What templates of every form ask for."""
    on, vip = stages[-1].addons, site.slot.vip
    foretold = list(_foretold(cell, stages, site, facts))
    seen = ", ".join(one.upstream[0] for one in foretold if one.upstream)
    return {
        "cell": cell.id,
        "title": f"{cell.ordering_text}, Kubernetes {cell.kube_version}, kubespray {facts.tag if not _fetch(cell.ref) else cell.ref.name}"
        + (f" ({seen})" if seen else ""),
        "about": f"Of the cell {cell.id}; README.md says what it is for.",
        "kube_version": cell.kube_version,
        "release": facts.tag,
        "addons_on": ", ".join(on),
        "kube_vip": "kube-vip" in on,
        "cilium": "cilium" in on,
        "metallb": "metallb" in on,
        "endpoint_says": f"The API server is looked for at the virtual address {vip}{_since(stages)}."
        if stages[-1].endpoint == "vip"
        else "The API server is looked for at the first control plane's own address.",
        "vip": vip,
        "subnet": site.slot.subnet,
        "machines": f"{len(site.members)} machine{'s' if len(site.members) > 1 else ''}",
        "foretold": foretold,
    }


def _since(stages: Sequence[Stage]) -> str:
    first = next(stage for stage in stages if stage.endpoint == "vip")
    return f" from the stage {first.name} on" if first.index else ""


def _foretold(cell: Cell, stages: Sequence[Stage], site: Site, facts: Release) -> Iterator[Foretold]:
    found = preflight.predict(cell, facts, stages, site)
    known = {one.id: one for one in signature.load()} if found else {}
    for one in found:
        meant = known.get(one.signature)
        yield Foretold(
            says=one.says, means=meant.means if meant else "", fix=meant.fix if meant else "", upstream=meant.upstream if meant else ()
        )
