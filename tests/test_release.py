from pathlib import Path

import pytest
import yaml

from lab import release
from lab.errors import ScenarioError
from lab.model import API_PORT
from lab.playbooks import REPLICA
from lab.release import load, names, replicas


@pytest.mark.parametrize("name", names())
def test_every_release_states_all_that_is_asked_of_it(name: str) -> None:
    facts = load(name)
    assert facts.supports(facts.kube_version)
    assert facts.tag.startswith(facts.name)
    assert len(facts.commit) == 40
    for component in ("kube-vip", "etcd", "coredns", "crictl", "cni-plugins", "pause"):
        assert facts.version(component, facts.kube_version)


def test_a_tag_names_its_release() -> None:
    assert load("v2.24.0") == load("v2.24")


def test_an_unknown_release_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"v2\.24, v2\.24\.1, v2\.25\.0, v2\.25\.1, v2\.26\.1"):
        load("v1.0.0")


def test_two_problems_of_a_file_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "v9.yaml").write_text("tag: 9\ncommit: abc\n")
    with pytest.raises(ScenarioError, match=r"tag: .*kube_version: "):
        load("v9", folder=tmp_path)


@pytest.mark.parametrize(
    ("asked", "supported"),
    [("v1.26.15", False), ("v1.27.0", True), ("v1.28.6", True), ("v1.29.10", True), ("v1.29.14", True), ("v1.30.0", False)],
)
def test_a_release_supports_its_minimum_up_to_the_minor_version_of_its_default(asked: str, *, supported: bool) -> None:
    assert load("v2.25.1").supports(asked) is supported


def test_versions_that_follow_kubernetes_are_looked_up_by_its_minor_version() -> None:
    assert load("v2.25.0").version("coredns", "v1.28.6") == "v1.10.1"
    assert load("v2.25.0").version("coredns", "v1.29.5") == "v1.11.1"


def test_of_a_minor_version_that_is_not_there_the_nearest_counts() -> None:
    assert release.of_minor({"v1.33": 1, "v1.35": 3}, "v1.29.5") == 1
    assert release.of_minor({"v1.33": 1, "v1.35": 3}, "v1.40.0") == 3
    assert load("v2.31.0").version("coredns", "v1.29.5") == load("v2.31.0").version("coredns", "v1.33.0")


def test_numbers_compare_where_text_would_not() -> None:
    assert release.numbers("v1.29.10") > release.numbers("v1.29.5")


@pytest.mark.parametrize("name", replicas())
def test_the_replica_has_the_defaults_that_are_said_of_the_release(name: str) -> None:
    of_replica = yaml.safe_load((REPLICA / "roles/defaults/defaults/main.yml").read_text())
    both = {variable: value for variable, value in load(name).defaults.items() if variable in of_replica}
    assert {"kube_proxy_mode", "kube_apiserver_port", "kube_vip_cidr", "kube_pods_subnet"} <= both.keys()
    assert both == {variable: of_replica[variable] for variable in both}
    assert load(name).defaults["kube_apiserver_port"] == API_PORT


@pytest.mark.parametrize("name", replicas())
def test_the_replica_mounts_the_kubeconfig_that_is_said_of_the_release(name: str) -> None:
    of_replica = yaml.safe_load((REPLICA / f"releases/{name}.yml").read_text())
    assert load(name).kube_vip.conf == ("super-admin.conf" if of_replica["replica_kube_vip_super_admin"] else "admin.conf")


def test_releases_come_oldest_first() -> None:
    made = [release.numbers(one.tag) for one in release.every()]
    assert made == sorted(made)
    assert len(made) == len(release.names())
