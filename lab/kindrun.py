"""`kind create cluster` beside the lab: held before kubeadm init until it is let go, what it says turned into events."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Lock, Thread

from lab.command import RC_LIMIT, run
from lab.deadline import now_s, until
from lab.kindcluster import init
from lab.model import Completed, TaskEvent

EVERY_S = 0.1
END_LIMIT_S = 60.0  # it is ended politely first
EVER_S = float("inf")  # whoever waits for it has a limit
SAID_CHARACTERS = 3000  # of a failed step, its last ones
JOINED = ("/bin/sh", "-c", 'exec "$@" 2>&1', "sh")  # kind tells its steps on stderr
KINDS: Mapping[str, str] = {"•": "start", "✓": "ok", "✗": "failed"}
_STEP = re.compile(r"^ (?P<mark>[•✓✗]) (?P<what>.*?)(?: *\.\.\.)?$")
_PICTURES = re.compile(r"[^\x20-\x7e]+")
_INIT_RC = re.compile(r"kubeadm init .*? failed with error: exit status (?P<rc>\d+)", re.DOTALL)

OnEvent = Callable[[TaskEvent], None]


def step_of(line: str, *, at_s: float, node: str) -> TaskEvent | None:
    """The step of kind that begins or ends with `line`; None for another line."""
    match = _STEP.match(line)
    if not match:
        return None
    return TaskEvent(at_s=at_s, kind=KINDS[match["mark"]], task=" ".join(_PICTURES.sub("", match["what"]).split()), node=node)


class Creation:
    """One cluster being made. `gate`: the file that lets kubeadm init begin; `node`: the one that kind's steps are told of."""

    def __init__(self, argv: tuple[str, ...], *, env: Mapping[str, str], gate: Path, node: str) -> None:
        self._argv, self._env, self._gate, self._node = argv, env, gate, node
        self._lock, self._stop = Lock(), Event()
        self._events: list[TaskEvent] = []
        self._heard: OnEvent | None = None
        self._held_back: TaskEvent | None = None
        self._failed: TaskEvent | None = None
        self._done: list[Completed] = []
        self._thread = Thread(target=self._run, name="kind", daemon=True)

    def begin(self) -> None:
        """Start kind."""
        self._thread.start()

    def held(self) -> bool:
        """Whether kind has come as far as kubeadm init, which waits at the gate."""
        return self._held_back is not None

    def over(self) -> Completed | None:
        """How kind ended; None while it runs."""
        return self._done[0] if self._done else None

    def finish(self, *, on_event: OnEvent, stop: Event, limit_s: float) -> tuple[Completed, tuple[TaskEvent, ...]]:
        """Tell what kind has done until now, let kubeadm init begin, and wait for the end: kind's own, or `stop`, or the limit.

        Nodes stay as they are, kubeadm too. on_event: called from another thread with each event as it comes.
        """
        with self._lock:
            before, self._heard = tuple(self._events), on_event
        for event in before:
            on_event(event)
        if self._held_back is not None:
            self._tell(replace(self._held_back, at_s=now_s()))
        self._gate.touch()
        until(lambda: stop.is_set() or self.over() is not None, bool, limit_s=limit_s, every_s=EVERY_S)
        late = not stop.is_set() and self.over() is None
        self.end()
        done = replace(self._done[0], rc=RC_LIMIT) if late else self._done[0]
        return done, tuple(self._events)

    def end(self) -> None:
        """End kind, if it runs; harmless when it does not, or never did."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=END_LIMIT_S)

    def _run(self) -> None:
        done = run((*JOINED, *self._argv), limit_s=EVER_S, env=self._env, on_line=self._line, stop=self._stop)
        self._tell_failure(done)
        self._done.append(done)

    def _line(self, line: str) -> None:
        event = step_of(line, at_s=now_s(), node=self._node)
        if event is None:
            return
        if event.kind == "start" and event.task == init().task:
            self._held_back = event
        elif event.kind == "failed":
            self._failed = event  # why is said after it
        else:
            self._tell(event)

    def _tell_failure(self, done: Completed) -> None:
        if self._failed is None:
            return
        match = _INIT_RC.search(done.stdout)
        of_init = match is not None and self._failed.task == init().task
        rc = int(match["rc"]) if match and of_init else None
        self._tell(replace(self._failed, said=done.stdout.strip()[-SAID_CHARACTERS:], rc=rc))

    def _tell(self, event: TaskEvent) -> None:
        with self._lock:
            self._events.append(event)
            heard = self._heard
        if heard is not None:
            heard(event)
