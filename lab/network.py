"""The plain pod network of cells without a network plugin: a bridge on each node by its CNI configuration, and routes between them."""

import json

from lab.command import ssh
from lab.errors import BedError
from lab.model import Node, Site

CONFLIST = "/etc/cni/net.d/87-spraylab.conflist"  # late in the alphabet: a network plugin that comes later wins
UNIT = "/etc/systemd/system/spraylab-network.service"  # routes are gone when a node was off
LIMIT_S = 30.0


def pods_of(index: int) -> str:
    """The addresses of the pods of member `index`, inside kube_pods_subnet of every release."""
    return f"10.233.{64 + index}.0/24"


def conflist(index: int) -> str:
    """The CNI configuration of member `index`, as JSON."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pods_of(index)}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    plugins = [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}]
    return json.dumps({"cniVersion": "0.3.1", "name": "spraylab", "plugins": plugins}, indent=1)


def script(site: Site, node: Node) -> str:
    """What a shell of `node` does to join the network, now and after each boot; reads the CNI configuration from its input."""
    routes = [f"ip route replace {pods_of(index)} via {other.address}" for index, other in enumerate(site.members) if other is not node]
    # bridged: answers of a Service on the same bridge go back the way they came
    bridged = "sh -c 'echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables'"
    unit = [
        "[Unit]",
        "Description=Plain pod network of the lab",
        "Before=kubelet.service",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        *(f"ExecStart=/usr/bin/env {one}" for one in (bridged, *routes)),
        "[Install]",
        "WantedBy=multi-user.target",
    ]
    folder, _, name = UNIT.rpartition("/")
    write = [f"mkdir -p {CONFLIST.rpartition('/')[0]}", f"cat >{CONFLIST}", f"cat >{folder}/{name} <<'UNIT'", *unit, "UNIT"]
    return "\n".join(["set -eu", *write, "systemctl daemon-reload", f"systemctl enable -q {name}", f"systemctl restart {name}"])


def place(site: Site) -> None:
    """Give every member of `site` its part. Raises BedError with what a node said."""
    for index, node in enumerate(site.members):
        done = ssh(site, node, script(site, node), limit_s=LIMIT_S * site.pace, stdin=conflist(index))
        if done.rc != 0:
            why = done.stderr.strip() or f"rc {done.rc}"
            raise BedError(f"the plain network cannot be made on {node.name}", why, "`spraylab doctor` shows what this host lacks")
