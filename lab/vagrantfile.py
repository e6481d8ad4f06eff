"""The machines of the top-level Vagrantfile, by the program `vagrant`: its output goes to a file, its errors are told in the lab's form."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

import vagrant

from lab.boxes import Box
from lab.command import GRACE_S, MARK
from lab.deadline import heed, pause_unless, until
from lab.errors import BedError, HostError, LabError
from lab.host import environment, processes
from lab.mask import mask

FAILED = vagrant.subprocess.CalledProcessError  # type: ignore[attr-defined] # what the library lets through when the program fails
PROJECT = Path(__file__).parent.parent  # where the Vagrantfile stands
STATE = "VAGRANT_DOTFILE_PATH"
LIST = "SPRAYLAB_MACHINES"  # what the Vagrantfile reads: path of the list
PLUGIN = {"libvirt": "vagrant-libvirt", "virtualbox": ""}  # what has the provider; VirtualBox's is Vagrant's own
INSTALL = "apt-get install vagrant vagrant-libvirt"
SAID_CHARACTERS = 1500
EVERY_S = 0.2  # looks whether Vagrant is to end, and whether it has
PROGRESS = re.compile(r"==> (?P<machine>\S+): (?P<said>(?! --)\S.*)")  # not its list of settings
ASKED: tuple[tuple[str, type[LabError], str, str], ...] = (  # what Vagrant says -> what, and what to do
    (r"provider '\S+' could not be found|provider .* was not found", HostError, "Vagrant has not the provider", INSTALL),
    (
        r"[Bb]ox '[^']*' could not be found|couldn't be accessed|could not be accessed in the remote",
        HostError,
        "Vagrant cannot get the box",
        "see that its name and version are right and that this host reaches Vagrant's catalog; SPRAYLAB_BOX names another one",
    ),
    (
        r"virConnectOpen|connecting to [Ll]ibvirt|libvirt-sock",
        HostError,
        "Vagrant cannot reach libvirt",
        "start it: systemctl start libvirtd",
    ),
    (
        r"KVM kernel module|/dev/kvm",
        HostError,
        "KVM refuses machines",
        "see that this user may use /dev/kvm, and that no other hypervisor holds it",
    ),
    (
        r"[Cc]annot allocate memory|cannot set up guest memory",
        HostError,
        "the host has no memory for the machines",
        "free some, or run fewer at once",
    ),
    (r"already in use|overlap|collides with", HostError, "a network of the machines is in use", "name another --slot"),
    (r"VBoxManage.*not (be )?found|VirtualBox is not installed", HostError, "VirtualBox is not there", "install VirtualBox"),
)


class Machines:
    """The machines of one list. folder: gets vagrant.log and Vagrant's own state; say: told each line of progress; stop: when set, what
    makes or starts machines ends by KeyboardInterrupt."""

    def __init__(
        self,
        listed: Path,
        *,
        box: Box,
        folder: Path,
        say: Callable[[str], None] = lambda _: None,
        stop: Event | None = None,
    ) -> None:
        self._box, self._say, self._stop, self._log = box, say, stop or Event(), folder / "vagrant.log"
        self._state = folder / "vagrant"
        environment = {STATE: str(self._state), "VAGRANT_CHECKPOINT_DISABLE": "1", LIST: str(listed)}
        self._vagrant = vagrant.Vagrant(
            root=str(PROJECT),
            env={**os.environ, MARK: str(os.getpid()), "VAGRANT_NO_COLOR": "1", **environment},
            out_cm=self._appending,
            err_cm=self._appending,
        )

    def up(self) -> None:
        """Make the machines and wait until they answer Vagrant. Raises BedError and HostError."""
        asked = self._vagrant.up(provider=self._box.provider, stream_output=True)
        with self._ended_early(), self._told("make the machines"), self._log.open("a") as log, closing(asked) as lines:
            self._hear(lines, log)

    def destroy(self) -> None:
        """Remove the machines; harmless when there are none. Raises BedError."""
        if self._state.exists():
            with self._told("remove the machines"):
                self._vagrant.destroy()

    def halt(self, name: str) -> None:
        """Take the power of a machine away. Raises BedError."""
        with self._told(f"stop {name}"):
            self._vagrant.halt(vm_name=name, force=True)

    def start(self, name: str) -> None:
        """Let a machine boot from its disk. Raises BedError."""
        with self._ended_early(), self._told(f"start {name}"):
            self._vagrant.up(vm_name=name, provider=self._box.provider)

    def save(self, key: str) -> None:
        """Keep all machines as they are under `key`. Raises BedError."""
        with self._told("keep the machines"):
            self._vagrant.snapshot_save(key)

    def restore(self, key: str) -> None:
        """Make all machines what they were when `key` was saved. Raises BedError."""
        with self._told("restore the machines"):
            self._vagrant.snapshot_restore(key)

    def forget(self, key: str) -> None:
        """Delete what was kept under `key`. Raises BedError."""
        with self._told("forget kept machines"):
            self._vagrant.snapshot_delete(key)

    def _hear(self, lines: Iterator[str], log: IO[str]) -> None:
        try:
            for line in lines:
                log.write(mask(line))
                log.flush()
                if told := PROGRESS.match(line):
                    self._say(mask(f"{told['machine']}: {told['said']}"))
        except BaseException:
            self._end()
            raise

    @contextmanager
    def _ended_early(self) -> Iterator[None]:
        """A block in which Vagrant ends once `stop` is set, and the block with it, by KeyboardInterrupt: it may say nothing for minutes."""
        heed(self._stop)
        over = Event()

        def listen() -> None:
            while not pause_unless(over, EVERY_S):
                if self._stop.is_set():
                    self._end()

        listener = Thread(target=listen, name="vagrant", daemon=True)
        listener.start()
        try:
            yield
        except LabError:
            if not self._stop.is_set():
                raise
        finally:
            over.set()
            listener.join()
        heed(self._stop)

    def _end(self) -> None:
        """End what of Vagrant works on these machines, politely, then not: it would hold them against their removal."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._working():
                with suppress(ProcessLookupError):
                    os.kill(pid, sign)
            until(self._working, lambda left: not left, limit_s=GRACE_S, every_s=EVERY_S)

    def _working(self) -> list[int]:
        """Vagrant and what it started for these machines; a daemon of a provider, which serves others too, has a session of its own."""
        found = []
        for pid in processes():
            with suppress(ProcessLookupError):
                if environment(pid).get(STATE) == str(self._state) and os.getsid(pid) == os.getsid(0):
                    found.append(pid)
        return found

    @contextmanager
    def _appending(self) -> Iterator[IO[str]]:
        with self._log.open("a") as log:
            yield log

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        begun = self._log.stat().st_size if self._log.exists() else 0
        try:
            yield
        except FAILED as error:
            raise explained(what, error.returncode, self._log.read_text(errors="replace")[begun:], log=self._log) from error


def explained(what: str, rc: int, said: str, *, log: Path | None = None) -> LabError:
    """The error that Vagrant's words `said` mean; a BedError with its last words where they are not known."""
    last = mask(said.strip())[-SAID_CHARACTERS:]
    for pattern, kind, told, fix in ASKED:
        if re.search(pattern, said):
            return kind(told, last, fix)
    return BedError(f"Vagrant could not {what}: it ended with {rc}", last or "it said nothing", f"see {log}" if log else "run it by hand")


def see(provider: str) -> None:
    """Raise HostError where Vagrant, or what has `provider`, is not there."""
    if not shutil.which("vagrant"):
        raise HostError("no program vagrant", "machines are made by it", INSTALL)
    asked = vagrant.Vagrant(root=str(PROJECT), env={**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1"})
    try:
        plugins = {one.name for one in asked.plugin_list()}
    except FAILED as error:
        raise HostError("Vagrant does not work", str(error.output or error), "run `vagrant plugin list` to see what it says") from error
    if (needed := PLUGIN[provider]) and needed not in plugins:
        why = f"its plugin {needed} is not there; there are {', '.join(sorted(plugins)) or 'none'}"
        raise HostError(f"Vagrant has not the provider {provider}", why, f"apt-get install {needed}, or vagrant plugin install {needed}")
    if provider == "virtualbox" and not shutil.which("VBoxManage"):
        raise HostError(
            "no VirtualBox", "its program VBoxManage is not there", "install VirtualBox, or leave VAGRANT_DEFAULT_PROVIDER unset"
        )


def add_box(box: Box, *, version: str, catalog: Callable[[], str], environment: Mapping[str, str] = os.environ) -> None:
    """See that Vagrant has `box` in `version`; else add what `catalog` names, called only then. Raises HostError and BedError."""
    asked = vagrant.Vagrant(root=str(PROJECT), env={**environment, "VAGRANT_CHECKPOINT_DISABLE": "1"})
    if any((one.name, one.version) == (box.name, version) for one in asked.box_list()):
        return
    words = ["box", "add", catalog(), "--provider", box.provider, *(["--box-version", version] if version else [])]
    try:
        asked._run_vagrant_command(words)  # noqa: SLF001 - its own box_add knows no version
    except FAILED as error:
        raise explained(f"add the box {box.name}", error.returncode, str(error.output)) from error
