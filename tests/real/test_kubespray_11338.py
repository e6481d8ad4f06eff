"""What the main job must show, read from its own run folder."""

import pytest

from lab import evidence, journal, signature
from lab.matrix import exit_code
from lab.model import Outcome
from tests.real.conftest import Job, spraylab

RED = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip"
CONTROL_HEALS = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:node"
CONTROL_OWNERLESS = "replica-v2.25.0:k8s-v1.29.5:1cp:base:vip"
GREEN = (
    "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip",
    "replica-v2.25.0:k8s-v1.28.6:1cp:kube-vip:vip",
    "replica-v2.25.0:k8s-v1.29.5:1cp:base:node",
    CONTROL_HEALS,
)
F_01 = "kube-vip-admin-conf-forbidden"

pytestmark = [pytest.mark.real, pytest.mark.timeout(3600)]


def links(job: Job, cell: str) -> list[str]:
    return [link.says for finding in job.cell(cell).verdict.findings for link in finding.chain]


def test_the_command_gives_a_verdict_on_every_cell_and_ends_with_0(main_job: Job) -> None:
    assert len(main_job.matrix.cells) == 6
    assert main_job.done.rc == 0, main_job.done.stdout
    assert {path.name for path in main_job.folder.iterdir()} >= {"matrix.json", "matrix.md", "junit.xml", "journal.jsonl", "cells"}


def test_shown_again_it_ends_as_it_did_and_asked_for_green_the_same_cells_are_a_failure(main_job: Job) -> None:
    assert spraylab("matrix", str(main_job.folder), cwd=main_job.folder).rc == main_job.done.rc
    assert (main_job.matrix.asked, exit_code(main_job.matrix.cells, asked="green")) == ("verdicts", 1)


def test_the_red_cell_is_explained_by_the_forbidden_lease(main_job: Job) -> None:
    verdict = main_job.cell(RED).verdict
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, F_01)
    proofs = {link.probe: link.line for link in verdict.findings[0].chain}
    assert 'is forbidden: User "kubernetes-admin"' in proofs["kube-vip-log"]
    assert "/etc/kubernetes/admin.conf" in proofs["kube-vip-manifest"]
    assert all(other.because for other in verdict.ruled_out)


def test_an_early_verdict_says_how_it_would_have_ended(main_job: Job) -> None:
    cell = main_job.cell(RED)
    assert cell.stages[0].rc is None
    assert cell.stages[0].stopped_after_s is not None
    assert "would have ended with rc=124 after 4 x 300 s" in cell.verdict.ended


@pytest.mark.nightly
def test_waited_out_the_red_cell_has_the_same_verdict_and_chain(main_job: Job, patient_job: Job) -> None:
    (stage,) = patient_job.cell("short-init").stages
    assert (stage.attempts, stage.init_rc, stage.stopped_after_s) == (4, 124, None)
    early, full = main_job.cell(RED).verdict, patient_job.cell("short-init").verdict
    assert (full.outcome, full.cause, full.summary) == (early.outcome, early.cause, early.summary)
    assert links(patient_job, "short-init") == links(main_job, RED)


@pytest.mark.parametrize("cell", GREEN)
def test_a_green_cell_has_every_check_that_applies_and_no_finding(main_job: Job, cell: str) -> None:
    result = main_job.cell(cell)
    assert (result.verdict.outcome, result.verdict.findings) == (Outcome.PASS, ())
    applied = [check for check in result.checks if check.outcome is not Outcome.SKIP]
    assert {check.outcome for check in applied} == {Outcome.PASS}
    assert all(check.said for check in result.checks)
    assert ("VIP on exactly one node" in {check.check for check in applied}) == ("kube-vip" in result.ordering)


@pytest.mark.parametrize("cell", GREEN)
def test_every_signature_is_silent_on_the_evidence_of_a_green_cell(main_job: Job, cell: str) -> None:
    facts, context = evidence.read(main_job.folder / main_job.cell(cell).evidence / "evidence")
    assert facts.of("kube-vip-log")
    assert signature.match(signature.load(), facts, context=context).findings == ()


def test_a_forbidden_line_that_later_facts_overtook_is_no_verdict(main_job: Job) -> None:
    result = main_job.cell(CONTROL_HEALS)
    assert (result.stages[0].rc, result.stages[0].stopped_after_s) == (0, None)
    assert F_01 in {other.signature for other in result.verdict.ruled_out}


def test_rc_124_without_kube_vip_is_not_blamed_on_kube_vip(main_job: Job) -> None:
    verdict = main_job.cell(CONTROL_OWNERLESS).verdict
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, "vip-without-owner")
    assert F_01 in {other.signature for other in verdict.ruled_out}


def test_the_listeners_refute_that_kube_vip_occupies_the_ports(main_job: Job) -> None:
    assert main_job.cell(RED).ports.startswith("refuted: ")
    assert "6443 kube-apiserver on cp1" in main_job.cell(RED).ports
    samples = [line for line in journal.read(main_job.folder / "journal.jsonl") if line.kind == "sample"]
    assert any("listeners" in str(line.more["facts"]) for line in samples)


def test_the_replica_is_never_called_kubespray(main_job: Job) -> None:
    assert {cell.ref for cell in main_job.matrix.cells} == {"replica of v2.25.0", "replica of v2.25.1"}
    rows = [
        line for line in (main_job.folder / "matrix.md").read_text().splitlines() if line.startswith("| replica of") and "| 1cp |" in line
    ]
    assert len(rows) == 6
    assert "| kubespray" not in (main_job.folder / "matrix.md").read_text()


def test_no_secret_reaches_the_run_folder(main_job: Job) -> None:
    texts = [path.read_text(errors="replace") for path in main_job.folder.rglob("*") if path.is_file() and path.name != "key"]
    assert not [text for text in texts if "PRIVATE KEY-----" in text or "client-key-data: LS0" in text]
