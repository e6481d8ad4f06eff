"""What stops machines before any is made; that they come up, and go, is seen in tests/real/test_machines.py."""

from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from lab import emulation, owner, slots
from lab.beds import vagrant
from lab.beds.vagrant import Vagrant
from lab.errors import BedError, HostError, ScenarioError
from lab.host import facts
from lab.model import Topology
from tests.fakes import SILENT, gone, set_once_there

ONE = [Topology(control_planes=1)]
PLUGINS = "1,,plugin-name,vagrant-libvirt\n1,vagrant-libvirt,plugin-version,0.11.2"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that has all that is asked for: programs of the names, which answer as those do."""
    (tmp_path / "bin").mkdir()
    program(tmp_path, "vagrant", f"[ $1 = plugin ] && echo '{PLUGINS}' || echo 'Vagrant 2.3.4'")
    program(tmp_path, "virsh", "echo 'Using library: libvirt 9.0.0'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    seen = replace(facts(), is_root=True, memory_free_bytes=16 * 2**30, kvm=True)
    monkeypatch.setattr(vagrant, "facts", lambda: seen)
    monkeypatch.setattr(emulation, "accelerated", lambda: True)
    return tmp_path


def program(folder: Path, name: str, script: str) -> None:
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / name).chmod(0o755)


def test_a_host_with_all_of_it_is_ready(host: Path) -> None:
    Vagrant.ready(ONE)


def test_a_libvirt_that_does_not_run_is_told(host: Path) -> None:
    program(host, "virsh", "echo 'error: Failed to connect socket' >&2; exit 1")
    with pytest.raises(HostError, match=r"libvirt does not answer\n.*Failed to connect socket\n.*systemctl start"):
        Vagrant.ready(ONE)


def test_a_provider_that_vagrant_has_not_is_told(host: Path) -> None:
    program(host, "vagrant", "echo '1,,plugin-name,vagrant-share'")
    with pytest.raises(HostError, match="Vagrant has not the provider libvirt"):
        Vagrant.ready(ONE)


def test_without_root_disks_cannot_be_laid_down(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = replace(facts(), is_root=False)
    monkeypatch.setattr(vagrant, "facts", lambda: seen)
    with pytest.raises(HostError, match="machines need root"):
        Vagrant.ready(ONE)


def test_too_little_memory_is_told_with_what_is_needed(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = replace(facts(), is_root=True, memory_free_bytes=4 * 2**30)
    monkeypatch.setattr(vagrant, "facts", lambda: seen)
    Vagrant.ready(ONE)
    with pytest.raises(HostError, match=r"not enough memory for the machines\n.*machines for 3cp\+1w take 11\.5 GiB, 4\.0 GiB are free"):
        Vagrant.ready([*ONE, Topology(control_planes=3, workers=1)])
    monkeypatch.setattr(emulation, "accelerated", lambda: False)
    with pytest.raises(HostError, match=r"machines for 1cp take 5\.5 GiB"):
        Vagrant.ready(ONE)


def test_a_box_that_nobody_knows_is_told(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_BOX", "debian/sarge")
    with pytest.raises(ScenarioError, match="no box 'debian/sarge'"):
        Vagrant.ready(ONE)


@pytest.mark.parametrize("accelerated", [True, False])
def test_an_emulated_machine_has_time_and_the_report_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, accelerated: bool) -> None:
    monkeypatch.setattr(emulation, "accelerated", lambda: accelerated)
    needs = Vagrant.needs(facts())
    assert (needs.cgroup_driver, needs.feature_gates, needs.cgroup2) == ("systemd", (), "")
    assert bool(needs.emulated) is not accelerated
    said = Vagrant(cell_id="c", topology=ONE[0], artifacts=tmp_path, run_id="r1", folder=tmp_path).limits()
    assert all(one[0].isupper() and one.endswith(".") for one in said)
    assert bool([one for one in said if "no KVM that runs a guest" in one]) is not accelerated


def test_what_never_was_up_has_nothing_to_save_and_goes_quietly(tmp_path: Path) -> None:
    one = Vagrant(cell_id="c", topology=ONE[0], artifacts=tmp_path, run_id="r1", folder=tmp_path)
    with pytest.raises(BedError, match="there is nothing to save"):
        one.save("key")
    with pytest.raises(BedError, match=r"there is no snapshot key\n.*gone with them"):
        one.restore("key")
    one.forget("key")
    one.down()
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_libvirt_that_is_in_the_way_is_told_before_anything_is_made(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    xml = "<network><name>lan</name><ip address='10.231.14.1' netmask='255.255.255.0'/></network>"
    program(host, "virsh", f'case "$*" in *net-list*) echo lan ;; *net-dumpxml*) echo "{xml}" ;; *) echo "$*" >>{host}/asked ;; esac')
    monkeypatch.setattr(Vagrant, "prepare", staticmethod(lambda **_: None))
    monkeypatch.setattr(slots, "of_host", lambda: ())
    one = Vagrant(cell_id="c", topology=ONE[0], artifacts=tmp_path, run_id="r1", folder=tmp_path / "cell", slot=14)
    with pytest.raises(BedError, match=r"slot 14 \(10\.231\.14\.0/24\) is in use\n.*libvirt's network lan uses 10\.231\.14\.1"):
        one.up()
    one.down()
    assert not (host / "asked").exists()
    assert not (tmp_path / "cell").exists()


@pytest.mark.parametrize("silent", ["vagrant", "ssh"])
def test_machines_that_do_not_come_up_end_with_the_run_and_are_removed(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: str
) -> None:
    program(host, "vagrant", f'echo "$1" >>{host}/asked; mkdir -p "$VAGRANT_DOTFILE_PATH"')
    program(host, silent, f'[ "$1" != destroy ] || exec true; {SILENT.replace("{folder}", str(host))}')
    monkeypatch.setenv("SPRAYLAB_BOX", "debian/bookworm64")
    monkeypatch.setenv("VAGRANT_DEFAULT_PROVIDER", "virtualbox")
    monkeypatch.setattr(Vagrant, "prepare", staticmethod(lambda **_: None))
    taken = tuple((slots.slot(number).subnet, "another run") for number in range(10))  # a late slot, that no real run waits for
    monkeypatch.setattr(slots, "of_host", lambda: taken)
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path / "r")
    stop = Event()
    one = Vagrant(cell_id="c", topology=ONE[0], artifacts=tmp_path, run_id="r1", folder=tmp_path / "cell", stop=stop)
    with set_once_there(host / "pid", stop), pytest.raises(KeyboardInterrupt):
        one.up()
    assert gone(host)
    one.down()
    assert not list((tmp_path / "r").iterdir())
    assert not (tmp_path / "cell" / "vagrant").exists()
    assert silent == "vagrant" or (host / "asked").read_text() == "up\ndestroy\n"


def test_a_libvirt_that_is_gone_keeps_neither_key_nor_slot(host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "RUN_FOLDER", tmp_path / "r")
    program(
        host, "virsh", f'case "$*" in *net-list*) test ! -e {host}/gone && exit 0 ;; esac; touch {host}/gone; echo no answer >&2; exit 1'
    )
    monkeypatch.setattr(Vagrant, "prepare", staticmethod(lambda **_: None))
    monkeypatch.setattr(slots, "of_host", lambda: ())
    one = Vagrant(cell_id="c", topology=ONE[0], artifacts=tmp_path, run_id="r1", folder=tmp_path / "cell", slot=13)
    with pytest.raises(BedError, match="no answer"):
        one.up()
    with pytest.raises(BedError, match="no answer"):
        one.down()
    assert list((tmp_path / "r").iterdir()) == []
    slots.hold(13, ()).release()
