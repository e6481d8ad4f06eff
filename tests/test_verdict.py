from dataclasses import replace

import pytest

from lab import evidence, release
from lab.model import Cell, CheckResult, Finding, Link, Outcome, RuledOut, StageRun
from lab.notation import parse_ordering, parse_ref, parse_topology
from lab.release import KubeadmInit
from lab.signature import Matched
from lab.verdict import LOOK_AT, SUBJECTS, judge, would_end

INIT = KubeadmInit(tasks=("Kubeadm | Initialize first master",), timeout_s=300, attempts=4, delay_s=5, preflight="all", own_wait_s=300)
CELL = Cell(
    ref=parse_ref("replica@v2.25.0"),
    kube_version="v1.29.5",
    topology=parse_topology("1cp"),
    ordering=parse_ordering("kube-vip"),
    endpoint="vip",
)
FULL = "rc=124 after 4 x 300 s"
GREEN = StageRun(stage="kube-vip", rc=0, duration_s=27.0, attempts=1, init_rc=0, init_s=8.0)
STOPPED = StageRun(stage="kube-vip", rc=None, duration_s=60.0, attempts=1, init_s=48.0, stopped_after_s=48.2)
WAITED = StageRun(
    stage="kube-vip", rc=2, duration_s=1240.0, attempts=4, init_rc=124, init_s=1215.0, failed_task="Kubeadm | Initialize first master"
)
FINDING = Finding(
    signature="kube-vip-admin-conf-forbidden",
    catalogue="F-01",
    means="kube-vip may not take its lease",
    fix="mount super-admin.conf",
    upstream=("kubespray#11338",),
    chain=(Link(says="the VIP is nowhere", probe="addresses", node="cp1", line="eth0"),),
)
FOUND = Matched(findings=(FINDING,), ruled_out=(RuledOut(signature="slow-host", means="slow", because="no VIP"),))
NOTHING = Matched()


def check(outcome: Outcome, name: str = "vip held once") -> CheckResult:
    return CheckResult(check=name, node="cp1", outcome=outcome, said="")


def test_all_green_is_pass() -> None:
    verdict = judge([check(Outcome.PASS), check(Outcome.SKIP)], [GREEN], matched=NOTHING, files=["a.txt"], full=FULL)
    assert (verdict.outcome, verdict.cause, verdict.look_at) == (Outcome.PASS, "", ())
    assert verdict.ended == "stage 'kube-vip' ended with rc=0 after 27 s"


@pytest.mark.parametrize(
    ("checks", "runs", "outcome", "says"),
    [
        ([], [GREEN], Outcome.UNKNOWN, "no check was run"),
        ([check(Outcome.SKIP)], [GREEN], Outcome.UNKNOWN, "no check was run"),
        ([check(Outcome.PASS)], [], Outcome.UNKNOWN, "no stage was run"),
        ([check(Outcome.PASS), check(Outcome.UNKNOWN, "x")], [GREEN], Outcome.UNKNOWN, "check x on cp1 could not tell"),
        ([check(Outcome.PASS), check(Outcome.FAIL, "x")], [GREEN], Outcome.FAIL, "check x on cp1 failed: cause unknown"),
        ([check(Outcome.FAIL, "x"), check(Outcome.UNKNOWN, "y")], [GREEN], Outcome.FAIL, "check x on cp1 failed"),
        ([check(Outcome.PASS), check(Outcome.ERROR, "x")], [GREEN], Outcome.UNKNOWN, "check x on cp1 could not tell"),
        ([], [replace(WAITED, init_rc=0, failed_task="CoreDNS | apply")], Outcome.FAIL, "failed in task 'CoreDNS | apply': cause unknown"),
        ([], [replace(GREEN, rc=4)], Outcome.FAIL, "stage 'kube-vip' failed outside of any task: cause unknown"),
        ([], [GREEN, WAITED], Outcome.FAIL, "kubeadm init does not finish: cause unknown, no signature matched"),
    ],
)
def test_outcomes(checks: list[CheckResult], runs: list[StageRun], outcome: Outcome, says: str) -> None:
    verdict = judge(checks, runs, matched=NOTHING, files=[], full=FULL)
    assert verdict.outcome is outcome
    assert says in verdict.summary


def test_a_stopped_stage_is_judged_like_one_that_ran_into_its_time_out() -> None:
    early = judge([], [STOPPED], matched=FOUND, files=["a"], full=FULL, stopped_for=FINDING.signature)
    late = judge([], [WAITED], matched=FOUND, files=["a"], full=FULL)
    assert early.ended == "stopped after 48 s; would have ended with rc=124 after 4 x 300 s"
    assert late.ended == "rc=2 after 1240 s; 4 attempts of kubeadm init, 1215 s, the last one rc=124"
    assert replace(early, ended="") == replace(late, ended="")
    assert (early.outcome, early.cause) == (Outcome.FAIL, "kube-vip-admin-conf-forbidden")
    assert early.summary == "stage 'kube-vip': kubeadm init does not finish: kube-vip may not take its lease"


def test_a_stop_that_the_evidence_does_not_bear_out_is_unknown() -> None:
    other = replace(FINDING, signature="kube-vip-host-alias")
    for matched in (NOTHING, Matched(findings=(other,))):
        verdict = judge([], [STOPPED], matched=matched, files=[], full=FULL, stopped_for=FINDING.signature)
        assert verdict.outcome is Outcome.UNKNOWN
        assert "stopped kubeadm init for 'kube-vip-admin-conf-forbidden', which does not hold in the evidence" in verdict.summary
        assert verdict.ended == "stopped after 48 s", "nobody knows how it would have ended"
        assert verdict.findings == matched.findings


def test_a_fail_without_a_finding_says_where_to_look_and_what_could_not_be_told() -> None:
    files = ["cp1.addresses.txt", "cp1.kubelet-journal.txt", "cp1.kube-vip-log.txt"]
    matched = Matched(unclear=("slow-host: livez-vip could not be read",))
    verdict = judge([], [WAITED], matched=matched, files=files, full=FULL)
    assert verdict.look_at == ("cp1.kube-vip-log.txt", "cp1.kubelet-journal.txt", "cp1.addresses.txt")
    assert "slow-host: livez-vip could not be read" in verdict.summary
    assert verdict.cause == ""


FILES = [f"evidence/{node}/{name}.txt" for node in ("cp1", "cp2", "lab") for name in evidence.probes()] + ["../a/stage-0/ansible.log"]


@pytest.mark.parametrize(
    ("task", "node", "first"),
    [
        ("etcd : Etcd | Wait until the member is healthy", "cp1", ["cp1/etcd-log.txt", "cp2/etcd-log.txt", "lab/etcd-log.txt"]),
        ("etcd : Etcd | Wait until the member is healthy", "cp2", ["cp2/etcd-log.txt", "cp1/etcd-log.txt", "lab/etcd-log.txt"]),
        ("container-engine/containerd : Containerd | Ensure it runs", "cp2", ["cp2/containerd-journal.txt"]),
        ("network_plugin/cilium : Cilium | Wait for pods to run", "cp1", ["cp1/cilium-"] * 5),
        ("kubernetes/node : Kube-vip | Write static pod", "cp1", ["cp1/kube-vip-log.txt", "cp2/kube-vip-log.txt"]),
        ("bootstrap : Something | Else", "cp1", []),
    ],
)
def test_what_the_failed_task_is_about_comes_first_and_the_installers_log_is_always_there(task: str, node: str, first: list[str]) -> None:
    run = replace(WAITED, attempts=0, init_rc=None, failed_task=task, failed_node=node)
    verdict = judge([], [run], matched=NOTHING, files=FILES, full=FULL)
    assert len(verdict.look_at) == LOOK_AT
    assert all(seen.startswith(f"evidence/{wanted}") for seen, wanted in zip(verdict.look_at, first, strict=False))
    assert "../a/stage-0/ansible.log" in verdict.look_at
    if len(first) < LOOK_AT - 1:
        usual = [path for path in verdict.look_at if not any(word in path for word in ("etcd", "containerd", "cilium", "ansible.log"))]
        assert usual[0] == f"evidence/{node}/kube-vip-log.txt"


def test_a_red_check_says_what_to_look_at_too() -> None:
    verdict = judge([check(Outcome.FAIL, "CoreDNS answers")], [GREEN], matched=NOTHING, files=FILES, full=FULL)
    assert verdict.look_at[:2] == ("evidence/cp1/coredns-log.txt", "evidence/cp2/coredns-log.txt")


def test_every_subject_of_tasks_is_one_of_a_probe() -> None:
    assert not [subject for subject in SUBJECTS if not any(subject in name for name in evidence.probes())]


def test_what_could_not_be_fetched_is_an_error_and_not_a_failure_of_the_release() -> None:
    run = StageRun(stage="base", rc=2, duration_s=61.0, failed_task="download : item", failed_at="roles/download/tasks/main.yml:9 of x")
    fetched = replace(FINDING, signature="download-failed", means="it did not come", blames="infrastructure")
    verdict = judge([], [run], matched=Matched(findings=(fetched, FINDING)), files=["a.txt"], full=FULL)
    assert (verdict.outcome, verdict.cause) == (Outcome.ERROR, "download-failed")
    assert verdict.summary == "stage 'base' failed in task 'download : item' (roles/download/tasks/main.yml:9 of x): it did not come"
    assert judge([], [run], matched=FOUND, files=[], full=FULL).outcome is Outcome.FAIL


def test_a_finding_on_a_green_cell_is_a_contradiction_and_no_pass() -> None:
    verdict = judge([check(Outcome.PASS)], [GREEN], matched=FOUND, files=[], full=FULL)
    assert verdict.outcome is Outcome.UNKNOWN
    assert "every check passed, yet" in verdict.summary


@pytest.mark.parametrize(
    ("value", "says"),
    [(None, FULL), ("30s", "rc=124 after 4 x 30 s"), ("'2m'", "rc=124 after 4 x 120 s"), ("90", "rc=124 after 4 x 90 s"), ("soon", FULL)],
)
def test_the_time_out_not_waited_for_is_that_of_release_and_cell(value: str | None, says: str) -> None:
    cell = CELL if value is None else replace(CELL, variables=(("kubeadm_init_timeout", value),))
    assert would_end(INIT, cell) == says


def test_the_number_of_attempts_is_that_of_the_release() -> None:
    assert would_end(replace(INIT, attempts=2, timeout_s=10), CELL) == "rc=124 after 2 x 10 s"


def test_kubeadm_that_gives_up_before_its_time_out_ends_with_its_own_code() -> None:
    cell = replace(CELL, variables=(("kubeadm_init_timeout", "600s"),))
    assert would_end(INIT, cell) == "rc=1 after 4 x 300 s"
    of_minor = replace(INIT, own_wait_s={"v1.29": 240, "v1.31": 300})
    assert would_end(of_minor, CELL) == "rc=1 after 4 x 240 s"


def test_attempts_that_preflight_refuses_are_not_waited_out() -> None:
    said = would_end(replace(INIT, preflight="named"), CELL)
    assert said == "rc=1 after 300 s (rc=124) and 3 more attempts, which kubeadm's own checks refuse at once"


def test_checks_that_a_cell_lets_pass_refuse_no_attempt() -> None:
    named = replace(INIT, preflight="named")
    every = replace(CELL, variables=(("kubeadm_ignore_preflight_errors", "[All]"),))
    assert would_end(named, every) == FULL
    one = replace(CELL, variables=(("kubeadm_ignore_preflight_errors", "[Port-10250]"),))
    assert "refuse at once" in would_end(named, one)


def test_a_release_that_passes_over_the_files_is_refused_only_for_what_listens() -> None:
    said = would_end(release.load("v2.30.0").kubeadm_init, CELL)
    refused = "rc=1 after 240 s (rc=1) and 3 more attempts, which kubeadm's own checks refuse at once"
    assert said == f"{refused} where the first left a process that listens, else rc=1 after 4 x 240 s"
    ports = (("kubeadm_ignore_preflight_errors", "[Port-6443, Port-10257, Port-10259]"),)
    assert would_end(release.load("v2.30.0").kubeadm_init, replace(CELL, variables=ports)) == "rc=1 after 4 x 240 s"


STARVED = "short of cores for 9 s without a pause"


def test_a_red_that_only_a_starved_host_may_explain_is_no_verdict_on_what_was_installed() -> None:
    red = [check(Outcome.PASS), replace(check(Outcome.FAIL, "x"), excused=STARVED)]
    unexplained = judge(red, [GREEN], matched=NOTHING, files=["a.txt"], full=FULL)
    assert unexplained.outcome is Outcome.UNKNOWN
    assert f"the host was {STARVED}, which may be all of it" in unexplained.summary
    assert unexplained.look_at == ("a.txt",)
    assert judge(red, [GREEN], matched=FOUND, files=[], full=FULL).outcome is Outcome.FAIL


def test_one_failure_that_the_host_cannot_have_caused_is_a_failure_and_is_the_one_told() -> None:
    red = [replace(check(Outcome.FAIL, "x"), excused=STARVED), check(Outcome.FAIL, "y")]
    verdict = judge(red, [GREEN], matched=NOTHING, files=[], full=FULL)
    assert verdict.outcome is Outcome.FAIL
    assert verdict.summary.startswith("check y on cp1 failed")


def test_a_stage_that_only_a_starved_host_may_have_broken_is_unknown_and_what_excuses_it_excuses_no_check() -> None:
    assert judge([], [WAITED], matched=NOTHING, files=[], full=FULL, excused=STARVED).outcome is Outcome.UNKNOWN
    assert judge([], [WAITED], matched=FOUND, files=[], full=FULL, excused=STARVED).outcome is Outcome.FAIL
    assert judge([], [WAITED], matched=NOTHING, files=[], full=FULL).outcome is Outcome.FAIL
    assert judge([check(Outcome.FAIL)], [GREEN], matched=NOTHING, files=[], full=FULL, excused=STARVED).outcome is Outcome.FAIL
