"""Whether this host's KVM really runs a guest: /dev/kvm alone does not say so. Where it does not, machines are emulated (TCG).

Asked once per boot of the host: the box's own kernel is started for a moment, with a ramdisk that only says that it runs.
"""

import tempfile
from pathlib import Path

from lab import box, cachedir
from lab.command import run
from lab.host import HOST
from lab.host import facts as host_facts

KIND = "kvm"  # of the cache: one answer per boot and box
PROBE_LIMIT_S = 20.0  # 1 s is usual with KVM
SAYS = "spraylab: this machine runs"
QEMU = "qemu-system-x86_64"
PACE = 6.0  # kubeadm init takes 15 times as long on an emulated processor, what only waits takes no longer


def accelerated(*, root: Path = HOST) -> bool:
    """Whether machines run by KVM here: what was found since the last boot, else what /dev/kvm promises."""
    if not host_facts(root).kvm:
        return False
    there = box.there()
    answer = cachedir.entry(KIND, _key(root)) if there else None
    return (answer / "answer").read_text() == "yes" if answer else True


def pace() -> float:
    """How many times longer than usual machines may take for anything here."""
    return 1.0 if accelerated() else PACE


def probe(built: box.Built, *, root: Path = HOST) -> bool:
    """Whether KVM runs a guest here; found out on first use after a boot of the host."""
    if not host_facts(root).kvm:
        return False

    def ask(part: Path) -> None:
        (part / "answer").write_text("yes" if _runs(built) else "no")

    return (cachedir.obtain(KIND, _key(root), ask) / "answer").read_text() == "yes"


def _runs(built: box.Built) -> bool:
    with tempfile.TemporaryDirectory(prefix="spraylab-kvm-") as folder:
        console = Path(folder) / "console"
        machine = ("-accel", "kvm", "-cpu", "host", "-m", "256", "-display", "none", "-no-reboot", "-serial", f"file:{console}")
        words = ("-kernel", str(built.kernel), "-initrd", str(built.ramdisk), "-append", "console=ttyS0 quiet spraylab.probe")
        run((QEMU, "-nodefaults", *machine, *words), limit_s=PROBE_LIMIT_S)
        return console.exists() and SAYS in console.read_text(errors="replace")


def _key(root: Path) -> str:
    boot = (root / "proc/sys/kernel/random/boot_id").read_text().strip() if (root / "proc/sys/kernel/random/boot_id").exists() else ""
    return cachedir.digest((boot, box.key()))
