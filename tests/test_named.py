from pathlib import Path
from typing import Any

import pytest

from lab import named, release
from lab.errors import InstallError, ScenarioError
from lab.model import Cell
from lab.named import Asked
from tests.repository import git


def test_a_scenario_is_a_path_or_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert named.scenario_file("orderings") == named.PROJECT / "scenarios" / "orderings.yaml"
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "orderings.yaml").write_text("name: mine")
    assert named.scenario_file("orderings") == tmp_path / "scenarios" / "orderings.yaml"
    assert named.scenario_file("scenarios/orderings.yaml") == tmp_path / "scenarios" / "orderings.yaml"


def test_a_scenario_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScenarioError, match=r"no scenario 'weave'\n.*there are .*orderings"):
        named.scenario_file("weave")


def test_without_a_name_all_are_meant_that_names_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    of_project = named.scenario_files()
    assert named.PROJECT / "scenarios" / "orderings.yaml" in of_project
    (tmp_path / "scenarios").mkdir()
    for name in ("mine", "orderings"):
        (tmp_path / "scenarios" / f"{name}.yaml").write_text("name: mine")
    found = named.scenario_files()
    assert found == [named.scenario_file(path.stem) for path in found]
    assert {path.stem for path in found} == {path.stem for path in of_project} | {"mine"}
    assert tmp_path / "scenarios" / "orderings.yaml" in found
    assert named.scenario_files("mine") == [tmp_path / "scenarios" / "mine.yaml"]


def test_a_file_of_another_kind_is_refused_with_the_name_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yml", "orderings"):
        (tmp_path / name).write_text("name: mine")
    with pytest.raises(ScenarioError, match=r"mine\.yml is not taken for a scenario\n.*ends in \.yaml.*\n.*rename it to mine\.yaml"):
        named.scenario_file("mine.yml")
    assert named.scenario_file("orderings").parent.parent == named.PROJECT


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".yaml"])
def test_a_name_that_no_file_can_have_is_that_of_no_scenario(name: str) -> None:
    with pytest.raises(ScenarioError, match="no scenario 'xxx"):
        named.scenario_file(name)


def found(part: str, **asked: Any) -> tuple[Cell, list[str]]:
    said: list[str] = []
    return named.cell(part, Asked(**asked), say=said.append), said


def test_a_cell_is_found_by_a_part_of_its_id_by_either_source_of_playbooks_and_is_named() -> None:
    one, said = found("replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip", scenario="kubespray-11338")
    assert one.ref.source == "replica"
    assert said == [f"'replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip' is no whole id; the cell it fits is {one.id}"]
    moved, _ = found("kubespray-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip", scenario="kubespray-11338")
    assert moved.ref.source == "kubespray"
    assert found(moved.id, scenario="kubespray-11338") == (moved, [])


def test_a_cell_can_be_meant_on_another_bed() -> None:
    one, _ = found("kind-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:kind", scenario="kubespray-11338", bed="kind")
    assert (one.bed, one.ref.label) == ("kind", "kind, settings of v2.25.1")


def test_a_ref_in_a_scenarios_place_is_looked_up_in_a_checkout(kubespray: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    one, said = found("1.29.5:1cp:kube-vip:vip", scenario="kubespray-11338", ref=("pr/7",), kubespray=str(kubespray))
    assert (one.ref.name, one.ref.release, one.ref.commit) == ("pr/7", "v2.25.0", git(kubespray, "rev-parse", "refs/pull/7/head"))
    assert "not looked up" not in "".join(said)
    with pytest.raises(InstallError, match="does not have pr/8"):
        found("kube-vip:vip", ref=("pr/8",), kubespray=str(kubespray))


def test_a_checkout_need_not_have_what_only_other_scenarios_name(kubespray: Path) -> None:
    name = "kubespray-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    assert found(name, kubespray=str(kubespray))[0].ref.commit == git(kubespray, "rev-parse", "v2.25.1^{commit}")


def test_whose_facts_are_assumed_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    one, said = found("kubespray-master:k8s-v1.29.5:1cp:kube-vip:vip:containers", scenario="kubespray-11338", ref=("master", "pr/7"))
    assert one.ref.release == release.every()[-1].name
    (line,) = said
    assert line.startswith("not looked up, ")
    assert f"master (the facts of {release.every()[-1].tag} are assumed); name a checkout: --kubespray PATH" in line
    assert not (tmp_path / "cache").exists()


def test_what_is_asked_for_can_be_asked_again() -> None:
    supply = {"artifacts": "built", "component": ("etcd=v3.5.1",)}
    asked = Asked(scenario="mine.yaml", ref=("pr/7", "master"), kubespray="a b", bed="vagrant", **supply)  # type: ignore[arg-type]
    assert asked.words() == ("--scenario", "mine.yaml", "--ref", "pr/7", "--ref", "master", "--kubespray", "a b", "--bed", "vagrant")
    assert asked.words_of_supply() == ("--artifacts", "built", "--component", "etcd=v3.5.1")
    assert str(asked) == "--ref pr/7 --ref master --kubespray 'a b' --bed vagrant --artifacts built --component etcd=v3.5.1"
    assert str(Asked(scenario="mine.yaml")) == ""
