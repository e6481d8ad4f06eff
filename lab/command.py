"""The one way to start a process: argv, never a shell string; always a limit; what it said is kept and masked.

A process that fails is a value; a program that does not exist is a HostError.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import IO

from lab.deadline import now_s, ticks_s
from lab.errors import HostError
from lab.mask import mask
from lab.model import Completed, Node, Site

MARK = "SPRAYLAB_PID"  # in the environment of all the lab starts, so that gc finds what outlives a killed lab
RC_LIMIT = 124  # what timeout(1) returns; means: ended by us at the limit
RC_STOPPED = 130  # what a shell reports for Ctrl-C; means: ended because `stop` was set
GRACE_S = 5.0  # between SIGTERM and SIGKILL


def run(
    argv: tuple[str, ...],
    *,
    limit_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str = "",
    on_line: Callable[[str], None] | None = None,
    stop: Event | None = None,
    masked: bool = True,
) -> Completed:
    """Run `argv` in a process group of its own until it ends, `limit_s` (seconds) passes or `stop` is set.

    env: added to this process's environment. on_line: called with each line of stdout as it comes, masked; what it raises
    ends the process and is raised here. masked: False gives what it said as it is, for who compares and does not store it.
    Raises HostError if the program cannot be started.
    """
    started_at_s, began_s = now_s(), ticks_s()
    process = _start(argv, env=env, cwd=cwd)
    out, err, broken = list[str](), list[str](), list[Exception]()
    tell = _teller(process, on_line, broken) if on_line else None
    threads = (_thread(_read, process.stdout, out, tell), _thread(_read, process.stderr, err, None), _thread(_feed, process, stdin))
    try:
        rc = _wait(process, began_s + limit_s, stop)
    except BaseException:
        _end(process)
        raise
    for thread in threads:
        thread.join(timeout=GRACE_S)
    if broken:
        raise broken[0]
    return Completed(
        argv=argv,
        rc=rc,
        stdout=mask("".join(out)) if masked else "".join(out),
        stderr=mask("".join(err)) if masked else "".join(err),
        started_at_s=started_at_s,
        duration_s=ticks_s() - began_s,
    )


def _start(argv: tuple[str, ...], *, env: Mapping[str, str] | None, cwd: Path | None) -> "subprocess.Popen[str]":
    try:
        return subprocess.Popen(  # noqa: S603 - argv is a tuple, never a shell string
            argv,
            cwd=cwd,
            env={**os.environ, MARK: str(os.getpid()), **(env or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        raise HostError(
            f"cannot start {argv[0]!r}", str(error), f"install {argv[0]!r}; `spraylab doctor` shows what else is missing"
        ) from error


def ssh(
    site: Site, node: Node, script: str, *, limit_s: float, stdin: str = "", stop: Event | None = None, masked: bool = True
) -> Completed:
    """Run `script` by sh on `node`, as `run` does; connections are shared and kept open by the site's ssh configuration."""
    argv = ("ssh", "-F", str(site.ssh_config), node.name, script)
    return run(argv, limit_s=limit_s, stdin=stdin, stop=stop, masked=masked)


def _thread(work: Callable[..., None], *args: object) -> Thread:
    thread = Thread(target=work, args=args, daemon=True)
    thread.start()
    return thread


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that what it made is taken down.

    Once: timeout(1) and service managers tell a process twice, and the second time must not end the taking down.
    """
    asked = Event()

    def interrupt(_number: int, _frame: object) -> None:
        if not asked.is_set():
            asked.set()
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(stream: IO[str], kept: list[str], on_line: Callable[[str], None] | None) -> None:
    with stream:
        for line in stream:
            kept.append(line)
            if on_line:
                on_line(mask(line.rstrip("\n")))


def _teller(process: "subprocess.Popen[str]", on_line: Callable[[str], None], broken: list[Exception]) -> Callable[[str], None]:
    """`on_line`, until it raises: then `broken` gets that and the process is ended, for nobody would hear the rest."""

    def tell(line: str) -> None:
        if broken:
            return
        try:
            on_line(line)
        except Exception as error:  # noqa: BLE001 - the border of the thread: whoever called `run` gets it
            broken.append(error)
            _end(process)

    return tell


def _feed(process: "subprocess.Popen[str]", text: str) -> None:
    if process.stdin is None:
        return
    with suppress(BrokenPipeError):  # it ended without reading; its exit code tells the story
        process.stdin.write(text)
    with suppress(BrokenPipeError):
        process.stdin.close()


def _wait(process: "subprocess.Popen[str]", end_s: float, stop: Event | None) -> int:
    while True:
        left_s = end_s - ticks_s()
        if stop is not None and stop.is_set():
            _end(process)
            return RC_STOPPED
        if left_s <= 0:
            _end(process)
            return RC_LIMIT
        try:
            return process.wait(timeout=left_s if stop is None else min(left_s, 0.2))
        except subprocess.TimeoutExpired:
            continue


def _end(process: "subprocess.Popen[str]") -> None:
    """End the whole process group: politely, then not."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            continue
