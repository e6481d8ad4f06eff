"""Values that tests of several modules need; each test changes what it is about."""

from dataclasses import replace
from pathlib import Path

from lab import slots
from lab.matrix import CellResult, LeftOutCell, Matrix
from lab.model import (
    Cell,
    CheckResult,
    Deviation,
    Finding,
    Link,
    Node,
    Outcome,
    RuledOut,
    Site,
    StageRun,
    Topology,
    Verdict,
)
from lab.notation import parse_ordering, parse_ref

LEASE = 'leases "plndr-cp-lock" is forbidden: User "kubernetes-admin"'


def cell(ordering: str = "kube-vip", *, ref: str = "replica@v2.25.0", kube_version: str = "v1.29.5") -> Cell:
    """A cell of one control plane."""
    stages = parse_ordering(ordering)
    endpoint = "vip" if "kube-vip" in ordering else "node"
    return Cell(
        ref=parse_ref(ref),
        kube_version=kube_version,
        topology=Topology(control_planes=1),
        ordering=stages,
        endpoint="vip" if endpoint == "vip" else "node",
    )


def site(folder: Path) -> Site:
    """One control plane and a client, in slot 0."""
    place = slots.slot(0)
    nodes = (
        Node(name="cp1", role="control-plane", address="10.231.0.10"),
        Node(name="client", role="client", address=place.client),
    )
    return Site(nodes=nodes, slot=place, ssh_config=folder / "ssh_config")


def site_of_three(folder: Path) -> Site:
    """Three control planes, a worker and a client, in slot 0."""
    alone = site(folder)
    more = [Node(name=f"cp{number}", role="control-plane", address=f"10.231.0.{9 + number}") for number in (2, 3)]
    worker = Node(name="w1", role="worker", address="10.231.0.30")
    return replace(alone, nodes=(alone.nodes[0], *more, worker, alone.client))


REFUSED = StageRun(
    stage="metallb",
    rc=2,
    duration_s=190.0,
    attempts=1,
    init_rc=0,
    failed_task="kubernetes-apps/metallb : Check cluster settings",
    failed_said="MetalLB require kube_proxy_strict_arp = true",
    failed_at="roles/kubernetes-apps/metallb/tasks/main.yml:2 of kubespray v2.25.0",
    failed_node="cp1",
    failed_first="it said something else at first",
    slowest=(("etcd : Start", 12.34), ("kubeadm : Init", 9.0)),
)
FORBIDDEN = Finding(
    signature="kube-vip-admin-conf-forbidden",
    catalogue="F-01",
    means="kube-vip may not take its lease",
    fix="use super-admin.conf",
    upstream=("kubespray#11338",),
    chain=(
        Link(says="the VIP is on no interface", probe="addresses", node="cp1", line="2: eth0 inet 10.231.0.10/24"),
        Link(says="kube-vip is forbidden its lease", probe="kube-vip-log", node="cp1", line=LEASE),
    ),
)
RED = Verdict(
    outcome=Outcome.FAIL,
    summary="kubeadm init does not finish",
    ended="stopped after 25 s; would have ended with rc=124 after 4 x 300 s",
    findings=(FORBIDDEN,),
    ruled_out=(RuledOut(signature="slow-host", means="too slow", because="not so on cp1: it is fast", line="load 0.1"),),
)
GREEN = Verdict(outcome=Outcome.PASS, summary="all 2 check results are green")
LOST = Verdict(
    outcome=Outcome.UNKNOWN, summary="cause unknown, no signature matched", look_at=("cells/a/evidence/cp1/kubelet-journal.txt",)
)
BROKEN = Verdict(outcome=Outcome.ERROR, summary="a node went away")


def result(
    verdict: Verdict = GREEN, *, name: str = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers", known: tuple[str, ...] = ()
) -> CellResult:
    """The result of a cell with that verdict."""
    return CellResult(
        id=name,
        ref="replica of v2.25.0",
        kube_version="v1.29.5",
        topology="1cp",
        ordering="kube-vip",
        endpoint="vip",
        bed="containers",
        mitigations=(),
        because="what operators report",
        verdict=verdict,
        stages=(StageRun(stage="kube-vip", rc=0, duration_s=20.0),),
        checks=(
            CheckResult(check="etcd", node="cp1", outcome=Outcome.PASS, said="is healthy", duration_s=0.1),
            CheckResult(check="node Ready", node="cp1", outcome=Outcome.SKIP, said="no network plugin in this cell"),
        ),
        deviations=(Deviation(what="kube-vip version", released="v0.8.0", used="v0.9.2", why="no v0.8 version could be had"),),
        limits=("All nodes share the host's kernel.",),
        ports="refuted: kube-vip ran in 6 of 7 samples",
        started_at_s=1000.0,
        duration_s=41.0,
        verdict_after_s=40.0,
        evidence=f"cells/{name}",
        known=known,
    )


def matrix(*results: CellResult) -> Matrix:
    """The matrix of a run with these results and one cell left out."""
    return Matrix(
        lab_version="0.1.0",
        run="20261124-021354",
        scenarios=("kubespray-11338",),
        patience="early",
        host={"engine": "podman 4.3.1"},
        started_at_s=1000.0,
        cells=results,
        left_out=(LeftOutCell.of(cell("base", ref="replica@v2.24", kube_version="v1.28.6"), because="older than the question"),),
    )
