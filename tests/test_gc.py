import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lab import gc, libvirt, nodeimage
from lab.command import run
from lab.container import Thing
from lab.deadline import until
from lab.engine import Engine
from lab.errors import HostError
from lab.host import HOST, cmdline, environment, processes, started
from lab.libvirt import Libvirt, Machine, Network
from lab.owner import CELL, OWNER, PID, STARTED, Owner, this_process
from lab.snapshot import SNAPSHOT
from tests.machine import real_engine
from tests.test_libvirt import Virsh

DEAD = {OWNER: "r0", PID: "1", STARTED: "00000000.1", CELL: "c0"}


class ListedEngine(Engine):
    """An engine that has what the test says, and writes down what it is told to remove."""

    def __init__(self, *things: Thing) -> None:
        super().__init__("fake", None)
        self.things = things
        self.removed: list[tuple[str, str]] = []

    def containers(self, label: str) -> tuple[Thing, ...]:
        return tuple(one for one in self.things if one.kind == "container" and label in one.labels)

    def networks(self, label: str = "") -> tuple[Thing, ...]:
        return tuple(one for one in self.things if one.kind == "network" and label in one.labels)

    def volumes(self, label: str = "") -> tuple[Thing, ...]:
        return tuple(one for one in self.things if one.kind == "volume" and label in one.labels)

    def images(self, label: str) -> tuple[Thing, ...]:
        return tuple(one for one in self.things if one.kind == "image" and label in one.labels)

    def remove_image(self, image: str) -> None:
        self.removed.append(("image", image))

    def remove_container(self, name: str) -> None:
        self.removed.append(("container", name))

    def remove_network(self, name: str) -> None:
        self.removed.append(("network", name))

    def remove_volume(self, name: str) -> None:
        self.removed.append(("volume", name))


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(libvirt, "POOL_FOLDER", tmp_path / "pool")


def thing(kind: Any, name: str, labels: dict[str, str]) -> Thing:
    return Thing(kind=kind, name=name, labels=labels)


def named(found: tuple[gc.Leftover, ...]) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in found]


def test_what_a_dead_run_made_is_found_with_the_reason_and_deleted_users_first(tmp_path: Path) -> None:
    engine = ListedEngine(thing("network", "n", DEAD), thing("volume", "v", DEAD), thing("container", "c", DEAD))
    found = gc.leftovers(engine, run_folder=tmp_path, root=tmp_path)
    assert named(found) == [("container", "c"), ("network", "n"), ("volume", "v")]
    assert found[0].why == "process 1 of run r0, cell c0, is gone"
    assert engine.removed == []
    gc.delete(engine, found)
    assert engine.removed == [("container", "c"), ("network", "n"), ("volume", "v")]


class ListedLibvirt(Libvirt):
    """A libvirt that has one machine with a disk and one network of each owner, and writes down what it is told to remove."""

    def __init__(self, *owners: dict[str, str]) -> None:
        super().__init__(uri="test")
        LISTED.clear()
        LISTED.extend(owners)

    def machines(self) -> tuple[Machine, ...]:
        return tuple(
            Machine(name=f"m{n}", labels=labels, disks=(libvirt.POOL_FOLDER / f"spraylab-r{n}-s0-cp1.img",))
            for n, labels in enumerate(LISTED)
        )

    def networks(self) -> tuple[Network, ...]:
        return tuple(Network(name=f"n{n}", labels=labels) for n, labels in enumerate(LISTED))

    def remove_machine(self, machine: Machine) -> None:
        REMOVED.append(machine.name)

    def remove_network(self, name: str) -> None:
        REMOVED.append(name)


LISTED: list[dict[str, str]] = []
REMOVED: list[str] = []


def test_machines_and_networks_of_a_dead_run_go_and_those_of_others_stay(tmp_path: Path) -> None:
    pool = tmp_path / "pool"
    pool.mkdir()
    living, kept = this_process("r9").labels(), tmp_path / "run" / "ssh-1"
    kept.mkdir(parents=True)
    (kept / "owner.json").write_text(json.dumps(asdict(this_process("r9"))))
    machines = ListedLibvirt(DEAD, living, {})
    names = ("spraylab-r0-s0-cp1.img", "spraylab-r7-s0-cp1-lab.qcow2", "spraylab-r9-s1-cp1-lab.qcow2", "artifacts-1.img", "vmlinuz-1")
    for name in names:
        (pool / name).touch()
    found = gc.leftovers(None, machines=machines, run_folder=tmp_path / "run", root=HOST)
    ours = [one for one in found if one.kind in ("machine", "bridge", "disk")]
    assert named(tuple(ours)) == [("machine", "m0"), ("bridge", "n0"), ("disk", str(pool / "spraylab-r7-s0-cp1-lab.qcow2"))]
    gc.delete(None, tuple(ours), machines=machines)
    assert REMOVED == ["m0", "n0"]
    assert not (pool / "spraylab-r7-s0-cp1-lab.qcow2").exists()
    assert (pool / "spraylab-r9-s1-cp1-lab.qcow2").exists()


def test_without_an_engine_machines_are_still_looked_through(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with gc.reached("auto", machines=ListedLibvirt()) as engine:
        assert engine is None
    with pytest.raises(HostError), gc.reached("auto", machines=None, root=tmp_path):
        pytest.fail("nothing can be looked through")
    lay_out_process(tmp_path, 30, ticks=5, words=qemu("spraylab-r0-s0-cp1"))
    with gc.reached("auto", machines=None, root=tmp_path) as engine:
        assert engine is None


def qemu(name: str) -> str:
    """The arguments that libvirt gives to qemu."""
    return f"/usr/bin/qemu-system-x86_64 -name guest={name},debug-threads=on -S -m 512"


@pytest.fixture
def without_libvirt(tmp_path: Path) -> Path:
    """A host whose libvirt was killed while machines ran: of a run that is gone, of a living one, and of one that nobody knows."""
    pool, runs, root = tmp_path / "pool", tmp_path / "run", tmp_path / "host"
    pool.mkdir()
    lay_out_process(root, 20, ticks=5, words="spraylab run")
    living = Owner(run_id="r1", pid=20, started=started(20, root=root))
    for owner in (Owner(run_id="r0", pid=19, started="x.1"), living):
        (runs / f"ssh-{owner.run_id}").mkdir(parents=True)
        (runs / f"ssh-{owner.run_id}" / "owner.json").write_text(json.dumps(asdict(owner)))
    for number, name in enumerate(("spraylab-r0-s0-cp1", "spraylab-r1-s1-cp1", "spraylab-r2-s2-cp1", "web")):
        lay_out_process(root, 30 + number, ticks=9, words=qemu(name))
        (pool / f"{name}-lab.qcow2").touch()
    lay_out_process(root, 40, ticks=9, words="grep -name guest=spraylab-r0-s0-cp1")
    return tmp_path


def of_machines(folder: Path, machines: Libvirt | None = None) -> tuple[gc.Leftover, ...]:
    found = gc.leftovers(None, machines=machines, run_folder=folder / "run", root=folder / "host")
    return tuple(one for one in found if one.kind in ("process", "disk"))


def test_machines_of_a_dead_run_are_found_where_no_libvirt_answers_and_of_unknown_ones_stay(without_libvirt: Path) -> None:
    pool = without_libvirt / "pool"
    dead, unknown, its_disk, other = of_machines(without_libvirt)
    assert named((dead, its_disk)) == [("process", "30"), ("disk", str(pool / "spraylab-r0-s0-cp1-lab.qcow2"))]
    assert (dead.run_id, dead.stays, its_disk.run_id, its_disk.stays) == ("r0", "", "r0", "")
    assert dead.why == "machine spraylab-r0-s0-cp1, no libvirt answers; process 19 of run r0, is gone"
    assert named((unknown, other)) == [("process", "32"), ("disk", str(pool / "spraylab-r2-s2-cp1-lab.qcow2"))]
    assert "tells whose it is" in unknown.why
    assert unknown.stays
    assert other.stays
    gc.delete(None, (unknown, its_disk, other))
    assert sorted(disk.name[:13] for disk in pool.iterdir()) == ["spraylab-r1-s", "spraylab-r2-s", "web-lab.qcow2"]


def test_the_disk_of_a_machine_that_ended_too_is_found_where_no_libvirt_answers(without_libvirt: Path) -> None:
    disk = without_libvirt / "pool" / "spraylab-r0-s0-w1.img"
    disk.touch()
    (found,) = [one for one in of_machines(without_libvirt) if one.name == str(disk)]
    assert (found.run_id, found.stays) == ("r0", "")


def test_a_machine_that_libvirt_answers_for_is_libvirts_to_remove(without_libvirt: Path) -> None:
    names = ("spraylab-r0-s0-cp1", "spraylab-r2-s2-cp1")
    answers = {f"dumpxml {name}": (0, f"<domain><name>{name}</name></domain>", "") for name in names}
    machines = Libvirt(start=Virsh({"list --all --name": (0, "\n".join(names), ""), **answers}))
    assert [one.name for one in of_machines(without_libvirt, machines) if one.kind == "process"] == []


def test_where_a_libvirt_does_not_know_a_machine_that_runs_its_disk_stays_as_long_as_it_does(without_libvirt: Path) -> None:
    found = of_machines(without_libvirt, Libvirt(start=Virsh({})))
    assert {Path(one.name).name: bool(one.stays) for one in found if one.kind == "disk"} == {
        "spraylab-r0-s0-cp1-lab.qcow2": False,
        "spraylab-r2-s2-cp1-lab.qcow2": True,
    }


def test_only_the_qemu_of_a_dead_run_is_ended(tmp_path: Path) -> None:
    run_id, runs = f"q{os.getpid()}", tmp_path / "run"
    words = ("/usr/bin/qemu-system-x86_64", "-c", "read line", "-name", f"guest=spraylab-{run_id}-s0-cp1,debug-threads=on")
    with subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE) as emulator:
        try:
            ours = [one for one in gc.leftovers(None, run_folder=runs) if run_id in one.why]
            assert [bool(one.stays) for one in ours] == [True]
            gc.delete(None, tuple(ours))
            assert emulator.poll() is None
            (runs / "ssh-1").mkdir(parents=True)
            (runs / "ssh-1" / "owner.json").write_text(json.dumps(asdict(Owner(run_id=run_id, pid=1, started="x.1"))))
            gc.delete(None, tuple(one for one in gc.leftovers(None, run_folder=runs) if one.run_id == run_id and one.kind == "process"))
            assert emulator.wait() == -signal.SIGTERM
        finally:
            emulator.kill()


def test_what_is_done_about_it_is_told_in_one_line() -> None:
    going = gc.Leftover(kind="process", name="1", run_id="r0", why="gone")
    stays = replace(going, stays="end it by hand")
    assert gc.ended((), deleted=True) == "nothing is left over"
    assert gc.ended((going, going), deleted=False) == "2 left over; `spraylab gc --yes` deletes them"
    assert gc.ended((going, stays), deleted=True) == "deleted 1; 1 stay"
    assert gc.ended((stays,), deleted=True) == "1 stay"


def of_engine(found: tuple[gc.Leftover, ...]) -> list[str]:
    """Names of what the engine has: this host, whose processes are seen too, may have machines of other runs."""
    return [one.name for one in found if one.kind in ("container", "network")]


def test_what_a_living_run_or_nobody_of_the_lab_owns_is_left_alone(tmp_path: Path) -> None:
    mine = this_process("r1").labels()
    engine = ListedEngine(thing("container", "mine", mine), thing("network", "net", mine), thing("container", "foreign", {"app": "web"}))
    assert of_engine(gc.leftovers(engine, run_folder=tmp_path)) == []


def test_a_process_number_used_again_does_not_keep_leftovers_alive(tmp_path: Path) -> None:
    labels = {**this_process("r1").labels(), STARTED: "01234567.1"}
    assert of_engine(gc.leftovers(ListedEngine(thing("container", "c", labels)), run_folder=tmp_path)) == ["c"]


def lay_out_process(root: Path, pid: int, *, ticks: int, words: str, mark: str = "") -> None:
    folder = root / f"proc/{pid}"
    folder.mkdir(parents=True)
    fields = " ".join(["0"] * 18)
    (folder / "stat").write_text(f"{pid} (x) S {fields} {ticks} 0")
    (folder / "cmdline").write_text(words.replace(" ", "\0"))
    (folder / "environ").write_text(f"SPRAYLAB_PID={mark}\0HOME=/root\0")


def test_a_folder_of_a_dead_run_is_found_with_the_processes_that_serve_it(tmp_path: Path) -> None:
    runs = tmp_path / "run"
    (runs / "ssh-1").mkdir(parents=True)
    (runs / "ssh-1" / "owner.json").write_text(json.dumps({"run_id": "r0", "pid": 999, "started": "x.1"}))
    (runs / "other").mkdir()
    lay_out_process(tmp_path, 11, ticks=5, words=f"ssh: {runs}/ssh-1/cp1 [mux]")
    lay_out_process(tmp_path, 12, ticks=5, words=f"podman system service --time=0 unix://{runs}/ssh-1/podman.sock")
    lay_out_process(tmp_path, 13, ticks=5, words=f"less {runs}/ssh-1/owner.json")
    found = gc.leftovers(ListedEngine(), run_folder=runs, root=tmp_path)
    assert named(found) == [("process", "11"), ("process", "12"), ("folder", f"{runs}/ssh-1")]


def test_a_process_outliving_the_lab_that_started_it_is_found(tmp_path: Path) -> None:
    lay_out_process(tmp_path, 20, ticks=10, words="spraylab run")
    lay_out_process(tmp_path, 21, ticks=11, words="ansible-playbook a", mark="20")
    lay_out_process(tmp_path, 22, ticks=9, words="ansible-playbook b", mark="20")  # older than the process that has the number now
    lay_out_process(tmp_path, 23, ticks=9, words="ansible-playbook c", mark="19")
    assert named(gc.leftovers(ListedEngine(), run_folder=tmp_path / "run", root=tmp_path)) == [("process", "22"), ("process", "23")]


def test_a_half_made_entry_of_the_cache_is_found_when_its_maker_is_gone(tmp_path: Path) -> None:
    lay_out_process(tmp_path, 20, ticks=10, words="spraylab build")
    for name in (".k.20.part", ".k.21.part", "k"):
        (tmp_path / "cache" / "node-root" / name).mkdir(parents=True)
    found = gc.leftovers(ListedEngine(), run_folder=tmp_path / "run", root=tmp_path)
    assert named(found) == [("folder", str(tmp_path / "cache/node-root/.k.21.part"))]
    gc.delete(ListedEngine(), found)
    assert sorted(path.name for path in (tmp_path / "cache/node-root").iterdir()) == [".k.20.part", "k"]


def test_what_a_killed_process_left_in_the_pool_of_machines_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = tmp_path / "pool"
    monkeypatch.setattr(libvirt, "POOL_FOLDER", pool)
    lay_out_process(tmp_path, 20, ticks=10, words="spraylab run")
    for name in (".artifacts-1.img.x_1.20.part", ".artifacts-1.img.x_1.21.part", ".box.x_1.21.part"):
        (pool / name).mkdir(parents=True)
    for name in (".vmlinuz-1.20.part", ".vmlinuz-1.21.part", ".vmlinuz-1.lock", "vmlinuz-1"):
        (pool / name).touch()
    found = gc.leftovers(ListedEngine(), run_folder=tmp_path / "run", root=tmp_path)
    assert [Path(one.name).name for one in found] == [".artifacts-1.img.x_1.21.part", ".box.x_1.21.part", ".vmlinuz-1.21.part"]
    assert found[0].why == "process 21 that was filling it is gone"
    gc.delete(ListedEngine(), found)
    left = [".artifacts-1.img.x_1.20.part", ".vmlinuz-1.20.part", ".vmlinuz-1.lock", "vmlinuz-1"]
    assert sorted(path.name for path in pool.iterdir()) == left


def test_a_snapshot_is_left_over_when_its_run_is_gone_and_nobody_stands_on_it(tmp_path: Path) -> None:
    cache, root = tmp_path / "cache" / "snapshot", tmp_path / "host"
    for key, owner in (("old", Owner(run_id="r0", pid=1, started="x.1")), ("used", Owner(run_id="r0", pid=1, started="x.1"))):
        (cache / key).mkdir(parents=True)
        (cache / key / "owner.json").write_text(json.dumps(asdict(owner)))
    (cache / ".old.lock").touch()
    lay_out_process(root, 20, ticks=5, words="spraylab run")
    living = Owner(run_id="r1", pid=20, started=started(20, root=root)).labels()
    engine = ListedEngine(
        thing("image", "sha-old", {**DEAD, SNAPSHOT: "old"}),
        thing("image", "sha-used", {**DEAD, SNAPSHOT: "used"}),
        thing("image", "sha-now", {**living, SNAPSHOT: "now"}),
        thing("container", "c", {**living, SNAPSHOT: "used"}),
    )
    found = gc.leftovers(engine, run_folder=tmp_path / "run", root=root)
    assert named(found) == [("image", "sha-old"), ("folder", str(cache / "old"))]
    assert found[1].why == "a snapshot; process 1 of run r0, is gone"
    gc.delete(engine, found)
    assert engine.removed == [("image", "sha-old")]
    assert not (cache / "old").exists()
    assert (cache / "used").exists()


HOLDER = """
import sys
from pathlib import Path

from lab.bed import find
from lab.command import run, ssh
from lab.engine import connect
from lab.model import Topology

folder = Path(sys.argv[1])
with connect() as engine:
    bed = find("containers")(
        cell_id="killed", topology=Topology(control_planes=1), artifacts=folder, run_id=sys.argv[2], folder=folder, engine=engine
    )
    site = bed.up()
    (folder / "up").write_text("up")
    ssh(site, site.nodes[0], "sleep 3000", limit_s=3000)
"""


@pytest.mark.real
def test_after_kill_9_gc_removes_all_of_the_run_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPRAYLAB_CACHE")  # the node image of this machine serves
    (tmp_path / "holder.py").write_text(HOLDER)
    run_id, foreign = f"k{os.getpid()}", f"foreign{os.getpid()}"
    with real_engine() as engine:
        image = nodeimage.ensure(engine)
        start = f"PYTHONPATH=. {sys.executable} {tmp_path}/holder.py {tmp_path} {run_id} > {tmp_path}/log 2>&1 & echo $!"
        pid = int(run(("sh", "-c", start), limit_s=10).stdout)
        try:
            assert until((tmp_path / "up").exists, bool, limit_s=60), (tmp_path / "log").read_text()
            engine.run_plain(image, ("sleep", "600"), name=foreign, labels={"app": "web"})
            assert of_run(engine, run_id, pid) == ()
            os.kill(pid, signal.SIGKILL)
            found = until(lambda: of_run(engine, run_id, pid), bool, limit_s=10)
            gc.delete(engine, found)
            assert {one.kind for one in found} >= {"container", "network", "folder", "process"}
            assert of_run(engine, run_id, pid) == ()
            assert [one.name for one in engine.containers("app=web") if one.name == foreign] == [foreign]
            assert [one for one in processes() if run_id in cmdline(one) or environment(one).get("SPRAYLAB_PID") == str(pid)] == []
        finally:
            engine.remove_container(foreign)


def of_run(engine: Engine, run_id: str, pid: int) -> tuple[gc.Leftover, ...]:
    """Leftovers of that run alone: other runs on this machine are not this test's business."""
    return tuple(one for one in gc.leftovers(engine) if one.run_id == run_id or f"process {pid} " in one.why)
