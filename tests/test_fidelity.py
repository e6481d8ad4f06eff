import string
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import bed, check, disturbance, fidelity
from lab.cli import main
from lab.errors import ScenarioError
from lab.fidelity import Limit
from lab.host import facts
from lab.model import CheckResult, Outcome
from tests.test_host import lay_out

FILES = sorted(path.stem for path in fidelity.FOLDER.glob("*.yaml"))


def test_every_bed_says_what_it_cannot_show() -> None:
    assert set(bed.names()) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_what_is_declared_is_told_in_whole_sentences_and_names_checks_that_there_are(name: str) -> None:
    known = {one.name for one in check.everything()} | {one.name for one in disturbance.everything()}
    declared = fidelity.declared(name)
    assert declared
    for one in declared:
        assert one.says[0].isupper(), one.says
        assert one.says.endswith("."), one.says
        assert set(one.checks) <= known, set(one.checks) - known
        assert {field for _, field, _, _ in string.Formatter().parse(one.says) if field} <= {"kernel", "cgroup", "nofile"}
    topics = [one.topic for one in declared]
    assert len(topics) == len(set(topics))


@pytest.mark.parametrize(
    ("laid_out", "engine", "said"),
    [
        ({"config": "CONFIG_VETH=y"}, "podman", "The kernel has no IPVS"),
        ({"cgroup": "hybrid"}, "podman", "The host's cgroups are hybrid"),
        ({"caps": "0", "nofile": "20000"}, "podman", "The host gives no CAP_SYS_RESOURCE and 20000 open files at most"),
        ({}, "docker", "Under Docker"),
    ],
)
def test_what_a_host_takes_away_is_told_there_and_nowhere_else(tmp_path: Path, laid_out: dict[str, str], engine: str, said: str) -> None:
    there = fidelity.sentences("containers", facts(lay_out(tmp_path / "host", **laid_out)), engine=engine)
    usual = fidelity.sentences("containers", facts(lay_out(tmp_path / "laptop")), engine="podman")
    assert [one for one in there if one.startswith(said)]
    assert not [one for one in usual if one.startswith(said)]


def test_what_only_a_bed_knows_holds_where_it_says_so(tmp_path: Path) -> None:
    seen = facts(lay_out(tmp_path))
    usual, told = (set(fidelity.sentences("vagrant", seen, told=told)) for told in ((), ("emulated", "box of the lab")))
    assert usual < told
    assert len([one for one in told - usual if "emulated" in one or "kernel is Debian's" in one]) == 2
    emulated = fidelity.less(fidelity.limits("vagrant", seen, told=("emulated",)))
    assert "machines are emulated" in emulated["the VIP does not move"]


def test_nodes_of_kind_have_the_limits_of_containers_and_more(tmp_path: Path) -> None:
    seen = facts(lay_out(tmp_path))
    of_containers, of_kind = (set(fidelity.sentences(name, seen)) for name in ("containers", "kind"))
    assert of_containers < of_kind


def test_the_command_shows_every_bed() -> None:
    done = CliRunner().invoke(main, ["beds"], terminal_width=200)
    assert done.exit_code == 0, done.output
    assert all(name in done.output for name in bed.names())


def test_a_bed_without_a_file_is_told() -> None:
    with pytest.raises(ScenarioError, match=r"no file .*clouds\.yaml"):
        fidelity.declared("clouds")


def test_a_check_that_means_less_says_so_and_why() -> None:
    because = fidelity.less((Limit(topic="a", says="A.", checks=("etcd",)), Limit(topic="b", says="B.", checks=("etcd", "VIP")), LIMIT))
    assert because == {"etcd": "A. B.", "VIP": "B."}
    asked = CheckResult(check="etcd", node="cp1", outcome=Outcome.PASS, said="is healthy")
    assert fidelity.noted(asked, because).said == "is healthy (means less on this bed: A. B.)"
    assert fidelity.noted(asked, {}) is asked


LIMIT = Limit(topic="c", says="C.")
