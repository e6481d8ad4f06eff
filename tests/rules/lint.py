"""One stage that rules look at, by kubespray's variables; each test changes what it is about."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from lab.model import RESET, Cell, Endpoint, Network, Prediction, Site, Stage
from lab.notation import parse_ordering
from lab.preflight import predict
from lab.release import load
from tests import made

ON: Mapping[str, Mapping[str, object]] = {
    "kube-vip": {
        "kube_vip_enabled": True,
        "kube_vip_controlplane_enabled": True,
        "kube_vip_arp_enabled": True,
        "kube_vip_interface": "eth0",
    },
    "metallb": {"metallb_enabled": True, "metallb_namespace": "metallb-system"},
    "cilium": {"kube_network_plugin": "cilium", "cilium_kube_proxy_replacement": "strict", "cilium_operator_replicas": 1},
}
QUIET = {"kube_proxy_mode": "iptables"}


def pools(*ranges: str, layer2: object = ("primary",), **more: object) -> dict[str, object]:
    """metallb_config with one pool."""
    announced = [*layer2] if isinstance(layer2, tuple) else layer2
    return {"address_pools": {"primary": {"ip_range": [*ranges]}}, "layer2": announced, **more}


_release = cache(load)  # hypothesis asks often


def stages(ordering: str, **variables: object) -> tuple[Stage, ...]:
    """The stages of `ordering`; the endpoint follows kube-vip."""
    found: list[Stage] = []
    for index, added in enumerate(parse_ordering(ordering)):
        reset = added == ("reset",)
        before = found[-1].addons if found else ()
        on = () if reset else (*before, *added)
        told = {name: value for addon in (before if reset else on) for name, value in ON[addon].items()}
        endpoint: Endpoint = "vip" if "kube-vip" in on else "node"
        name = "+".join(added) or "base"
        variables_of = {**QUIET, **told, **variables}
        playbook = RESET if reset else "cluster.yml"
        found.append(Stage(index=index, name=name, addons=on, endpoint=endpoint, variables=variables_of, playbook=playbook))
    return tuple(found)


def predicted(
    ordering: str = "kube-vip+metallb",
    *,
    release: str = "v2.25.1",
    kube_version: str = "v1.29.5",
    network: Network = "plain",
    endpoint: Endpoint | None = None,
    site: Site | None = None,
    **variables: object,
) -> tuple[Prediction, ...]:
    """What the preflight says of a cell with these variables."""
    cell: Cell = replace(made.cell(ordering, ref=f"replica@{release}", kube_version=kube_version), network=network)
    run = stages(ordering, **variables)
    run = tuple(replace(stage, endpoint=endpoint) for stage in run) if endpoint else run
    return predict(cell, _release(release), run, site or made.site(Path("/nowhere")))


def said(rule: str, ordering: str = "kube-vip+metallb", /, **rest: object) -> str:
    """What one rule says, joined; empty when it says nothing."""
    return "; ".join(one.says for one in predicted(ordering, **rest) if one.rule == rule)  # type: ignore[arg-type]
