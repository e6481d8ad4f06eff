from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import plan, preflight, release, signature
from lab.host import NodeNeeds
from tests import made
from tests.rules.lint import pools, predicted

LAPTOP = NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)
RULES = preflight.rules()
ANY = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["{vip}", "{pool}", "10.231.0.0/24", "strict"])
DEEP = st.recursive(ANY, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2), max_leaves=4)
NAMES = (*release.load("v2.25.1").defaults, "metallb_config", "metallb_namespace", "kube_vip_address", "loadbalancer_apiserver")


def test_every_signature_that_a_rule_names_is_one() -> None:
    assert {rule.signature for rule in RULES if rule.signature} <= {one.id for one in signature.load()}


def test_rules_are_told_apart_by_their_names() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES) > 0


def test_the_plan_of_a_plain_cell_is_linted_as_it_would_run(tmp_path: Path) -> None:
    def of(ref: str, kube_version: str = "v1.29.5") -> list[str]:
        cell = made.cell("kube-vip+metallb", ref=ref, kube_version=kube_version)
        facts = release.load(cell.ref.release)
        stages = plan.stages(cell, facts, needs=LAPTOP, versions={"kube-vip": "v0.9.2"})
        return [one.signature for one in preflight.predict(cell, facts, stages, made.site(tmp_path))]

    assert of("replica@v2.25.1") == []
    assert of("replica@v2.25.0") == ["kube-vip-admin-conf-forbidden"]
    assert of("replica@v2.25.0", "v1.28.6") == []


def test_what_a_later_stage_repeats_is_told_once_with_its_first_stage() -> None:
    (found,) = [one for one in predicted("base > kube-vip > metallb", kube_vip_arp_enabled=False) if one.rule == "a mode for kube-vip"]
    assert found.says.startswith("stage 'kube-vip': kube-vip is on with neither")
    assert found.signature == "kube-vip-no-mode"


def test_a_cell_of_one_stage_is_told_without_its_name() -> None:
    (found,) = predicted(metallb_config=pools("{vip}/32"))
    assert found.says.startswith("MetalLB's pool")


@pytest.mark.parametrize("name", release.names())
def test_a_cell_that_changes_nothing_of_a_release_is_not_warned_of(name: str) -> None:
    kube_version = "v1.28.6" if release.load(name).kube_vip.conf == "admin.conf" else "v1.29.5"  # whose kubeadm writes that file
    assert predicted("base", release=name, kube_version=kube_version) == ()
    assert predicted("kube-vip+metallb", release=name, kube_version=kube_version) == ()


@given(st.dictionaries(st.sampled_from(NAMES), DEEP, max_size=4), st.sampled_from(["base", "kube-vip+metallb", "metallb > cilium"]))
def test_variables_of_any_content_are_warned_of_or_not_and_break_nothing(variables: dict[str, object], ordering: str) -> None:
    known = {rule.name for rule in RULES}
    assert {one.rule for one in predicted(ordering, **variables)} <= known  # type: ignore[arg-type]


def test_pools_are_found_as_they_are_written() -> None:
    config = {"address_pools": {"a": {"ip_range": ["x", "y"]}, "b": {"ip_range": ["z"]}, "c": None}}
    assert preflight.pool_texts({"metallb_config": config}) == ("x", "y", "z")
    assert preflight.pool_texts({}) == ()


def test_the_same_cell_is_warned_of_the_same_on_another_slot(tmp_path: Path) -> None:
    here = made.site(tmp_path)
    there = replace(here, slot=replace(here.slot, number=3))
    assert predicted(kube_vip_services_enabled=True, site=here) == predicted(kube_vip_services_enabled=True, site=there)
