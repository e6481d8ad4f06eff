"""What killed runs left: found with the reason, then deleted. What a living run owns, or the lab does not own, is never touched."""

import os
import signal
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab import cachedir, libvirt, snapshot
from lab.command import MARK
from lab.deadline import until
from lab.engine import Choice, Engine, connect
from lab.errors import HostError
from lab.host import HOST, cmdline, environment, processes, started, started_ticks
from lab.libvirt import Libvirt, Machine
from lab.owner import CELL, OWNER, RUN_FOLDER, Owner, of_folder, of_labels

Kind = Literal["process", "container", "network", "volume", "image", "machine", "bridge", "disk", "folder"]
ORDER: tuple[Kind, ...] = (
    "process",
    "container",
    "network",
    "volume",
    "image",
    "machine",
    "bridge",
    "disk",
    "folder",
)  # of deletion: users before what they use
DIE_LIMIT_S = 5.0
BY_HAND = "end it by hand when nobody needs it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One thing a run left.

    `name`: of the container, network, volume, image, virtual machine or its network (`bridge`), the path of a folder, of what is half
    made or of a machine's disk, the number of a process, whose `mark` tells it from a later one with that number. `stays`: what to do
    about what is not deleted, for a living run may need it.
    """

    kind: Kind
    name: str
    run_id: str
    why: str
    mark: str = ""
    stays: str = ""


@contextmanager
def reached(choice: Choice, *, machines: Libvirt | None, root: Path = HOST) -> Iterator[Engine | None]:
    """The container engine; None where there is none and at least `machines`, or some that run without, can be looked through. Raises
    HostError."""
    with ExitStack() as stack:
        try:
            engine: Engine | None = stack.enter_context(connect(choice))
        except HostError:
            if machines is None and not _running(root):
                raise
            engine = None
        yield engine


def leftovers(
    engine: Engine | None, *, machines: Libvirt | None = None, run_folder: Path = RUN_FOLDER, root: Path = HOST
) -> tuple[Leftover, ...]:
    """All that runs whose process is gone left on this host, in the order of deletion. Nothing is changed.

    machines: where virtual machines are looked for; run_folder: where runs keep sockets; root: where /proc is read from.
    """
    found = [*_folders(run_folder, root), *_orphans(root), *_half_made(root)]
    if engine:
        found += _of_engine(engine, root)
    found += _of_machines(machines, run_folder, root)
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (ORDER.index(one.kind), one.name)))


def _of_engine(engine: Engine, root: Path) -> list[Leftover]:
    containers = engine.containers(OWNER)
    stands = {thing.labels.get(snapshot.SNAPSHOT) for thing in containers if (of := of_labels(thing.labels)) and of.alive(root=root)}
    images = [image for image in engine.images(OWNER) if image.labels.get(snapshot.SNAPSHOT) not in stands]
    things = (*containers, *engine.networks(OWNER), *engine.volumes(OWNER), *images)
    found = [
        Leftover(kind=thing.kind, name=thing.name, run_id=owner.run_id, why=_why(owner, cell=thing.labels.get(CELL, "")))
        for thing in things
        if (owner := of_labels(thing.labels)) and not owner.alive(root=root)
    ]
    return [*found, *_snapshots(root, stands)]


def _of_machines(machines: Libvirt | None, run_folder: Path, root: Path) -> Iterator[Leftover]:
    """Virtual machines with their networks and disks, also those for which no libvirt answers."""
    there, running = machines.machines() if machines else (), _running(root)
    owners = [owner for path in run_folder.glob("*") if (owner := of_folder(path))]
    if machines:
        yield from _marked(there, machines, root)
        yield from _of_no_machine(there, running, [one for one in owners if one.alive(root=root)])
    answered = {one.name for one in there}
    lost = [(pid, name) for pid, name in running if name not in answered]
    things: list[tuple[Kind, str, str, str]] = [("process", str(pid), name, started(pid, root=root)) for pid, name in lost]
    things += [("disk", str(disk), disk.name, "") for disk in _disks() if not machines or _in(disk, lost)]
    yield from _unanswered(things, owners, run_folder, root)


def _marked(there: tuple[Machine, ...], machines: Libvirt, root: Path) -> Iterator[Leftover]:
    """Machines and networks by the owner they name."""
    marked: list[tuple[Kind, str, Mapping[str, str]]] = [("machine", one.name, one.labels) for one in there]
    marked += [("bridge", one.name, one.labels) for one in machines.networks()]
    for kind, name, labels in marked:
        if (owner := of_labels(labels)) and not owner.alive(root=root):
            yield Leftover(kind=kind, name=name, run_id=owner.run_id, why=_why(owner, cell=labels.get(CELL, "")))


def _of_no_machine(there: tuple[Machine, ...], running: list[tuple[int, str]], living: list[Owner]) -> Iterator[Leftover]:
    """Disks that no machine has, of a run that was killed before it made one."""
    owned = {disk for one in there for disk in one.disks}
    for disk in _disks():
        if disk not in owned and not _in(disk, running) and not any(one.named(disk.name) for one in living):
            yield Leftover(kind="disk", name=str(disk), run_id="", why="no machine has it, and no run that could is alive")


def _disks() -> list[Path]:
    return sorted(libvirt.POOL_FOLDER.glob("spraylab-*-s*-*"))


def _running(root: Path) -> list[tuple[int, str]]:
    return [(pid, name) for pid, name in libvirt.emulators(root=root) if name.startswith("spraylab-")]


def _in(disk: Path, running: list[tuple[int, str]]) -> bool:
    """Whether one of the machines that run may have `disk`."""
    return any(disk.name.startswith(name) for _, name in running)


def _unanswered(things: list[tuple[Kind, str, str, str]], owners: list[Owner], run_folder: Path, root: Path) -> Iterator[Leftover]:
    """Machines that run though no libvirt answers for them, and their disks; all disks where none answers at all. Each names its run, whose
    folder names the process. Without that folder nobody knows whether the run is alive.

    things: kind, name, what names its run, and the mark of a process."""
    for kind, name, called, mark in things:
        its = [one for one in owners if one.named(called)]
        if any(one.alive(root=root) for one in its):
            continue
        what = f"machine {called}" if kind == "process" else "a machine's"
        whose, stays = (_why(its[0]), "") if its else (f"nothing in {run_folder} tells whose it is", BY_HAND)
        run_id = its[0].run_id if its else ""
        yield Leftover(kind=kind, name=name, run_id=run_id, why=f"{what}, no libvirt answers; {whose}", mark=mark, stays=stays)


def ended(found: tuple[Leftover, ...], *, deleted: bool) -> str:
    """What was done about what was found, or can be, in one line."""
    going = [one for one in found if not one.stays]
    told = [f"deleted {len(going)}" if deleted else f"{len(going)} left over; `spraylab gc --yes` deletes them"] if going else []
    told += [f"{len(found) - len(going)} stay"] if len(found) > len(going) else []
    return "; ".join(told) or "nothing is left over"


def delete(engine: Engine | None, found: tuple[Leftover, ...], *, machines: Libvirt | None = None) -> None:
    """Delete what `leftovers` found but what stays; what is gone by now is no error. Raises BedError when the engine or libvirt refuses."""
    removers: dict[Kind, Callable[[str], None]] = {"disk": lambda name: Path(name).unlink(missing_ok=True)}
    if engine:
        removers |= {"container": engine.remove_container, "network": engine.remove_network}
        removers |= {"volume": engine.remove_volume, "image": engine.remove_image}
    if machines:
        removers |= {"machine": machines.remove_machine_named, "bridge": machines.remove_network}
    for one in sorted((one for one in found if not one.stays), key=lambda one: ORDER.index(one.kind)):
        if one.kind == "process":
            _end(one)
        elif one.kind == "folder":
            with suppress(OSError):
                cachedir.wipe(Path(one.name))
        else:
            removers[one.kind](one.name)


def _folders(run_folder: Path, root: Path) -> Iterator[Leftover]:
    """Folders of sockets whose owner is gone, and the processes that serve them."""
    for folder in sorted(run_folder.glob("*")):
        owner = of_folder(folder)
        if owner is None or owner.alive(root=root):
            continue
        yield Leftover(kind="folder", name=str(folder), run_id=owner.run_id, why=_why(owner))
        for pid in processes(root=root):
            if _serves(cmdline(pid, root=root), folder):
                yield _process(pid, owner.run_id, f"it serves {folder}; {_why(owner)}", root)


def _serves(words: str, folder: Path) -> bool:
    """Whether a process with these arguments is podman's service or a shared SSH connection on a socket in `folder`."""
    return words.startswith(f"ssh: {folder}/") or ("podman system service" in words and words.endswith(f" unix://{folder}/podman.sock"))


def _orphans(root: Path) -> Iterator[Leftover]:
    for pid in processes(root=root):
        if lab := outlived(pid, root=root):
            yield _process(pid, "", f"process {lab} of the lab, which started it, is gone", root)


def outlived(pid: int, *, root: Path = HOST) -> str:
    """The number of the process of the lab that started `pid`, which inherits its mark, and is gone; empty where there is none.

    A number reused since then is younger than its child.
    """
    lab = environment(pid, root=root).get(MARK, "")
    gone = lab.isdigit() and int(lab) != os.getpid() and not 0 < started_ticks(int(lab), root=root) <= started_ticks(pid, root=root)
    return lab if gone else ""


def _half_made(root: Path) -> Iterator[Leftover]:
    """What a killed process did not finish, of the cache and of the machines' pool."""
    for part, pid in (*cachedir.half_made(host=root), *cachedir.half_made(libvirt.POOL_FOLDER, host=root)):
        yield Leftover(kind="folder", name=str(part), run_id="", why=f"process {pid} that was filling it is gone")


def _snapshots(root: Path, stands: Collection[str | None]) -> Iterator[Leftover]:
    """Copies of nodes that a run kept and that no run stands on now: what is wanted of them is made again."""
    for folder in sorted((cachedir.root() / snapshot.KIND).glob("[!.]*")):
        owner = of_folder(folder)
        if folder.name not in stands and (owner is None or not owner.alive(root=root)):
            why = _why(owner) if owner else "it does not say whose it is"
            yield Leftover(kind="folder", name=str(folder), run_id=owner.run_id if owner else "", why=f"a snapshot; {why}")


def _process(pid: int, run_id: str, why: str, root: Path) -> Leftover:
    return Leftover(
        kind="process", name=str(pid), run_id=run_id, why=f"{cmdline(pid, root=root)[:80]}: {why}", mark=started(pid, root=root)
    )


def _why(owner: Owner, *, cell: str = "") -> str:
    return f"process {owner.pid} of run {owner.run_id or '(none)'}{f', cell {cell}' if cell else ''}, is gone"


def _end(one: Leftover) -> None:
    """Politely, then not; only the very process that was found."""
    pid = int(one.name)
    for sign in (signal.SIGTERM, signal.SIGKILL):
        if started(pid) != one.mark:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
        until(lambda: started(pid), lambda seen: seen != one.mark, limit_s=DIE_LIMIT_S, every_s=0.1)
