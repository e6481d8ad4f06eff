"""A cell as kind has it: the configuration of its cluster, kube-vip's manifest, and what is applied once the cluster is there. Pure.

The same texts make the nodes of the bed `kind` and the folder that somebody takes home.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lab import inventory, template
from lab.datafile import Schema, is_on, read
from lab.model import API_PORT, Cell, Ref, Site, Stage, Topology
from lab.release import Release, every, minor

FACTS = Path(__file__).parent / "data" / "kind" / "facts.yaml"
TEMPLATES = "export/kind"
LOAD_BALANCER = "kind puts a load balancer of its own before several control planes, where the VIP would be"
CLUSTER, MANIFEST, CILIUM, POOLS = "kind.yaml", "kube-vip.yaml", "cilium-values.yaml", "metallb-pools.yaml"  # as files are called


class InitSchema(Schema):
    """How kind runs kubeadm init. `task`: what it says meanwhile; `own_wait_s`: after how long kubeadm itself gives up, with `rc`."""

    task: str
    attempts: int
    own_wait_s: int
    rc: int


class FactsSchema(Schema):
    """data/kind/facts.yaml."""

    kubeadm_init: InitSchema
    images: dict[str, str]
    variables: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the cluster is to be. `name`: of the cluster; `manifest`: path of kube-vip's on the host; `mounts`: path of the host ->
    path of the node; `endpoint`: host and port of the API server where the VIP is not asked for, empty for what kind itself takes;
    `default_network`: whether kind brings the network of pods; `etcd_tag`, `coredns_tag`: of images that are there in another version
    than kubeadm's own; `cgroup2`: where Cilium finds the cgroup2 tree, if not at its own place; `versions`: component -> its own."""

    name: str
    manifest: str
    versions: Mapping[str, str]
    mounts: tuple[tuple[str, str], ...] = ()
    endpoint: str = ""
    default_network: bool = False
    etcd_tag: str = ""
    coredns_tag: str = ""
    cgroup2: str = ""


@cache
def facts() -> FactsSchema:
    """What is known of kind itself."""
    return read(FACTS, FactsSchema)


def init() -> InitSchema:
    """How kind runs kubeadm init."""
    return facts().kubeadm_init


def full() -> str:
    """How kubeadm init would end if nothing happened any more."""
    one = init()
    return f"rc={one.rc} after {one.attempts} x {one.own_wait_s} s"


def image(kube_version: str) -> str:
    """The published node image of that minor version; empty where none is known."""
    return facts().images.get(minor(kube_version), "")


def cannot(cell: Cell) -> tuple[str, ...]:
    """Why kind cannot make `cell`, one sentence per reason; nothing when it can."""
    wrong = []
    if cell.ref.source == "kubespray":
        wrong.append("kind makes clusters itself and runs no playbooks: name the release as replica@, whose settings it then takes")
    if len(cell.ordering) > 1:
        wrong.append("kind makes a cluster in one go, and has no later run that would turn an addon on")
    if cell.topology.control_planes > 1:
        wrong.append(LOAD_BALANCER)
    if unknown := sorted({name for name, _ in cell.variables} - set(facts().variables)):
        wrong.append(f"kind has no setting for {', '.join(unknown)}")
    return tuple(wrong)


def bare(topology: Topology) -> tuple[Cell, Stage]:
    """What kind makes where nobody says what: a cluster without addons, by the newest release whose Kubernetes kind has an image of."""
    newest = [one for one in every() if image(one.kube_version)][-1]
    ref = Ref(source="kind", name=newest.name, release=newest.name)
    cell = Cell(ref=ref, kube_version=newest.kube_version, topology=topology, ordering=((),), endpoint="node", bed="kind")
    return cell, Stage(index=0, name="base", addons=(), endpoint="node", variables={})


def files(cell: Cell, stage: Stage, site: Site, release: Release, *, place: Place) -> Mapping[str, str]:
    """File name -> text: the cluster's configuration, and what of the addons there is."""
    told = {**release.defaults, **inventory.variables(stage, site)}
    made = {CLUSTER: _cluster(cell, stage, site, told, place=place)}
    if "kube-vip" in stage.addons:
        made[MANIFEST] = _kube_vip(release, told, place=place)
    if "cilium" in stage.addons:
        made[CILIUM] = _cilium(stage, site, told, place=place)
    if "metallb" in stage.addons:
        made[POOLS] = _pools(told)
    return made


def _cluster(cell: Cell, stage: Stage, site: Site, told: Mapping[str, object], *, place: Place) -> str:
    vip = site.slot.vip
    endpoint = f"{vip}:{API_PORT}" if stage.endpoint == "vip" else place.endpoint
    names = ["localhost", "127.0.0.1", vip] if stage.endpoint == "vip" or "kube-vip" in stage.addons else []
    cilium = "cilium" in stage.addons
    return template.text(
        f"{TEMPLATES}/{CLUSTER}.j2",
        about=f"The cell {cell.id}, by kind: made by `kind create cluster --config {CLUSTER}`.",
        name=place.name,
        default_network=place.default_network and not cilium,
        cilium=cilium,
        replaces_proxy=cilium,
        pods=told["kube_pods_subnet"],
        services=told["kube_service_addresses"],
        kube_vip="kube-vip" in stage.addons,
        manifest=place.manifest,
        mounts=place.mounts,
        workers=cell.topology.workers,
        endpoint=endpoint,
        names=names,
        etcd_tag=place.etcd_tag,
        coredns_tag=place.coredns_tag,
        patch=bool(endpoint or names or place.etcd_tag or place.coredns_tag),
    )


def _kube_vip(release: Release, told: Mapping[str, object], *, place: Place) -> str:
    control_plane, arp = is_on(told.get("kube_vip_controlplane_enabled")), is_on(told.get("kube_vip_arp_enabled"))
    settings = {
        "vip_arp": _word(arp),
        "port": str(API_PORT),
        "vip_interface": str(told.get("kube_vip_interface") or ""),
        release.kube_vip.prefix_setting: str(told.get("kube_vip_cidr", 32)),
        "cp_enable": _word(control_plane) if control_plane else "",
        "cp_namespace": "kube-system" if control_plane else "",
        "svc_enable": "true" if is_on(told.get("kube_vip_services_enabled")) else "",
        "vip_leaderelection": "true" if arp else "",
        "vip_leasename": "plndr-cp-lock",
        "vip_leaseduration": str(told.get("kube_vip_leaseduration", 5)),
        "vip_renewdeadline": str(told.get("kube_vip_renewdeadline", 3)),
        "vip_retryperiod": str(told.get("kube_vip_retryperiod", 1)),
        "address": str(told.get("kube_vip_address") or ""),
    }
    return template.text(
        f"{TEMPLATES}/{MANIFEST}.j2",
        release=release.tag,
        version=place.versions["kube-vip"],
        settings={name: value for name, value in settings.items() if value},
        conf=release.kube_vip.conf,
    )


def _cilium(stage: Stage, site: Site, told: Mapping[str, object], *, place: Place) -> str:
    replacement = told.get("cilium_kube_proxy_replacement", "strict")
    return template.text(
        f"{TEMPLATES}/{CILIUM}.j2",
        version=place.versions["cilium"],
        replacement=replacement if isinstance(replacement, str) else _word(bool(replacement)),
        api_host=site.slot.vip if stage.endpoint == "vip" else place.endpoint.partition(":")[0] or f"{place.name}-control-plane",
        port=API_PORT,
        pods=told["kube_pods_subnet"],
        cgroup2=place.cgroup2,
    )


def _pools(told: Mapping[str, object]) -> str:
    config = told.get("metallb_config")
    config = config if isinstance(config, Mapping) else {}
    given = config.get("address_pools")
    pools = {
        name: {"addresses": pool["ip_range"], "auto_assign": pool.get("auto_assign", True)}
        for name, pool in (given if isinstance(given, Mapping) else {}).items()
    }
    return template.text(f"{TEMPLATES}/{POOLS}.j2", pools=pools, advertised=config.get("layer2") or [])


def _word(yes: bool) -> str:  # noqa: FBT001 - a value, not a switch
    return "true" if yes else "false"
