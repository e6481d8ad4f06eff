import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner

from lab import artifacts, checkout, export, named, plan, ready, scenario
from lab.cli import main
from lab.command import run
from lab.errors import HostError, ScenarioError
from lab.export import FORMS, Form
from lab.model import Cell, Topology
from lab.refs import Refs
from tests import made

VERSIONS = {"kube-vip": "v0.9.2", "cilium": "v1.15.4", "metallb": "v0.13.9"}
RED, STAGED = "kube-vip", "cilium > kube-vip+metallb"
OURS = re.compile(r"spraylab|/opt/lab|localhost/|file:///")  # what only the lab has


def cell(ordering: str = RED, *, ref: str = "replica@v2.25.0") -> Cell:
    found = made.cell(ordering, ref=ref)
    return replace(found, ref=Refs().read([ref])[ref])


def files(one: Cell, form: Form) -> Mapping[str, str]:
    return export.files(one, form, versions=VERSIONS)


def test_there_are_three_forms() -> None:
    assert set(FORMS) == set(get_args(Form)) == {"kind", "vagrant", "inventory"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("ordering", ["base", RED, "kube-vip+metallb+cilium"])
def test_a_folder_needs_nothing_of_the_lab_and_its_readme_names_every_file(form: Form, ordering: str) -> None:
    texts = files(cell(ordering), form)
    for name, text in texts.items():
        assert not OURS.search(text), name
        assert name == "README.md" or f"`{name}`" in texts["README.md"]
        assert "\n\n\n" not in text, name
    for name in (name for name in texts if name.endswith(".yaml")):
        assert list(yaml.safe_load_all(texts[name]))


@pytest.mark.parametrize("form", ["kind", "vagrant"])
def test_its_script_is_one_that_a_shell_can_read_and_says_how_it_is_used(form: Form, tmp_path: Path) -> None:
    export.write(files(cell("kube-vip+metallb+cilium"), form), tmp_path / "new")
    script = tmp_path / "new" / "run.sh"
    assert run(("sh", "-n", str(script)), limit_s=10).rc == 0
    used = run((str(script),), limit_s=10)
    assert used.rc == 4
    assert all(f"./run.sh {verb}" in used.stdout for verb in ("up", "look", "down"))


@pytest.mark.skipif(not shutil.which("ruby"), reason="no ruby on this host")
def test_an_ansible_that_could_not_be_installed_is_installed_the_next_time(tmp_path: Path) -> None:
    export.write(files(cell(), "vagrant"), tmp_path / "new")
    (tmp_path / "new" / "kubespray").mkdir()
    pip = 'to=${0%pip}ansible-playbook; test -e "$0.again" || { : > "$0.again"; exit 1; }; echo echo played > $to; chmod +x $to'
    python = f"mkdir -p venv/bin; [ -e venv/bin/pip ] || cat > venv/bin/pip <<'EOF'\n#!/bin/sh\n{pip}\nEOF\nchmod +x venv/bin/pip"
    for name, text in {"vagrant": "true", "python3": python}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    stage = (str(tmp_path / "new" / "run.sh"), "stage1")
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert run(stage, limit_s=10, env=path).rc != 0
    again = run(stage, limit_s=10, env=path)
    assert (again.rc, again.stdout) == (0, "played\n"), again


def test_its_vagrantfile_is_ruby(tmp_path: Path) -> None:
    export.write(files(cell(), "vagrant"), tmp_path / "new")
    assert run(("ruby", "-c", str(tmp_path / "new" / "Vagrantfile")), limit_s=30).rc == 0


@pytest.mark.parametrize("form", FORMS)
def test_the_readme_tells_what_the_preflight_foretells_and_nothing_else(form: Form) -> None:
    red = files(cell(), form)["README.md"]
    assert "lets kube-vip take it with admin.conf" in red
    assert "What to do: let kube-vip of the first control plane mount super-admin.conf" in red
    assert "strict" not in red.lower(), "the cell does not run with ipvs, so nothing is foretold of it"
    green = files(cell(ref="replica@v2.25.1"), form)["README.md"]
    assert "Nothing that the preflight knows says that it fails; that is no promise." in green


@pytest.mark.parametrize("form", ["inventory", "vagrant"])
def test_a_vip_that_a_reset_leaves_is_foretold_unless_kube_vip_has_time(form: Form) -> None:
    red = cell("kube-vip > reset > kube-vip", ref="kubespray@v2.25.1")
    (said,) = foretold(files(red, form)["README.md"])
    assert "kube-vip does not take the VIP away; the restart of the network behind it may" in said
    assert "What to do: run reset.yml with cri_stop_containers_grace_period 10" in files(red, form)["README.md"]
    assert foretold(files(replace(red, variables=(("cri_stop_containers_grace_period", "10"),)), form)["README.md"]) == []


NEWER = "kube-vip v0.9.2"  # which the lab builds for the replica; a release fetches its own
RESTARTS = "; the restart of the network behind it may"  # which nodes of the lab are spared
PLACES = {"kind": ("10.231.255.", "eth0"), "vagrant": ("192.168.56.", "eth1"), "inventory": ("10.231.0.", "eth0")}


def foretold(readme: str) -> list[str]:
    return re.findall(r"^- (.*)\.$", readme.partition("## What to expect")[2].partition("\n## ")[0], re.MULTILINE)


def as_run_by_the_lab(one: Cell, form: Form) -> list[str]:
    """What the preflight says of the cell's own stages, in the addresses of the form."""
    by_kind = replace(one, bed="kind", ref=replace(one.ref, source="kind"))
    its = by_kind if form == "kind" else one
    own = [found.says for found in ready.predicted(its, ready.stages(its))]
    subnet, interface = PLACES[form]
    moved = [says.replace("10.231.0.", subnet).replace("have eth0", f"have {interface}") for says in own]
    return [says for says in moved if form == "kind" or one.ref.source == "kubespray" or NEWER not in says]


@pytest.mark.parametrize(
    ("form", "repository"),
    [("inventory", None), ("inventory", checkout.PUBLIC), ("vagrant", checkout.PUBLIC), ("kind", None)],
    ids=["inventory", "inventory of kubespray", "vagrant", "kind"],
)
def test_what_is_foretold_of_a_cell_at_home_is_what_is_foretold_of_it_in_the_lab(form: Form, repository: str | None) -> None:
    told: dict[str, list[str]] = {}
    own: dict[str, list[str]] = {}
    for path in named.scenario_files():
        for one in scenario.load(path, check=lambda _: None, refs=Refs(repository=repository)).cells:
            versions = artifacts.versions("v1.29.5", plan.addons_of(one))
            try:
                said = foretold(export.files(one, form, versions=versions)["README.md"])
            except ScenarioError:
                continue  # what cannot be had in that form
            told[one.id] = [says.removesuffix(RESTARTS) for says in said]
            own[one.id] = as_run_by_the_lab(one, form)
    assert len(told) > (15 if form == "kind" else 60)
    assert told == own


@pytest.mark.parametrize("form", ["inventory", "vagrant"])
@pytest.mark.parametrize("ordering", ["kube-vip > cilium", "kube-vip+metallb+cilium", "base"])
def test_a_cell_runs_without_ipvs_at_home_too_with_every_addon(form: Form, ordering: str) -> None:
    texts = files(cell(ordering), form)
    told = [yaml.safe_load(text)["all"]["vars"] for name, text in texts.items() if name.startswith("stage")]
    assert {one["kube_proxy_mode"] for one in told} == {"iptables"}


def test_a_cell_without_a_network_has_none_at_home_either() -> None:
    texts = files(replace(cell("kube-vip > cilium"), network="none"), "inventory")
    told = [yaml.safe_load(texts[name])["all"]["vars"]["kube_network_plugin"] for name in ("stage1-kube-vip.yaml", "stage2-cilium.yaml")]
    assert told == ["cni", "cilium"]
    assert "kube_network_plugin" not in yaml.safe_load(files(cell(), "inventory")["stage1-kube-vip.yaml"])["all"]["vars"]


def test_the_inventory_is_kubesprays_without_what_nodes_of_the_lab_need() -> None:
    texts = files(cell(STAGED), "inventory")
    first, second = (yaml.safe_load(texts[name])["all"] for name in ("stage1-cilium.yaml", "stage2-kube-vip+metallb.yaml"))
    assert "kube_vip_enabled" not in first["vars"]
    assert second["vars"]["kube_vip_address"] == "10.231.0.100"
    for one in (first, second):
        assert not {"kubelet_download_url", "kubelet_cgroup_driver", "upstream_dns_servers", "download_container"} & set(one["vars"])
        assert one["hosts"]["cp1"]["ip"] == "10.231.0.10"
    assert "-i ../stage2-kube-vip+metallb.yaml -b cluster.yml" in texts["README.md"]
    assert "git clone --branch v2.25.0 " in texts["README.md"]


def test_machines_of_vagrant_stand_where_the_inventory_says() -> None:
    texts = files(cell("base > kube-vip"), "vagrant")
    told = yaml.safe_load(texts["stage2-kube-vip.yaml"])["all"]
    assert f'"cp1" => {{ address: "{told["hosts"]["cp1"]["ip"]}"' in texts["Vagrantfile"]
    assert told["vars"]["kube_vip_interface"] == "eth1"
    assert "stage2) kubespray ansible-playbook -i ../stage2-kube-vip.yaml -b cluster.yml ;;" in texts["run.sh"]


def test_what_the_cell_sets_itself_stays() -> None:
    wrong = replace(cell(), mitigations=("wrong",), variables=(("kube_vip_interface", "eth7"), ("kube_proxy_mode", "ipvs")))
    told = yaml.safe_load(files(wrong, "vagrant")["stage1-kube-vip.yaml"])["all"]["vars"]
    assert (told["kube_vip_interface"], told["kube_proxy_mode"]) == ("eth7", "ipvs")


def test_an_upgrade_is_a_run_of_its_own_playbook() -> None:
    texts = files(cell("kube-vip > upgrade(v1.29.7)", ref="kubespray@v2.25.1"), "vagrant")
    told = yaml.safe_load(texts["stage2-upgrade-v1.29.7.yaml"])["all"]["vars"]
    assert (told["kube_version"], told["kube_vip_enabled"]) == ("v1.29.7", True)
    assert "stage2) kubespray ansible-playbook -i ../stage2-upgrade-v1.29.7.yaml -b upgrade-cluster.yml ;;" in texts["run.sh"]
    assert "upgrade(v1.29.7), by upgrade-cluster.yml" in texts["README.md"]


@pytest.mark.parametrize(
    ("name", "fetched"), [("pr/11422", "fetch origin pull/11422/head"), ("release-2.25", "clone --branch release-2.25")]
)
def test_a_pull_request_is_fetched_and_a_branch_is_cloned(name: str, fetched: str) -> None:
    assert fetched in files(cell(ref=f"kubespray@{name}"), "inventory")["README.md"]


@pytest.mark.parametrize(("name", "why"), [("worktree", "nobody committed"), ("7e0a40725", "all of its 40 digits")])
@pytest.mark.parametrize("form", ["inventory", "vagrant"])
def test_what_nobody_else_can_fetch_is_refused(form: Form, name: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=rf"cannot be taken home\n.*{why}"):
        files(cell(ref=f"kubespray@{name}"), form)
    whole = "7e0a40725067f7818bb0cd4acaf27a6620af6e3f"
    assert f"fetch origin {whole}" in files(cell(ref=f"kubespray@{whole}"), "inventory")["README.md"]


@pytest.mark.parametrize("ref", ["replica@v2.25.0", "kubespray@v2.25.0"])
def test_kind_has_the_settings_of_a_release_whatever_ran_its_playbooks(ref: str) -> None:
    assert "path: /etc/kubernetes/admin.conf" in files(cell(ref=ref), "kind")["kube-vip.yaml"]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (cell(STAGED), "in one go"),
        (replace(cell(), topology=Topology(control_planes=3)), "load balancer"),
        (cell(ref="kubespray@pr/11422"), "runs no playbooks"),
        (replace(cell(), kube_version="v1.99.0"), "no published node image"),
    ],
    ids=["stages", "control planes", "pull request", "image"],
)
def test_what_kind_cannot_show_is_refused_with_what_can(one: Cell, why: str) -> None:
    with pytest.raises(ScenarioError, match=rf"cannot be had with kind\n.*{why}"):
        files(one, "kind")


def test_a_cell_without_a_network_has_none_by_kind_either() -> None:
    assert "disableDefaultCNI: true" in files(replace(cell(), network="none"), "kind")["kind.yaml"]
    assert "disableDefaultCNI" not in files(cell(), "kind")["kind.yaml"]


def test_a_folder_that_has_something_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(HostError, match="is not empty"):
        export.write({"README.md": "y"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(HostError, match="cannot be written"):
        export.write({"README.md": "y"}, tmp_path / "mine" / "below")


def test_the_command_writes_a_cell_of_the_scenarios(tmp_path: Path) -> None:
    name = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    done = CliRunner().invoke(main, ["export", name, str(tmp_path / "new"), "--as", "kind", "--scenario", "kubespray-11338"])
    assert done.exit_code == 0, done.output
    assert "new/README.md says how to run" in done.output
    assert (tmp_path / "new" / "run.sh").stat().st_mode & 0o111
    versions = artifacts.versions("v1.29.5")
    assert f"kube-vip:{versions['kube-vip']}" in (tmp_path / "new" / "kube-vip.yaml").read_text()
