from dataclasses import replace
from pathlib import Path

import pytest

from lab import boxes, machines
from lab.machines import Boot, Wanted
from lab.model import Topology
from tests import made

BOOT = Boot(kernel=Path("/pool/vmlinuz"), ramdisk=Path("/pool/initrd"), disks={"cp1": "one-cp1-lab.qcow2"}, accelerated=False)


def wanted(folder: Path, **environment: str) -> Wanted:
    return Wanted(
        box=replace(boxes.chosen(environment), version="1.0.7"),
        prefix="spraylab-r1-s0-",
        labels={"spraylab.owner": "r1", "spraylab.cell": "a:b"},
        key=folder / "key",
        public_key="ssh-ed25519 AAAA spraylab",
        network="spraylab-r1-s0-net",
        folder=folder,
    )


def of(listed: dict[str, object], name: str) -> dict[str, object]:
    there = listed["machines"]
    assert isinstance(there, list)
    (found,) = [one for one in there if one["name"] == name]
    assert isinstance(found, dict)
    return found


def test_a_machine_of_the_labs_box_is_told_who_it_is_by_its_kernels_command_line(tmp_path: Path) -> None:
    listed = machines.own(made.site(tmp_path), wanted(tmp_path), BOOT)
    assert (listed["box"], listed["box_version"], listed["user"], listed["key"]) == (
        "spraylab/node",
        "1.0.7",
        "root",
        str(tmp_path / "key"),
    )
    first, client = of(listed, "cp1"), of(listed, "client")
    network = {"ip": "10.231.0.10", "netmask": "255.255.255.0", "mac": "02:53:0a:e7:00:0a", "auto_config": False}
    named = {"libvirt__network_name": "spraylab-r1-s0-net", "libvirt__always_destroy": False}
    assert first["network"] == {**network, **named}
    line = (
        "root=/dev/vda rw quiet console=ttyS0 net.ifnames=0 systemd.hostname=cp1 spraylab.address=10.231.0.10 "
        "spraylab.route=10.231.0.2 spraylab.client=10.231.0.2 spraylab.key=ssh-ed25519,AAAA,spraylab"
    )
    assert first["libvirt"] == {"memory": 3072, "cpus": 2, "cmd_line": line}
    assert first["disks"] == [{"device": "vdb", "path": "one-cp1-lab.qcow2", "pool": "spraylab", "allow_existing": True, "cache": "unsafe"}]
    assert client["disks"] == []
    assert " spraylab.route= " in str(client["libvirt"]), "the client's route leads nowhere"


@pytest.mark.parametrize(("accelerated", "driver", "mode"), [(True, "kvm", "host-passthrough"), (False, "qemu", "custom")])
def test_without_kvm_a_machine_is_emulated(tmp_path: Path, *, accelerated: bool, driver: str, mode: str) -> None:
    shared = machines.own(made.site(tmp_path), wanted(tmp_path), replace(BOOT, accelerated=accelerated))["libvirt"]
    assert isinstance(shared, dict)
    assert (shared["driver"], shared["cpu_mode"]) == (driver, mode)
    assert shared["description"] == "spraylab.owner=r1 spraylab.cell=a:b"
    assert (shared["kernel"], shared["mgmt_attach"], shared["storage_pool_name"]) == ("/pool/vmlinuz", False, "spraylab")


def test_virtualbox_gets_names_sizes_and_the_owners_mark(tmp_path: Path) -> None:
    asked = wanted(tmp_path, VAGRANT_DEFAULT_PROVIDER="virtualbox")
    listed = machines.public(made.site(tmp_path), asked, prepare=Path("/lab/prepare.sh"))
    assert (listed["box"], listed["box_version"], listed["set_hostname"]) == ("debian/bookworm64", "1.0.7", True)
    assert "key" not in listed, "Vagrant makes a key of its own in place of the box's"
    assert listed["provision"] == {"path": "/lab/prepare.sh", "args": ["ssh-ed25519 AAAA spraylab", "10.231.0.2"]}
    first = of(listed, "cp1")
    assert first["virtualbox"] == {"memory": 3072, "cpus": 2, "name": "spraylab-r1-s0-cp1"}
    assert first["network"] == {"ip": "10.231.0.10", "netmask": "255.255.255.0"}
    assert first["customize"] == [
        ["setextradata", ":id", "spraylab.owner", "r1"],
        ["setextradata", ":id", "spraylab.cell", "a:b"],
    ]


def test_memory_is_that_of_all_machines() -> None:
    assert machines.memory_mib(Topology(control_planes=3, workers=1)) == 3 * 3072 + 2048 + 512
