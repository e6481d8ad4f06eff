"""Each way to lose the holder of the VIP, on nodes that say what real ones said."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab import disturbance, plan
from lab.check import Answer, Scope, Target
from lab.disturbances import failover
from lab.disturbances.failover import DISTURBANCES, WAYS, Way
from lab.model import Node, Topology
from tests import made

VIP = "10.231.0.100"
NODE, KUBELET, KUBE_VIP = WAYS
NEXT = {"cp1": "cp2", "cp2": "cp3", "cp3": "cp1"}


def member(name: str, *, leads: bool) -> dict[str, object]:
    """One member of etcd as etcdctl tells of it."""
    number = int(name[2:])
    return {
        "Endpoint": f"https://10.231.0.{9 + number}:2379",
        "Status": {"header": {"member_id": number}, "leader": number if leads else 99, "raftTerm": 4},
    }


@dataclass
class Cluster:
    """Three control planes whose clock the samples follow. `away`: seconds without the API after a loss; `stays`: the lost node keeps
    the address beside the next one; `unwell`: what kubelet's state is after all; `dies_s`: when the client's sampler ends; `blind`:
    whether those of the control planes see nothing; `crictl`, `kubectl`: what they say."""

    holder: str = "cp1"
    away: float = 0.3
    moves: bool = True
    stays: bool = False
    unwell: bool = False
    silent: bool = False
    dies_s: float = 1e9
    blind: bool = False
    crictl: tuple[int, str, str] = (0, "8f4d1c0a9b7e", "")
    kubectl: tuple[int, str] = (0, "cp1=True cp2=True cp3=True w1=True ")
    leader: str = "cp3"
    now_s: float = 1000.0
    lost_s: float | None = None
    lost: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    off: set[str] = field(default_factory=set)

    def lose(self, name: str) -> None:
        self.lost, self.lost_s = name, self.now_s
        self.holder = NEXT[name] if self.moves else name

    def stop(self, node: Node) -> None:
        self.off.add(node.name)
        self.lose(node.name)

    def start(self, node: Node) -> None:
        self.off.discard(node.name)

    def has(self, name: str) -> bool:
        return name == self.holder or (self.stays and name == self.lost)

    def target(self, folder: Path) -> Target:
        site = made.site_of_three(folder)
        hosts = {node.name: self._host(node.name) for node in site.nodes}
        cell = replace(made.cell(), topology=Topology(control_planes=3, workers=1))
        return Target(node=site.client, site=site, scope=Scope(cell=cell, on=("kube-vip",)), hosts=hosts)

    def _host(self, name: str) -> object:
        def run(command: str, *args: str) -> object:
            line = (command % args if args else command).removeprefix("timeout 20 ")
            assert name not in self.off, f"{name} is off and was asked {line}"
            self.asked.append((name, line))
            if line.startswith("crictl ps"):
                return SimpleNamespace(rc=self.crictl[0], stdout=self.crictl[1], stderr=self.crictl[2])
            rc, said = self._say(name, line)
            return SimpleNamespace(rc=rc, stdout=said, stderr="")

        return SimpleNamespace(run=run)

    def _say(self, name: str, line: str) -> tuple[int, str]:
        if line == failover.CLOCK:
            self.now_s += 0.5
            return 0, str(self.now_s)
        if "stop kubelet" in line or "pkill" in line:
            self.lose(name)
        if line.startswith("cat "):
            return 0, "" if self.silent else "\n".join(json.dumps(one) for one in self._samples(name))
        if line.startswith("etcdctl"):
            return (0, json.dumps([member(one, leads=one == self.leader) for one in NEXT])) if self.leader else (1, "deadline exceeded")
        if "addr show dev" in line:
            return 0, "".join(f"2: eth0    inet {address}/24 scope global\n" for address in ("10.231.0.9", *[VIP] * self.has(name)))
        if "is-active kubelet" in line and self.unwell:
            return 3, "inactive"
        return self.kubectl if line.startswith("kubectl") else (0, "ok" if "livez" in line else "")

    def _samples(self, name: str) -> list[list[object]]:
        """Every 0.1 s from the first second on, as if the loss came 0.2 s after the clock was read."""
        lost_s = self.lost_s or self.now_s
        times = [999.0 + number / 10 for number in range(int((self.now_s - 999.0) * 10) + 1)]
        if name == "client":
            times = [at_s for at_s in times if at_s < self.dies_s]
            return [[at_s, not lost_s + 0.2 <= at_s < lost_s + 0.2 + self.away, ["02:00:00:00:00:01"]] for at_s in times]
        if self.blind:
            return [[at_s, False, []] for at_s in times]
        return [[at_s, at_s > lost_s if name == self.holder else (self.stays or at_s < lost_s) and name == self.lost, []] for at_s in times]


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that are not there need no time."""
    for name, value in (("LEAD_S", 0.0), ("WATCH_S", 0.0), ("BACK_LIMIT_S", 0.0), ("WHOLE_LIMIT_S", 0.0)):
        monkeypatch.setattr(failover, name, value)


def look(tmp_path: Path, way: Way, cluster: Cluster) -> Answer:
    one = next(one for one in DISTURBANCES if one.name == f"failover, {way.name}")
    return one.act(cluster.target(tmp_path), cluster)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_vip_that_moves_is_a_failover_and_its_time_is_measured(tmp_path: Path, way: Way) -> None:
    answer = look(tmp_path, way, Cluster())
    assert answer.ok is True
    assert answer.said.startswith(f"cp1 held the VIP; {way.name}: the API through it did not answer for 0.3 s; afterwards cp2 held it")
    measured = dict(answer.measured)
    assert measured["without API s"] == pytest.approx(0.3, abs=0.06)
    assert measured["holders at once"] == 1
    assert measured["MACs at once"] == 1


@pytest.mark.parametrize(
    ("leader", "said", "number"), [("cp1", "cp1 held the VIP and led etcd; ", 1.0), ("cp2", "cp1 held the VIP; ", 0.0)]
)
def test_a_holder_that_also_led_etcd_is_told_apart(tmp_path: Path, leader: str, said: str, number: float) -> None:
    answer = look(tmp_path, NODE, Cluster(leader=leader))
    assert answer.said.startswith(said)
    assert dict(answer.measured)["it led etcd"] == number


def test_who_leads_etcd_is_not_guessed(tmp_path: Path) -> None:
    answer = look(tmp_path, NODE, Cluster(leader=""))
    assert answer.ok is True
    assert "it led etcd" not in dict(answer.measured)


def test_a_vip_that_nobody_misses_is_said_to_have_stayed(tmp_path: Path) -> None:
    answer = look(tmp_path, KUBELET, Cluster(away=0.0, moves=False))
    assert answer.ok is True
    assert "never stopped answering; afterwards cp1 held it" in answer.said
    assert dict(answer.measured)["without API s"] == 0


def test_an_api_that_does_not_come_back_is_a_failure(tmp_path: Path) -> None:
    answer = look(tmp_path, KUBELET, Cluster(away=1e9))
    assert answer.ok is False
    assert "did not answer again within" in answer.said


def test_two_holders_that_stay_are_a_failure_and_both_are_named(tmp_path: Path) -> None:
    answer = look(tmp_path, KUBE_VIP, Cluster(stays=True))
    assert answer.ok is False
    assert "the VIP is on cp1 and cp2" in answer.said
    assert dict(answer.measured)["holders at once"] == 2


def test_a_cluster_that_is_not_as_before_is_a_failure_that_says_what_is_not(tmp_path: Path) -> None:
    answer = look(tmp_path, KUBELET, Cluster(unwell=True))
    assert answer.ok is False
    assert "kubelet does not run on cp1" in answer.said


def test_samples_that_are_not_there_prove_nothing(tmp_path: Path) -> None:
    assert look(tmp_path, KUBELET, Cluster(silent=True)).ok is None


def test_a_sampler_that_ends_early_has_not_watched_the_failover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "UNSEEN_S", 0.3)  # the clock of these nodes goes half a second each time it is read
    answer = look(tmp_path, KUBELET, Cluster(away=0.0, dies_s=1000.6))
    assert answer.ok is None
    assert answer.said == "cp1 held the VIP; its kubelet stopped: the sampler of the client saw nothing for 0.5 s"


def test_a_vip_that_no_node_was_seen_to_have_while_the_api_answered_through_it_is_unknown(tmp_path: Path) -> None:
    answer = look(tmp_path, KUBELET, Cluster(blind=True))
    assert answer.ok is None
    assert answer.said.endswith("the API answered through the VIP, which no sampler saw on its node")
    assert look(tmp_path, KUBELET, Cluster(blind=True, away=1e9)).ok is False, "that nobody reached it was seen"


def test_a_cluster_that_is_not_as_before_is_a_failure_whatever_samples_missed(tmp_path: Path) -> None:
    assert look(tmp_path, KUBELET, Cluster(silent=True, unwell=True)).ok is False


@pytest.mark.parametrize(
    ("crictl", "said"),
    [
        ((0, "", 'time="2026" level=warning msg="deprecated"'), "kube-vip does not run on cp1"),
        ((1, "", "validate service connection: refused"), "or crictl does not tell: validate service connection: refused"),
    ],
)
def test_what_crictl_complains_is_no_kube_vip(tmp_path: Path, crictl: tuple[int, str, str], said: str) -> None:
    answer = look(tmp_path, KUBELET, Cluster(crictl=crictl))
    assert answer.ok is False
    assert said in answer.said


def test_nothing_is_broken_while_nobody_tells_which_nodes_are_ready(tmp_path: Path) -> None:
    cluster = Cluster(kubectl=(1, "connection refused"))
    with pytest.raises(RuntimeError, match="which nodes are Ready is not told before anything is broken: connection refused"):
        look(tmp_path, NODE, cluster)
    assert cluster.lost == ""


def test_nothing_is_broken_while_nobody_holds_the_vip(tmp_path: Path) -> None:
    cluster = Cluster(holder="")
    answer = look(tmp_path, NODE, cluster)
    assert (answer.ok, answer.said) == (False, "the VIP is on no node before anything is broken")
    assert cluster.off == set()
    assert not [line for _, line in cluster.asked if "systemd-run" in line or "stop" in line]


def test_each_way_breaks_one_thing_at_the_holder_alone_and_mends_it(tmp_path: Path) -> None:
    cluster = Cluster(holder="cp2")
    look(tmp_path, KUBELET, cluster)
    assert [(name, line) for name, line in cluster.asked if "kubelet" in line and "is-active" not in line] == [
        ("cp2", "sh -c systemctl stop kubelet"),
        ("cp2", "sh -c systemctl start kubelet"),
    ]
    cluster = Cluster(holder="cp3")
    look(tmp_path, NODE, cluster)
    assert (cluster.lost, cluster.off) == ("cp3", set())
    cluster = Cluster()
    look(tmp_path, KUBE_VIP, cluster)
    assert [name for name, line in cluster.asked if "pkill -KILL -x kube-vip" in line] == ["cp1"]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_sampler_runs_on_the_client_and_each_control_plane_and_nothing_of_it_is_left(tmp_path: Path, way: Way) -> None:
    cluster = Cluster()
    look(tmp_path, way, cluster)
    started = [(name, line.rpartition("sampler.py ")[2].split()[0]) for name, line in cluster.asked if "systemd-run" in line]
    again = [("cp1", "address")] if way.needs_power else []
    assert started == [("client", "api"), ("cp1", "address"), ("cp2", "address"), ("cp3", "address"), *again]
    ended = [name for name, line in cluster.asked if "systemctl stop spraylab-sampler; rm -rf" in line]
    assert ended == ["client", "cp1", "cp2", "cp3"]


def test_the_client_asks_where_the_cell_lets_its_api_servers_listen(tmp_path: Path) -> None:
    cluster = Cluster()
    target = cluster.target(tmp_path)
    failover.fail_over(KUBELET, replace(target, site=replace(target.site, api_port=8443)), cluster)
    (started,) = [line for name, line in cluster.asked if name == "client" and "systemd-run" in line]
    assert started.endswith("10.231.0.100 eth0 1 8443")


def test_what_was_broken_is_mended_even_when_watching_it_fails(tmp_path: Path) -> None:
    cluster = Cluster()
    say: Callable[[str, str], tuple[int, str]] = cluster._say

    def fail(name: str, line: str) -> tuple[int, str]:
        if "livez" in line:
            raise RuntimeError("ssh ended with 255")
        return say(name, line)

    cluster._say = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        failover.fail_over(NODE, cluster.target(tmp_path), cluster)
    assert cluster.off == set()


@pytest.mark.parametrize(
    ("control_planes", "ordering", "said"),
    [(1, "kube-vip", "1 control plane(s): nobody could take the VIP"), (3, "base", "kube-vip is off"), (3, "kube-vip", "")],
)
def test_only_a_vip_that_somebody_else_could_take_fails_over(control_planes: int, ordering: str, said: str) -> None:
    cell = replace(made.cell(ordering), topology=Topology(control_planes=control_planes))
    scope = Scope(cell=cell, on=plan.addons_of(cell))
    for one in DISTURBANCES:
        assert one.lacks(scope).startswith(said)
        assert bool(one.lacks(scope)) == bool(said)


def test_the_holder_is_lost_in_three_ways_of_which_one_needs_a_switch() -> None:
    assert set(DISTURBANCES) <= set(disturbance.everything())
    assert [one.needs_power for one in DISTURBANCES] == [True, False, False]


def test_the_end_of_the_run_is_not_waited_for_to_the_end_of_a_failover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failover, "WATCH_S", 3600.0)
    cluster = Cluster()
    target = cluster.target(tmp_path)
    target.stop.set()
    with pytest.raises(KeyboardInterrupt):
        failover.fail_over(NODE, target, cluster)
