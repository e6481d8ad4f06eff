"""The artifacts of a node, served to that node by HTTP: releases whose download role takes no file:// URLs fetch them so, unpatched."""

from lab.command import ssh
from lab.errors import BedError
from lab.model import Node, Site

PORT = 8099  # of no component of a cluster
FOLDER = "/opt/lab"
URL = f"http://127.0.0.1:{PORT}"
UNIT = "spraylab-files"
LIMIT_S = 60.0


def instead(value: object) -> object:
    """`value`, where it is the URL of an artifact as a file of the node, as it is served; any other stays."""
    return value.replace(f"file://{FOLDER}/", f"{URL}/") if isinstance(value, str) else value


def script() -> str:
    """What a shell of a node does to serve its artifacts; ends with 0 when they can be fetched."""
    server = f"/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory {FOLDER} {PORT}"
    return "\n".join(
        (
            "set -eu",
            f"systemctl is-active -q {UNIT} || systemd-run -q --unit={UNIT} --property=Restart=always {server}",
            f"curl -fsS --noproxy '*' --retry 20 --retry-connrefused --retry-delay 1 -I {URL}/kubelet >/dev/null",
        )
    )


def place(site: Site) -> None:
    """Have every member of `site` serve its own artifacts to itself alone. Raises BedError with what a node said."""
    for node in site.members:
        _on(site, node)


def _on(site: Site, node: Node) -> None:
    done = ssh(site, node, script(), limit_s=LIMIT_S)
    if done.rc != 0:
        why = done.stderr.strip() or f"rc {done.rc}"
        raise BedError(f"{node.name} cannot serve its artifacts to itself", why, "look at it: `spraylab shell`")
