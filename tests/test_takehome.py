import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lab import installer, inventory, plan, playbooks, release, takehome
from lab.ambiguous import LISTED
from lab.cli import main
from lab.errors import ScenarioError
from lab.host import NodeNeeds
from lab.model import Cell, Site, Stage
from lab.supply import Supply
from tests import made

NEEDS = NodeNeeds(cgroup_driver="cgroupfs", feature_gates=("KubeletInUserNamespace=true",), nofile=None, nproc=None, restrict_oom=False)
VERSIONS = {"kube-vip": "v0.9.2", "cilium": "v1.15.4"}
STAGED = made.cell("cilium > kube-vip+metallb")
IDS = ("kube-vip", "kube-vip > metallb", "cilium")


def written(cell: Cell, number: int, site: Site) -> tuple[str, Stage]:
    facts = release.load(cell.ref.release)
    stages = plan.stages(cell, facts, needs=NEEDS, versions=VERSIONS)
    stage = takehome.nth(number, stages)
    reasons = plan.reasons(cell, stage, facts, needs=NEEDS, versions=VERSIONS)
    return takehome.document(cell, stages, stage, site, reasons=reasons), stage


@pytest.mark.parametrize("ref", ["replica@v2.25.0", "kubespray@v2.25.1"])
@pytest.mark.parametrize("number", [1, 2])
def test_it_is_what_the_stage_gets_in_one_file(tmp_path: Path, number: int, ref: str) -> None:
    site = made.site_of_three(tmp_path)
    text, stage = written(replace(STAGED, ref=made.cell(ref=ref).ref), number, site)
    given = inventory.render(stage, site)
    whole = yaml.safe_load(text)
    assert whole["all"].pop("vars") == yaml.safe_load(given.variables)
    assert whole == yaml.safe_load(given.hosts)


def test_every_group_of_variables_says_why(tmp_path: Path) -> None:
    text, _ = written(replace(STAGED, mitigations=("short-init",), variables=(("kubeadm_init_timeout", "30s"),)), 2, made.site(tmp_path))
    groups = re.findall(r"\n\n((?:    #[^\n]*\n)+)    (\w+):", text)
    why = {name: " ".join(line.strip("# ") for line in comment.splitlines()) for comment, name in groups}
    assert why["kube_version"] == "Kubernetes of the cell"
    assert why["kube_network_plugin"] == "turns cilium on"
    assert why["upstream_dns_servers"] == "addresses of slot 0"
    assert why["kubeadm_init_timeout"] == "mitigation short-init"
    assert why["kubelet_feature_gates"].startswith("departs from the release: kubelet_fail_swap_on false writes memorySwap")
    assert why["kubelet_feature_gates"].endswith("refuses; the host grants its nodes no CAP_SYS_RESOURCE, which kubelet otherwise needs")
    departs = [text.startswith("departs") for text in why.values()]
    assert departs == sorted(departs)
    assert all(text.strip() for text in why.values())


def test_a_late_stage_says_what_it_comes_after(tmp_path: Path) -> None:
    text, _ = written(STAGED, 2, made.site(tmp_path))
    assert f"# Inventory of stage 2 of 2, kube-vip+metallb, of the cell\n# {STAGED.id}" in text
    assert "# It comes after cilium, each with an inventory of its own: --stage 1 to 1." in text
    assert "It comes after" not in written(STAGED, 1, made.site(tmp_path))[0]


def test_it_says_whom_it_is_for_and_how_the_cell_is_had_on_other_machines(tmp_path: Path) -> None:
    stages = plan.stages(STAGED, release.load("v2.25.0"), needs=NEEDS, versions=VERSIONS)
    site = made.site(tmp_path)
    text = takehome.document(STAGED, stages, stages[0], site, reasons={}, again=("--scenario", "my own.yaml", "--ref", "pr/7"))
    assert "what departs from the release is for them. For machines of your own:" in text.replace("\n# ", " ")
    assert f"#   spraylab export {STAGED.id} FOLDER --as inventory --scenario 'my own.yaml' --ref pr/7\n" in text
    home = takehome.Home(hosts="../x.yaml", notes=())
    assert "spraylab" not in takehome.document(STAGED, stages, stages[0], site, reasons={}, home=home)


def test_the_command_is_what_the_installer_runs() -> None:
    stage = Stage(index=0, name="x", addons=(), endpoint="node", variables={}, tags=("node", "kube-vip"))
    cell = made.cell()
    source = playbooks.replica(release.load(cell.ref.release))
    run = installer.arguments(stage, hosts="inventory.yaml", more=source.arguments, playbook=str(source.cluster))
    shown = takehome.command(cell.ref, stage)
    assert shown == " ".join(("ansible-playbook", *run)).replace(f"{playbooks.REPLICA}/", "")
    assert takehome.command(made.cell(ref="kubespray@v2.25.0").ref, replace(stage, tags=())) == (
        "ansible-playbook -i inventory.yaml -b cluster.yml"
    )
    assert takehome.where(made.cell(ref="kubespray@v2.25.0").ref).startswith("a checkout of kubespray v2.25.0")


def test_an_upgrade_and_a_reset_are_commands_of_their_own() -> None:
    cell = made.cell("kube-vip > upgrade(v1.29.5) > reset", ref="kubespray@v2.25.1", kube_version="v1.28.6")
    stages = plan.stages(cell, release.load("v2.25.1"), needs=NEEDS, versions={}, supply=Supply())
    assert [takehome.command(cell.ref, stage).rpartition(" ")[2] for stage in stages] == ["cluster.yml", "upgrade-cluster.yml", "reset.yml"]


def test_what_kind_installs_has_its_own_command_and_no_inventory(tmp_path: Path) -> None:
    cell = made.cell()
    cell = replace(cell, bed="kind", ref=replace(cell.ref, source="kind"))
    stage = Stage(index=0, name="x", addons=(), endpoint="node", variables={})
    assert takehome.command(cell.ref, stage) == "kind create cluster --config kind.yaml"
    assert "--as kind" in takehome.where(cell.ref)
    with pytest.raises(ScenarioError, match=r"has no inventory\n.*kind installs it"):
        takehome.document(cell, [stage], stage, made.site(tmp_path), reasons={})


def test_an_id_or_a_part_of_one_alone_is_enough() -> None:
    cells = [made.cell(ordering) for ordering in IDS]
    assert takehome.find(cells[0].id, cells + cells) == cells[0]
    assert takehome.find("..metallb", cells) == cells[1]
    moved = [made.cell(ordering, ref="kubespray@v2.25.0") for ordering in IDS]
    assert takehome.find("kubespray-v2.25.0:k8s-v1.29.5:1cp:cilium", cells, moved) == moved[2]
    assert takehome.find("cilium", cells, moved) == cells[2]


def test_whole_fields_go_before_a_part_of_one_and_a_whole_id_before_both() -> None:
    plain, staged = made.cell("kube-vip"), made.cell("kube-vip > metallb")
    changed = replace(plain, mitigations=("a",))
    assert takehome.find("kube-vip", [staged, plain]) == plain
    assert takehome.find("1cp:kube-vip..metallb", [staged, plain]) == staged
    assert takehome.find("with-a", [replace(plain, mitigations=("ab",)), changed]) == changed
    assert takehome.find(plain.id, [changed, plain]) == plain
    assert takehome.find("kube-vip", [staged], [plain]) == plain
    with pytest.raises(ScenarioError, match="fits 2 cells"):
        takehome.find("1cp:kube-vip", [plain, changed, staged])


def test_a_part_that_fits_several_lists_them_and_one_that_fits_none_says_so() -> None:
    cells = [made.cell(ordering) for ordering in IDS]
    with pytest.raises(ScenarioError) as caught:
        takehome.find("be-v", cells)
    assert str(caught.value).startswith("'be-v' fits 2 cells\n")
    assert [line.strip() for line in str(caught.value).splitlines() if line.strip().startswith("replica-")] == sorted(
        [cells[0].id, cells[1].id]
    )
    with pytest.raises(ScenarioError, match=r"no cell has 'weave' in its id[\s\S]*spraylab list"):
        takehome.find("weave", cells)
    many = [replace(cells[0], mitigations=(f"m{number}",)) for number in range(LISTED + 5)]
    with pytest.raises(ScenarioError, match="and 5 more"):
        takehome.find("kube-vip", many)


def test_a_cell_that_scenarios_mean_differently_asks_for_the_scenario() -> None:
    one = replace(made.cell(), mitigations=("slow",), variables=(("a", "1"),))
    with pytest.raises(ScenarioError, match=r"is a cell of 2 scenarios[\s\S]*--scenario"):
        takehome.find(one.id, [one, replace(one, variables=(("a", "2"),))])


def test_a_stage_that_is_not_there_is_refused_with_those_that_are() -> None:
    stages = plan.stages(STAGED, release.load("v2.25.0"), needs=NEEDS, versions=VERSIONS)
    assert takehome.nth(None, stages) is stages[-1]
    with pytest.raises(ScenarioError, match=r"no stage 3[\s\S]*1 cilium, 2 kube-vip\+metallb"):
        takehome.nth(3, stages)
    with pytest.raises(ScenarioError, match="no stage 0"):
        takehome.nth(0, stages)


@pytest.mark.parametrize("source", ["replica", "kubespray"])
def test_the_command_prints_a_cell_of_the_scenarios_by_either_source_of_playbooks(source: str) -> None:
    cell = f"{source}-v2.25.0:k8s-v1.29.5:1cp:cilium..kube-vip..metallb:vip:containers"
    done = CliRunner().invoke(main, ["inventory", cell, "--stage", "2", "--slot", "3", "--scenario", "orderings"])
    assert done.exit_code == 0, done.output
    told = yaml.safe_load(done.output)["all"]
    assert told["vars"]["kube_vip_address"] == "10.231.3.100"
    assert "metallb_enabled" not in told["vars"]
    assert told["hosts"]["cp1"]["ip"] == "10.231.3.10"
    assert ("override_system_hostname" in told["vars"]) == (source == "kubespray")


def test_the_command_says_in_one_message_what_it_does_not_know() -> None:
    done = CliRunner().invoke(main, ["inventory", "weave"])
    assert (done.exit_code, done.stderr.splitlines()[0]) == (4, "error: no cell has 'weave' in its id")
