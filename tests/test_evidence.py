"""Probes run for real, by a shell of this machine in place of a node's: `ssh` here starts the script it is given."""

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from lab import evidence
from lab.errors import ScenarioError
from lab.model import CheckResult, Outcome, Site, StageRun
from lab.signature import NOTHING, UNREADABLE, Context
from tests import made

SSH = """#!/bin/sh
case "$3" in client) echo 'ssh: connect to host client port 22: No route to host' >&2; exit 255;; esac
exec sh -c "$4"
"""
CRICTL = """#!/bin/sh
echo "$*"
echo 'kubeadm join --token abcdef.0123456789abcdef'
printf 'no line end'
exit 1
"""
SHELL = ("sh", "timeout", "mktemp", "cat", "rm", "echo", "printf", "head", "sleep")


def program(folder: Path, name: str, text: str) -> None:
    """Make `name` the program that `text` is."""
    path = folder / "bin" / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A node with a shell, crictl and nothing else; and a client that does not answer."""
    (tmp_path / "bin").mkdir()
    for name in SHELL:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    for name, text in (("ssh", SSH), ("crictl", CRICTL)):
        program(tmp_path, name, text)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return made.site(tmp_path)


def test_a_fact_has_all_a_probe_said_without_secrets(site: Site) -> None:
    facts = {fact.probe: fact.text for fact in evidence.sample(site, site.nodes[0])}
    assert facts["containers"] == "ps -a\nkubeadm join --token [masked]\nno line end"
    assert facts["kube-vip-manifest"].endswith("No such file or directory")


def test_a_probe_without_its_program_proves_nothing(site: Site) -> None:
    facts = {fact.probe: fact.text for fact in evidence.sample(site, site.nodes[0])}
    assert facts["addresses"].startswith(UNREADABLE)


def test_a_probe_ended_at_its_limit_proves_nothing_and_keeps_what_it_said(site: Site, tmp_path: Path) -> None:
    program(tmp_path, "timeout", "#!/bin/sh\necho the first half\nexit 124\n")
    facts = {fact.text for fact in evidence.sample(site, site.nodes[0])}
    assert facts == {f"{UNREADABLE} the probe was ended at its limit: the first half"}


def test_a_probe_that_had_to_be_killed_at_its_limit_proves_nothing_either(site: Site, tmp_path: Path) -> None:
    program(tmp_path, "timeout", "#!/bin/sh\necho the first half\nexit 137\n")
    facts = {fact.text for fact in evidence.sample(site, site.nodes[0])}
    assert facts == {f"{UNREADABLE} the probe was ended at its limit: the first half"}


def test_a_container_that_is_not_there_has_no_empty_log(site: Site, tmp_path: Path) -> None:
    program(tmp_path, "crictl", "#!/bin/sh\nexit 0\n")
    facts = {fact.probe: fact.text for fact in evidence.collect(site, folder=tmp_path / "evidence", runs=()).facts if fact.node == "cp1"}
    logs = [name for name, probe in evidence.probes().items() if "crictl" in probe.command and name not in ("containers", "etcd-log")]
    assert len(logs) > 8
    assert {facts[name] for name in logs} == {f"{NOTHING}: "}


def test_a_node_that_goes_away_while_it_answers_keeps_what_it_said(site: Site, tmp_path: Path) -> None:
    cut = SSH.replace('exec sh -c "$4"', 'sh -c "$4" | head -5; echo "Connection to cp1 closed" >&2; exit 255')
    program(tmp_path, "ssh", cut)
    facts = [fact.text for fact in evidence.sample(site, site.nodes[0])]
    assert [text for text in facts if not text.startswith(UNREADABLE)] != []
    assert [text for text in facts if text.startswith(UNREADABLE) and "rc 255" in text and "Connection to cp1 closed" in text] != []


def test_what_looks_like_the_end_of_a_probe_is_not(site: Site, tmp_path: Path) -> None:
    program(tmp_path, "crictl", "#!/bin/sh\necho one; echo ' end 0'; echo ' begin kube-vip-log'; echo two\n")
    facts = {fact.probe: fact.text for fact in evidence.sample(site, site.nodes[0])}
    assert facts["containers"] == "one\n end 0\n begin kube-vip-log\ntwo"


def test_a_sample_has_what_a_watch_looks_at_and_no_more(site: Site) -> None:
    watched = {name for name, probe in evidence.probes().items() if probe.watch}
    assert {fact.probe for fact in evidence.sample(site, site.nodes[0])} == watched


def test_a_node_that_does_not_answer_hides_nothing(site: Site, tmp_path: Path) -> None:
    taken = evidence.collect(site, folder=tmp_path / "evidence", runs=())
    (fact,) = taken.of("vip-from-client")
    assert fact.text.startswith(UNREADABLE)
    assert "No route to host" in fact.text
    assert {fact.node for fact in taken.facts} == {"cp1", "client", "lab"}


def test_how_the_stages_ended_is_a_fact_of_the_lab(site: Site, tmp_path: Path) -> None:
    run = StageRun(stage="kube-vip", rc=2, duration_s=140.0, attempts=4, init_rc=124, init_s=123.4)
    (fact,) = evidence.collect(site, folder=tmp_path / "evidence", runs=(run,)).of("init")
    assert fact.text == "stage=kube-vip rc=2 attempts=4 init_rc=124 init_s=123"


def test_what_the_checks_said_is_a_fact_of_the_lab(site: Site, tmp_path: Path) -> None:
    check = CheckResult(check="etcd", node="cp1", outcome=Outcome.FAIL, said="one\ntwo")
    (fact,) = evidence.collect(site, folder=tmp_path / "evidence", runs=(), checks=(check, check)).of("checks")
    assert (fact.node, fact.text) == ("lab", "FAIL etcd on cp1: one two\nFAIL etcd on cp1: one two")


def test_probes_ask_the_port_that_the_api_listens_on(site: Site, tmp_path: Path) -> None:
    program(tmp_path, "curl", '#!/bin/sh\necho "$*"\n')
    facts = {fact.probe: fact.text for fact in evidence.sample(replace(site, api_port=8443), site.nodes[0])}
    assert facts["livez-node"].endswith("https://10.231.0.10:8443/livez")
    assert facts["livez-vip"].endswith("https://10.231.0.100:8443/livez")


@pytest.mark.parametrize(("pace", "waits"), [(1.0, "1 3 5"), (6.0, "6 18 30")])
def test_probes_wait_longer_for_slow_nodes(site: Site, tmp_path: Path, pace: float, waits: str) -> None:
    program(tmp_path, "crictl", '#!/bin/sh\necho "$CONNECT_S $ANSWER_S $API_S"')
    facts = evidence.sample(replace(site, pace=pace), site.control_planes[0])
    assert next(fact.text for fact in facts if fact.probe == "containers") == waits


def test_evidence_is_files_for_people_and_is_read_back(site: Site, tmp_path: Path) -> None:
    taken = evidence.collect(site, folder=tmp_path / "evidence", runs=())
    assert (tmp_path / "evidence/cp1/containers.txt").read_text() == taken.of("containers")[0].text
    assert evidence.read(tmp_path / "evidence") == (taken, Context.of(site))


def test_what_can_be_opened_is_what_was_read_and_what_the_installer_wrote(site: Site, tmp_path: Path) -> None:
    stage, cell = tmp_path / "longest" / "stage-0", tmp_path / "cell"
    stage.mkdir(parents=True)
    for name in ("ansible.log", "events.jsonl"):
        (stage / name).touch()
    taken = evidence.collect(site, folder=cell / evidence.FOLDER, runs=())
    *read, log = evidence.files(taken, of=cell, stage=stage)
    assert log == "../longest/stage-0/ansible.log"
    assert {(cell / path).relative_to(cell) for path in read} == {path.relative_to(cell) for path in cell.rglob("*.txt")}
    assert evidence.files(taken, of=stage.parent, stage=stage)[-1] == "stage-0/ansible.log"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"facts": [{}], "context": {}}'])
def test_what_is_no_evidence_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "facts.json").write_text(text)
    with pytest.raises(ScenarioError, match="is not evidence of a cell"):
        evidence.read(tmp_path)


def test_probes_leave_nothing_on_the_node(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    evidence.sample(site, site.nodes[0])
    assert list((tmp_path / "tmp").iterdir()) == []


def test_once_the_run_is_over_nothing_half_taken_is_written(site: Site, tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        evidence.collect(site, folder=tmp_path / "evidence", runs=(), stop=stop)
    assert not (tmp_path / "evidence").exists()
