"""A libvirt for tests where none runs as a service: its daemon in a network namespace, with a configuration that only it sees.

Bridges, firewall rules and name servers of libvirt's networks stay in that namespace, and so must whoever asks for a machine by SSH:
inside `running` this process is there. `python -m tests.libvirt COMMAND ...` runs a command there.

There is one such session at a time, for the namespace, libvirt's sockets and its state have fixed names.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from lab import gc
from lab.command import run
from lab.deadline import until
from lab.gc import Leftover
from lab.host import HOST, arguments, cmdline, processes, started

CLONE_NEWNET = 0x40000000
LIMIT_S = 30.0
DAY_S = 24 * 3600.0
NAMESPACE = "spraylab-libvirt"
NAMESPACES = "run/netns"  # where `ip netns` keeps the names
SERVANTS = ("dnsmasq", "qemu-system-")  # what libvirtd starts there, without the lab's mark
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 1
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""
LIBVIRTD_CONF = """\
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0700"
"""
PROGRAMS = ("vagrant", "virsh", "libvirtd", "qemu-system-x86_64", "dnsmasq", "ip", "unshare")


def answers() -> bool:
    """Whether a libvirt daemon answers on this machine."""
    return bool(shutil.which("virsh")) and run(("virsh", "-c", "qemu:///system", "version"), limit_s=LIMIT_S).rc == 0


def why_not() -> str:
    """Why there can be no machines here; empty where there can."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        return f"no {', '.join(missing)}: apt-get install vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients dnsmasq-base"
    return in_use() if os.geteuid() == 0 else "virtual machines need root"


def in_use(*, root: Path = HOST) -> str:
    """Who else has the namespace, in one line; empty where nobody has, where what is in it outlived its session, or where we are in it."""
    there = inside(root=root)
    living = [pid for pid in there if not _left_over(pid, root)]
    if not living or os.getpid() in there:
        return ""
    others = f" and {len(living) - 1} more" if len(living) > 1 else ""
    who = f"process {living[0]} ({cmdline(living[0], root=root)[:80]}){others}"
    return f"the network namespace {NAMESPACE} is another session's: {who}; one runs at a time, wait until it has ended"


def inside(*, root: Path = HOST) -> tuple[int, ...]:
    """The processes in the namespace."""
    try:
        space = f"net:[{(root / NAMESPACES / NAMESPACE).stat().st_ino}]"
    except FileNotFoundError:
        return ()
    found = []
    for pid in processes(root=root):
        with suppress(OSError):  # it has ended
            if str((root / f"proc/{pid}/ns/net").readlink()) == space:
                found.append(pid)
    return tuple(found)


def _left_over(pid: int, root: Path) -> bool:
    """Whether nobody needs the process once all others in the namespace are so too."""
    return bool(gc.outlived(pid, root=root)) or Path(arguments(pid, root=root)[0]).name.startswith(SERVANTS)


def clear() -> None:
    """Remove the namespace that a killed session left, with what runs in it."""
    if not (HOST / NAMESPACES / NAMESPACE).exists() or os.getpid() in (there := inside()):
        return
    gc.delete(None, tuple(Leftover(kind="process", name=str(pid), run_id="", why="", mark=started(pid)) for pid in there))
    _ip("netns", "del", NAMESPACE)


@contextmanager
def running() -> Iterator[None]:
    """A libvirt that answers, this machine's own or one that ends with the block. Ask `why_not` before."""
    assert not (why := in_use()), why
    clear()
    if answers():
        yield
        return
    configuration = Path(tempfile.mkdtemp(prefix="spraylab-libvirt-"))
    for name, text in {"qemu.conf": QEMU_CONF, "libvirtd.conf": LIBVIRTD_CONF}.items():
        (configuration / name).write_text(text)
    _ip("netns", "add", NAMESPACE)
    stop, before = Event(), os.open("/proc/self/ns/net", os.O_RDONLY)
    script = f"mount --make-rprivate / && mount --bind {configuration} /etc/libvirt && exec libvirtd"
    argv = ("ip", "netns", "exec", NAMESPACE, "unshare", "--mount", "sh", "-c", script)
    daemon = Thread(target=run, args=(argv,), kwargs={"limit_s": DAY_S, "stop": stop}, daemon=True)
    try:
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        daemon.start()
        assert until(answers, bool, limit_s=LIMIT_S), "libvirtd does not answer"
        _enter(Path("/run/netns") / NAMESPACE)
        yield
    finally:
        _setns(before)
        stop.set()
        daemon.join(timeout=LIMIT_S)
        _ip("netns", "del", NAMESPACE)
        shutil.rmtree(configuration, ignore_errors=True)


def _ip(*words: str) -> None:
    done = run(("ip", *words), limit_s=LIMIT_S)
    assert done.rc == 0, done.stderr


def _enter(namespace: Path) -> None:
    fd = os.open(namespace, os.O_RDONLY)
    try:
        _setns(fd)
    finally:
        os.close(fd)


def _setns(fd: int) -> None:
    """Move this thread, and what it starts from now on, into a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":
    if why := why_not():
        sys.exit(why)
    with running():
        sys.exit(os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:]))
