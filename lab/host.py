"""What this host is: facts read from /proc and /sys, and what they ask of container nodes. Nothing here changes the host.

`root` is where the host's file system is read from, so that tests can lay one out in a folder.
"""

import gzip
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

HOST = Path("/")
CAP_SYS_RESOURCE = 24  # bit in CapBnd, capability.h
KUBELET_NOFILE = 1_000_000  # what kubelet's maxOpenFiles asks for
Cgroup = Literal["v1", "hybrid", "v2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """What was read.

    `cgroup2`: where the unified tree stands, empty when there is none; `nproc_hard`: at most pid_max, as podman has it;
    `modules`: the names loaded, None when the kernel has no module support; `kernel_options`: name -> y or m, empty when
    the kernel does not tell.
    """

    kernel: str
    cgroup: Cgroup
    cgroup2: str
    nofile_hard: int
    nproc_hard: int
    sys_resource: bool
    modules: frozenset[str] | None
    kernel_options: tuple[tuple[str, str], ...]
    memory_bytes: int
    memory_free_bytes: int
    swap: bool
    cores: int
    is_root: bool
    kvm: bool

    def has_kernel(self, option: str, *, module: str = "") -> bool:
        """Whether the kernel offers CONFIG_`option`; built in, or as a module it can load. Unknown counts as there."""
        if module and self.modules and module in self.modules:
            return True
        if not self.kernel_options:
            return self.modules is not None
        value = dict(self.kernel_options).get(option, "n")
        return value == "y" or (value == "m" and self.modules is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeNeeds:
    """What container nodes need on this host, each one a departure from defaults.

    `nofile`, `nproc`: hard limits to ask for, None where the engine's own can stand; `restrict_oom`: containers may not
    lower their OOM score; `cgroup2`: where a node finds the cgroup2 tree that stands beside cgroup v1, empty where it is the only one;
    `emulated`: by what their processor is, empty where it is the host's.
    """

    cgroup_driver: Literal["cgroupfs", "systemd"]
    feature_gates: tuple[str, ...]
    nofile: int | None
    nproc: int | None
    restrict_oom: bool
    cgroup2: str = ""
    emulated: str = ""


def facts(root: Path = HOST, *, uid: int | None = None) -> HostFacts:
    """Read this host's facts. uid: whose rights count; this process's by default."""
    limits, memory, mounts = _limits(root), _memory(root), _text(root / "proc/mounts").splitlines()
    cgroup2 = next((fields[1] for line in mounts if (fields := line.split())[2:3] == ["cgroup2"]), "")
    v1 = any(line.split()[2:3] == ["cgroup"] for line in mounts)
    modules = root / "proc/modules"
    cpus = [line for line in _text(root / "proc/cpuinfo").splitlines() if line.startswith("processor")]
    bounding = next((line.split()[1] for line in _text(root / "proc/self/status").splitlines() if line.startswith("CapBnd:")), "0")
    return HostFacts(
        kernel=_text(root / "proc/sys/kernel/osrelease").strip(),
        cgroup="v2" if cgroup2 and not v1 else "hybrid" if cgroup2 else "v1",
        cgroup2=cgroup2,
        nofile_hard=limits.get("Max open files", 1024),
        nproc_hard=min(limits.get("Max processes", 1024), int(_text(root / "proc/sys/kernel/pid_max") or 32768)),
        sys_resource=bool(int(bounding, 16) >> CAP_SYS_RESOURCE & 1),
        modules=frozenset(line.split()[0] for line in _text(modules).splitlines()) if modules.exists() else None,
        kernel_options=_kernel_options(root),
        memory_bytes=memory.get("MemTotal", 0),
        memory_free_bytes=memory.get("MemAvailable", 0),
        swap=memory.get("SwapTotal", 0) > 0,
        cores=len(cpus) or os.cpu_count() or 1,
        is_root=(os.geteuid() if uid is None else uid) == 0,
        kvm=(root / "dev/kvm").exists(),
    )


def node_needs(seen: HostFacts) -> NodeNeeds:
    """What container nodes need on a host with the facts `seen`."""
    return NodeNeeds(
        cgroup_driver="systemd" if seen.cgroup == "v2" else "cgroupfs",
        feature_gates=() if seen.sys_resource else ("KubeletInUserNamespace=true",),
        nofile=None if seen.sys_resource or seen.nofile_hard >= KUBELET_NOFILE else seen.nofile_hard,
        nproc=None if seen.sys_resource else seen.nproc_hard,
        restrict_oom=not seen.sys_resource,
        cgroup2=seen.cgroup2 if seen.cgroup == "hybrid" else "",
    )


def is_there(path: Path) -> bool:
    """Whether it is there; what this user may not look into, or this system cannot look for, such as a name of 300 letters, is not."""
    try:
        return path.exists()
    except OSError:
        return False


def disk_free_bytes(path: Path) -> int:
    """Room on the file system `path` is on or would be made on, in bytes."""
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:  # it is not there, or not to be seen by this user
            continue
    return 0


def inotify_free(*, root: Path = HOST) -> int:
    """How many more inotify instances this user may open: each systemd, kubelet and container runtime of a node opens some, and a node
    whose systemd gets none does not come up."""
    limit = int(_text(root / "proc/sys/fs/inotify/max_user_instances") or 128)
    used = 0
    for pid in processes(root=root):
        try:
            used += sum(str(fd.readlink()) == "anon_inode:inotify" for fd in (root / f"proc/{pid}/fd").iterdir())
        except OSError:  # it has ended, or is another user's
            continue
    return max(0, limit - used)


def processes(*, root: Path = HOST) -> tuple[int, ...]:
    """Numbers of all processes, ascending."""
    return tuple(sorted(int(path.name) for path in (root / "proc").glob("[1-9]*") if path.name.isdigit()))


def started_ticks(pid: int, *, root: Path = HOST) -> int:
    """When process `pid` started, in clock ticks since the boot; 0 if it is gone."""
    stat = _text(root / f"proc/{pid}/stat").rpartition(")")[2].split()
    return int(stat[19]) if len(stat) > 19 and stat[0] not in "ZX" else 0


def started(pid: int, *, root: Path = HOST) -> str:
    """When process `pid` started: a mark that no other process of any boot with that number shares; empty if it is gone."""
    boot = _text(root / "proc/sys/kernel/random/boot_id").strip()
    return f"{boot[:8]}.{ticks}" if (ticks := started_ticks(pid, root=root)) else ""


def arguments(pid: int, *, root: Path = HOST) -> tuple[str, ...]:
    """Arguments of process `pid`, its program first; empty if it is gone."""
    return tuple(_text(root / f"proc/{pid}/cmdline").removesuffix("\0").split("\0"))


def cmdline(pid: int, *, root: Path = HOST) -> str:
    """Arguments of process `pid`, joined by blanks; empty if it is gone."""
    return " ".join(arguments(pid, root=root)).strip()


def environment(pid: int, *, root: Path = HOST) -> dict[str, str]:
    """Environment process `pid` was started with; empty if it is gone."""
    pairs = (entry.partition("=") for entry in _text(root / f"proc/{pid}/environ").split("\0"))
    return {name: value for name, equals, value in pairs if equals}


def mounted(*, root: Path = HOST) -> frozenset[str]:
    """What any process has mounted, also in a container: each as a path in the file system it comes from."""
    found: set[str] = set()
    seen: set[str] = set()
    for pid in processes(root=root):
        try:
            space = str((root / f"proc/{pid}/ns/mnt").readlink())
        except OSError:  # it has ended, or is another user's
            continue
        lines = _text(root / f"proc/{pid}/mountinfo").splitlines() if space not in seen else []
        if lines:
            seen.add(space)
            found |= {line.split()[3] for line in lines}
    return frozenset(found)


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _limits(root: Path) -> dict[str, int]:
    """Hard limits by name; `unlimited` is a very large number."""
    limits = {}
    for line in _text(root / "proc/self/limits").splitlines()[1:]:
        name, hard = line[:25].strip(), line[46:67].strip()
        limits[name] = int(hard) if hard.isdigit() else 2**62
    return limits


def _memory(root: Path) -> dict[str, int]:
    rows = (line.split() for line in _text(root / "proc/meminfo").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) > 1}


def _kernel_options(root: Path) -> tuple[tuple[str, str], ...]:
    """CONFIG_ options that are y or m, by name without CONFIG_; nothing when the kernel does not tell."""
    packed = root / "proc/config.gz"
    if packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode(errors="replace")
    else:
        text = _text(root / "boot" / f"config-{_text(root / 'proc/sys/kernel/osrelease').strip()}")
    pairs = (line.removeprefix("CONFIG_").partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
    return tuple((name, value) for name, _, value in pairs if value in ("y", "m"))
