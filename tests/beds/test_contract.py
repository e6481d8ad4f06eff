"""What every bed keeps, tried on each one found: nodes that answer, and nothing left of them."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import bed, cachedir, libvirt, slots, snapshot
from lab.bed import Bed, Meter, Power, Restocks, Snapshots
from lab.command import ssh
from lab.deadline import until
from lab.engine import Engine
from lab.errors import BedError
from lab.host import facts
from lab.model import Site, Topology
from lab.owner import OWNER, RUN_FOLDER, of_folder
from tests.machine import real_engine, real_machines

pytestmark = pytest.mark.real
LIMIT_S = 60


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with real_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def machines() -> Iterator[None]:
    """Inside it only beds of virtual machines can be reached, so that these run in a session of their own: too long for every change."""
    pool = libvirt.POOL_FOLDER
    before = set(pool.glob("artifacts-*"))
    with real_machines():
        yield
    for disk in set(pool.glob("artifacts-*")) - before:
        disk.unlink()


BEDS = [pytest.param(name, marks=[] if bed.find(name).by_engine else pytest.mark.nightly) for name in bed.names()]


@pytest.fixture(params=BEDS)
def make(request: pytest.FixtureRequest, tmp_path: Path, engine: Engine) -> Iterator[Callable[..., Bed]]:
    """Makes a bed of the kind under test; whatever the test does, it is taken down."""
    made: list[Bed] = []
    if not bed.find(request.param).by_engine:
        request.getfixturevalue("machines")
    (tmp_path / "artifacts" / "images").mkdir(parents=True)

    def one(*, topology: Topology | None = None, slot: int | None = None) -> Bed:
        kind: Callable[..., Bed] = bed.find(request.param)
        made.append(
            kind(
                cell_id="contract",
                topology=topology or Topology(control_planes=1),
                artifacts=tmp_path / "artifacts",
                run_id=f"t{os.getpid()}",
                folder=tmp_path / f"bed{len(made)}",  # each has one of its own: Vagrant keeps its state there
                engine=engine,
                slot=slot,
            )
        )
        return made[-1]

    yield one
    for each in made:
        each.down()


def said(site: Site, number: int, script: str) -> str:
    done = ssh(site, site.nodes[number], script, limit_s=LIMIT_S * site.pace)
    assert done.rc == 0, done.stdout + done.stderr
    return done.stdout.strip()


def left(engine: Engine) -> list[str]:
    label = f"{OWNER}=t{os.getpid()}"
    things = [one.name for one in (*engine.containers(label), *engine.networks(label), *engine.volumes(label))]
    folders = [str(path) for path in RUN_FOLDER.glob("*") if (owner := of_folder(path)) and owner.run_id == f"t{os.getpid()}"]
    if there := libvirt.answering():
        things += [one.name for one in there.machines() if one.labels.get(OWNER) == f"t{os.getpid()}"]
        things += [one.name for one in there.networks() if one.labels.get(OWNER) == f"t{os.getpid()}"]
        things += [disk.name for disk in libvirt.POOL_FOLDER.glob(f"spraylab-t{os.getpid()}-*")]
    return things + folders


def of_containers(one: Bed) -> Bed:
    """`one`, where what the test asks can only be asked of nodes that share the host's kernel."""
    if not bed.find(one.name).by_engine:
        pytest.skip(f"nodes of bed {one.name} have a kernel of their own")
    return one


def test_nodes_answer_as_their_place_says_and_nothing_of_them_is_left(make: Callable[..., Bed], engine: Engine, tmp_path: Path) -> None:
    one = make(topology=Topology(control_planes=1, workers=2))  # kind makes no second control plane
    site = one.up()
    assert [node.name for node in site.nodes] == ["cp1", "w1", "w2", "client"]
    assert len(left(engine)) >= len(site.nodes)
    for number, node in enumerate(site.nodes):
        assert said(site, number, "hostname") == node.name
        assert f"inet {node.address}/24" in said(site, number, f"ip addr show {node.interface}")
        assert said(site, number, "systemctl is-system-running --wait || systemctl --failed --no-legend") == "running"
    assert said(site, 0, "ip route show default").startswith(f"default via {site.client.address}")
    assert said(site, 0, "systemctl is-active containerd spraylab-images") == "active\nactive"
    assert said(site, 0, f"ping -c1 -W2 {site.nodes[2].address} >/dev/null && echo yes") == "yes"
    assert said(site, 0, "cat /etc/machine-id") != said(site, 1, "cat /etc/machine-id")
    volumes = {said(site, number, "findmnt -no FSROOT /var || true") for number in range(len(site.nodes))} - {""}
    one.down()
    assert left(engine) == []
    assert not any(volume.name in place for volume in engine.volumes() for place in volumes)
    assert not (tmp_path / "bed0" / "ssh_config").exists()
    one.down()  # harmless


def test_what_a_node_sends_to_the_world_ends_at_the_client(make: Callable[..., Bed]) -> None:
    site = make().up()
    assert said(site, 1, "cat /proc/sys/net/ipv4/ip_forward") == "0"
    assert said(site, 1, "ip route show default") == ""
    assert said(site, 0, "getent hosts lab.invalid || echo no") == "no"


def test_systemd_of_a_node_lives_in_its_own_control_group(make: Callable[..., Bed], engine: Engine) -> None:
    of_containers(make()).up()
    for container in engine.containers(f"{OWNER}=t{os.getpid()}"):
        lines = Path(f"/proc/{engine.first_pid(container.name)}/cgroup").read_text().splitlines()
        systemd = [line.split(":", 2)[2] for line in lines if "name=systemd" in line or line.startswith("0::")]
        assert systemd
        assert all("libpod-" in place or "docker" in place for place in systemd), lines


def test_control_groups_of_one_node_are_of_no_other(make: Callable[..., Bed]) -> None:
    one = of_containers(make(topology=Topology(control_planes=1, workers=1)))
    if one.name == "kind":
        pytest.skip("kind's own first program leaves it to systemd what is mounted; `spraylab beds` says so")
    site = one.up()
    groups = "$(findmnt -rno TARGET -t cgroup,cgroup2)"
    assert int(said(site, 0, f"for place in {groups}; do mkdir $place/contract; done; echo {groups} | wc -w")) > 0
    try:
        for number in (1, 2):
            assert said(site, number, f"find {groups} -maxdepth 1 -name contract") == ""
    finally:
        said(site, 0, f"find {groups} -maxdepth 1 -name contract -exec rmdir {{}} +")


def test_what_acts_on_the_root_of_a_nodes_cgroup2_tree_acts_on_that_node_alone(make: Callable[..., Bed]) -> None:
    site = of_containers(make()).up()
    where = facts().cgroup2
    if not where:
        pytest.skip("this host has no cgroup2 tree")
    for node in site.nodes:
        listed = " ".join(f"{where}{depth}/cgroup.procs" for depth in ("", "/*", "/*/*"))
        procs = ssh(site, node, f"cat {listed} | sort -un | head -1", limit_s=20)
        assert procs.stdout.strip() == "1", procs  # 0 is a process that the node cannot see


def test_two_beds_at_once_stand_in_different_slots(make: Callable[..., Bed]) -> None:
    first, second = make().up(), make().up()
    assert first.slot != second.slot


def test_a_slot_in_use_is_refused_before_anything_is_made(make: Callable[..., Bed], engine: Engine) -> None:
    held = slots.hold(None, (*slots.of_host(), *((subnet, "") for network in engine.networks() for subnet in network.subnets)))
    try:
        with pytest.raises(BedError, match=f"slot {held.slot.number} .* is in use"):
            make(slot=held.slot.number).up()
        assert left(engine) == []
    finally:
        held.release()


def test_a_node_without_power_is_silent_and_comes_back_as_it_was(make: Callable[..., Bed]) -> None:
    one = make(topology=Topology(control_planes=1, workers=1))
    if not isinstance(one, Power):
        pytest.skip(f"bed {one.name} cannot stop one node alone")
    site = one.up()
    first = site.nodes[0]
    script = "echo 10.231.0.100 lab.invalid >>/etc/hosts; touch /etc/kept /var/lib/kept; sync; cat /etc/machine-id"
    identity = said(site, 0, script)
    before, boot = said(site, 0, "cat /etc/hosts"), said(site, 0, "systemctl show --property=UserspaceTimestampMonotonic")
    link = said(site, 0, "cat /sys/class/net/eth0/address")
    one.stop(first)
    one.stop(first)  # harmless
    assert said(site, 1, f"ping -c1 -W1 {first.address} >/dev/null || echo silent") == "silent"
    assert ssh(site, first, "true", limit_s=LIMIT_S).rc != 0
    one.start(first)
    assert said(site, 0, "systemctl is-system-running --wait || systemctl --failed --no-legend") == "running"
    assert said(site, 0, "systemctl show --property=UserspaceTimestampMonotonic") != boot
    assert said(site, 0, "ls /etc/kept /var/lib/kept; cat /etc/machine-id") == f"/etc/kept\n/var/lib/kept\n{identity}"
    assert said(site, 0, "cat /etc/hosts") == before
    assert said(site, 0, "cat /sys/class/net/eth0/address") == link
    assert f"inet {first.address}/24" in said(site, 0, f"ip addr show {first.interface}")
    assert said(site, 0, "ip route show default").startswith(f"default via {site.client.address}")
    assert said(site, 1, f"ping -c1 -W5 {first.address} >/dev/null && echo yes") == "yes"
    assert said(site, 0, "systemctl is-active containerd spraylab-images") == "active\nactive"


SAVED = f"contract-t{os.getpid()}"


@pytest.fixture
def saved() -> Iterator[str]:
    """A key whose snapshot is gone after the test, whatever the test does."""
    yield SAVED
    with real_engine() as engine:
        snapshot.forget(engine, SAVED)


def kept(engine: Engine) -> list[str]:
    images = [one.name for one in engine.images(f"{snapshot.SNAPSHOT}={SAVED}")]
    return images + [str(path) for path in (cachedir.root() / snapshot.KIND).glob(f"*{SAVED}*") if path.is_dir()]


def with_snapshots(one: Bed) -> Snapshots:
    if not isinstance(one, Snapshots):
        pytest.skip(f"bed {one.name} keeps no snapshots")
    return one


WRITE = "for place in /etc /var/lib; do echo {} >$place/state; done; echo 10.231.0.100 {}.invalid >>/etc/hosts"
READ = "cat /etc/state /var/lib/state /etc/machine-id /sys/class/net/eth0/address /etc/hosts"


def test_restored_nodes_are_as_they_were_saved_at_their_addresses(make: Callable[..., Bed], engine: Engine, saved: str) -> None:
    one = make(topology=Topology(control_planes=1, workers=1))
    keeper, site = with_snapshots(one), one.up()
    for number in range(3):
        said(site, number, WRITE.format("old", "old"))
    said(site, 0, "mknod /var/lib/whiteout c 0 0; mkdir -m 700 /var/lib/own; chown 123 /var/lib/own")
    before = [said(site, number, READ) for number in range(3)]
    boot = said(site, 0, "systemctl show --property=UserspaceTimestampMonotonic")
    assert not keeper.saved(saved)
    keeper.save(saved)
    assert keeper.saved(saved)
    assert [said(site, number, READ) for number in range(3)] == before
    rebooted = said(site, 0, "systemctl show --property=UserspaceTimestampMonotonic") != boot
    assert rebooted is bed.find(one.name).by_engine, "saved containers have been rebooted, machines only held still"
    for number in range(3):
        said(site, number, WRITE.format("new", "new") + "; touch /etc/later /var/lib/later; rm -r /opt/cni")
    again = keeper.restore(saved)
    assert (again.nodes, again.slot) == (site.nodes, site.slot)
    assert [said(again, number, READ) for number in range(3)] == before
    assert said(again, 0, "ls /etc/later /var/lib/later 2>/dev/null || ls -d /opt/cni") == "/opt/cni"
    assert said(again, 0, "stat -c '%F %a %u' /var/lib/whiteout /var/lib/own") == "character special file 644 0\ndirectory 700 123"
    for number, node in enumerate(again.nodes):
        assert said(again, number, "systemctl is-system-running --wait || systemctl --failed --no-legend") == "running"
        assert f"inet {node.address}/24" in said(again, number, f"ip addr show {node.interface}")
    assert said(again, 0, "systemctl is-active containerd spraylab-images") == "active\nactive"
    assert said(again, 0, f"ping -c1 -W5 {again.nodes[1].address} >/dev/null && echo yes") == "yes"
    one.down()
    assert left(engine) == []


def test_a_snapshot_outlives_its_nodes_and_serves_a_bed_of_the_same_slot_alone(
    make: Callable[..., Bed], engine: Engine, saved: str
) -> None:
    first = of_containers(make())  # a snapshot of machines is gone with them
    keeper, site = with_snapshots(first), first.up()
    said(site, 0, "echo kept >/var/lib/state")
    keeper.save(saved)
    other = make()
    site_of_other = other.up()
    with pytest.raises(BedError, match=f"the snapshot {saved} does not fit this bed\n.*in slot {site.slot.number}, .*"):
        with_snapshots(other).restore(saved)
    assert said(site_of_other, 0, "hostname") == "cp1", "what could not be restored changed nothing"
    first.down()
    second = make()
    again = with_snapshots(second).restore(saved)
    assert again.slot == site.slot
    assert said(again, 0, "cat /var/lib/state") == "kept"
    with pytest.raises(BedError, match="could not remove the image"):
        with_snapshots(second).forget(saved)
    second.down()
    assert left(engine) != [], "the nodes of the other bed"
    with_snapshots(second).forget(saved)
    assert kept(engine) == []
    with pytest.raises(BedError, match=f"there is no snapshot {saved}\n"):
        with_snapshots(make()).restore(saved)


def test_a_snapshot_that_was_not_finished_is_none_and_its_nodes_go_on(
    make: Callable[..., Bed], engine: Engine, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = of_containers(make())
    site, keeper = one.up(), with_snapshots(one)
    commit = engine.commit

    def full(name: str, **more: Any) -> str:
        if name.endswith("client"):
            raise BedError("the container engine could not keep the root", "no space left on device", "make room")
        return commit(name, **more)

    monkeypatch.setattr(engine, "commit", full)
    with pytest.raises(BedError, match="no space left"):
        keeper.save(saved)
    assert not keeper.saved(saved)
    assert kept(engine) == []
    assert until(lambda: ssh(site, site.nodes[0], "hostname", limit_s=LIMIT_S).stdout, bool, limit_s=LIMIT_S) == "cp1\n"
    monkeypatch.undo()
    keeper.save(saved)
    assert keeper.saved(saved)


def test_a_bed_that_counts_memory_sees_what_a_node_takes(make: Callable[..., Bed]) -> None:
    one = make()
    site = one.up()
    if not isinstance(one, Meter):
        pytest.skip(f"bed {one.name} does not know what a node uses")
    node = site.nodes[0]
    before = one.memory_mib(node)
    assert before > 1
    said(site, 0, "head -c 200M /dev/zero >/run/taken")  # on memory
    assert one.memory_mib(node) > before + 150


def test_what_a_reset_takes_of_a_node_comes_back(make: Callable[..., Bed]) -> None:
    one = make()
    if not isinstance(one, Restocks):
        pytest.skip(f"nothing gives nodes of bed {one.name} back what a reset takes")
    site = one.up()
    was = said(site, 0, "cat /etc/crictl.yaml")
    said(site, 0, "systemctl stop containerd && rm -r /var/lib/containerd /etc/crictl.yaml")
    one.restock()
    assert (
        said(site, 0, "cat /etc/crictl.yaml && ctr version >/dev/null && systemctl is-active containerd spraylab-images")
        == f"{was}\nactive\nactive"
    )


def test_limits_are_whole_sentences(make: Callable[..., Bed]) -> None:
    sentences = make().limits()
    assert sentences
    assert all(one[0].isupper() and one.endswith(".") for one in sentences)


def test_taking_down_what_never_was_up_is_harmless(make: Callable[..., Bed]) -> None:
    make().down()
