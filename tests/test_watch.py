from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Literal

import pytest

from lab import evidence, watch
from lab.errors import BedError
from lab.facts import Evidence, Fact
from lab.model import Node, Site, Slot, TaskEvent
from lab.signature import LinkSchema, Signature
from lab.watch import Watch, ports_story

INIT = "Kubeadm | Initialize first master"
CP1 = Node(name="cp1", role="control-plane", address="10.9.7.10")
SITE = Site(
    nodes=(CP1, Node(name="client", role="client", address="10.9.7.2")),
    slot=Slot(number=7, subnet="10.9.7.0/24", gateway="10.9.7.1", client="10.9.7.2", vip="10.9.7.100", pool="10.9.7.200-10.9.7.220"),
    ssh_config=Path("none"),
)
BROKEN, WELL = "2: eth0 inet 10.9.7.10/24", "2: eth0 inet 10.9.7.100/32"
API = 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=743,fd=3))'
VIP = 'LISTEN 0 4096 *:2112 *:* users:(("kube-vip",pid=638,fd=3))'
RUNS = "d2d8125b97d20  3aa5d3383c623  52 seconds ago  Running  kube-vip  0  e95ff676b71fd  kube-vip-cp1"


def known(*, name: str = "no-vip", heals_itself: bool = False, holds_s: float = 10.0) -> Signature:
    link = LinkSchema(says="no VIP", probe="addresses", absent="inet {vip}/")
    return Signature(
        id=name,
        catalogue="",
        means="",
        fix="",
        upstream=(),
        heals_itself=heals_itself,
        holds_s=holds_s,
        links=(link,),
        must_match=(),
        must_not_match=(),
    )


@dataclass
class Nodes:
    """Nodes that say what they are told to, on a clock that only they move: a sample takes one second, a pause two."""

    addresses: str = BROKEN
    listeners: str = API
    clock_s: float = 100.0
    fails: bool = False
    written: list[Mapping[str, object]] = field(default_factory=list)

    def sample(self, node: Node) -> Iterable[Fact]:
        self.clock_s += 1.0
        if self.fails:
            raise BedError("no answer from 'cp1'", "ssh ended with 255", "look at the node")
        said = {"addresses": self.addresses, "listeners": self.listeners}
        return [Fact(probe=probe, node=node.name, text=text, at_s=self.clock_s) for probe, text in said.items()]


def watching(
    nodes: Nodes,
    *,
    signature: Signature | None = None,
    patience: Literal["early", "full"] = "early",
    sample: Callable[[Node], Iterable[Fact]] | None = None,
) -> Watch:
    return Watch(
        site=SITE,
        signatures=(signature or known(),),
        sample=sample or nodes.sample,
        stop=Event(),
        patience=patience,
        write=nodes.written.append,
        init_tasks=(INIT,),
        clock=lambda: nodes.clock_s,
    )


def heard(watched: Watch, kind: str, *, node: str = "cp1", task: str = f"control_plane : {INIT}", at_s: float = 100.0) -> None:
    watched.heard(TaskEvent(at_s=at_s, kind=kind, task=task, node=node))


def looks(watched: Watch, nodes: Nodes, times: int) -> None:
    for _ in range(times):
        watched.look()
        nodes.clock_s += 2.0


def test_a_failure_that_holds_long_enough_stops_the_stage_and_says_for_what() -> None:
    watched = watching(nodes := Nodes())
    heard(watched, "start")
    looks(watched, nodes, 4)
    assert not watched.stop.is_set()
    looks(watched, nodes, 1)
    assert watched.stop.is_set()
    assert (watched.story().stopped_for, watched.story().held_s) == ("no-vip", 11.0)


def test_on_nodes_that_are_slow_a_failure_must_hold_for_longer() -> None:
    watched = watching(nodes := Nodes())
    watched.site = replace(SITE, pace=2.0)
    heard(watched, "start")
    looks(watched, nodes, 7)
    assert not watched.stop.is_set(), "18 s are not 20 s"
    looks(watched, nodes, 2)
    assert watched.stop.is_set()


def test_the_time_between_two_samples_is_not_counted_beyond_what_they_show() -> None:
    watched = watching(nodes := Nodes(), signature=known(holds_s=11.5))
    heard(watched, "start")
    looks(watched, nodes, 5)
    assert not watched.stop.is_set()


def test_a_failure_that_heals_in_between_starts_anew() -> None:
    watched = watching(nodes := Nodes())
    heard(watched, "start")
    looks(watched, nodes, 3)
    nodes.addresses = WELL
    looks(watched, nodes, 1)
    nodes.addresses = BROKEN
    looks(watched, nodes, 4)
    assert not watched.stop.is_set()


def test_a_sample_that_could_not_be_taken_starts_anew_and_is_told() -> None:
    watched = watching(nodes := Nodes())
    heard(watched, "start")
    looks(watched, nodes, 3)
    nodes.fails = True
    looks(watched, nodes, 1)
    nodes.fails = False
    looks(watched, nodes, 4)
    assert not watched.stop.is_set()
    assert watched.story().samples == 7
    assert "no answer from 'cp1'" in watched.story().missed[0]


def test_full_patience_never_stops() -> None:
    watched = watching(nodes := Nodes(), patience="full")
    heard(watched, "start")
    looks(watched, nodes, 50)
    assert not watched.stop.is_set()
    assert watched.story().stopped_for == ""


def test_what_can_heal_itself_never_stops_a_stage() -> None:
    watched = watching(nodes := Nodes(), signature=known(heals_itself=True))
    heard(watched, "start")
    looks(watched, nodes, 50)
    assert not watched.stop.is_set()


@pytest.mark.parametrize("ended", ["ok", "changed", "failed", "skipped", "unreachable"])
def test_nothing_is_stopped_outside_kubeadm_init(ended: str) -> None:
    watched = watching(nodes := Nodes())
    looks(watched, nodes, 10)
    heard(watched, "start", task="etcd : Start")
    looks(watched, nodes, 10)
    heard(watched, "start")
    looks(watched, nodes, 2)
    heard(watched, ended)
    looks(watched, nodes, 10)
    assert not watched.stop.is_set()
    assert watched.story().ports.samples == 12


def test_a_retry_of_kubeadm_init_is_still_kubeadm_init() -> None:
    watched = watching(nodes := Nodes())
    heard(watched, "start")
    looks(watched, nodes, 3)
    heard(watched, "retry")
    looks(watched, nodes, 2)
    assert watched.stop.is_set()


def test_another_node_that_skips_the_task_does_not_end_it() -> None:
    watched = watching(nodes := Nodes())
    heard(watched, "start")
    heard(watched, "start", node="cp2")
    heard(watched, "skipped", node="cp2")
    looks(watched, nodes, 5)
    assert watched.stop.is_set()


def test_each_sample_is_written_with_only_what_is_new() -> None:
    watched = watching(nodes := Nodes())
    looks(watched, nodes, 2)
    nodes.addresses = WELL
    looks(watched, nodes, 1)
    assert [line["facts"] for line in nodes.written] == [{"addresses": BROKEN, "listeners": API}, {}, {"addresses": WELL}]
    assert nodes.written[0]["node"] == "cp1"


def test_the_watch_samples_beside_the_block_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.001)
    monkeypatch.setattr(watch, "CALM_S", 0.001)
    with watching(nodes := Nodes()) as watched:
        heard(watched, "start")
        assert watched.stop.wait(timeout=10.0)
    taken = watched.story().samples
    assert taken >= 5
    assert len(nodes.written) == taken


def test_a_fault_of_a_sample_is_told_and_the_watch_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.001)
    monkeypatch.setattr(watch, "CALM_S", 0.001)
    nodes, faults = Nodes(), iter([LookupError("no such field"), OSError(28, "no space left")])

    def sample(node: Node) -> Iterable[Fact]:
        if fault := next(faults, None):
            raise fault
        return nodes.sample(node)

    with watching(nodes, sample=sample) as watched:
        heard(watched, "start")
        assert watched.stop.wait(timeout=10.0)
    assert watched.story().missed == ("LookupError: no such field", "OSError: [Errno 28] no space left")
    assert watched.story().stopped_for == "no-vip"


def test_after_a_fault_of_a_sample_a_failure_must_hold_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.001)
    monkeypatch.setattr(watch, "CALM_S", 0.001)
    nodes = Nodes()
    asked: list[str] = []

    def sample(node: Node) -> Iterable[Fact]:
        if not watched.stop.is_set():
            asked.append(node.name)
        if len(asked) == 6:
            raise LookupError("no such field")
        return nodes.sample(node)

    watched = watching(nodes, sample=sample)
    heard(watched, "start")
    with watched:
        assert watched.stop.wait(timeout=10.0)
    assert len(asked) == 6 + 12, "a sample takes a second of a clock that nothing else moves; it has to hold for ten"


def test_the_watch_ends_when_the_block_breaks() -> None:
    with pytest.raises(BedError), watching(Nodes()) as watched:
        raise BedError("a", "b", "c")
    assert watched.story().samples == 0


def at(at_s: float, *, listeners: str = "", containers: str = "") -> Evidence:
    said = {"listeners": listeners, "containers": containers}
    return Evidence(facts=tuple(Fact(probe=probe, node="cp1", text=text, at_s=at_s) for probe, text in said.items()))


def test_ports_that_others_hold_while_kube_vip_runs_refute_the_explanation() -> None:
    samples = [at(1002), at(1005, listeners=VIP), at(1008, listeners=f"{VIP}\n{API}"), at(1030, listeners=f"{VIP}\n{API}")]
    story = ports_story(samples, init_began_s=1000)
    assert (story.verdict, story.samples, story.beside, story.its_ports) == ("refuted", 4, 3, (2112,))
    (api,) = story.listening
    assert (api.port, api.process, api.since_s, api.until_s, api.samples) == (6443, "kube-apiserver", 8, 30, 2)
    assert story.says == (
        "refuted: kube-vip ran in 3 of 4 samples taken since kubeadm init began; kube-vip itself listened on 2112; "
        "6443 kube-apiserver on cp1 from 8 s to 30 s (2 samples)"
    )


def test_kube_vip_on_one_of_the_ports_confirms_it() -> None:
    story = ports_story([at(5, listeners=VIP.replace("2112", "10259"))], init_began_s=0)
    assert (story.verdict, story.its_ports) == ("confirmed", (10259,))


def test_the_ports_of_the_control_plane_are_those_of_the_cell() -> None:
    story = ports_story([at(5, listeners=f"{VIP}\n{API.replace('6443', '8443')}")], init_began_s=0, api_port=8443)
    assert [one.port for one in story.listening] == [8443]
    other = ports_story([at(5, listeners=VIP.replace("2112", "8443"))], init_began_s=0)
    assert (other.verdict, other.listening) == ("refuted", ())


def test_a_running_container_is_kube_vip_too() -> None:
    assert ports_story([at(5, listeners=API, containers=RUNS)], init_began_s=0).verdict == "refuted"


@pytest.mark.parametrize(
    "samples",
    [[], [at(1)], [at(1, listeners=API)], [at(1, listeners=API, containers=RUNS.replace("Running", "Exited"))]],
    ids=["no samples", "nobody listens", "no kube-vip", "kube-vip has ended"],
)
def test_without_kube_vip_nothing_can_be_told(samples: list[Evidence]) -> None:
    assert ports_story(samples).verdict == "cannot tell"


def test_an_ended_container_beside_a_running_one_of_another_name_is_not_kube_vip() -> None:
    containers = f"{RUNS.replace('Running', 'Exited')}\na60d5673235ed  x  52 seconds ago  Running  kube-apiserver  0  y  kube-apiserver-cp1"
    assert ports_story([at(1, listeners=API, containers=containers)]).verdict == "cannot tell"


def test_outside_of_kubeadm_init_samples_are_taken_at_longer_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "EVERY_S", 0.001)
    nodes, taken = Nodes(), Event()

    def sample(node: Node) -> Iterable[Fact]:
        taken.set()
        return nodes.sample(node)

    with watching(nodes, sample=sample) as watched:
        assert not taken.wait(0.3)  # CALM_S has not passed
        heard(watched, "start")
        assert taken.wait(20)


def test_once_the_stage_is_over_no_further_node_is_asked() -> None:
    nodes, asked = Nodes(), list[str]()

    def sample(node: Node) -> Iterable[Fact]:
        asked.append(node.name)
        watched.__exit__(None, None, None)
        return nodes.sample(node)

    watched = watching(nodes, sample=sample)
    more = tuple(replace(SITE.nodes[0], name=name) for name in ("cp2", "cp3"))
    watched.site = replace(SITE, nodes=(SITE.nodes[0], *more))
    watched.look()
    assert asked == ["cp1"]
    assert (nodes.written, watched.story().samples, watched.story().missed) == ([], 0, ())


def test_what_is_asked_of_one_node_ends_before_the_watch_gives_up_on_it() -> None:
    assert max(probe.limit_s for probe in evidence.probes().values() if probe.watch) + evidence.OVERHEAD_S < watch.JOIN_S
