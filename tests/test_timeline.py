from dataclasses import replace

from lab.journal import Line
from lab.model import Outcome
from lab.timeline import GAP_S, Row, Timeline, build, slim
from tests import orderings
from tests.orderings import INIT, VIP

CELL = "a"


def built(*lines: Line, vip: str = VIP) -> Timeline:
    made = build(lines, vip=vip, init_tasks={INIT})
    assert made is not None
    return made


def row(timeline: Timeline, name: str) -> Row:
    return next(one for one in timeline.rows if one.name == name)


def spans(timeline: Timeline, name: str) -> list[tuple[str, float, float, str]]:
    return [(one.name, round(one.begins_s, 1), round(one.ends_s, 1), one.state) for one in row(timeline, name).spans]


def sample(at_s: float, node: str = "cp1", **facts: str) -> Line:
    return Line(at_s=at_s, kind="sample", cell=CELL, more={"at_s": at_s, "node": node, "in_init": True, "facts": facts})


def test_steps_are_a_row_and_the_verdict_is_one() -> None:
    timeline = built(*orderings.lines(CELL))
    assert spans(timeline, "steps") == [("nodes", 0.1, 6.0, "step"), ("stage kube-vip", 6.0, 60.0, "step"), ("checks", 60.0, 66.0, "step")]
    assert [(one.name, one.outcome) for one in row(timeline, "verdict").marks] == [("FAIL", Outcome.FAIL)]
    assert timeline.ends_s == 70.0


def test_every_attempt_of_kubeadm_init_is_a_span_with_how_it_ended() -> None:
    timeline = built(*orderings.lines(CELL))
    assert spans(timeline, "kubeadm init on cp1") == [("attempt 1", 12.1, 42.0, "failed"), ("attempt 2", 42.0, 52.0, "done")]
    assert [one.said for one in row(timeline, "kubeadm init on cp1").spans] == ["rc=124", "rc=0"]


def test_an_attempt_that_nothing_ended_was_stopped_with_its_stage() -> None:
    lines = [line for line in orderings.lines(CELL) if line.kind != "task" or line.more.get("is") == "start"]
    assert spans(built(*lines), "kubeadm init on cp1") == [("attempt 1", 12.1, 60.0, "stopped")]


def test_a_skipped_init_is_no_attempt() -> None:
    lines = [
        Line(at_s=0, kind="cell", cell=CELL),
        Line(at_s=1, kind="task", cell=CELL, name=INIT, node="cp1", more={"is": "start"}),
        Line(at_s=2, kind="task", cell=CELL, name=INIT, node="cp1", more={"is": "skipped"}),
    ]
    assert not [one for one in built(*lines).rows if "init" in one.name]


def test_long_tasks_are_spans_and_failed_ones_are_marked_however_short() -> None:
    timeline = built(*orderings.lines(CELL))
    assert spans(timeline, "Ansible tasks") == [("Download", 6.0, 12.0, "task")]
    assert [one.name for one in row(timeline, "Ansible tasks").marks] == ["Not there on cp1"]


def test_a_task_on_several_nodes_at_once_is_one_span() -> None:
    def task(at_s: float, node: str, duration_s: float, how: str = "ok") -> Line:
        return Line(at_s=at_s, kind="task", cell=CELL, name="r : Pull", node=node, duration_s=duration_s, more={"is": how})

    timeline = built(Line(at_s=0, kind="cell", cell=CELL), task(10, "cp1", 8), task(12, "cp2", 10, "failed"), task(40, "cp1", 6))
    assert spans(timeline, "Ansible tasks") == [("Pull", 2, 12, "failed"), ("Pull", 34, 40, "task")]
    assert row(timeline, "Ansible tasks").spans[0].said == "on cp1, cp2"


def test_the_vip_the_lease_and_the_listeners_hold_from_one_sample_to_the_next() -> None:
    timeline = built(*orderings.lines(CELL))
    assert spans(timeline, "VIP on cp1") == [("not held", 15, 45, "no"), ("held", 45, 55, "yes")]
    assert spans(timeline, "lease holder") == [("cp1", 45, 55, "yes")]
    assert spans(timeline, "port 6443 on cp1") == [("kube-apiserver", 15, 55, "yes")]
    assert spans(timeline, "port 10259 on cp1") == [("nobody", 15, 55, "no"), ("kube-scheduler", 55, 55, "yes")]


def test_the_ports_are_those_of_the_cell() -> None:
    listens = 'LISTEN 0 4096 *:8443 *:* users:(("kube-apiserver",pid=1,fd=3))'
    told = [Line(at_s=0, kind="cell", cell=CELL), sample(5, listeners=listens), sample(7, listeners=listens)]
    made = build(told, vip=VIP, init_tasks={INIT}, api_port=8443)
    assert made is not None
    assert [one.name for one in made.rows if one.name.startswith("port")] == ["port 8443 on cp1", "port 10257 on cp1", "port 10259 on cp1"]
    assert spans(made, "port 8443 on cp1") == [("kube-apiserver", 5, 7, "yes")]


def test_a_vip_that_moves_is_seen_on_both_nodes() -> None:
    mine, none = f"2: eth0 inet {VIP}/32", "2: eth0 inet 10.231.0.11/24"
    told = [sample(1, "cp1", addresses=mine), sample(1, "cp2", addresses=none), sample(5, "cp1", addresses=none)]
    timeline = built(Line(at_s=0, kind="cell", cell=CELL), *told, sample(5, "cp2", addresses=mine), sample(7, "cp1"), sample(7, "cp2"))
    assert spans(timeline, "VIP on cp1") == [("held", 1, 5, "yes"), ("not held", 5, 7, "no")]
    assert spans(timeline, "VIP on cp2") == [("not held", 1, 5, "no"), ("held", 5, 7, "yes")]


def test_nothing_is_claimed_for_a_time_without_samples_or_of_a_fact_that_could_not_be_read() -> None:
    held, lost = f"2: eth0 inet {VIP}/32", "unreadable: cp1 did not answer (rc 255)"
    told = [sample(1, addresses=held), sample(3, addresses=lost), sample(5, addresses=held), sample(6), sample(6 + GAP_S + 1)]
    timeline = built(Line(at_s=0, kind="cell", cell=CELL), *told)
    assert spans(timeline, "VIP on cp1") == [("held", 1, 3, "yes"), ("held", 5, 6, "yes"), ("held", 7 + GAP_S, 7 + GAP_S, "yes")]


def test_a_lease_that_is_not_there_is_nobodys_and_one_that_cannot_be_asked_for_is_not_told() -> None:
    missing = 'Error from server (NotFound): leases.coordination.k8s.io "plndr-cp-lock" not found'
    refused = "The connection to the server 10.231.0.10:6443 was refused"
    told = [sample(1, lease=refused), sample(3, lease=missing), sample(5, lease='  holderIdentity: "cp2"'), sample(7)]
    timeline = built(Line(at_s=0, kind="cell", cell=CELL), *told)
    assert spans(timeline, "lease holder") == [("nobody", 3, 5, "no"), ("cp2", 5, 7, "yes")]


def test_without_a_known_vip_no_row_claims_anything_of_it() -> None:
    assert not [one for one in built(*orderings.lines(CELL), vip="").rows if one.name.startswith("VIP")]


def test_a_cell_that_was_run_again_is_told_from_its_last_beginning() -> None:
    first, second = orderings.lines(CELL), orderings.lines(CELL, zero_s=2_000_000_000.0)
    assert built(*first[:6], *second) == built(*second)
    assert build((), vip=VIP, init_tasks={INIT}) is None


def test_a_step_that_a_killed_run_never_ended_ends_with_the_last_line() -> None:
    assert spans(built(*orderings.lines(CELL)[:6]), "steps")[-1] == ("stage kube-vip", 6.0, 12.1, "stopped")


def test_checks_and_notes_are_marks() -> None:
    timeline = built(*orderings.lines(CELL))
    assert [(one.name, one.outcome) for one in row(timeline, "checks").marks] == [
        ("etcd on cp1", Outcome.PASS),
        ("VIP from the client on client", Outcome.FAIL),
    ]
    assert [one.said for one in row(timeline, "notes").marks] == ["1 sample(s) could not be taken"]


def test_the_same_is_said_in_sentences() -> None:
    said = " ".join(built(*orderings.lines(CELL)).says)
    assert "kubeadm init on cp1: attempt 1 (rc=124) from 12 s to 42 s, attempt 2 (rc=0) from 42 s to 52 s." in said
    assert "VIP on cp1: not held from 15 s to 45 s, held from 45 s to 55 s." in said


def test_slim_lines_tell_the_same_timeline() -> None:
    fat = [
        replace(line, more={**line.more, "facts": {**line.more["facts"], "kube-vip-log": "x" * 9}})  # type: ignore[dict-item]
        if line.kind == "sample"
        else line
        for line in orderings.lines(CELL)
    ]
    assert built(*map(slim, fat)) == built(*fat)
    assert "kube-vip-log" not in str([slim(line) for line in fat])
