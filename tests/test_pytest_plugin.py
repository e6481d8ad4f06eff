"""The plugin as users meet it: pytest as a process of its own, on scenario files."""

import shutil
import sys
from pathlib import Path

import pytest

from lab import slots
from lab.command import run
from lab.host import facts
from lab.model import Completed
from tests import repository

PROJECT = Path(__file__).parent.parent
GOOD = """\
name: good
about: two cells
cells:
  - {refs: [replica@v2.25.0, replica@v2.25.1], kubernetes: [v1.29.5], orderings: [kube-vip]}
  - {refs: [replica@v2.24], kubernetes: [v1.28.6], orderings: [base]}
exclude:
  - {refs: [replica@v2.24], because: it is older than the question}
"""
CELL = "{refs: [%s], kubernetes: [%s], orderings: [%s]}"


def lab(tmp_path: Path, text: str, *words: str, env: dict[str, str] | None = None) -> Completed:
    """Pytest on a scenario with that text, in an empty folder."""
    (tmp_path / "scenarios").mkdir(exist_ok=True)
    (tmp_path / "scenarios" / "one.yaml").write_text(text)
    argv = (
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "lab.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        *words,
        "scenarios",
    )
    return run(argv, limit_s=60, cwd=tmp_path, env={"PYTHONPATH": str(PROJECT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(env or {})})


def one(ref: str = "replica@v2.25.0", kubernetes: str = "v1.29.5", ordering: str = "kube-vip") -> str:
    return f"name: one\nabout: one cell\ncells:\n  - {CELL % (ref, kubernetes, ordering)}\n"


def needs_root() -> None:
    if not facts().is_root:
        pytest.skip("needs root: the lab refuses to go on before it looks for an engine")


def programs(folder: Path, *names: str) -> str:
    """A PATH with these programs alone."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


def test_cells_are_items_with_readable_ids_and_left_out_ones_stay_visible(tmp_path: Path) -> None:
    done = lab(tmp_path, GOOD, "--collect-only", "-q")
    ids = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert ids == [
        "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers",
        "replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers",
        "replica-v2.24:k8s-v1.28.6:1cp:base:node:containers",
    ]
    assert done.stdout.count("1 of 3 would not run:\nreplica-v2.24:k8s-v1.28.6:1cp:base:node:containers left out: it is older") == 1
    assert not (tmp_path / "runs").exists()


def test_a_collection_in_full_says_in_place_what_would_not_run(tmp_path: Path) -> None:
    done = lab(tmp_path, GOOD, "--collect-only")
    shown = [line.strip() for line in done.stdout.splitlines() if "<CellItem" in line]
    assert [line.partition("> ")[2] for line in shown] == ["", "", "left out: it is older than the question"]
    assert "would not run" not in done.stdout


def test_lists_and_plans_say_what_was_known_and_expired(tmp_path: Path) -> None:
    known = "{cell: 'replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers', finding: slow-host, upstream: [], expires: 2020-01-31}"
    (tmp_path / "one.yaml").write_text(f"{one()}known: [{known}]\n")
    for verb in ("list", "plan"):
        done = run((sys.executable, "-m", "lab.cli", verb, "one.yaml"), limit_s=60, cwd=tmp_path, env={"PYTHONPATH": str(PROJECT)})
        assert "containers expired on 2020-01-31, and no longer excuses that cell" in done.stdout, done.stderr


def test_a_left_out_cell_is_skipped_with_its_reason(tmp_path: Path) -> None:
    done = lab(tmp_path, GOOD, "-k", "v2.24", "-rs")
    assert "it is older than the question" in done.stdout
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("asked", ["green", "verdicts"])
def test_where_no_cell_runs_nothing_could_be_told(tmp_path: Path, asked: str) -> None:
    done = lab(tmp_path, GOOD, "-k", "v2.24", f"--asked={asked}")
    assert done.rc == 2, done.stdout + done.stderr
    assert "replica-v2.24:k8s-v1.28.6:1cp:base:node:containers: not run, it is older than the question" in done.stdout
    assert "no cell runs, so that nothing can be told" in done.stdout
    assert lab(tmp_path, GOOD, "-k", "v2.24", "--collect-only").rc == 0


@pytest.mark.parametrize("option", ["--slot=99", "--jobs=-3"])
def test_options_that_cannot_be_are_refused_also_where_no_cell_runs(tmp_path: Path, option: str) -> None:
    done = lab(tmp_path, GOOD, "-k", "v2.24", option)
    assert done.rc == 4, done.stdout + done.stderr
    assert f"why: {option.replace('=', ' ')} is " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("more", [(), ("--collect-only",)], ids=["run", "collect-only"])
def test_a_k_that_fits_no_cell_is_bad_input(tmp_path: Path, more: tuple[str, ...]) -> None:
    done = lab(tmp_path, GOOD, "-k", "weave", *more)
    assert done.rc == 4, done.stdout + done.stderr
    assert "no cell fits -k 'weave'\n  why: none of the 3 cell(s)" in done.stderr


def test_a_k_that_fits_other_tests_is_theirs(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_other.py").write_text("def test_weave(): pass\n")
    assert lab(tmp_path, GOOD, "-k", "weave").rc == 0


def test_ctrl_c_before_any_cell_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "test_other.py").write_text("raise KeyboardInterrupt\n")
    assert lab(tmp_path, GOOD).rc == 130


def test_cells_are_selected_by_pytests_own_k(tmp_path: Path) -> None:
    done = lab(tmp_path, GOOD, "--collect-only", "-q", "-k", "v2.25.1 and kube-vip")
    assert [line for line in done.stdout.splitlines() if "::" in line] == [
        "scenarios/one.yaml::replica-v2.25.1:k8s-v1.29.5:1cp:kube-vip:vip:containers"
    ]


WRONG = {
    "addon": (one(ordering="kube-vip+metal-lb"), "unknown addon 'metal-lb'"),
    "release": (one(ref="replica@v9.9"), "v9.9"),
    "ref": (one(ref="v2.25.0"), "is not like replica@v2.25.0"),
    "kubernetes": (one(kubernetes="v1.29.6"), "lab/components/ builds v1.28.6, v1.29.5"),
    "type": ("name: one\nabout: [1]\ncells: []\n", "about: must be text"),
    "yaml": ("name: one\n  about: {", "is not YAML"),
}


def test_wrong_scenarios_are_one_message_each_and_4_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    for name, (text, _) in WRONG.items():
        (tmp_path / "scenarios" / f"{name}.yaml").write_text(text)
    done = lab(tmp_path, GOOD)
    assert done.rc == 4, done.stdout + done.stderr
    for name, (_, said) in WRONG.items():
        (message,) = [part for part in done.stderr.split("\n/") if f"/{name}.yaml" in part.split("\n")[0]]
        assert said in message
        assert "why: " in message
        assert "fix: " in message
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["scenarios"]


MITIGATED = """\
name: {name}
about: one cell
mitigations:
  patience: {{why: it is said to help, variables: {{kube_vip_leaseduration: {seconds}}}}}
cells:
  - {{refs: [replica@v2.25.0], kubernetes: [v1.29.5], orderings: [kube-vip], mitigations: [patience]}}
"""


@pytest.mark.parametrize(("seconds", "rc"), [(30, 4), (15, 0)])
def test_one_id_for_cells_that_differ_is_told_before_anything_is_made(tmp_path: Path, seconds: int, rc: int) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "other.yaml").write_text(MITIGATED.format(name="other", seconds=seconds))
    done = lab(tmp_path, MITIGATED.format(name="one", seconds=15), "--collect-only", "-q")
    assert done.rc == rc, done.stdout + done.stderr
    cell = "replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip:vip:containers:with-patience"
    wanted = f"{cell} stands for cells that differ\n  why: variables: kube_vip_leaseduration: 15 and kube_vip_leaseduration: 30\n  fix: run"
    assert (wanted in done.stderr) is (rc == 4)
    assert not (tmp_path / "runs").exists()


def test_two_problems_are_told_at_once(tmp_path: Path) -> None:
    text = one(ordering="metal-lb") + f"  - {CELL % ('replica@v2.25.0', '[]', 'kube-vip')}\nsurprise: 1\n"
    told = lab(tmp_path, text).stderr
    assert "unknown addon 'metal-lb'" in told
    assert "surprise" in told


def test_without_an_engine_nothing_begins(tmp_path: Path) -> None:
    needs_root()
    path = programs(tmp_path / "bin", "ip", "uname")
    (tmp_path / "bin" / "go").write_text("#!/bin/sh\necho go version go1.26.0 linux/amd64\n")
    (tmp_path / "bin" / "go").chmod(0o755)
    done = lab(tmp_path, one(), env={"PATH": path, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert done.rc == 4, done.stdout + done.stderr
    assert "no Docker engine" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_without_go_and_a_package_index_nothing_begins(tmp_path: Path) -> None:
    needs_root()
    path = programs(tmp_path / "bin", "ip", "uname")
    (tmp_path / "bin" / "podman").write_text("#!/bin/sh\nexit 1\n")  # an engine is asked for first, and begun last
    (tmp_path / "bin" / "podman").chmod(0o755)
    env = {"PATH": path, "SPRAYLAB_CACHE": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "UV_OFFLINE": "1"}
    done = lab(tmp_path, one(), env=env)
    assert done.rc == 4, done.stdout + done.stderr
    assert "no Go toolchain" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_slot_in_use_is_told_before_anything_is_made(tmp_path: Path) -> None:
    needs_root()
    held = slots.hold(None, slots.of_host())
    try:
        done = lab(tmp_path, one(), f"--slot={held.slot.number}")
    finally:
        held.release()
    assert done.rc == 4, done.stdout + done.stderr
    assert f"slot {held.slot.number} ({held.slot.subnet}) is in use" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_checkout_that_is_none_is_told_before_anything_is_made(tmp_path: Path) -> None:
    needs_root()
    done = lab(tmp_path, one(), "--kubespray", str(tmp_path / "nowhere"))
    assert done.rc == 4, done.stdout + done.stderr
    assert "is not a git repository" in done.stderr
    assert not (tmp_path / "runs").exists()


def items(done: Completed) -> list[str]:
    return [line.partition("::")[2].partition(":")[0] for line in done.stdout.splitlines() if "::" in line]


def test_refs_of_the_command_line_are_run_in_place_of_the_scenarios(tmp_path: Path) -> None:
    done = lab(tmp_path, GOOD, "--collect-only", "-q", "--ref", "pr/7", "--ref", "replica@v2.25.1", "-k", "v1.29.5 and kube-vip")
    assert items(done) == ["kubespray-pr+7", "replica-v2.25.1"]
    again = lab(tmp_path, GOOD, "--collect-only", "-q", "--ref", "pr/7", "-k", "kubespray-pr+7 and not base")
    assert items(again) == ["kubespray-pr+7"]


def test_refs_that_mean_nothing_are_told_before_anything_is_made(tmp_path: Path, kubespray: Path) -> None:
    env = {"SPRAYLAB_CACHE": str(tmp_path / "cache")}
    wrong = lab(tmp_path, one(), "--ref", "a..b", env=env)
    missing = lab(tmp_path, one(), "--ref", "pr/8", "--kubespray", f"file://{kubespray}", env=env)
    nowhere = lab(tmp_path, one(ref="kubespray@master"), "--kubespray", f"file://{tmp_path}/nowhere", env=env)
    for done, said in ((wrong, "--ref a..b is no ref"), (missing, "does not have pr/8"), (nowhere, "the repository cannot be asked")):
        assert done.rc == 4, done.stdout + done.stderr
        assert said in done.stderr
        assert done.stderr.count("fix: ") == 1
    assert not (tmp_path / "runs").exists()


def test_requirements_that_cannot_be_had_are_told_before_anything_is_made(tmp_path: Path, kubespray: Path) -> None:
    needs_root()
    repository.commit(kubespray, **{"requirements.txt": "--no-index\nansible-core==0.0.1\n"})
    done = lab(tmp_path, one(), "--ref", "worktree", "--kubespray", str(kubespray), env={"SPRAYLAB_CACHE": str(tmp_path / "cache")})
    assert done.rc == 4, done.stdout + done.stderr
    assert "what requirements.txt of kubespray worktree (" in done.stderr
    assert not (tmp_path / "runs").exists()
