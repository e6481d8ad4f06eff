from pathlib import Path

import pytest

from lab.datafile import read
from lab.errors import ScenarioError
from lab.notation import every_ordering
from lab.scenariofile import ScenarioSchema, orderings, wrong_references

HEAD = "name: one\nabout: a test\n"


def schema(tmp_path: Path, text: str) -> ScenarioSchema:
    (tmp_path / "one.yaml").write_text(HEAD + text)
    return read(tmp_path / "one.yaml", ScenarioSchema)


def test_all_is_every_ordering_beside_those_that_are_named() -> None:
    assert orderings(["cilium > kube-vip"]) == [(("cilium",), ("kube-vip",))]
    assert len(orderings(["all", "base"])) == len(every_ordering()) + 1


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{refs: [replica@v9.9.9]}", "replica@v9.9.9"),
        ("{kubernetes: ['1.29']}", "is not like v1.29.5"),
        ("{beds: [clouds]}", "no bed 'clouds'; lab/beds/ has "),
        ("{topologies: [none]}", "topologies"),
        ("{topologies: [3cp+71w], beds: [clouds]}", "topology '3cp+71w' is too large: there are addresses for 20 control planes"),
        ("{topologies: [9999cp], beds: [clouds]}", "no bed 'clouds'"),
        ("{orderings: [weave]}", "unknown addon 'weave'"),
    ],
)
def test_a_field_that_means_nothing_is_told_with_what_would(tmp_path: Path, block: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        schema(tmp_path, f"cells: [{block}]\n")
    assert said in str(caught.value)


def test_a_mitigation_cannot_be_called_none(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="which is not `none`"):
        schema(tmp_path, "cells: []\nmitigations: {none: {why: w, variables: {}}}\n")


def test_what_names_something_that_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    read = schema(tmp_path, "cells: [{refs: [replica@v2.25.0], mitigations: [other]}]\nexclude: [{kubernetes: [v1.29.5]}]\n")
    assert wrong_references(read) == [
        "cells.0: `orderings` is given neither here nor in `defaults`",
        "cells.0: `kubernetes` is given neither here nor in `defaults`",
        "cells.0: unknown mitigation 'other'; `mitigations` has []",
        "exclude.0: `because` is empty",
    ]


def test_placeholders_of_mitigations_are_those_of_inventories(tmp_path: Path) -> None:
    text = "defaults: {refs: [replica@v2.25.0], kubernetes: [v1.29.5], orderings: [base]}\ncells: [{}]\n"
    good = "mitigations: {own: {why: w, variables: {kube_vip_address: '{vip}'}}}\n"
    assert wrong_references(schema(tmp_path, text + good)) == []
    (said,) = wrong_references(schema(tmp_path, text + good.replace("{vip}", "{vpi}")))
    assert said.startswith("mitigations.own: no placeholder {vpi}")
