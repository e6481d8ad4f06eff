"""Memory of a control group of this host, read from the kernel's files: what an engine reports of it differs by engine and version.

`root` is where the host's file system is read from, so that tests can lay one out in a folder.
"""

from pathlib import Path

from lab.host import HOST

MIB = 2**20
INIT = "init.scope"  # where systemd puts itself; the group above it holds all of its machine


def used_mib(pid: int, *, root: Path = HOST) -> float:
    """What the control group of `pid`, the first process of a container, could not do without: all but file cache that nobody uses.

    The working set as kubelet counts it. 0 when there is no such process, or the host counts no memory.
    """
    for folder, usage, cache in _places(pid, root):
        try:
            used = int((folder / usage).read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        return max(0, used - int(stat.get(cache, 0))) / MIB
    return 0.0


def _places(pid: int, root: Path) -> list[tuple[Path, str, str]]:
    """Folder, file of the usage and name of the unused cache, for cgroup v1 and v2, as far as `pid` has them."""
    try:
        lines = (root / f"proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return []
    groups = {names: path for _, names, path in (line.split(":", 2) for line in lines)}
    places = []
    for names, path in groups.items():
        inside = path.removesuffix(f"/{INIT}").lstrip("/")
        if "memory" in names.split(","):
            places.append((root / "sys/fs/cgroup/memory" / inside, "memory.usage_in_bytes", "total_inactive_file"))
        elif not names:
            places.append((root / "sys/fs/cgroup" / inside, "memory.current", "inactive_file"))
    return places
