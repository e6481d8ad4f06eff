"""A matrix as large as a real one: every ordering on two releases, with all that a report may meet. Made up, not recorded."""

from dataclasses import replace

from lab.journal import Line
from lab.matrix import CellResult, LeftOutCell, Matrix
from lab.model import CheckResult, Finding, Link, Outcome, Prediction, RuledOut, StageRun, Verdict
from lab.notation import every_ordering
from tests import made

VIP = "10.231.0.100"
INIT = "Kubeadm | Initialize first master"
HOSTILE = '</script><script>alert(1)</script><img src=x onerror="alert(2)"> & "quoted" \x1b[31m'
LOOP = Finding(
    signature="two-controllers-for-one-service",
    catalogue="F-31",
    means="kube-vip and MetalLB both write the status of the Service, and undo each other",
    fix="leave kube_vip_services_enabled off",
    upstream=("kubespray#11271", "metallb#2177"),
    chain=(
        Link(says="the Service changes without end", probe="events", node="cp1", line="resourceVersion 912 -> 1377 within 30 s"),
        Link(says="kube-vip marks it as its own", probe="events", node="cp1", line="kube-vip.io/vipHost: cp1"),
        Link(says="a line of the log that nobody should believe", probe="kube-vip-log", node="cp1", line=HOSTILE),
    ),
)
RULED_OUT = tuple(
    RuledOut(signature=name, means=name, because=f"not so on cp1 ({probe}): {says}", line=line)
    for name, probe, says, line in (
        ("kubelet-never-starts", "kubelet-state", "kubelet restarts again and again", "NRestarts=0"),
        ("port-taken", "listeners", "something else listens on 6443", 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=743,fd=3))'),
        ("slow-host", "load", "the host is busy all the time", "0.84 0.61 0.40 3/512 9911"),
        ("kube-vip-no-mode", "kube-vip-manifest", "neither ARP nor BGP is on", "- name: vip_arp"),
        ("kube-vip-wrong-interface", "kube-vip-manifest", "the interface does not exist", 'value: "eth0"'),
    )
)
PARTS = ("etcd", "apiserver /livez", "controller-manager", "scheduler", "node Ready", "CoreDNS", "VIP on one node", "VIP from the client")
CHECKS = tuple(
    CheckResult(check=name, node="client" if "client" in name else "cp1", outcome=Outcome.PASS, said="ok; ok", duration_s=0.2)
    for name in PARTS
)


def result(ordering: str, release: str) -> CellResult:
    """The result of that ordering on that release, with a verdict that a red release and a quarrel of two addons might give."""
    cell = made.cell(ordering, ref=f"replica@{release}")
    verdict = _verdict(ordering, release)
    slowest = ((f"control-plane : {INIT}", 8.2), ("etcd : Start", 3.1))
    stages = tuple(StageRun(stage="+".join(one) or "base", rc=0, duration_s=42.5, slowest=slowest) for one in cell.ordering)
    red = verdict.findings == made.RED.findings
    broke = StageRun(stage=stages[0].stage, rc=None, duration_s=31.0, attempts=1, init_s=25.0, stopped_after_s=25.0)
    return replace(
        made.result(verdict, name=cell.id),
        ref=cell.ref.label,
        ordering=cell.ordering_text,
        endpoint=cell.endpoint,
        stages=(broke,) if red else stages,
        checks=() if red else CHECKS,
        started_at_s=1_795_486_435.0,
        duration_s=44.0 * len(stages),
        verdict_after_s=40.0 * len(stages),
        predicted=_predicted(ordering),
        judged_in=made.cell("kube-vip > metallb", ref=f"replica@{release}").id if ordering == "kube-vip" and not red else "",
        host_load="steal 31 % for 20 s; run queue 9 on 2 cores" if ordering == "metallb > cilium" else "",
        memory_mib={"cp1": 1013.4, "client": 41.0},
        known=("kubespray#11338",) if ordering == "kube-vip" and red else (),
    )


def matrix() -> Matrix:
    """26 orderings x 2 releases: 51 cells that ran and one that was left out, every outcome among them."""
    names = [made.cell(" > ".join("+".join(addons) or "base" for addons in stages)).ordering_text for stages in every_ordering()]
    ran = [result(name, release) for name in names for release in ("v2.25.0", "v2.25.1")]
    left_out = LeftOutCell.of(made.cell(ran.pop().ordering, ref="replica@v2.25.1"), because="the installer cannot express it")
    return replace(
        made.matrix(*ran),
        scenarios=("orderings",),
        host={"engine": "podman 4.3.1", "kernel": "6.1.0", "cgroup": "v2", "cores": "2", "memory": "24 GiB"},
        started_at_s=1_795_486_434.0,
        left_out=(left_out,),
    )


def lines(cell: str, *, zero_s: float = 1_795_486_435.0) -> tuple[Line, ...]:
    """What the journal has of a cell with two attempts of kubeadm init, the second of which ends well."""

    def line(at_s: float, kind: str, name: str = "", **rest: object) -> Line:
        return Line(at_s=zero_s + at_s, kind=kind, cell=cell, name=name, **rest)  # type: ignore[arg-type]

    return (
        line(0, "cell"),
        line(0.1, "began", "nodes"),
        line(6, "ended", "nodes", duration_s=5.9),
        line(6, "began", "stage kube-vip"),
        line(12, "task", "node : Download", node="cp1", duration_s=6.0, more={"is": "changed"}),
        line(12.1, "task", f"kubeadm : {INIT}", node="cp1", more={"is": "start"}),
        _sample(line(15, "sample"), 15, zero_s, addresses="2: eth0    inet 10.231.0.10/24 brd", lease="", listeners=_API),
        line(42, "task", f"kubeadm : {INIT}", node="cp1", said="rc 124", more={"is": "retry", "rc": 124}),
        _sample(line(26, "sample"), 26, zero_s),
        _sample(line(45, "sample"), 45, zero_s, addresses=f"2: eth0    inet {VIP}/32 scope global", lease="  holderIdentity: cp1\n"),
        line(52, "task", f"kubeadm : {INIT}", node="cp1", duration_s=39.9, more={"is": "changed", "rc": 0}),
        _sample(line(55, "sample"), 55, zero_s, listeners=f"{_API}\n{_SCHEDULER}"),
        line(58, "task", "node : Not there", node="cp1", said="no such file", duration_s=0.1, more={"is": "failed", "rc": 1}),
        line(60, "ended", "stage kube-vip", duration_s=54.0),
        line(60, "began", "checks"),
        line(61, "check", "etcd", node="cp1", said="is healthy", more={"outcome": "PASS"}),
        line(62, "check", "VIP from the client", node="client", said=HOSTILE, more={"outcome": "FAIL"}),
        line(66, "ended", "checks", duration_s=6.0),
        line(67, "said", said="1 sample(s) could not be taken"),
        line(70, "verdict", "FAIL", said="check VIP from the client failed", duration_s=70.0),
    )


_API = 'LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=743,fd=3))'
_SCHEDULER = 'LISTEN 0 4096 127.0.0.1:10259 0.0.0.0:* users:(("kube-scheduler",pid=801,fd=3))'


def _sample(line: Line, at_s: float, zero_s: float, **facts: str) -> Line:
    return replace(line, more={"at_s": zero_s + at_s, "node": "cp1", "in_init": True, "facts": facts})


def _predicted(ordering: str) -> tuple[Prediction, ...]:
    if ordering == "kube-vip+metallb":
        return (Prediction(rule="two-controllers", signature=LOOP.signature, says="kube-vip and MetalLB both serve Services"),)
    return (Prediction(rule="pool-overlap", signature="pool-overlap", says="the pool holds a node"),) if ordering == "metallb" else ()


def _verdict(ordering: str, release: str) -> Verdict:
    if "kube-vip" in ordering.partition(">")[0] and release == "v2.25.0":
        return replace(made.RED, ruled_out=RULED_OUT)
    if ordering == "kube-vip+metallb":
        return replace(made.RED, summary="two controllers quarrel over one Service", ended="", findings=(LOOP,), ruled_out=RULED_OUT)
    other = {"cilium > metallb > kube-vip": made.BROKEN, "metallb > kube-vip > cilium": made.LOST}
    return other.get(ordering, made.GREEN)
