"""Stage + site -> the Ansible inventory and its variables as text. Pure."""

from dataclasses import dataclass

from lab.datafile import dump_yaml
from lab.model import Site, Stage

API_PORT = 6443  # kube_apiserver_port of every release


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Two YAML texts: `hosts` an inventory with kubespray's groups, `variables` what all its hosts share."""

    hosts: str
    variables: str


def render(stage: Stage, site: Site) -> Inventory:
    """The inventory of `stage` on `site`: what the stage sets wins over the addresses of the site's slot.

    A host is reached by its name in the site's SSH configuration. Control planes carry etcd; where there are no workers
    they are nodes too.
    """
    return Inventory(hosts=dump_yaml(_hosts(site)), variables=dump_yaml({**_addresses(stage, site), **stage.variables}))


def _hosts(site: Site) -> dict[str, object]:
    control_planes = [node.name for node in site.control_planes]
    workers = [node.name for node in site.members if node.role == "worker"]
    hosts = {
        node.name: {
            "ansible_host": node.name,
            "ansible_python_interpreter": "/usr/bin/python3",
            "ip": node.address,
            "access_ip": node.address,
        }
        for node in site.members
    }
    groups: dict[str, object] = {
        "kube_control_plane": _group(control_planes),
        "etcd": _group(control_planes),
        "kube_node": _group(workers or control_planes),
        "calico_rr": {"hosts": {}},
        "k8s_cluster": {"children": {"kube_control_plane": {}, "kube_node": {}, "calico_rr": {}}},
    }
    return {"all": {"hosts": hosts, "children": groups}}


def _group(names: list[str]) -> dict[str, object]:
    return {"hosts": {name: {} for name in names}}


def _addresses(stage: Stage, site: Site) -> dict[str, object]:
    """Variables that carry addresses of the slot."""
    addresses: dict[str, object] = {"upstream_dns_servers": [site.slot.client]}
    if stage.endpoint == "vip":
        addresses["loadbalancer_apiserver"] = {"address": site.slot.vip, "port": API_PORT}
    if "kube-vip" in stage.addons:
        addresses["kube_vip_address"] = site.slot.vip
    if "metallb" in stage.addons:
        pools = {"primary": {"ip_range": [site.slot.pool], "auto_assign": True}}
        addresses["metallb_config"] = {"address_pools": pools, "layer2": ["primary"]}
    return addresses
