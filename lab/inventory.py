"""Stage + site -> the Ansible inventory and its variables as text. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lab.datafile import dump_yaml
from lab.errors import ScenarioError
from lab.model import API_PORT, Site, Stage

PLACEHOLDERS = ("vip", "pool", "node", "client", "gateway", "subnet", "interface")  # `{vip}` in a variable is the VIP of the cell's slot
_PLACEHOLDER = re.compile(r"(?<!\{)\{([a-z_]+)\}(?!\})")  # Jinja's own braces come in pairs


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
    return Inventory(hosts=dump_yaml(_hosts(site)), variables=dump_yaml(variables(stage, site)))


def variables(stage: Stage, site: Site) -> dict[str, object]:
    """What all hosts share in `stage`: the addresses of the site's slot, then what the stage sets, its placeholders filled."""
    filled = {name: _filled(value, _values(site)) for name, value in stage.variables.items()}
    return {**_addresses(stage, site), **filled}


def api_port(stage: Stage) -> int:
    """Where the API servers listen, which is also the port that kube-vip and every client is told. Raises ScenarioError."""
    port = str(_port(stage))
    if not port.isascii() or not port.isdigit() or int(port) not in range(1, 2**16):
        raise ScenarioError(f"kube_apiserver_port is {port!r}", "a port is a number from 1 to 65535", "correct the scenario's mitigation")
    return int(port)


def _port(stage: Stage) -> object:
    return stage.variables.get("kube_apiserver_port", API_PORT)


def of_one_file(stage: Stage, site: Site) -> Mapping[str, object]:
    """What `render` says in two files, as one mapping: the variables stand first, as `vars` of all."""
    hosts = _hosts(site)
    return {"all": {"vars": variables(stage, site), **hosts["all"]}}


def unknown_placeholders(value: object) -> tuple[str, ...]:
    """What stands in single braces in a text of `value` and is no placeholder; sorted."""
    if isinstance(value, Mapping):
        return tuple(sorted({name for part in value.items() for one in part for name in unknown_placeholders(one)}))
    if isinstance(value, list):
        return tuple(sorted({name for one in value for name in unknown_placeholders(one)}))
    return tuple(sorted(set(_PLACEHOLDER.findall(value)) - set(PLACEHOLDERS))) if isinstance(value, str) else ()


def _values(site: Site) -> Mapping[str, str]:
    place = site.slot
    return {
        "vip": place.vip,
        "pool": place.pool,
        "node": site.control_planes[0].address,
        "client": place.client,
        "gateway": place.gateway,
        "subnet": place.subnet,
        "interface": site.control_planes[0].interface,
    }


def _filled(value: object, values: Mapping[str, str]) -> object:
    if isinstance(value, Mapping):
        return {_filled(name, values): _filled(one, values) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, values) for one in value]
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), value) if isinstance(value, str) else value


def _hosts(site: Site) -> dict[str, dict[str, object]]:
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
        addresses["loadbalancer_apiserver"] = {"address": site.slot.vip, "port": _port(stage)}
    if "kube-vip" in stage.addons:
        addresses["kube_vip_address"] = site.slot.vip
    if "metallb" in stage.addons:
        pools = {"primary": {"ip_range": [site.slot.pool], "auto_assign": True}}
        addresses["metallb_config"] = {"address_pools": pools, "layer2": ["primary"]}
    return addresses
