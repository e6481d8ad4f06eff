"""What this host can do for the lab, each with what was seen and what to do where it cannot: the rows of `spraylab doctor`."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.host import HostFacts, disk_free_bytes, inotify_free, node_needs

GIB = 1024**3
NEEDED_DISK_BYTES = 20 * GIB  # caches of Go 13 GiB, components, node image, volumes of one cell
NEEDED_MEMORY_BYTES = 3 * GIB  # one control plane 0.6 GiB, the lab, a build
NEEDED_INOTIFY = 32  # instances that one control plane and the client open


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One row. `needed`: without it the lab cannot run a cell at all; `fix` is empty where nothing is to be done."""

    name: str
    ok: bool
    seen: str
    fix: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A program the lab starts: any of `names`, from the Debian package `package`."""

    purpose: str
    names: tuple[str, ...]
    package: str
    needed: bool = True


PROGRAMS = (
    Program(purpose="nodes by SSH", names=("ssh",), package="openssh-client"),
    Program(purpose="keys", names=("ssh-keygen",), package="openssh-client"),
    Program(purpose="addresses", names=("ip",), package="iproute2"),
    Program(purpose="node image", names=("debootstrap",), package="debootstrap"),
    Program(purpose="processes that end with the lab", names=("setpriv",), package="util-linux"),
    Program(purpose="kubespray checkouts", names=("git",), package="git", needed=False),
    Program(purpose="Go", names=("go",), package="golang (or go on: the lab gets one from PyPI)", needed=False),
)
PODMAN_NEEDS = (
    Program(
        purpose="podman networks",
        names=("/usr/lib/podman/netavark", "/usr/libexec/podman/netavark", "netavark"),
        package="netavark aardvark-dns",
    ),
    Program(purpose="podman firewall rules", names=("iptables",), package="iptables"),
)
MACHINES = (  # beside vagrant
    Program(purpose="libvirt", names=("virsh",), package="libvirt-daemon-system libvirt-clients dnsmasq-base", needed=False),
    Program(purpose="emulator", names=("qemu-system-x86_64", "qemu-kvm"), package="qemu-system-x86", needed=False),
    Program(purpose="disks of machines", names=("qemu-img",), package="qemu-utils", needed=False),
    Program(purpose="file systems of machines", names=("mkfs.ext4",), package="e2fsprogs", needed=False),
)
KERNEL = (  # option, module, what for, whether a cell can do without
    ("OVERLAY_FS", "overlay", "container file systems", True),
    ("VETH", "veth", "networks of nodes", True),
    ("BRIDGE", "bridge", "networks of nodes", True),
    ("BPF_SYSCALL", "", "Cilium", False),
    ("CGROUP_BPF", "", "Cilium's kube-proxy replacement", False),
    ("VXLAN", "vxlan", "Cilium's tunnels", False),
    ("IP_VS", "ip_vs", "kube-proxy in ipvs mode and kube-vip's load balancing", False),
)


def abilities(
    seen: HostFacts,
    *,
    engine: str,
    cache: Path,
    which: Callable[[str], str | None] = shutil.which,
    inotify: Callable[[], int] = inotify_free,
) -> tuple[Ability, ...]:
    """The rows for a host with the facts `seen`.

    engine: name and version of the one that answered, empty when none did; cache: folder whose disk counts;
    which: path of a program, or None; inotify: how many instances are free.
    """
    return (
        *_engine(seen, engine, which),
        *_machine(seen, cache, inotify()),
        *_programs(PROGRAMS, which),
        *_kernel(seen),
        *_vm(seen, which),
    )


def _engine(seen: HostFacts, engine: str, which: Callable[[str], str | None]) -> tuple[Ability, ...]:
    root = Ability(
        name="root", ok=seen.is_root, seen="root" if seen.is_root else "another user", fix="" if seen.is_root else "run the lab with sudo"
    )
    fix = "install one, for example: apt-get install podman netavark aardvark-dns iptables runc; or start Docker"
    rows = [root, Ability(name="container engine", ok=bool(engine), seen=engine or "none answers", fix="" if engine else fix)]
    if engine.startswith("podman"):
        rows += _programs(PODMAN_NEEDS, which)
        runc, other = which("runc"), which("crun")
        ok = bool(runc) or (seen.cgroup == "v2" and bool(other))
        rows.append(
            Ability(
                name="container runtime",
                ok=ok,
                seen=runc or other or "none found",
                fix="" if ok else f"cgroups are {seen.cgroup}: apt-get install runc",
            )
        )
    return tuple(rows)


def _machine(seen: HostFacts, cache: Path, inotify: int) -> tuple[Ability, ...]:
    free = disk_free_bytes(cache)
    return (
        *_limits(seen, inotify),
        _row("swap", not seen.swap, "on" if seen.swap else "off", "the kubelet is told to go on with it; nothing on the host is changed"),
        _row(
            "memory",
            seen.memory_free_bytes >= NEEDED_MEMORY_BYTES,
            f"{seen.memory_free_bytes / GIB:.1f} GiB available of {seen.memory_bytes / GIB:.1f}",
            f"free some: {NEEDED_MEMORY_BYTES // GIB} GiB are needed",
            needed=True,
        ),
        _row(
            "disk",
            free >= NEEDED_DISK_BYTES,
            f"{free / GIB:.1f} GiB free for {cache}",
            f"make room (`spraylab gc --cache`), or set SPRAYLAB_CACHE to a larger disk: {NEEDED_DISK_BYTES // GIB} GiB are needed",
            needed=True,
        ),
        _row("cores", seen.cores >= 2, str(seen.cores), "kubeadm asks for two; expect timeouts with one"),
    )


def _limits(seen: HostFacts, inotify: int) -> tuple[Ability, ...]:
    needs = node_needs(seen)
    limits = (
        "nodes need no exceptions"
        if not needs.feature_gates
        else "no CAP_SYS_RESOURCE: kubelets run with KubeletInUserNamespace, a deviation"
    )
    return (
        _row(
            "cgroups",
            seen.cgroup == "v2",
            f"{seen.cgroup}; nodes use the {needs.cgroup_driver} driver",
            "boot with systemd.unified_cgroup_hierarchy=1, or go on: the lab adapts",
        ),
        _row(
            "limits",
            not needs.feature_gates,
            f"{seen.nofile_hard} open files at most; {limits}",
            "raise the hard limit of open files and keep CAP_SYS_RESOURCE, or go on: the lab adapts",
        ),
        _row(
            "inotify",
            inotify >= NEEDED_INOTIFY,
            f"{inotify} instances free; a control plane and its client open {NEEDED_INOTIFY}, so this limits how many run side by side",
            "end what uses them up, or raise fs.inotify.max_user_instances",
            needed=True,
        ),
    )


def _row(name: str, ok: bool, seen: str, fix: str, *, needed: bool = False) -> Ability:  # noqa: FBT001 - the row's own mark
    return Ability(name=name, ok=ok, seen=seen, fix="" if ok else fix, needed=needed)


def _programs(programs: tuple[Program, ...], which: Callable[[str], str | None]) -> tuple[Ability, ...]:
    rows = []
    for one in programs:
        path = next((found for name in one.names if (found := which(name))), "")
        fix = f"apt-get install {one.package}"
        rows.append(_row(one.purpose, bool(path), path or f"no program {one.names[-1]}", fix, needed=one.needed))
    return tuple(rows)


def _kernel(seen: HostFacts) -> tuple[Ability, ...]:
    told = "the kernel does not tell its options" if not seen.kernel_options else ""
    return tuple(
        _row(
            f"kernel {option}",
            there := seen.has_kernel(option, module=module),
            told or (f"{seen.kernel} has it" if there else f"{seen.kernel} lacks it: no {purpose}"),
            "use a distribution's kernel, or a bed of virtual machines",
            needed=needed,
        )
        for option, module, purpose, needed in KERNEL
    )


def _vm(seen: HostFacts, which: Callable[[str], str | None]) -> tuple[Ability, ...]:
    vagrant = which("vagrant")
    return (
        _row(
            "KVM",
            seen.kvm,
            "/dev/kvm is there; whether it runs a guest is tried before the first machine"
            if seen.kvm
            else "no /dev/kvm: virtual machines run emulated, about 20 times slower",
            "switch virtualisation on in the firmware",
        ),
        _row(
            "vagrant",
            bool(vagrant),
            vagrant or "no program vagrant",
            "apt-get install vagrant vagrant-libvirt, for beds of virtual machines only",
        ),
        *_programs(MACHINES, which),
    )
