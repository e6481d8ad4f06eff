"""Other causes of the same symptom are told apart, on real nodes."""

import pytest

from lab.model import Outcome
from tests.real.conftest import Job, job

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job("repro", "same-symptom", cwd=tmp_path_factory.mktemp("others"))


@pytest.mark.parametrize(
    ("cell", "cause"),
    [
        ("with-no-mode", "kube-vip-no-mode"),
        ("with-no-interface", "kube-vip-no-interface"),
        ("with-no-swap-gate", "kubelet-never-starts"),
        ("with-too-short", "slow-host"),
        ("k8s-v1.28.6", "kube-vip-super-admin-conf-missing"),
    ],
)
def test_each_cause_is_found(others: Job, cell: str, cause: str) -> None:
    verdict = others.cell(cell).verdict
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, cause)
    assert "kube-vip-admin-conf-forbidden" in {other.signature for other in verdict.ruled_out}
