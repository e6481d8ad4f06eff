"""Virtual machines by real Vagrant and libvirt: one control plane and the client, made once for all tests of this file."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import pytest

from lab import gc, libvirt, nodehost, vagrantfile
from lab.access import ASK_LIMIT_S
from lab.beds.vagrant import Vagrant
from lab.command import run, ssh
from lab.deadline import now_s
from lab.libvirt import Libvirt
from lab.model import Site, Topology
from lab.owner import OWNER
from tests.libvirt import why_not
from tests.machine import real_machines

pytestmark = pytest.mark.real
RUN = f"m{os.getpid()}"
LIMIT_S = 120.0
MODULES = "ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh dummy sch_netem geneve ipip br_netfilter"  # what nodes that are containers may lack


class Made(NamedTuple):
    one: Vagrant
    site: Site
    folder: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder, before = tmp_path_factory.mktemp("machines"), set(libvirt.POOL_FOLDER.glob("artifacts-*"))
    (folder / "artifacts" / "images").mkdir(parents=True)
    (folder / "artifacts" / "program").write_text("what is installed")
    if why := why_not():
        pytest.skip(f"needs Vagrant and libvirt: {why}")
    Vagrant.prepare()  # while Debian's mirror can still be reached
    with real_machines():
        Vagrant.ready([Topology(control_planes=1)])
        one = Vagrant(
            cell_id="machines", topology=Topology(control_planes=1), artifacts=folder / "artifacts", run_id=RUN, folder=folder / "cell"
        )
        try:
            yield Made(one=one, site=one.up(), folder=folder / "cell")
        finally:
            one.down()
            for disk in set(libvirt.POOL_FOLDER.glob("artifacts-*")) - before:
                disk.unlink()


def said(made: Made, number: int, script: str) -> str:
    done = ssh(made.site, made.site.nodes[number], script, limit_s=LIMIT_S * made.site.pace)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout.strip()


def mine() -> list[str]:
    there = Libvirt()
    marked = [one.name for one in there.machines() if one.labels.get(OWNER) == RUN]
    marked += [one.name for one in there.networks() if one.labels.get(OWNER) == RUN]
    return sorted([*marked, *(disk.name for disk in libvirt.POOL_FOLDER.glob(f"spraylab-{RUN}-*"))])


def test_machines_are_what_their_place_says(made: Made) -> None:
    for number, node in enumerate(made.site.nodes):
        assert said(made, number, "hostname") == node.name
        assert f"inet {node.address}/24" in said(made, number, f"ip addr show {node.interface}")
        assert said(made, number, "systemctl is-system-running --wait || systemctl --failed --no-legend") == "running"
    client = made.site.client.address
    assert said(made, 0, "ip route show default").startswith(f"default via {client}")
    assert said(made, 1, "ip route show default; cat /proc/sys/net/ipv4/ip_forward") == "0"
    assert said(made, 0, "cat /opt/lab/program; touch /opt/lab/own 2>&1 || true") == (
        "what is installedtouch: cannot touch '/opt/lab/own': Read-only file system"
    )
    assert said(made, 0, f"ping -c1 -W5 {client} >/dev/null && echo yes") == "yes"


def test_a_machine_has_a_kernel_of_its_own_that_can_do_what_containers_may_lack(made: Made) -> None:
    assert said(made, 0, "uname -r").endswith("cloud-amd64")
    loaded = said(made, 0, f"modprobe -a {MODULES} && cut -d' ' -f1 /proc/modules").split()
    assert set(MODULES.split()) <= set(loaded)
    assert said(made, 0, "stat -fc %T /sys/fs/cgroup") == "cgroup2fs"


def test_testinfra_asks_by_the_same_way(made: Made) -> None:
    host: Any = nodehost.host(made.site, made.site.nodes[0], stop=Event())
    assert host.service("containerd").is_running
    assert made.site.nodes[0].address in host.interface("eth0").addresses


def test_nobody_gets_in_with_vagrants_own_key(made: Made) -> None:
    home = Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")
    other = made.folder / "config-without-key"
    other.write_text(made.site.ssh_config.read_text().replace("IdentityFile", "#IdentityFile"))
    key = f"IdentityFile={home / 'insecure_private_key'}"
    argv = ("ssh", "-F", str(other), "-o", "ControlPath=none", "-o", key, "cp1", "true")
    assert "Permission denied" in run(argv, limit_s=ASK_LIMIT_S * made.site.pace).stderr


def test_vagrant_knows_them_and_their_owner_stands_on_each(made: Made) -> None:
    assert mine() == sorted(
        f"spraylab-{RUN}-s{made.site.slot.number}-{name}" for name in ("cp1", "cp1-lab.qcow2", "cp1.img", "client", "client.img", "net")
    )
    environment = {"VAGRANT_DOTFILE_PATH": str(made.folder / "vagrant"), vagrantfile.LIST: str(made.folder / "machines.json")}
    done = run(("vagrant", "status", "--machine-readable"), limit_s=LIMIT_S, env=environment, cwd=vagrantfile.PROJECT)
    assert done.stdout.count(",state,running") == 2, done.stdout + done.stderr
    assert "Domain" in (made.folder / "vagrant.log").read_text()


def test_what_is_restored_is_what_was_saved_and_its_clock_is_right(made: Made) -> None:
    said(made, 0, "echo old >/etc/state; echo old >/run/state")
    made.one.save("first")
    assert made.one.saved("first")
    said(made, 0, "echo new >/etc/state; echo new >/run/state; date -s 2020-01-01 >/dev/null")
    made.one.restore("first")
    assert said(made, 0, "cat /etc/state /run/state") == "old\nold"
    for number in range(2):
        assert abs(int(said(made, number, "date +%s")) - now_s()) < 60
    assert said(made, 0, f"ping -c1 -W5 {made.site.client.address} >/dev/null && echo yes") == "yes"
    made.one.forget("first")
    assert not made.one.saved("first")


def test_a_machine_without_power_is_silent_and_comes_back_with_its_disk(made: Made) -> None:
    first = made.site.nodes[0]
    boot = said(made, 0, "echo kept >/etc/kept; sync; cat /proc/sys/kernel/random/boot_id")
    made.one.stop(first)
    made.one.stop(first)  # harmless
    assert made.one.memory_mib(first) == 0.0
    assert said(made, 1, f"ping -c1 -W2 {first.address} >/dev/null || echo silent") == "silent"
    made.one.start(first)
    assert said(made, 0, "cat /etc/kept /opt/lab/program") == "kept\nwhat is installed"
    assert said(made, 0, "cat /proc/sys/kernel/random/boot_id") != boot
    assert made.one.memory_mib(first) > 50


def test_gc_does_not_show_machines_of_a_living_run(made: Made) -> None:
    done = run((sys.executable, "-m", "lab.cli", "gc"), limit_s=LIMIT_S, env={"PYTHONPATH": str(vagrantfile.PROJECT)})
    assert done.rc == 0, done.stderr
    assert RUN not in done.stdout


def test_nothing_is_left_of_them(made: Made) -> None:
    made.one.down()
    assert mine() == []
    assert not (made.folder / "ssh_config").exists()
    assert not (made.folder / "vagrant").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from lab import vagrantfile
from lab.beds.vagrant import Vagrant
from lab.model import Topology

def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)

folder = Path(sys.argv[1])
topology, artifacts = Topology(control_planes=1), folder / "artifacts"
one = Vagrant(cell_id="killed", topology=topology, artifacts=artifacts, run_id=sys.argv[2], folder=folder / "cell")
if sys.argv[3] == "before":
    vagrantfile.Machines.up = end
one.up()
end()
"""


@pytest.mark.parametrize("when", ["before", pytest.param("after", marks=pytest.mark.nightly)])
def test_gc_finds_what_a_killed_run_left_before_and_after_its_machines_ran(when: str, tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "images").mkdir(parents=True)
    run_id, before = f"{RUN}-{when}", set(libvirt.POOL_FOLDER.glob("artifacts-*"))
    with real_machines():
        done = run((sys.executable, "-c", KILLED, str(tmp_path), run_id, when), limit_s=900, env={"PYTHONPATH": str(vagrantfile.PROJECT)})
        assert done.rc == -signal.SIGKILL, done.stderr
        found = [one for one in gc.leftovers(None, machines=Libvirt()) if one.run_id == run_id or run_id in one.name]
        kinds = {one.kind for one in found}
        assert kinds == {"folder", "bridge", "disk" if when == "before" else "machine"}
        gc.delete(None, tuple(found), machines=Libvirt())
        assert [one for one in gc.leftovers(None, machines=Libvirt()) if one.run_id == run_id or run_id in one.name] == []
    for disk in set(libvirt.POOL_FOLDER.glob("artifacts-*")) - before:
        disk.unlink()
