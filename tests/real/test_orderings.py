"""All three addons on real nodes: together, staged, red for its reason, and one known bad pair; read from one run that they share."""

import pytest

from lab import journal
from lab.journal import JUDGED
from lab.model import Outcome
from tests.real.conftest import Job, spraylab

TOGETHER = "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip+metallb+cilium:vip:containers"
STAGED = "replica-v2.25.1:k8s-v1.29.5:1cp:cilium..kube-vip..metallb:vip:containers"
FIRST_STAGE = "replica-v2.25.1:k8s-v1.29.5:1cp:cilium:node:containers"
RED = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip+metallb+cilium:vip:containers"
BEHIND_RED = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip..metallb:vip:containers"
CONFLICT = "replica-v2.25.1:k8s-v1.29.5:1cp:metallb:node:containers:with-no-advertisement"
F_01 = "kube-vip-admin-conf-forbidden"

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("cell", [TOGETHER, STAGED, FIRST_STAGE])
def test_with_the_fixed_release_all_three_are_healthy_together_and_staged(orderings_job: Job, cell: str) -> None:
    result = orderings_job.cell(cell)
    red = [f"{one.check} on {one.node}: {one.said}" for one in result.checks if one.outcome not in (Outcome.PASS, Outcome.SKIP)]
    assert (result.verdict.outcome, red) == (Outcome.PASS, []), result.verdict.summary
    assert result.verdict.findings == ()


def test_every_group_of_checks_was_asked_with_all_three(orderings_job: Job) -> None:
    passed = {one.check for one in orderings_job.cell(TOGETHER).checks if one.outcome is Outcome.PASS}
    for part in ("LoadBalancer", "ClusterIP", "NodePort", "VIP", "kube-proxy", "restart"):
        assert any(part in name for name in passed), (part, sorted(passed))


def test_what_a_check_does_not_apply_to_is_told(orderings_job: Job) -> None:
    skipped = [one for one in orderings_job.cell(FIRST_STAGE).checks if one.outcome is Outcome.SKIP]
    assert skipped
    assert all(one.said for one in skipped), skipped
    assert any(one.said.startswith("metallb is off") for one in skipped)


def test_with_the_reported_release_it_is_red_for_the_same_reason_whatever_else_is_on(orderings_job: Job) -> None:
    for cell in (RED, BEHIND_RED):
        assert (orderings_job.cell(cell).verdict.outcome, orderings_job.cell(cell).verdict.cause) == (Outcome.FAIL, F_01)


def test_a_cell_behind_a_red_stage_shares_its_verdict_and_says_so(orderings_job: Job) -> None:
    result = orderings_job.cell(BEHIND_RED)
    assert "not gone on with after stage 'kube-vip', whose verdict it shares" in result.verdict.summary
    assert len(result.stages) == 1


def test_a_prefix_is_judged_on_the_nodes_of_the_longer_cell(orderings_job: Job) -> None:
    assert orderings_job.cell(FIRST_STAGE).judged_in == STAGED
    assert [stage.stage for stage in orderings_job.cell(STAGED).stages] == ["cilium", "kube-vip", "metallb"]
    judged = [line for line in journal.read(orderings_job.folder / journal.FILE, kinds=(JUDGED,)) if line.cell == STAGED]
    assert [line.name for line in judged] == ["PASS"] * 3


def test_a_known_bad_pair_was_predicted_and_is_red_for_that_reason(orderings_job: Job) -> None:
    result = orderings_job.cell(CONFLICT)
    assert (result.verdict.outcome, result.verdict.cause) == (Outcome.FAIL, "metallb-pool-not-announced")
    assert result.verdict.cause in {one.signature for one in result.predicted}


def test_the_failure_of_the_reported_release_was_predicted(orderings_job: Job) -> None:
    assert F_01 in {one.signature for one in orderings_job.cell(RED).predicted}
    assert orderings_job.cell(TOGETHER).predicted == ()


def test_memory_and_the_hosts_load_are_facts_of_a_cell(orderings_job: Job) -> None:
    result = orderings_job.cell(TOGETHER)
    assert result.memory_mib["cp1"] > 100
    assert (orderings_job.folder / result.evidence / "evidence" / "lab" / "host-load.txt").read_text().startswith("samples: ")


def test_the_page_has_every_cell(orderings_job: Job) -> None:
    page = (orderings_job.folder / "matrix.html").read_text()
    assert all(result.id in page for result in orderings_job.matrix.cells)


def test_a_run_that_is_complete_goes_on_with_nothing_and_has_the_same_verdicts(orderings_job: Job) -> None:
    before = {result.id: (result.verdict.outcome, result.verdict.cause) for result in orderings_job.matrix.cells}
    done = spraylab("repro", "subset.yaml", "--resume", cwd=orderings_job.folder.parent.parent)
    assert done.rc == 0, done.stdout
    assert "0 cells (6 more have their verdict)" in done.stdout
    assert {result.id: (result.verdict.outcome, result.verdict.cause) for result in orderings_job.again().cells} == before
