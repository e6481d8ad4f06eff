"""Three control planes and a worker on real nodes: all of them join, and the API outlives the loss of the VIP's holder."""

import re

import pytest

from lab.mask import MASK
from lab.model import Outcome
from lab.reports import html
from tests.real.conftest import Job, job

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]
SECRET = re.compile(r"certificate[- ]?key\W+(?:n\W*)?[0-9a-f]{64}\b|\b[a-z0-9]{6}\.[a-z0-9]{16}\b", re.IGNORECASE)
MEMBERS = ("cp1", "cp2", "cp3", "w1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job("repro", "topologies", "-k", "v2.25.1 and 3cp+1w:kube-vip:vip", cwd=tmp_path_factory.mktemp("topologies"))


def test_every_check_and_every_failover_is_green(cluster: Job) -> None:
    result = cluster.cell("3cp+1w")
    assert result.verdict.outcome is Outcome.PASS, result.verdict.summary
    failovers = {one.check: one.outcome for one in result.checks if one.check.startswith("failover, ")}
    assert len(failovers) == 3
    assert set(failovers.values()) == {Outcome.PASS}


def test_all_nodes_are_members_and_the_worker_was_looked_at(cluster: Job) -> None:
    checks = cluster.cell("3cp+1w").checks
    assert {one.node for one in checks if one.check == "kubelet"} == set(MEMBERS)
    (said,) = {one.said for one in checks if one.check == "every node is a member"}
    assert said == f"the cluster has {', '.join(MEMBERS)}"


def test_a_stopped_holder_hands_the_vip_to_another_node_and_the_time_is_measured(cluster: Job) -> None:
    (stopped,) = [one for one in cluster.cell("3cp+1w").checks if one.check == "failover, its node stopped"]
    lost, _, rest = stopped.said.partition(" held the VIP; ")
    assert lost in MEMBERS
    assert f"afterwards {lost} held it" not in rest
    measured = dict(stopped.measured)
    assert measured["without API s"] > 0
    assert measured["holders at once"] >= 1


def test_the_memory_of_every_node_is_told(cluster: Job) -> None:
    assert {name for name, mib in cluster.cell("3cp+1w").memory_mib.items() if mib > 0} == {*MEMBERS, "client"}


def test_no_token_and_no_certificate_key_was_kept(cluster: Job) -> None:
    texts = [path.read_text(errors="replace") for path in cluster.folder.rglob("*") if path.is_file()]
    assert any(MASK in text for text in texts), "a join prints both, so something was masked"
    # the pages' own script has a word like a token
    of_pages = {found for path in html.PARTS.iterdir() for found in SECRET.findall(path.read_text())}
    assert not [found for text in texts for found in SECRET.findall(text) if found not in of_pages]
