from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import plan, ready, scenario
from lab.datafile import dump_yaml
from lab.errors import ScenarioError
from lab.notation import every_ordering
from lab.refs import Refs
from lab.scenario import Scenario
from tests import made

HEAD = "name: one\nabout: a question\n"
DEFAULTS = "defaults: {refs: [replica@v2.25.0], kubernetes: [v1.29.5], orderings: [kube-vip]}\n"


def load(tmp_path: Path, text: str, refs: Refs | None = None) -> Scenario:
    (tmp_path / "one.yaml").write_text(text)
    return scenario.load(tmp_path / "one.yaml", check=plan.check, refs=refs)


def ids(read: Scenario) -> list[str]:
    return [cell.id for cell in read.cells]


def test_a_block_is_a_product_of_what_it_lists(tmp_path: Path) -> None:
    read = load(tmp_path, HEAD + DEFAULTS + "cells:\n  - {refs: [replica@v2.25.0, replica@v2.25.1], orderings: [base, kube-vip]}\n")
    assert ids(read) == [
        "replica-v2.25.0:k8s-v1.29.5:1cp:base:node:containers",
        "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers",
        "replica-v2.25.1:k8s-v1.29.5:1cp:base:node:containers",
        "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers",
    ]


def test_a_cell_two_blocks_name_runs_once(tmp_path: Path) -> None:
    assert len(ids(load(tmp_path, HEAD + DEFAULTS + "cells: [{}, {because: again}]\n"))) == 1


def test_the_endpoint_is_the_vip_where_a_stage_turns_kube_vip_on_unless_the_block_says_otherwise(tmp_path: Path) -> None:
    read = load(
        tmp_path, HEAD + DEFAULTS + "cells: [{}, {orderings: [base]}, {endpoints: [node]}, {orderings: [base], endpoints: [vip]}]\n"
    )
    assert [cell.endpoint for cell in read.cells] == ["vip", "node", "node", "vip"]


def test_a_mitigation_brings_its_variables(tmp_path: Path) -> None:
    text = (
        HEAD
        + DEFAULTS
        + "mitigations: {short: {why: a test, variables: {kubeadm_init_timeout: 30s, a: [1, 2]}}}\ncells: [{mitigations: [none, short]}]\n"
    )
    without, with_ = load(tmp_path, text).cells
    assert (without.variables, without.mitigations) == ((), ())
    assert dict(with_.variables)["kubeadm_init_timeout"] == "30s"
    assert with_.id.endswith(":with-short")


def test_cells_that_cannot_be_are_an_error_unless_the_file_leaves_them_out(tmp_path: Path) -> None:
    text = DEFAULTS + "cells: [{}, {kubernetes: [v1.33.0]}]\n"
    with pytest.raises(ScenarioError, match=r"v1\.33\.0"):
        load(tmp_path, HEAD + text)
    read = load(tmp_path, HEAD + "impossible: left-out\n" + text)
    assert [cell.kube_version for cell in read.cells] == ["v1.29.5"]
    assert [(one.cell.kube_version, "up to the minor version" in one.because) for one in read.left_out] == [("v1.33.0", True)]
    assert read.left_out[0].cell.id not in read.left_out[0].because  # it stands beside it
    with pytest.raises(ScenarioError, match=r"v1\.33\.0"):
        load(tmp_path, HEAD + "impossible: left-out\n" + DEFAULTS + "cells: [{kubernetes: [v1.33.0]}]\n")


def test_all_stands_for_every_ordering_in_blocks_and_rules(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + "cells: [{orderings: [all, kube-vip], networks: [plain, none]}]\n" + EXCLUDE_ALL)
    read = scenario.load(tmp_path / "one.yaml", check=lambda _: None)
    assert [cell.ordering for cell in read.cells] == list(every_ordering())
    assert [left.cell.ordering for left in read.left_out] == list(every_ordering())
    assert {left.cell.network for left in read.left_out} == {"none"}


EXCLUDE_ALL = "exclude: [{orderings: [all], networks: [none], because: not asked}]\n"


def test_a_cell_without_a_network_says_so_in_its_id(tmp_path: Path) -> None:
    assert ids(load(tmp_path, HEAD + DEFAULTS + "cells: [{networks: [none], orderings: [metallb]}]\n")) == [
        "replica-v2.25.0:k8s-v1.29.5:1cp:metallb:node:no-network:containers"
    ]


def test_cells_are_chosen_as_by_pytests_k_those_left_out_too(tmp_path: Path) -> None:
    text = "cells: [{orderings: [base, kube-vip, metallb]}]\nexclude: [{orderings: [base], because: x}]\n"
    read = load(tmp_path, HEAD + DEFAULTS + text)

    def chosen(expression: str) -> tuple[list[str], list[str]]:
        found = scenario.chosen(read, expression, file=tmp_path / "one.yaml")
        return [cell.ordering_text for cell in found.cells], [left.cell.ordering_text for left in found.left_out]

    assert chosen("1.29 and not kube-vip") == (["metallb"], ["base"])
    assert chosen("base") == ([], ["base"])
    assert chosen("") == chosen("one.yaml") == (["kube-vip", "metallb"], ["base"])
    with pytest.raises(ScenarioError, match=r"no cell fits -k 'weave'\n.*none of the 3 cell"):
        chosen("weave")


def test_a_left_out_cell_keeps_its_reason(tmp_path: Path) -> None:
    text = HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip]}]\nexclude: [{orderings: [base], because: not asked}]\n"
    read = load(tmp_path, text)
    assert [(left.cell.ordering_text, left.because) for left in read.left_out] == [("base", "not asked")]
    assert [cell.ordering_text for cell in read.cells] == ["kube-vip"]


def test_a_rule_covers_a_cell_only_where_all_its_fields_agree(tmp_path: Path) -> None:
    rules = "exclude: [{orderings: [base], endpoints: [vip], because: both}]\n"
    read = load(tmp_path, HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip], endpoints: [node, vip]}]\n" + rules)
    assert [(left.cell.ordering_text, left.cell.endpoint) for left in read.left_out] == [("base", "vip")]


def test_the_same_cells_by_kubespray_itself(tmp_path: Path) -> None:
    text = (
        HEAD
        + DEFAULTS
        + "cells: [{because: why, orderings: [base, kube-vip]}]\nexclude: [{refs: [replica@v2.25.0], orderings: [base], because: x}]\n"
    )
    read = load(tmp_path, text, refs=Refs(repository="anywhere"))
    assert ids(read) == ["kubespray-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"]
    assert dict(read.because)[read.cells[0].id] == "why"
    assert len(read.left_out) == 1


def test_another_bed_takes_all_cells_and_rules_speak_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.bed.names", lambda: ("clouds", "containers"))
    rule = "exclude: [{beds: [containers], because: of containers}, {beds: [clouds], orderings: [base], because: of clouds}]\n"
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip]}]\n" + rule)
    read = scenario.load(tmp_path / "one.yaml", check=plan.check, bed="clouds")
    assert ids(read) == ["replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:clouds"]
    assert [left.because for left in read.left_out] == ["of clouds"]


REFS = "cells: [{refs: [replica@v2.25.0, kubespray@v2.25.0, kubespray@pr/7], orderings: [kube-vip]}]\n"
RULE = "exclude: [{refs: [%s], because: x}]\n"


def refs_of(read: Scenario) -> list[str]:
    return [cell.id.partition(":")[0] for cell in read.cells]


def test_a_scenario_that_names_kubespray_keeps_its_refs_wherever_they_come_from(tmp_path: Path) -> None:
    wanted = ["replica-v2.25.0", "kubespray-v2.25.0", "kubespray-pr+7"]
    assert refs_of(load(tmp_path, HEAD + DEFAULTS + REFS)) == wanted
    assert refs_of(load(tmp_path, HEAD + DEFAULTS + REFS, refs=Refs(repository="anywhere"))) == wanted


@pytest.mark.parametrize(("ref", "left"), [("replica@v2.25.0", 2), ("kubespray@pr/7", 2)])
def test_a_rule_about_a_ref_is_about_that_one_alone(tmp_path: Path, ref: str, left: int) -> None:
    assert len(load(tmp_path, HEAD + DEFAULTS + REFS + RULE % ref).cells) == left


def test_refs_of_the_command_line_are_run_in_place_of_the_files(tmp_path: Path) -> None:
    read = load(tmp_path, HEAD + DEFAULTS + REFS, refs=Refs(instead=["pr/8", "replica@v2.25.1"]))
    assert refs_of(read) == ["kubespray-pr+8", "replica-v2.25.1"]


def test_a_rule_about_a_release_holds_for_kubespray_in_its_place(tmp_path: Path) -> None:
    text = HEAD + DEFAULTS + "cells: [{refs: [replica@v2.25.0, replica@v2.25.1]}]\n" + RULE % "replica@v2.25.1"
    read = load(tmp_path, text, refs=Refs(instead=["v2.25.0", "v2.25.1"]))
    assert (refs_of(read), [left.because for left in read.left_out]) == (["kubespray-v2.25.0"], ["x"])


def test_what_a_ref_of_the_command_line_cannot_install_is_left_out_with_the_reason(tmp_path: Path) -> None:
    text = HEAD + DEFAULTS + "cells: [{kubernetes: [v1.28.6, v1.29.5]}]\n"
    read = load(tmp_path, text, refs=Refs(instead=["replica@v2.24"]))
    assert [cell.kube_version for cell in read.cells] == ["v1.28.6"]
    assert ["installs Kubernetes from" in left.because for left in read.left_out] == [True]
    with pytest.raises(ScenarioError, match="installs Kubernetes from"):
        load(tmp_path, HEAD + DEFAULTS + "cells: [{}]\n", refs=Refs(instead=["replica@v2.24"]))


def test_a_failure_known_of_the_file_may_be_named_whatever_is_run(tmp_path: Path) -> None:
    text = HEAD + DEFAULTS + "cells: [{}]\n" + KNOWN % "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    read = load(tmp_path, text, refs=Refs(instead=["v2.25.0", "pr/7"]))
    told = [scenario.known_of(read, cell, finding="vip-without-owner", today=date(2026, 1, 1)) for cell in read.cells]
    assert told == [("kubespray#1",), ()]


def test_on_the_bed_kind_it_is_kind_that_installs(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip > metallb]}]\n")
    read = scenario.load(tmp_path / "one.yaml", check=ready.installable, bed="kind")
    assert ids(read) == ["kind-v2.25.0:k8s-v1.29.5:1cp:base:node:kind"]
    assert [cell.ref.label for cell in read.cells] == ["kind, settings of v2.25.0"]
    (left,) = read.left_out
    assert "in one go" in left.because


def test_a_file_that_names_the_bed_kind_has_the_same_cells_and_rules_speak_of_the_replica(tmp_path: Path) -> None:
    rule = "exclude: [{refs: [replica@v2.25.0], orderings: [base], because: of it}]\n"
    known = KNOWN % "'kind-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:kind'"
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip], beds: [kind]}]\n" + rule + known)
    read = scenario.load(tmp_path / "one.yaml", check=ready.installable)
    assert ids(read) == ["kind-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:kind"]
    assert [left.because for left in read.left_out] == ["of it"]
    assert scenario.known_of(read, read.cells[0], finding="vip-without-owner", today=date(2026, 12, 1)) == ("kubespray#1",)


def test_what_a_bed_lacks_leaves_the_cell_out_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + "cells: [{orderings: [base, kube-vip]}]\n")
    read = scenario.load(tmp_path / "one.yaml", check=plan.check, lacks=lambda cell: "no IPVS" if cell.endpoint == "vip" else "")
    assert [cell.ordering_text for cell in read.cells] == ["base"]
    assert [(left.cell.ordering_text, left.because) for left in read.left_out] == [("kube-vip", "no IPVS")]


def test_a_failure_known_on_one_bed_is_known_on_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.bed.names", lambda: ("clouds", "containers"))
    (tmp_path / "one.yaml").write_text(
        HEAD + DEFAULTS + "cells: [{}]\n" + KNOWN % "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    )
    read = scenario.load(tmp_path / "one.yaml", check=plan.check, bed="clouds")
    assert scenario.known_of(read, read.cells[0], finding="vip-without-owner", today=date(2026, 1, 1)) == ("kubespray#1",)


KNOWN = "known: [{cell: %s, finding: vip-without-owner, upstream: [kubespray#1], expires: 2026-12-31}]\n"


def test_what_is_known_needs_its_finding_and_its_date(tmp_path: Path) -> None:
    name = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    read = load(tmp_path, HEAD + DEFAULTS + "cells: [{}]\n" + KNOWN % name)
    asked = {"vip-without-owner": date(2026, 12, 31), "other": date(2026, 12, 31)}
    assert [scenario.known_of(read, read.cells[0], finding=finding, today=today) for finding, today in asked.items()] == [
        ("kubespray#1",),
        (),
    ]
    assert scenario.known_of(read, read.cells[0], finding="vip-without-owner", today=date(2027, 1, 1)) == ()


def test_what_is_known_and_expired_is_said_and_excuses_no_cell(tmp_path: Path) -> None:
    name = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    read = load(tmp_path, HEAD + DEFAULTS + "cells: [{}]\n" + KNOWN % name)
    assert scenario.expired(read, today=date(2026, 12, 31)) == ()
    (said,) = scenario.expired(read, today=date(2027, 1, 1))
    assert said.startswith(f"known: vip-without-owner of {name} expired on 2026-12-31, and no longer excuses that cell")
    assert scenario.known_of(read, read.cells[0], finding="vip-without-owner", today=date(2027, 1, 1)) == ()


def test_a_rule_may_speak_of_a_bed_that_only_the_command_line_names(tmp_path: Path) -> None:
    read = load(tmp_path, HEAD + DEFAULTS + "cells: [{}]\nexclude: [{beds: [vagrant], because: of machines}]\n")
    assert (len(read.cells), read.left_out) == (1, ())


def test_what_no_thread_tells_yet_is_known_all_the_same(tmp_path: Path) -> None:
    known = (KNOWN % "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers").replace("[kubespray#1]", "[]")
    read = load(tmp_path, HEAD + DEFAULTS + "cells: [{}]\n" + known)
    assert scenario.known_of(read, read.cells[0], finding="vip-without-owner", today=date(2026, 12, 31)) == ("no thread upstream yet",)
    assert scenario.known_of(read, read.cells[0], finding="other", today=date(2026, 12, 31)) == ()


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("cells: [{orderings: [nope]}]\n", ["unknown addon 'nope'"]),
        ("cells: [{orderings: [nope]}, {refs: [v2]}]\n", ["unknown addon 'nope'", "ref 'v2' is not like"]),
        ("cells: [{orderings: [nope]}, {refs: [replica@v9.9]}]\n", ["unknown addon 'nope'", "ref 'replica@v9.9'", "v2.25.1"]),
        ("cells: [{kubernetes: v1.29.5}, {refs: [replica@v9.9]}]\n", ["cells.0.kubernetes: ", "ref 'replica@v9.9'"]),
        ("cells: 3\nsurprise: 1\n", ["cells: ", "surprise: "]),
        ("cells: [{endpoints: [moon]}, {topologies: [0cp]}]\n", ["cells.0.endpoints.0: ", "topology '0cp' is not like"]),
        ("cells: [{beds: [clouds]}]\n", ["no bed 'clouds'", "containers"]),
        ("cells: [{kubernetes: [v1.29.5/..]}]\n", ["Kubernetes 'v1.29.5/..' is not like v1.29.5"]),
        (
            "cells: [{}]\nmitigations: {a/b: {why: w, variables: {}}, none: {why: w, variables: {}}}\n",
            ["mitigation 'a/b'", "mitigation 'none'"],
        ),
        (
            "cells: [{mitigations: [nope]}, {topologies: [2cp]}]\n",
            ["unknown mitigation 'nope'", "topology 2cp gives etcd an even number of members"],
        ),
        ("cells: [{}]\nexclude: [{mitigations: [nope], because: b}]\n", ["exclude.0: unknown mitigation 'nope'"]),
        ("cells: [{mitigations: [nope]}, {mitigations: [nada]}]\n", ["unknown mitigation 'nope'", "unknown mitigation 'nada'"]),
        (
            "cells: [{mitigations: [a]}]\nmitigations: {a: {why: w, variables: {b: {c: ['{vpi}', '{{ jinja }}']}}}}\n",
            ["mitigations.a: no placeholder {vpi}; there are {vip}, {pool}"],
        ),
        ("cells: [{}]\nexclude: [{orderings: [kube-vip]}]\n", ["exclude.0: `because` is empty"]),
        ("cells: [{}]\nexclude: [{orderings: [kube-vip], because: all}]\n", ["no cell is left to run"]),
        ("cells: [{}]\n" + KNOWN % "other", ["known: no cell 'other'"]),
        ("cells: [{}]\nexclude: [{because: of nothing}]\n", ["exclude.0: no field says which cells"]),
        (
            "cells: [{}]\nexclude: [{refs: [kubespray@master], because: a}, {topologies: [3cp], beds: [kind], because: b}]\n"
            + KNOWN.replace("vip-without-owner", "no-such-finding") % "other",
            [
                "exclude.0: it covers no cell of `cells`; exclude.1: it covers no cell",
                "known: no cell 'other'",
                "known: no signature 'no-such-finding'; lab/data/signatures/ has cilium-",
            ],
        ),
        (
            "cells: [{topologies: [2cp]}, {topologies: [4cp+1w]}]\n",
            ["topology 2cp gives etcd an even number of members", "topology 4cp+1w gives etcd an even number of members"],
        ),
        ("cells: [{kubernetes: [v1.31.0]}]\n", ["installs Kubernetes from"]),
        ("cells: []\n", ["no cell is left to run"]),
    ],
)
def test_every_problem_is_told_at_once(tmp_path: Path, text: str, problems: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(tmp_path, HEAD + DEFAULTS + text)
    assert [problem for problem in problems if problem not in str(caught.value)] == []


def refused(tmp_path: Path, text: str, asked: str = "", **rest: Any) -> tuple[str, str, str]:
    (tmp_path / "one.yaml").write_text(HEAD + DEFAULTS + text)
    with pytest.raises(ScenarioError) as caught:
        scenario.load(tmp_path / "one.yaml", check=ready.installable, asked=asked, **rest)
    what, why, fix = caught.value.args
    return what, why, fix


def test_what_the_command_asks_for_is_not_said_of_the_file_and_keeps_its_fix(tmp_path: Path) -> None:
    refs = Refs(instead=["replica@v2.26.1"])
    what, why, fix = refused(tmp_path, "cells: [{orderings: [base, kube-vip]}]\n", "--ref replica@v2.26.1", refs=refs)
    assert what == "one cannot be run with --ref replica@v2.26.1"
    assert why == "there is no replica of v2.26.1 (it is written for v2.24, v2.25.0, v2.25.1)"
    assert fix == "name one of them, or the release of kubespray itself: without replica@"


def test_the_same_reason_of_many_cells_is_told_once_with_their_number(tmp_path: Path) -> None:
    text = "cells: [{orderings: [base, kube-vip, metallb], topologies: [3cp]}, {orderings: [base > kube-vip]}]\n"
    what, why, fix = refused(tmp_path, text, "--bed kind", bed="kind")
    assert what == "one cannot be run with --bed kind"
    assert why.count("puts a load balancer") == 1
    assert why.startswith("3 cells cannot run (kind puts a load balancer")
    assert "; cell 'kind-v2.25.0:k8s-v1.29.5:1cp:base..kube-vip:vip:kind' cannot run (kind makes a cluster in one go" in why
    assert fix == "change the scenario, or name another bed"


def test_a_file_that_is_wrong_by_itself_is_blamed_whatever_is_asked(tmp_path: Path) -> None:
    what, why, fix = refused(tmp_path, "cells: [{mitigations: [nope]}]\n", "--bed kind", bed="kind")
    assert what == f"{tmp_path / 'one.yaml'} asks for what cannot be"
    assert "unknown mitigation 'nope'" in why
    assert fix == "correct the file; docs/formats.md shows every field"
    what, why, fix = refused(tmp_path, "cells: [{kubernetes: [v1.29.4]}]\n")
    assert what == f"{tmp_path / 'one.yaml'} asks for what cannot be"
    assert fix == "name one of them, or add lab/components/kubernetes-<minor>/; docs/formats.md shows every field"


def test_what_neither_block_nor_defaults_give_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="`orderings` is given neither here nor in `defaults`"):
        load(tmp_path, HEAD + "cells: [{refs: [replica@v2.25.0], kubernetes: [v1.29.5]}]\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_free_text_is_a_scenario_or_one_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "one.yaml").write_text(text, encoding="utf-8", errors="ignore")
    with pytest.raises(ScenarioError):
        scenario.load(tmp_path / "one.yaml", check=plan.check)


WORDS = [
    "all",
    "replica@v2.25.0",
    "kubespray@v2.24",
    "v1.29.5",
    "kube-vip",
    "base > cilium",
    "3cp+2w",
    "vip",
    "none",
    "containers",
    "short",
]
GARBAGE = st.none() | st.integers() | st.sampled_from(WORDS) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]))
FIELDS = ("refs", "kubernetes", "topologies", "orderings", "endpoints", "networks", "beds", "mitigations", "because")
BLOCKS = st.dictionaries(st.sampled_from(FIELDS), st.lists(GARBAGE, max_size=2) | GARBAGE)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(BLOCKS, max_size=2), exclude=st.lists(BLOCKS, max_size=1), mitigation=GARBAGE)
def test_fields_of_any_content_are_a_scenario_or_one_error(
    tmp_path: Path, cells: list[object], exclude: list[object], mitigation: object
) -> None:
    defaults = {"refs": ["replica@v2.25.0"], "kubernetes": ["v1.29.5"], "orderings": ["kube-vip"]}
    mitigations = {mitigation: {"why": "w", "variables": {}}}
    whole = {"name": "one", "about": "a", "defaults": defaults, "mitigations": mitigations, "cells": cells, "exclude": exclude}
    (tmp_path / "one.yaml").write_text(dump_yaml(whole), encoding="utf-8")
    try:
        read = scenario.load(tmp_path / "one.yaml", check=plan.check)
    except ScenarioError:
        return
    assert read.cells
    assert not {sign for cell in read.cells for sign in cell.id} & set("/\\ >@\n")


@pytest.mark.parametrize("release", ["\\0", "a" * 300, "../v2.25.0", "v2.25.0/", " "])
def test_a_release_that_is_no_name_of_one_is_refused(tmp_path: Path, release: str) -> None:
    with pytest.raises(ScenarioError, match="is not like replica@"):
        load(tmp_path, HEAD + DEFAULTS + f'cells: [{{refs: ["replica@{release}"]}}]\n')


def test_the_scenarios_of_the_project_can_be_read() -> None:
    paths = sorted((Path(__file__).parent.parent / "scenarios").glob("*.yaml"))
    assert paths
    for path in paths:
        assert scenario.load(path, check=plan.check).name == path.stem


def test_cells_that_differ_and_have_one_id_are_told_with_what_differs() -> None:
    cell = replace(made.cell(), mitigations=("slow",), variables=(("kube_vip_leaseduration", "15"),))
    scenario.tell_apart([cell, cell, made.cell()])
    for other, said in (
        (replace(cell, variables=()), "variables: kube_vip_leaseduration: 15 and none"),
        (replace(cell, ref=replace(cell.ref, commit="7e0a40725")), "ref: replica@v2.25.0 and replica@v2.25.0"),
    ):
        with pytest.raises(ScenarioError, match=rf"{cell.id} stands for cells that differ\n  why: {said}\n  fix: run their scenarios"):
            scenario.tell_apart([cell, other])
