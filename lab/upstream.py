"""Whether the sites that kubespray downloads from can be reached; asked before anything is made, by opening a connection and no more."""

import socket
from collections.abc import Callable

from lab.errors import HostError

SITES = ("dl.k8s.io", "github.com", "registry.k8s.io", "quay.io", "ghcr.io")  # of files, then of images
PORT = 443
LIMIT_S = 5.0  # for each; one that answers does so within a second

Connect = Callable[[str], None]


def connect(site: str) -> None:
    """Open a connection to `site` and close it; OSError when that cannot be done."""
    with socket.create_connection((site, PORT), timeout=LIMIT_S):
        return


def check(*, connect: Connect = connect) -> None:
    """Raise HostError, with what each site's name or connection said, when one of them cannot be reached."""
    missing = []
    for site in SITES:
        try:
            connect(site)
        except OSError as error:
            missing.append(f"{site}: {error.strerror or error}")
    if missing:
        fix = "let this host reach them; or install what the lab builds, which needs none of them: --artifacts built"
        raise HostError("kubespray cannot download what it installs (--artifacts upstream)", "; ".join(missing), fix)
