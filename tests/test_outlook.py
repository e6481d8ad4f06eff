"""The verbs that show cells, as users call them."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from lab import release
from lab.cli import main
from tests.repository import git

MINE = """\
name: mine
about: a question of one's own
defaults: {refs: [replica@v2.25.0], kubernetes: [v1.29.5], orderings: [kube-vip]}
mitigations: {long: {why: w, variables: {kubeadm_init_timeout: 600s}}}
cells: [{mitigations: [long]}]
"""
RED = "k8s-v1.29.5:1cp:kube-vip:vip:containers"
WIDE = {"COLUMNS": "400"}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def spraylab(*words: str) -> Result:
    return CliRunner().invoke(main, words, env=WIDE)


def test_what_the_plan_says_of_an_inventory_can_be_typed(tmp_path: Path, kubespray: Path) -> None:
    (tmp_path / "my own.yaml").write_text(MINE)
    asked = ("--kubespray", str(kubespray), "--ref", "pr/7", "--bed", "vagrant", "--artifacts", "built", "--component", "kube-vip=v1.0.0")
    planned = spraylab("plan", str(tmp_path / "my own.yaml"), "--stages", *asked)
    assert planned.exit_code == 0, planned.output
    hint = re.search(r"`spraylab (inventory [^`]+)`", planned.output)
    assert hint
    shown = spraylab(*shlex.split(hint[1]))
    assert shown.exit_code == 0, shown.output
    told = yaml.safe_load(shown.stdout)["all"]["vars"]
    assert (told["kubeadm_init_timeout"], told["kube_vip_image_tag"]) == ("600s", "v1.0.0")
    assert "kubelet_fail_swap_on" not in told, "which is for nodes that are containers"
    home = re.search(r"^#   spraylab (export .+)$", shown.stdout, re.MULTILINE)
    assert home
    folder = tmp_path / "new"
    done = spraylab(*shlex.split(home[1].replace("FOLDER", str(folder))))
    assert done.exit_code == 0, done.output
    assert yaml.safe_load((folder / "stage1-kube-vip.yaml").read_text())["all"]["vars"]["kubeadm_init_timeout"] == "600s"


def test_the_plan_of_a_pull_request_is_by_the_facts_of_what_it_contains(kubespray: Path) -> None:
    words = ("plan", "kubespray-11338", "--ref", "pr/7", "--stages", "-k", RED)
    looked_up = spraylab(*words, "--kubespray", str(kubespray))
    assert "with admin.conf" in looked_up.output
    assert "not looked up" not in looked_up.output
    guessed = spraylab(*words)
    assert guessed.stderr.count("not looked up") == 1
    assert f"pr/7 (the facts of {release.every()[-1].tag} are assumed)" in guessed.stderr
    assert "not looked up" not in guessed.stdout


@pytest.mark.parametrize(("ref", "said"), [("v2.99.0", "does not have v2.99.0"), ("pr/8", "does not have pr/8")])
@pytest.mark.parametrize("verb", ["plan", "inventory", "export"])
def test_a_ref_that_a_checkout_does_not_have_is_refused_by_every_verb(
    kubespray: Path, tmp_path: Path, verb: str, ref: str, said: str
) -> None:
    words = {"plan": ["kubespray-11338"], "inventory": [RED], "export": [RED, str(tmp_path / "new"), "--as", "vagrant"]}[verb]
    done = spraylab(verb, *words, "--ref", ref, "--kubespray", str(kubespray))
    assert (done.exit_code, done.stdout) == (4, "")
    assert said in done.stderr
    assert "is not a git repository" in spraylab(verb, *words, "--kubespray", str(tmp_path / "nowhere")).stderr


def test_a_folder_of_a_commit_fetches_that_commit(kubespray: Path, tmp_path: Path) -> None:
    commit = git(kubespray, "rev-parse", "fix/endpoint")
    words = ("--scenario", "kubespray-11338", "--ref", commit[:9], "--kubespray", str(kubespray), "--as", "inventory")
    done = spraylab("export", RED, str(tmp_path / "new"), *words)
    assert done.exit_code == 0, done.output
    assert f"fetch origin {commit}" in (tmp_path / "new" / "README.md").read_text()


def test_which_cell_is_shown_is_said_beside_the_answer() -> None:
    unknown = f"replica-v2.25.0:{RED}:with-a"
    done = spraylab("inventory", unknown, "--scenario", "advice")
    assert done.stderr == f"{unknown!r} is no whole id; the cell it fits is {unknown}pi-port-8443\n"
    yaml.safe_load(done.stdout)
    assert spraylab("inventory", f"replica-v2.25.0:{RED}", "--scenario", "kubespray-11338").stderr == ""


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (("--component", "kube-vip=v9"), "--component cannot be read", "write it like kube-vip=v1.0.0"),
        (("--component", "kube-vip=v9.9.9"), "kubespray-11338 cannot be run with --component kube-vip=v9.9.9", "name one of them"),
        (("--component", "kubernetes=v1.30.4"), "--component kubernetes=v1.30.4 names no component", "a field of the scenario"),
        (("--ref", "replica@v2.26.1"), "kubespray-11338 cannot be run with --ref replica@v2.26.1", "name one of them"),
        (("--ref", "replica@v9.9.9"), "there is no replica of v9.9.9", "name one of them"),
        (("--ref", "v2.31.0"), "kubespray-11338 cannot be run with --ref v2.31.0", "on the command line"),
        (("--bed", "kind", "--kubespray", "https://x.invalid/x"), "kubespray-11338 cannot be run with --kubespray", "another bed"),
    ],
)
def test_what_the_command_line_asks_for_is_said_of_it_in_three_lines(words: tuple[str, ...], what: str, fix: str) -> None:
    done = spraylab("plan", "kubespray-11338", *words)
    assert done.exit_code == 4
    assert len(done.stderr.splitlines()) == 3
    assert done.stderr.startswith(f"error: {what}")
    assert fix in done.stderr.splitlines()[2]
    assert ".yaml" not in done.stderr
    assert len(done.stderr) < 600
