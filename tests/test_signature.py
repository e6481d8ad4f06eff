from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import signature
from lab.errors import ScenarioError
from lab.evidence import probes
from lab.facts import Evidence, Fact
from lab.model import Node
from lab.signature import Context, Matched, SampleSchema, Signature, match

CP1 = Node(name="cp1", role="control-plane", address="10.9.7.10")
CP2 = Node(name="cp2", role="control-plane", address="10.9.7.11")
CONTEXT = Context(vip="10.9.7.100", nodes=(CP1,))
ALL = signature.load()
BY_ID = {one.id: one for one in ALL}
MUST = [pytest.param(one, sample, id=f"{one.id}: {sample.says}") for one in ALL for sample in one.must_match]
MUST_NOT = [pytest.param(one, sample, id=f"{one.id}: {sample.says}") for one in ALL for sample in one.must_not_match]
NEEDED = {
    "cilium-chart-not-fetched",
    "cilium-cuts-off-earlier-pods",
    "cilium-kube-owner-refused",
    "cilium-may-not-write-its-programs",
    "cilium-release-exists",
    "download-failed",
    "download-not-as-pinned",
    "init-retry-refused",
    "init-skipped-after-failure",
    "kube-proxy-left-behind",
    "kube-vip-admin-conf-forbidden",
    "kube-vip-host-alias",
    "kube-vip-no-mode",
    "kube-vip-wrong-interface",
    "kubelet-never-starts",
    "metallb-variable-undefined",
    "packages-not-fetched",
    "port-taken",
    "settings-refused",
    "slow-host",
    "strict-arp-required",
    "undefined-variable",
    "vip-without-owner",
}
FORBIDDEN = 'leases.coordination.k8s.io "plndr-cp-lock" is forbidden: User "kubernetes-admin" cannot get resource "leases"\n'
MINIMAL = """
catalogue: F-99
means: it is broken
fix: mend it
upstream: []
heals_itself: false
holds_s: 1
links: [{says: it says so, probe: addresses, pattern: 'inet {vip}/'}]
must_match: []
must_not_match: []
"""


def place(one: Signature, probe: str, name: str = "cp1") -> str:
    """Where the signature looks for `probe`."""
    return next((link.node for link in one.links if link.probe == probe and link.node in ("lab", "client")), name)


def evidence(one: Signature, facts: Mapping[str, str], *, node: str = "cp1") -> Evidence:
    return Evidence(facts=tuple(Fact(probe=probe, node=place(one, probe, node), text=text, at_s=1.0) for probe, text in facts.items()))


def judged(one: Signature, sample: SampleSchema, *, by: tuple[Signature, ...] = ALL) -> Matched:
    return match(by, evidence(one, sample.facts), context=CONTEXT)


def addresses(text: str, *, node: str = "cp1", at_s: float = 1.0) -> Fact:
    return Fact(probe="addresses", node=node, text=text, at_s=at_s)


def made(tmp_path: Path, text: str = MINIMAL) -> tuple[Signature, ...]:
    (tmp_path / "made.yaml").write_text(text)
    return signature.load(folder=tmp_path)


def test_every_failure_the_lab_promises_to_know_has_a_signature() -> None:
    assert set(BY_ID) >= NEEDED


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.id)
def test_every_signature_brings_samples_of_both_kinds(one: Signature) -> None:
    assert one.must_match
    assert one.must_not_match
    assert one.means and one.fix and one.holds_s > 0


@pytest.mark.parametrize(("one", "sample"), MUST)
def test_a_signature_and_no_other_matches_its_sample(one: Signature, sample: SampleSchema) -> None:
    findings = judged(one, sample).findings
    assert [finding.signature for finding in findings] == [one.id]
    assert [link.says for link in findings[0].chain] == [link.says for link in one.links]
    assert all(link.line for link in findings[0].chain)


@pytest.mark.parametrize(("one", "sample"), MUST_NOT)
def test_a_sample_that_must_not_match_is_excluded_by_the_link_it_names(one: Signature, sample: SampleSchema) -> None:
    matched = judged(one, sample, by=(one,))
    assert matched.findings == ()
    assert [ruled.because.partition(") it is not so that ")[2] for ruled in matched.ruled_out] == [sample.link]


@pytest.mark.parametrize(("one", "sample"), MUST_NOT)
def test_no_signature_matches_a_sample_that_must_not_match(one: Signature, sample: SampleSchema) -> None:
    assert judged(one, sample).findings == ()


def needed(one: Signature, sample: SampleSchema) -> set[str]:
    """The probes of the sample without which the signature cannot be found."""
    return sample.facts.keys() & {link.probe for link in one.links if not link.aside}


@pytest.mark.parametrize(("one", "sample"), MUST)
def test_what_is_told_aside_is_in_the_chain_and_the_failure_is_found_without_it(one: Signature, sample: SampleSchema) -> None:
    needless = {name: text for name, text in sample.facts.items() if name in needed(one, sample)}
    whole, short = (judged(one, sample.model_copy(update={"facts": facts})) for facts in (sample.facts, needless))
    asides = {link.says for link in one.links if link.aside}
    assert {link.says for link in whole.findings[0].chain} - {link.says for link in short.findings[0].chain} == asides


@pytest.mark.parametrize(("one", "sample"), MUST)
def test_a_missing_fact_neither_matches_nor_excludes_and_is_named(one: Signature, sample: SampleSchema) -> None:
    for probe in needed(one, sample):
        left = {name: text for name, text in sample.facts.items() if name != probe}
        matched = match((one,), evidence(one, left), context=CONTEXT)
        assert (matched.findings, matched.ruled_out) == ((), ())
        assert matched.unclear == (f"{one.id}: {probe} could not be read",)


@pytest.mark.parametrize(("one", "sample"), MUST)
def test_an_unreadable_fact_is_a_missing_one(one: Signature, sample: SampleSchema) -> None:
    for probe in needed(one, sample):
        matched = match((one,), evidence(one, {**sample.facts, probe: f"{signature.UNREADABLE} node did not answer"}), context=CONTEXT)
        assert (matched.findings, matched.ruled_out) == ((), ())


def test_a_forbidden_line_that_later_lines_overtake_is_no_finding() -> None:
    forbidden = BY_ID["kube-vip-admin-conf-forbidden"]
    facts = dict(forbidden.must_match[0].facts)
    facts["kube-vip-log"] = FORBIDDEN * 9 + "successfully acquired lease\nNew leader leader=cp1\nlayer 2 broadcaster starting\n"
    matched = match((forbidden,), evidence(forbidden, facts), context=CONTEXT)
    assert matched.findings == ()
    assert "forbidden it" in matched.ruled_out[0].because


def test_a_ruled_out_signature_shows_the_line_that_speaks_against_it() -> None:
    forbidden = BY_ID["kube-vip-admin-conf-forbidden"]
    facts = {**forbidden.must_match[0].facts, "kube-vip-manifest": "kind: Pod\n  path: /etc/kubernetes/super-admin.conf\n"}
    (ruled_out,) = match((forbidden,), evidence(forbidden, facts), context=CONTEXT).ruled_out
    assert ruled_out.line == "path: /etc/kubernetes/super-admin.conf"
    assert ruled_out.because == "on cp1 (kube-vip-manifest) it is not so that kube-vip's manifest gives it admin.conf"


ETCD_FAILED = {
    "ansible": "stage: kube-vip, rc 2 after 145 s\ntask: etcd : Etcd | Wait until the member is healthy\nsaid: Timeout\n",
    "init": "stage=kube-vip rc=2 attempts=0 init_rc=unknown init_s=0\n",
    "checks": "",
}
NOTHING_RUNS = {
    "addresses": "2: eth0    inet 10.9.7.10/24 scope global eth0\n",
    "containers": "CONTAINER   IMAGE   CREATED   STATE   NAME\n",
    "kubelet-state": "ActiveState=inactive\nNRestarts=0\n",
    "kubeconfigs": "grep: /etc/kubernetes/*.conf: No such file or directory\n",
    "livez-node": "curl: (7) Failed to connect\n",
    "livez-vip": "curl: (7) Failed to connect\n",
    "load": "some avg10=88.00 avg60=70.00 avg300=40.00 total=1\n",
    "cni": "total 4\n-rw-r--r-- 1 root root 454 Nov 26 02:20 87-spraylab.conflist\n",
}


def early_failure() -> Evidence:
    lab = (Fact(probe=probe, node="lab", text=text, at_s=1.0) for probe, text in ETCD_FAILED.items())
    return Evidence(facts=(*lab, *(Fact(probe=probe, node="cp1", text=text, at_s=1.0) for probe, text in NOTHING_RUNS.items())))


def told(matched: Matched) -> set[str]:
    return {one.signature for one in matched.ruled_out} | {one.partition(":")[0] for one in matched.unclear}


@pytest.mark.parametrize(
    ("addons", "near"),
    [((), {"kubelet-never-starts"}), (("kube-vip",), {"kube-vip-admin-conf-forbidden", "kube-vip-no-mode", "kubelet-never-starts"})],
)
def test_a_cell_is_told_what_it_is_not_only_of_failures_it_could_be_taken_for(addons: tuple[str, ...], near: set[str]) -> None:
    found = told(match(ALL, early_failure(), context=CONTEXT, addons=addons))
    assert found >= near
    assert not [name for name in found if name.startswith(("cilium-", "metallb-", "pool-", "download-", "packages-", "init-"))]
    assert bool([name for name in found if name.startswith("kube-vip-")]) == ("kube-vip" in addons)


def test_of_an_addon_that_is_off_more_than_the_symptom_must_be_there() -> None:
    ownerless = evidence(BY_ID["vip-without-owner"], BY_ID["vip-without-owner"].must_match[0].facts)
    assert "kube-vip-admin-conf-forbidden" in told(match(ALL, ownerless, context=CONTEXT, addons=()))
    assert "kube-vip-no-mode" not in told(match(ALL, ownerless, context=CONTEXT, addons=()))


def test_what_holds_is_found_whatever_the_cell_has() -> None:
    one = BY_ID["kube-vip-no-mode"]
    (found,) = match(ALL, evidence(one, one.must_match[0].facts), context=CONTEXT, addons=()).findings
    assert found.signature == one.id


def test_all_ids_are_those_of_all_signatures() -> None:
    assert signature.ids() == tuple(one.id for one in ALL)


def test_what_a_line_speaks_against_comes_before_what_no_line_speaks_for() -> None:
    told, absent = BY_ID["kube-vip-no-mode"], BY_ID["download-failed"]
    facts = (*evidence(told, told.must_not_match[0].facts).facts, *evidence(absent, {"ansible": ""}).facts)
    ruled_out = match((absent, told), Evidence(facts=facts), context=CONTEXT).ruled_out
    assert [one.signature for one in ruled_out] == [told.id, absent.id]


def test_what_ended_the_stage_from_outside_is_told_first_and_what_comes_of_another_failure_last(tmp_path: Path) -> None:
    texts = {"a": "follows: true", "b": "follows: false", "c": "blames: infrastructure"}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(f"{MINIMAL}{text}\n")
    findings = match(signature.load(folder=tmp_path), Evidence(facts=(addresses("inet 10.9.7.100/32"),)), context=CONTEXT).findings
    assert [(one.signature, one.blames) for one in findings] == [("c", "infrastructure"), ("b", "product"), ("a", "product")]


def test_a_failed_download_is_no_fault_of_the_product() -> None:
    infrastructure = {one.id for one in ALL if one.blames == "infrastructure"}
    assert infrastructure >= {"download-failed", "packages-not-fetched", "cilium-chart-not-fetched"}


def test_a_download_that_hides_what_it_said_is_neither_the_network_nor_the_release() -> None:
    hidden = "said: the output has been hidden due to the fact that 'no_log: true' was specified for this result"
    told = f"task: download : Download item\nat: roles/download/tasks/download_file.yml:58 of kubespray v2.25.0\n{hidden}\n"
    for one in (BY_ID["download-failed"], BY_ID["download-not-as-pinned"]):
        assert match((one,), evidence(one, {"ansible": told}), context=CONTEXT).unclear == (f"{one.id}: ansible could not be read",)


def test_what_an_absence_is_told_from_was_asked_for() -> None:
    for kind in ("ipaddresspools", "l2advertisements", "bgpadvertisements"):
        assert f"{kind}.metallb.io" in probes()["pools"].command


def test_all_links_must_hold_on_the_same_node() -> None:
    one = BY_ID["kube-vip-no-mode"]
    sample = dict(one.must_match[0].facts)
    log = sample.pop("kube-vip-log")
    both = Context(vip=CONTEXT.vip, nodes=(CP1, CP2))
    parts = (*evidence(one, sample).facts, *evidence(one, {"kube-vip-log": log}, node="cp2").facts)
    assert match((one,), Evidence(facts=parts), context=both).findings == ()
    whole = (*parts, *evidence(one, sample, node="cp2").facts)
    (finding,) = match((one,), Evidence(facts=whole), context=both).findings
    assert {link.node for link in finding.chain} == {"cp2"}


POOL = {
    ("lab", "checks"): "FAIL LoadBalancer Services have one owner on client: spraylab-echo has 10.9.7.30, which is an address of w1",
    ("cp1", "metallb-controller-log"): f"{signature.NOTHING}: ",
    ("w1", "metallb-controller-log"): '{"event":"ipAllocated","ip":["10.9.7.30"],"msg":"IP address assigned by controller"}',
}
WITH_WORKER = replace(CONTEXT, workers=(Node(name="w1", role="worker", address="10.9.7.30"),))


def of_nodes(texts: Mapping[tuple[str, str], str]) -> Evidence:
    return Evidence(facts=tuple(Fact(probe=probe, node=node, text=text, at_s=1.0) for (node, probe), text in texts.items()))


def test_a_pod_may_be_on_any_node_and_so_may_the_address_in_question() -> None:
    one = BY_ID["pool-has-a-node"]
    (finding,) = match((one,), of_nodes(POOL), context=WITH_WORKER).findings
    assert [link.node for link in finding.chain] == ["lab", "w1"]


def test_where_the_pod_is_decides_and_where_it_is_not_nothing_is_ruled_out() -> None:
    one = BY_ID["pool-has-a-node"]
    other = POOL | {("w1", "metallb-controller-log"): '{"event":"ipAllocated","ip":["10.9.7.200"]}'}
    (ruled_out,) = match((one,), of_nodes(other), context=WITH_WORKER).ruled_out
    assert "10.9.7.200" in ruled_out.line
    nowhere = POOL | {("w1", "metallb-controller-log"): f"{signature.NOTHING}: "}
    unread = POOL | {("w1", "metallb-controller-log"): f"{signature.UNREADABLE} w1 did not answer"}
    for texts in (nowhere, unread):
        matched = match((one,), of_nodes(texts), context=WITH_WORKER)
        assert (matched.findings, matched.unclear) == ((), ("pool-has-a-node: metallb-controller-log could not be read",))


@pytest.mark.parametrize(
    ("first", "found"), [("inet 10.9.7.10/24", True), ("inet 10.9.7.100/32", False), (f"{signature.UNREADABLE} no", None)]
)
def test_what_is_nowhere_must_be_missing_on_every_node(tmp_path: Path, first: str, found: bool | None) -> None:
    text = MINIMAL.replace("pattern: 'inet {vip}/'", "absent: 'inet {vip}/', node: every")
    both = replace(CONTEXT, nodes=(CP1, CP2))
    facts = (addresses(first), addresses("inet 10.9.7.11/24", node="cp2"))
    matched = match(made(tmp_path, text), Evidence(facts=facts), context=both)
    assert (bool(matched.findings), bool(matched.ruled_out), bool(matched.unclear)) == (found is True, found is False, found is None)


def test_a_kube_vip_that_cannot_do_its_work_is_no_failure_while_another_holds_the_vip() -> None:
    one = BY_ID["kube-vip-host-alias"]
    second = evidence(one, one.must_match[0].facts, node="cp2")
    both = replace(CONTEXT, nodes=(CP1, CP2))
    assert match((one,), Evidence(facts=(*second.facts, addresses("2: eth0 inet 10.9.7.10/24"))), context=both).findings
    held = match((one,), Evidence(facts=(*second.facts, addresses("2: eth0 inet 10.9.7.100/32"))), context=both)
    assert held.findings == ()


def test_placeholders_stand_for_addresses_literally(tmp_path: Path) -> None:
    made_ones = made(tmp_path)
    assert match(made_ones, Evidence(facts=(addresses("inet 10.9.7.100/32"),)), context=CONTEXT).findings
    assert not match(made_ones, Evidence(facts=(addresses("inet 10x9x7x100/32"),)), context=CONTEXT).findings


def test_the_newest_fact_of_a_probe_counts(tmp_path: Path) -> None:
    facts = (addresses("inet 10.9.7.10/24", at_s=9.0), addresses("inet 10.9.7.100/32", at_s=2.0))
    assert match(made(tmp_path), Evidence(facts=facts), context=CONTEXT).findings == ()


def test_an_empty_answer_is_an_answer(tmp_path: Path) -> None:
    (ruled_out,) = match(made(tmp_path), Evidence(facts=(addresses(""),)), context=CONTEXT).ruled_out
    assert ruled_out.line == "(nothing)"


def test_no_control_plane_means_nothing_can_be_told(tmp_path: Path) -> None:
    matched = match(made(tmp_path), Evidence(), context=replace(CONTEXT, nodes=()))
    assert (matched.findings, matched.ruled_out) == ((), ())


@given(st.dictionaries(st.sampled_from(sorted({link.probe for one in ALL for link in one.links})), st.text(max_size=200)))
def test_every_signature_is_found_or_ruled_out_or_unclear_and_only_one_of_them(texts: dict[str, str]) -> None:
    facts = tuple(Fact(probe=probe, node=node, text=text, at_s=1.0) for probe, text in texts.items() for node in ("cp1", "lab", "client"))
    matched = match(ALL, Evidence(facts=facts), context=CONTEXT)
    told = [finding.signature for finding in matched.findings] + [ruled.signature for ruled in matched.ruled_out]
    told += [one.partition(":")[0] for one in matched.unclear]
    assert sorted(told) == sorted(BY_ID)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    wrong = MINIMAL.replace("pattern: 'inet {vip}/'", "pattern: '(', absent: 'x'").replace("holds_s: 1", "holds_s: soon")
    with pytest.raises(ScenarioError, match=r"2 problem") as caught:
        made(tmp_path, wrong)
    assert "holds_s" in str(caught.value)
    assert "no regular expression" in str(caught.value)


def test_a_link_without_a_pattern_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="either pattern or absent"):
        made(tmp_path, MINIMAL.replace(", pattern: 'inet {vip}/'", ""))


def test_an_answer_that_is_none_proves_no_absence(tmp_path: Path) -> None:
    text = MINIMAL.replace("pattern: 'inet {vip}/'", "absent: 'inet {vip}/', readable: 'inet '")
    matched = match(made(tmp_path, text), Evidence(facts=(addresses("sh: ip: not found"),)), context=CONTEXT)
    assert matched.unclear == ("made: addresses could not be read",)
    assert match(made(tmp_path, text), Evidence(facts=(addresses("inet 10.9.7.10/24"),)), context=CONTEXT).findings
