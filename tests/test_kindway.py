"""The engine's part is played by a script that prints its arguments."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from lab import kindway
from lab.command import MARK, run
from lab.errors import HostError
from lab.host import NodeNeeds
from lab.model import Completed, Site
from tests import made

NEEDS = NodeNeeds(cgroup_driver="cgroupfs", feature_gates=(), nofile=None, nproc=None, restrict_oom=True, cgroup2="/c2")
RUN = ("run", "--name", "c-control-plane", "--hostname", "c-control-plane", "--label", "a=b", "--volume", "/x:/y", "--net", "n", "image")


def site_with_workers(tmp_path: Path) -> Site:
    whole = made.site_of_three(tmp_path)
    worker = next(node for node in whole.nodes if node.role == "worker")
    more = replace(worker, name="w2", address="10.231.0.31")
    return replace(whole, nodes=(whole.nodes[0], worker, more, whole.client))


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """A folder laid out, and what kind would be started with."""
    way = tmp_path / "way"
    way.mkdir()
    kindway.lay_out(
        way,
        site_with_workers(tmp_path),
        engine="docker",
        cluster="c",
        labels={"spraylab.owner": "r1", "spraylab.cell": "a cell"},
        public_key="ssh-ed25519 AAAA spraylab",
        kube_version="v1.29.5",
        needs=NEEDS,
    )
    fake = tmp_path / "engine"
    fake.write_text('#!/bin/sh\nfor one; do printf "%s\\n" "$one"; done\n')
    fake.chmod(0o755)
    return {"SPRAYLAB_ENGINE": str(fake), "SPRAYLAB_WAY": str(way)}


def asked(env: Mapping[str, str], *words: str) -> Completed:
    return run((f"{env['SPRAYLAB_WAY']}/bin/docker", *words), limit_s=10, env=env)


def test_members_have_the_names_that_kind_gives_them(tmp_path: Path) -> None:
    assert kindway.named(site_with_workers(tmp_path), "c") == {"cp1": "c-control-plane", "w1": "c-worker", "w2": "c-worker2"}


def test_a_node_gets_its_name_its_address_and_the_owners_labels(env: Mapping[str, str]) -> None:
    got = asked(env, *RUN).stdout.splitlines()
    assert got[:3] == ["run", "--name", "c-control-plane"]
    assert got[-1] == "image"
    assert got[got.index("--ip") + 1] == "10.231.0.10"
    assert got[got.index("--mac-address") + 1] == "02:53:0a:e7:00:0a"
    assert got[got.index("--hostname") + 1] == "cp1"
    assert got.count("--hostname") == 1
    assert {"--label=spraylab.owner=r1", "--label=spraylab.cell=a cell", "--dns=10.231.0.2"} <= set(got)
    assert {"--env=SPRAYLAB_AUTHORIZED_KEY=ssh-ed25519 AAAA spraylab", "--env=SPRAYLAB_ROUTE=10.231.0.2"} <= set(got)
    kept = [one for one in RUN[3:] if one not in ("--hostname", "c-control-plane")]
    assert [one for one in got if one in kept] == kept


def test_each_worker_is_told_from_the_others(env: Mapping[str, str]) -> None:
    got = asked(env, "run", "--name", "c-worker2", "image").stdout.splitlines()
    assert got[got.index("--ip") + 1] == "10.231.0.31"


def test_a_folder_of_modules_is_asked_for_only_where_there_is_one(env: Mapping[str, str]) -> None:
    got = asked(env, *RUN[:-1], "--volume", "/lib/modules:/lib/modules:ro", "image").stdout.splitlines()
    assert ("/lib/modules:/lib/modules:ro" in got) == Path("/lib/modules").is_dir()
    assert got.count("--volume") == got.count("/x:/y") + got.count("/lib/modules:/lib/modules:ro")


def test_a_container_that_is_no_node_is_refused(env: Mapping[str, str]) -> None:
    done = asked(env, "run", "--name", "c-external-load-balancer", "haproxy")
    assert done.rc == 1
    assert "c-external-load-balancer is no node of this cell" in done.stderr


def test_a_volume_is_labelled_too(env: Mapping[str, str]) -> None:
    got = asked(env, "volume", "create", "--label", "x=true").stdout.splitlines()
    assert got[:2] == ["volume", "create"]
    assert {"--label=spraylab.owner=r1", "x=true"} <= set(got)


def test_other_words_are_passed_on_as_they_are(env: Mapping[str, str]) -> None:
    words = ("exec", "--privileged", "c-control-plane", "cat", "a file with  blanks", "")
    assert asked(env, *words).stdout.split("\n")[:-1] == list(words)


def test_kubeadm_init_waits_at_the_gate(env: Mapping[str, str]) -> None:
    words = ("exec", "--privileged", "c-control-plane", "kubeadm", "init", "--v=6")
    assert run((f"{env['SPRAYLAB_WAY']}/bin/docker", *words), limit_s=0.5, env=env).rc == 124
    (Path(env["SPRAYLAB_WAY"]) / kindway.GATE).touch()
    assert asked(env, *words).stdout.splitlines() == list(words)


def test_what_the_engine_starts_does_not_carry_the_labs_mark(env: Mapping[str, str], tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("#!/bin/sh\nenv\n")
    said = asked(env, "ps").stdout
    assert "SPRAYLAB_WAY=" in said
    assert f"{MARK}=" not in said


def test_kind_finds_the_lab_in_front_of_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "podman"
    engine.write_text("#!/bin/sh\n")
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    told = kindway.environment(tmp_path / "way", engine="podman", network="n")
    assert told["PATH"].startswith(f"{tmp_path / 'way' / 'bin'}:")
    assert (told["SPRAYLAB_ENGINE"], told["KIND_EXPERIMENTAL_PODMAN_NETWORK"]) == (str(engine), "n")
    assert told["CONTAINERS_CONF"].startswith(str(tmp_path / "way"))
    with pytest.raises(HostError, match=r"no program docker\n.*kind talks to docker by its program"):
        kindway.environment(tmp_path / "way", engine="docker", network="n")
