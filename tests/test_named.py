from pathlib import Path

import pytest

from lab import named
from lab.errors import ScenarioError


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


def test_a_cell_is_found_by_a_part_of_its_id_by_either_source_of_playbooks() -> None:
    found = named.cell("replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip", of="kubespray-11338")
    assert found.ref.source == "replica"
    moved = named.cell("kubespray-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip", of="kubespray-11338")
    assert moved.ref.source == "kubespray"


def test_a_cell_can_be_meant_on_another_bed() -> None:
    found = named.cell("kind-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:kind", of="kubespray-11338", bed="kind")
    assert (found.bed, found.ref.label) == ("kind", "kind, settings of v2.25.1")
