"""The facts of every release against kubespray's own sources; only where SPRAYLAB_KUBESPRAY names a repository that has its tags."""

import os
import re
from collections.abc import Iterator
from functools import cache

import pytest

from lab.command import run
from lab.datafile import load_yaml
from lab.release import Release, every, minor

REPOSITORY = os.environ.get("SPRAYLAB_KUBESPRAY", "")
pytestmark = pytest.mark.skipif(not REPOSITORY, reason="SPRAYLAB_KUBESPRAY names no repository of kubespray")
INIT = "roles/kubernetes/control-plane/tasks/kubeadm-setup.yml"
MANIFEST = "roles/kubernetes/node/templates/manifests/kube-vip.manifest.j2"
CILIUM = "roles/network_plugin/cilium/templates"
CONFIG = "roles/kubernetes/control-plane/templates"
FIRST = "dict2items)[0].key"  # how later releases say that a default is the newest there are checksums of
OF_IMAGES = {"kube-vip": "kube_vip_image_tag", "metallb": "metallb_version", "cilium": "cilium_version"}


def git(*argv: str) -> str:
    done = run(("git", "-C", REPOSITORY, *argv), limit_s=60)
    assert done.rc == 0, done.stderr
    return done.stdout


def files(tag: str, *under: str) -> list[str]:
    return git("ls-tree", "-r", "--name-only", tag, "--", *under).splitlines()


@cache
def variables(tag: str) -> dict[str, object]:
    """Every variable that a role of `tag` has a default or a constant for; those of all hosts win, as they do there."""
    roles = [path for path in files(tag, "roles") if path.endswith(".yml")]
    paths = [path for path in roles if "/defaults/" in path or ("kubespray" in path and "/vars/" in path)]
    found: dict[str, object] = {}
    for path in sorted(paths, key=lambda path: "kubespray" in path.split("/")[1]):
        loaded = load_yaml(git("show", f"{tag}:{path}"))
        found |= loaded if isinstance(loaded, dict) else {}
    return found


def checksums(tag: str, name: str) -> list[str]:
    of_arch = variables(tag)[name]
    assert isinstance(of_arch, dict)
    return list(of_arch["amd64"])


def minors(one: Release) -> Iterator[str]:
    first, last = (int(minor(version).rpartition(".")[2]) for version in (one.kube_version_min, one.kube_version))
    yield from (f"v1.{number}" for number in range(first, last + 1))


@pytest.fixture(params=every(), ids=lambda one: one.tag)
def facts(request: pytest.FixtureRequest) -> Release:
    found: Release = request.param
    return found


def test_its_tag_is_at_its_commit(facts: Release) -> None:
    assert git("rev-parse", f"{facts.tag}^{{commit}}").strip() == facts.commit


def test_the_kubernetes_it_defaults_to_and_the_oldest_it_takes(facts: Release) -> None:
    told = variables(facts.tag)
    newest, oldest = checksums(facts.tag, "kubelet_checksums")[0], checksums(facts.tag, "kubelet_checksums")[-1]
    assert facts.written(facts.kube_version) == (newest if FIRST in str(told["kube_version"]) else told["kube_version"])
    least = str(told["kube_version_min_required"])
    assert facts.written(facts.kube_version_min) == (oldest if "[-1].key" in least else least)


@pytest.mark.parametrize("component", OF_IMAGES)
def test_the_versions_of_images_it_ships(facts: Release, component: str) -> None:
    shipped = facts.version(component, facts.kube_version)
    said = str(variables(facts.tag)[OF_IMAGES[component]])
    if "{{" in said:
        said = f"v{variables(facts.tag)[facts.kube_vip.version_variable]}"
    assert shipped.removeprefix("v") == said.removeprefix("v")


def test_the_versions_that_follow_kubernetes_are_known_for_each_it_takes(facts: Release) -> None:
    told = variables(facts.tag)
    for of in minors(facts):
        for component, name in (("pause", "pod_infra_supported_versions"), ("crictl", "crictl_supported_versions")):
            shipped, per = facts.version(component, f"{of}.0"), told.get(name)
            if isinstance(per, dict):
                assert per[facts.written(of)] == facts.written(shipped)
        etcd = told["etcd_supported_versions"]
        assert isinstance(etcd, dict)
        said, shipped = str(etcd[facts.written(of)]), facts.written(facts.version("etcd", f"{of}.0"))
        below = "3.6" if "'3.6'" in said else "3.7"
        known = [
            one for one in checksums(facts.tag, "etcd_binary_checksums") if tuple(map(int, one.removeprefix("v").split("."))) < _pair(below)
        ]
        assert shipped == (known[0] if "{{" in said else said)


def _pair(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_how_it_runs_kubeadm_init(facts: Release) -> None:
    text = git("show", f"{facts.tag}:{INIT}")
    assert all(f"name: {task}\n" in text for task in facts.kubeadm_init.tasks)
    assert variables(facts.tag)["kubeadm_init_timeout"] == f"{facts.kubeadm_init.timeout_s}s"
    assert ("--ignore-preflight-errors=all" in text) == (facts.kubeadm_init.preflight == "all")
    listed = re.search(r"_errors_from_first_try:\n((?: +- '.+'\n)+)", text)
    assert re.findall(r"- '(.+)'", listed[1] if listed else "") == list(facts.kubeadm_init.retry_ignores)
    retries = 3 if len(facts.kubeadm_init.tasks) == 1 else 2
    assert f"retries: {retries}\n" in text
    assert facts.kubeadm_init.attempts == retries + len(facts.kubeadm_init.tasks)


def test_how_long_it_lets_kubeadm_wait(facts: Release) -> None:
    configurations = {
        path.rpartition("/")[2]: git("show", f"{facts.tag}:{path}") for path in files(facts.tag, CONFIG) if "kubeadm-config" in path
    }
    waits = facts.kubeadm_init.own_wait_s
    told = {waits} if isinstance(waits, int) else set(waits.values())
    assert 300 not in told or any("timeoutForControlPlane: 5m0s" in text for text in configurations.values())
    assert (240 in told) == ("kubeadm-config.v1beta4.yaml.j2" in configurations)
    assert not any("controlPlaneComponentHealthCheck" in text for text in configurations.values())


def test_how_it_sets_kube_vip_up(facts: Release) -> None:
    text = git("show", f"{facts.tag}:{MANIFEST}")
    assert ("kube_vip_admin_conf" in text) == (facts.kube_vip.conf == "super-admin.conf")
    assert ('"subnet"' in text) == (facts.kube_vip.prefix_setting == "vip_subnet")
    assert ("privileged: true" in text) == facts.kube_vip.privileged_to_masquerade
    assert facts.kube_vip.version_variable in variables(facts.tag)


def test_how_it_installs_cilium(facts: Release) -> None:
    names = [path.removeprefix(f"{CILIUM}/") for path in files(facts.tag, CILIUM)]
    assert ("values.yaml.j2" in names) == (facts.cilium.installer == "cilium-cli")
    operator = git("show", f"{facts.tag}:{CILIUM}/cilium-operator/deploy.yml.j2") if facts.cilium.installer == "manifests" else ""
    assert ("replicas: 1" in operator) == facts.cilium.one_operator_on_one_node


def test_whether_it_takes_files_of_the_node_itself(facts: Release) -> None:
    assert ("Validate mirrors" not in git("show", f"{facts.tag}:roles/download/tasks/download_file.yml")) == facts.file_urls


def test_its_defaults_are_those_that_are_said_of_it(facts: Release) -> None:
    told = variables(facts.tag)
    differ = {
        name: (value, told.get(name)) for name, value in facts.defaults.items() if value not in (told.get(name), told.get(name) or "")
    }
    assert {name: pair for name, pair in differ.items() if str(pair[0]) != str(pair[1])} == {}
