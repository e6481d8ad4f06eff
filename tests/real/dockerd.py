"""A Docker engine for one test: the host's program or the distribution's, started with folders and a socket of its own.

Nothing of it is installed: packages are unpacked into the cache. It makes no default bridge and no firewall rule.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import cachedir
from lab.command import run
from lab.deadline import until

PACKAGES = ("docker.io", "containerd")
FLAGS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--storage-driver=vfs")


@contextmanager
def docker(folder: Path) -> Iterator[str]:
    """The address of a Docker engine that runs as long as the block; skips where there is no way to get one."""
    programs = _programs()
    path = ":".join((*(str(place) for place in programs), "/usr/sbin", "/usr/bin", "/sbin", "/bin"))
    places = (f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid", f"--host=unix://{folder}/socket")
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(
            (shutil.which("dockerd", path=path) or "dockerd", *places, *FLAGS), env={"PATH": path}, stdout=log, stderr=log
        )
    try:
        ready = until(lambda: (folder / "socket").exists() or daemon.poll() is not None, bool, limit_s=60)
        if not ready or daemon.poll() is not None:
            pytest.skip(f"no Docker engine can run here: {(folder / 'log').read_text()[-500:]}")
        yield f"unix://{folder}/socket"
    finally:
        daemon.terminate()
        daemon.wait(timeout=60)


def _programs() -> tuple[Path, ...]:
    """Where dockerd and what it starts are."""
    if found := shutil.which("dockerd"):
        return (Path(found).parent,)
    if not shutil.which("apt-get"):
        pytest.skip("no dockerd, and no apt-get to fetch one with")
    root = cachedir.obtain("dockerd", cachedir.digest(PACKAGES), _unpack)
    return (root / "usr/sbin", root / "usr/bin")


def _unpack(part: Path) -> None:
    fetched = run(("apt-get", "download", *PACKAGES), limit_s=600, cwd=part)
    if fetched.rc != 0:
        pytest.skip(f"no dockerd, and apt-get cannot fetch it: {fetched.stderr.strip()[-300:]}")
    for package in part.glob("*.deb"):
        unpacked = run(("dpkg-deb", "-x", str(package), str(part)), limit_s=300)
        assert unpacked.rc == 0, unpacked.stderr
        package.unlink()
