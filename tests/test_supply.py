import pytest

from lab import supply
from lab.errors import ScenarioError
from lab.notation import parse_ref
from lab.supply import Supply, parse

KUBESPRAY, REPLICA = parse_ref("kubespray@v2.25.0"), parse_ref("replica@v2.25.0")


def test_the_kubernetes_of_a_stage_has_its_place_in_a_value() -> None:
    assert Supply().filled("file:///opt/lab/{kubernetes}kubelet", kubernetes="v1.29.5/") == "file:///opt/lab/v1.29.5/kubelet"
    assert Supply().filled("file:///opt/lab/{kubernetes}kubelet") == "file:///opt/lab/kubelet"
    assert Supply().filled(["{kubernetes}"], kubernetes="v1") == ["{kubernetes}"]


def test_kubespray_fetches_and_the_replica_takes_what_is_built_unless_a_run_says_otherwise() -> None:
    assert (Supply().of(KUBESPRAY), Supply().of(REPLICA)) == ("upstream", "built")
    assert Supply(artifacts="built").of(KUBESPRAY) == "built"
    assert Supply().settled(KUBESPRAY) == Supply(artifacts="upstream")


def test_a_component_in_another_version_is_read_and_told() -> None:
    asked = parse("built", ["kube-vip=v1.0.0", "coredns=v1.11.3"], downloads="/d")
    assert asked.components == (("coredns", "v1.11.3"), ("kube-vip", "v1.0.0"))
    assert str(asked) == "artifacts built, coredns v1.11.3, kube-vip v1.0.0"
    assert str(parse(None, downloads="/d")) == ""


@pytest.mark.parametrize(
    "text", ["kube-vip", "kube-vip=", "=v1.0.0", "kube-vip=latest", "kube-vip=v1 .0", "Kube=v1.0", "kube-vip=v9", "pause=3.9x"]
)
def test_what_names_no_component_and_version_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match=r"names no component and version\n.*write it like kube-vip=v1\.0\.0"):
        parse(None, [text], downloads="/d")


@pytest.mark.parametrize("text", ["pause=3.9", "kube-vip=v1.0.0", "cilium=v1.16.0-rc.1"])
def test_what_looks_like_a_version_is_one(text: str) -> None:
    assert [f"{name}={version}" for name, version in parse(None, [text], downloads="/d").components] == [text]


def test_one_component_has_one_version() -> None:
    with pytest.raises(ScenarioError, match="kube-vip cannot have two versions"):
        parse(None, ["kube-vip=v1.0.0", "kube-vip=v0.9.2"], downloads="/d")


def test_the_folder_for_downloads_stands_in_for_its_name_alone() -> None:
    asked = parse("upstream", downloads="/cache/downloads")
    assert asked.filled(supply.DOWNLOADS) == "/cache/downloads"
    assert asked.filled("{vip}") == "{vip}"
    assert asked.filled([1]) == [1]
