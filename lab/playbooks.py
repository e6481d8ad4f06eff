"""Where playbooks come from: the replica, or kubespray at any ref; and the Ansible that runs them."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab import cachedir, checkout, release
from lab.command import run
from lab.errors import InstallError
from lab.model import Completed, Ref
from lab.release import Release

REPLICA = Path(__file__).parent / "replica"
PIP_LIMIT_S = 1800.0  # a cold Ansible is 50 MB of wheels; this only ends what hangs

Run = Callable[..., Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbooks:
    """What the installer runs. `ansible_playbook`: how that program is started; `env`: added to its environment;
    `arguments`: added to its command line; `init_tasks`: names of the tasks that run kubeadm init; `label`: for reports."""

    cluster: Path
    ansible_playbook: tuple[str, ...]
    label: str
    init_tasks: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def replica(facts: Release) -> Playbooks:
    """The replica of the release with those facts, run by the Ansible that is installed with the lab. Raises InstallError without it."""
    variables = REPLICA / "releases" / f"{facts.name}.yml"
    if not variables.exists():
        why = f"{variables.parent} has {', '.join(release.replicas())}"
        raise InstallError(f"the replica does not know {facts.name}", why, "name one of them, or add its file")
    program = Path(sys.executable).parent / "ansible-playbook"
    if not program.exists():
        raise InstallError(
            "ansible-playbook is missing", f"there is no {program}", "install the lab with its requirements: pip install spraylab"
        )
    return Playbooks(
        cluster=REPLICA / "cluster.yml",
        ansible_playbook=(sys.executable, str(program)),
        label=f"replica of {facts.name}",
        init_tasks=facts.kubeadm_init.tasks,
        arguments=("-e", f"@{variables}"),
    )


def kubespray(ref: Ref, repository: str, *, start: Run = run) -> Playbooks:
    """Unpatched playbooks of kubespray at `ref`, out of `repository` (path or URL), run by the Ansible that the ref pins.

    Its files are laid out once per commit, and Ansible is installed once per set of pins in requirements.txt, both into the cache: what
    is there needs no network. Raises InstallError when there is no such ref, it has no cluster.yml or no requirements.txt, or its
    Ansible cannot be installed.
    """
    facts = release.load(ref.release)
    if not ref.commit:
        known = checkout.Tagged(tag=facts.tag, commit=facts.commit) if ref.name in (facts.name, facts.tag) else None
        found = checkout.find(repository, ref.name, release=known, start=start)
        ref = replace(ref, commit=found.commit, changes=found.changes)
    tree = checkout.tree(repository, ref.commit, ref.changes, start=start)
    if missing := [name for name in ("cluster.yml", "requirements.txt") if not (tree / name).exists()]:
        why = f"it has no {' and no '.join(missing)}"
        raise InstallError(f"{checkout.shown(repository)} at {ref.name} is not kubespray", why, "name a repository of kubespray")
    python = ansible(tree / "requirements.txt", label=ref.label, start=start)
    return Playbooks(
        cluster=tree / "cluster.yml",
        ansible_playbook=(str(python), str(python.parent / "ansible-playbook")),
        label=ref.label,
        init_tasks=facts.kubeadm_init.tasks,
    )


def ansible(requirements: Path, *, label: str, start: Run = run) -> Path:
    """The Python of a virtual environment with what the file `requirements` pins, made once per set of pins and Python.

    label: of the ref that asks for it. Raises InstallError when it cannot be installed, or has no ansible-playbook.
    """
    key = cachedir.digest([*_pins(requirements.read_text()), sys.version])
    return cachedir.obtain("ansible", key, lambda part: _install(requirements, part, label, start)) / "bin" / "python"


def _pins(text: str) -> list[str]:
    """The lines of a requirements file that count; their order does not, where each is whole."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
    return lines if any(line.endswith("\\") for line in lines) else sorted(set(lines))


def _install(requirements: Path, part: Path, label: str, start: Run) -> None:
    # Installed before it has its final place: start its programs by its Python, never by their first line.
    python = str(part / "bin" / "python")
    steps: tuple[tuple[str, ...], ...] = (
        (sys.executable, "-m", "venv", str(part)),
        (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements)),
    )
    if uv := shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"):
        steps = (
            (uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(part)),
            (
                uv,
                "pip",
                "install",
                "-q",
                "--compile-bytecode",
                "--python",
                python,
                "-r",
                str(requirements),
            ),  # nothing is written there later
        )
    for argv in steps:
        done = start(argv, limit_s=PIP_LIMIT_S, cwd=requirements.parent)  # what it names by a relative path lies beside it
        if done.rc != 0:
            fix = "see that the package index can be reached; if it can, the file pins what cannot be had together: correct it in the ref"
            raise InstallError(f"what requirements.txt of {label} pins cannot be installed", checkout.said(done), fix)
    if not (part / "bin" / "ansible-playbook").exists():
        why = "it was installed, and there is no program ansible-playbook"
        raise InstallError(f"requirements.txt of {label} pins no Ansible", why, "name a ref of kubespray, whose file does")
