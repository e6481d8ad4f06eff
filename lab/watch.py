"""The second activity beside a running stage: samples facts of the control planes, writes them down, and may ask the stage to stop.

It stops a stage only while kubeadm init runs, and only for a signature that cannot heal itself and has held without interruption.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event, Thread
from types import TracebackType
from typing import Literal, Self

from lab.deadline import now_s, pause_unless, ticks_s
from lab.errors import LabError
from lab.facts import Evidence, Fact
from lab.listeners import in_question, listeners
from lab.model import API_PORT, Node, Site, TaskEvent
from lab.signature import Context, Signature, match

EVERY_S = 2.0  # between two samples while kubeadm init runs; one costs the node about a second of one core
CALM_S = 8.0  # between two samples while it does not: then nothing is stopped, and the host has better things to do
JOIN_S = 60.0  # until what is asked of one node has ended, which takes 28 s at most; further nodes are not asked any more
INIT_ENDED = frozenset({"ok", "changed", "failed", "skipped", "unreachable"})
SUSPECT = "kube-vip"
Patience = Literal["early", "full"]
KEPT = ("listeners", "containers")  # probes that the story of the ports is told from
_RUNNING = re.compile(rf"\bRunning\s+{SUSPECT}\s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Who was seen listening on a port of a node; seconds are those since kubeadm init began."""

    port: int
    process: str
    node: str
    since_s: float
    until_s: float
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsStory:
    """What samples say about "kube-vip occupies ports 6443, 10259 and 10257". `samples`: how many were taken from the start of
    kubeadm init on, `beside`: in how many of them kube-vip ran; `its_ports`: all that kube-vip itself listened on; `says`: all
    of it in one sentence."""

    verdict: Literal["refuted", "confirmed", "cannot tell"]
    says: str
    samples: int = 0
    beside: int = 0
    listening: tuple[Listening, ...] = ()
    its_ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the watch saw. `stopped_for`: the signature it asked to stop for, empty when it did not; `held_s`: for how long that had
    held; `missed`: why samples could not be taken."""

    samples: int
    missed: tuple[str, ...]
    ports: PortsStory
    stopped_for: str = ""
    held_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Watch:
    """Watches the control planes of `site` inside a `with` block.

    sample: takes the facts of one node; write: takes each sample as a mapping fit for JSON; stop: set when the stage should end;
    patience: `full` watches and never stops; init_tasks: names of the tasks that run kubeadm init; clock: seconds that never go back.
    """

    site: Site
    signatures: tuple[Signature, ...]
    sample: Callable[[Node], Iterable[Fact]]
    stop: Event
    patience: Patience
    write: Callable[[Mapping[str, object]], None]
    init_tasks: tuple[str, ...]
    clock: Callable[[], float] = ticks_s
    _in_init: frozenset[str] = field(default=frozenset(), init=False)
    _init_began_s: float | None = field(default=None, init=False)
    _since_s: Mapping[str, float] = field(default_factory=dict, init=False)
    _samples: list[Evidence] = field(default_factory=list, init=False)
    _taken: int = field(default=0, init=False)
    _missed: list[str] = field(default_factory=list, init=False)
    _stopped_for: str = field(default="", init=False)
    _held_s: float = field(default=0.0, init=False)
    _written: dict[tuple[str, str], str] = field(default_factory=dict, init=False)
    _over: Event = field(default_factory=Event, init=False)
    _thread: Thread | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=JOIN_S * self.site.pace)

    def heard(self, event: TaskEvent) -> None:
        """Take note of an event of the installer; from any thread."""
        if event.task.rpartition(" : ")[2] not in self.init_tasks:
            return
        if event.kind == "start":
            self._in_init |= {event.node}
            self._init_began_s = self._init_began_s or event.at_s
        elif event.kind in INIT_ENDED:
            self._in_init -= {event.node}

    def look(self) -> None:
        """Take one sample, write it, and ask to stop when it is time to. One in which the stage ends is left: half of it proves little."""
        began_s, in_init, after_init = self.clock(), bool(self._in_init), self._init_began_s is not None
        facts: tuple[Fact, ...] = ()
        try:
            for node in self.site.control_planes:
                if self._over.is_set():
                    return
                facts += tuple(self.sample(node))
        except LabError as error:
            self._missed.append(str(error))
            self._since_s = {}
            return
        self._taken += 1
        self._write(facts)
        if after_init:
            self._samples.append(Evidence(facts=tuple(fact for fact in facts if fact.probe in KEPT)))
        if in_init and self._in_init:
            self._judge(Evidence(facts=facts), began_s)
        else:
            self._since_s = {}

    def story(self) -> Story:
        """What has been seen until now."""
        ports = ports_story(self._samples, init_began_s=self._init_began_s, api_port=self.site.api_port)
        return Story(samples=self._taken, missed=tuple(self._missed), ports=ports, stopped_for=self._stopped_for, held_s=self._held_s)

    def _watch(self) -> None:
        calm_s, pace = 0.0, self.site.pace
        while not pause_unless(self._over, EVERY_S * pace):
            calm_s += EVERY_S
            if not self._in_init and calm_s < CALM_S:
                continue
            calm_s = 0.0
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - the border of the thread: a fault must not end the watch unheard
                self._missed.append(f"{type(error).__name__}: {error}")
                self._since_s = {}

    def _judge(self, evidence: Evidence, began_s: float) -> None:
        """Counted from the end of the first sample that shows it to the beginning of the last: never longer than it was."""
        sampled = replace(Context.of(self.site), workers=())  # only control planes are
        found = {finding.signature for finding in match(self.signatures, evidence, context=sampled).findings}
        fatal = [one for one in self.signatures if one.id in found and not one.heals_itself]
        now = self.clock()
        self._since_s = {one.id: self._since_s.get(one.id, now) for one in fatal}
        due = [one for one in fatal if began_s - self._since_s[one.id] >= one.holds_s * self.site.pace]
        if due and self.patience == "early" and not self._stopped_for:
            self._stopped_for, self._held_s = due[0].id, began_s - self._since_s[due[0].id]
            self.stop.set()

    def _write(self, facts: tuple[Fact, ...]) -> None:
        """Only what is new since the last sample: most facts stay as they are for minutes."""
        for node in {fact.node for fact in facts}:
            of_node = [fact for fact in facts if fact.node == node]
            new = {fact.probe: fact.text for fact in of_node if self._written.get((node, fact.probe)) != fact.text}
            self._written |= {(node, probe): text for probe, text in new.items()}
            at_s = max(fact.at_s for fact in of_node)
            self.write({"at_s": at_s, "node": node, "in_init": bool(self._in_init), "facts": new})


def ports_story(samples: Sequence[Evidence], *, init_began_s: float | None = None, api_port: int = API_PORT) -> PortsStory:
    """Whether kube-vip was seen to listen on the control plane's ports, from samples that carry the fact `listeners` (`ss -Hltnp`).

    init_began_s: Unix time that seconds are counted from; the first sample's when not given.
    """
    ports = in_question(api_port)
    facts = [fact for sample in samples for fact in sample.of("listeners")]
    began_s = init_began_s if init_began_s is not None else min((fact.at_s for fact in facts), default=now_s())
    seen: dict[tuple[int, str, str], list[float]] = {}
    for fact in facts:
        for port, process in listeners(fact.text):
            seen.setdefault((port, process, fact.node), []).append(fact.at_s - began_s)
    listening = tuple(
        Listening(port=port, process=process, node=node, since_s=min(at_s), until_s=max(at_s), samples=len(at_s))
        for (port, process, node), at_s in sorted(seen.items())
        if port in ports
    )
    beside = sum(any(_runs(sample, fact.node) for fact in sample.of("listeners")) for sample in samples)
    its_ports = tuple(sorted({port for port, process, _ in seen if process == SUSPECT}))
    taken = sum(bool(sample.of("listeners")) for sample in samples)
    verdict = _verdict(beside, taken=bool(set(its_ports) & set(ports)))
    return PortsStory(
        verdict=verdict,
        says=_says(verdict, beside, taken, listening, its_ports),
        samples=taken,
        beside=beside,
        listening=listening,
        its_ports=its_ports,
    )


def _runs(sample: Evidence, node: str) -> bool:
    """Whether kube-vip was there: its container ran, or a process of its name listened."""
    if any(_RUNNING.search(fact.text) for fact in sample.of("containers") if fact.node == node):
        return True
    return any(process == SUSPECT for fact in sample.of("listeners") if fact.node == node for _, process in listeners(fact.text))


def _verdict(beside: int, *, taken: bool) -> Literal["refuted", "confirmed", "cannot tell"]:
    if taken:
        return "confirmed"
    return "refuted" if beside else "cannot tell"


def _says(verdict: str, beside: int, taken: int, listening: tuple[Listening, ...], its_ports: tuple[int, ...]) -> str:
    who = "; ".join(
        f"{one.port} {one.process} on {one.node} from {one.since_s:.0f} s to {one.until_s:.0f} s ({one.samples} samples)"
        for one in listening
    )
    own = f"{SUSPECT} itself listened on {', '.join(map(str, its_ports)) or 'no port'}"
    counted = f"{SUSPECT} ran in {beside} of {taken} samples taken since kubeadm init began"
    return f"{verdict}: {counted}; {own}; {who or 'nobody was seen on a port of the control plane'}"
