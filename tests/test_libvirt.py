from collections.abc import Mapping
from pathlib import Path

import pytest

from lab import libvirt, slots
from lab.errors import BedError, HostError
from lab.libvirt import Libvirt
from lab.model import Completed
from tests import made

MACHINE = """<domain type='qemu'><name>spraylab-r1-s0-cp1</name>
<description>spraylab.owner=r1 spraylab.pid=7 other=word</description>
<devices><disk type='file' device='disk'><source file='{pool}/spraylab-r1-s0-cp1.img'/></disk>
<disk type='file' device='disk'><source file='/elsewhere/somebodys.img'/><backingStore type='file'><source file='/pool/below.img'/>
<backingStore type='file'><source file='/pool/lowest.img'/><backingStore/></backingStore></backingStore></disk>
<disk device='cdrom'/></devices>
<os><type>hvm</type><kernel>/pool/vmlinuz-1</kernel><initrd>/pool/initrd-1</initrd></os></domain>"""
FOREIGN = "<domain><name>web</name><description>Source: Vagrantfile</description></domain>"


class Virsh:
    """Answers as virsh would: words -> rc, stdout, stderr; keeps what it was asked."""

    def __init__(self, answers: Mapping[str, tuple[int, str, str]]) -> None:
        self._answers, self.asked = answers, list[str]()

    def __call__(self, argv: tuple[str, ...], *, limit_s: float, env: Mapping[str, str], stdin: str = "") -> Completed:
        words = " ".join(argv[4:])
        self.asked.append(words)
        rc, out, err = self._answers.get(words, (0, "", ""))
        return Completed(argv=argv, rc=rc, stdout=out, stderr=err, started_at_s=0.0, duration_s=0.0)


def test_a_network_leases_each_node_its_own_address_and_says_whose_it_is(tmp_path: Path) -> None:
    nodes, place = made.site(tmp_path).nodes, slots.slot(0)
    macs = {node.name: slots.mac_of(node.address) for node in nodes}
    xml = libvirt.network_xml("net", place, nodes, macs=macs, labels={"spraylab.owner": "r1"})
    assert '<host mac="02:53:0a:e7:00:0a" name="cp1" ip="10.231.0.10" />' in xml
    assert '<ip address="10.231.0.1" prefix="24">' in xml
    assert "<forward" not in xml, "nothing leads out"
    virsh = Virsh({"net-list --all --name": (0, "net\n\n", ""), "net-dumpxml net": (0, xml, "")})
    (seen,) = Libvirt(start=virsh).networks()
    assert (seen.name, seen.labels, seen.subnets) == ("net", {"spraylab.owner": "r1"}, ("10.231.0.1/24",))


def test_a_machine_says_whose_it_is_and_one_of_somebody_else_is_nobodys() -> None:
    answers = {
        "list --all --name": (0, "spraylab-r1-s0-cp1\nweb\ngone\n", ""),
        "dumpxml spraylab-r1-s0-cp1": (0, MACHINE.format(pool="/pool"), ""),
        "dumpxml web": (0, FOREIGN, ""),
        "dumpxml gone": (1, "", "error: failed to get domain 'gone'"),
    }
    ours, other = Libvirt(start=Virsh(answers)).machines()
    assert ours.labels == {"spraylab.owner": "r1", "spraylab.pid": "7"}
    assert ours.disks == (Path("/pool/spraylab-r1-s0-cp1.img"), Path("/elsewhere/somebodys.img"))
    assert [path.name for path in ours.boots] == ["vmlinuz-1", "initrd-1", "below.img", "lowest.img"]
    assert (other.name, other.labels, other.boots) == ("web", {}, ())


def test_a_machine_goes_with_its_disks_in_the_labs_pool_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libvirt, "POOL_FOLDER", tmp_path / "pool")
    (tmp_path / "pool").mkdir()
    ours, other = tmp_path / "pool" / "a.img", tmp_path / "b.img"
    ours.touch()
    other.touch()
    gone = (1, "", "error: Requested operation is not valid: domain is not running")
    virsh = Virsh({"destroy one": gone})
    Libvirt(start=virsh).remove_machine(libvirt.Machine(name="one", labels={}, disks=(ours, other)))
    assert (ours.exists(), other.exists()) == (False, True)
    assert virsh.asked == ["destroy one", "undefine one --managed-save --snapshots-metadata --nvram"]


def test_what_is_refused_is_told_with_its_words() -> None:
    with pytest.raises(BedError, match=r"libvirt could not start one\n.*no more disks"):
        Libvirt(start=Virsh({"start one": (1, "", "error: no more disks")})).power_on("one")


def test_a_libvirt_that_does_not_run_is_told_with_how_to_start_it() -> None:
    with pytest.raises(HostError, match=r"libvirt does not answer\n.*Failed to connect socket.*\n.*systemctl start libvirtd"):
        Libvirt(start=Virsh({"version": (1, "", "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock'")})).see()
    assert Libvirt(start=Virsh({"version": (0, "Using library: libvirt 9.0.0\nUsing API: QEMU 9.0.0\n", "")})).see() == "9.0.0"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("/usr/bin/qemu-system-x86_64 -name guest=one,debug-threads=on -S", "one"),
        ("/usr/libexec/qemu-kvm -S -name one", "one"),
        ("kvm -name one,process=x", "one"),
        ("qemu-img convert -name one", ""),
        ("/usr/bin/qemu-system-x86_64 -S -name", ""),
        ("grep -name guest=one", ""),
        ("", ""),
    ],
)
def test_a_machine_that_runs_is_known_by_the_name_its_emulator_got(words: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "proc" / "30").mkdir(parents=True)
    (tmp_path / "proc" / "30" / "cmdline").write_text("".join(f"{word}\0" for word in words.split()))
    assert libvirt.emulators(root=tmp_path) == (((30, name),) if name else ())


def test_memory_is_what_the_host_gives() -> None:
    assert Libvirt(start=Virsh({"dommemstat one": (0, "actual 3145728\nrss 524288\n", "")})).memory_mib("one") == 512.0
    assert Libvirt(start=Virsh({"dommemstat one": (1, "", "error: domain is not running")})).memory_mib("one") == 0.0
