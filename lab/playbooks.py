"""Where playbooks come from: the replica, or a checkout of kubespray at a tag; and the Ansible that runs them."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab import cachedir
from lab.command import run
from lab.errors import InstallError
from lab.model import Completed
from lab.release import Release

REPLICA = Path(__file__).parent / "replica"
PIP_LIMIT_S = 1800.0  # a cold Ansible is 50 MB of wheels; this only ends what hangs
GIT_LIMIT_S = 300.0
SAID_CHARACTERS = 1200  # of a failed command

Run = Callable[..., Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playbooks:
    """What the installer runs. `ansible_playbook`: how that program is started; `env`: added to its environment;
    `arguments`: added to its command line; `init_task`: name of the task that runs kubeadm init; `label`: for reports."""

    cluster: Path
    ansible_playbook: tuple[str, ...]
    label: str
    init_task: str
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


def replica(release: Release) -> Playbooks:
    """The replica of `release`, run by the Ansible that is installed with the lab. Raises InstallError without it."""
    facts = REPLICA / "releases" / f"{release.name}.yml"
    if not facts.exists():
        there = ", ".join(sorted(path.stem for path in facts.parent.glob("*.yml")))
        raise InstallError(f"the replica does not know {release.name}", f"{facts.parent} has {there}", "name one of them, or add its file")
    program = Path(sys.executable).parent / "ansible-playbook"
    if not program.exists():
        raise InstallError(
            "ansible-playbook is missing", f"there is no {program}", "install the lab with its requirements: pip install spraylab"
        )
    return Playbooks(
        cluster=REPLICA / "cluster.yml",
        ansible_playbook=(sys.executable, str(program)),
        label=f"replica of {release.name}",
        init_task=release.kubeadm_init.task,
        arguments=("-e", f"@{facts}"),
    )


@contextmanager
def checkout(path: Path, release: Release, *, folder: Path, start: Run = run) -> Iterator[Playbooks]:
    """Unpatched playbooks of the git repository at `path`, at the tag of `release`, run by the Ansible that tag pins.

    A work tree of the tag is laid out in `folder` and removed at the end; nothing in `path` changes. Ansible is installed
    once per content of requirements.txt, into the cache. Raises InstallError when that is no repository, the tag is not
    in it, the tag has no cluster.yml, or its requirements cannot be installed.
    """
    git_dir, commit = _commit(path, release, start)
    tree = folder.absolute() / f"kubespray-{release.tag}"
    try:
        _lay_out(git_dir, commit, tree, start)
        if not (tree / "cluster.yml").exists():
            why = "its work tree has no cluster.yml"
            raise InstallError(f"{path} at {release.tag} is not kubespray", why, "give the path of a kubespray checkout")
        python = ansible(tree / "requirements.txt", start=start)
        yield Playbooks(
            cluster=tree / "cluster.yml",
            ansible_playbook=(str(python), str(python.parent / "ansible-playbook")),
            label=f"kubespray {release.tag}"
            + ("" if commit == release.commit else f" ({commit[:9]}, not upstream's {release.commit[:9]})"),
            init_task=release.kubeadm_init.task,
        )
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def verify(path: Path, release: Release, *, start: Run = run) -> None:
    """Raise InstallError when `checkout` would; nothing is laid out or installed."""
    _commit(path, release, start)


def ansible(requirements: Path, *, start: Run = run) -> Path:
    """The Python of a virtual environment with what the file `requirements` pins, made once per content and Python."""
    key = cachedir.digest([requirements.read_bytes(), sys.version])

    def make(part: Path) -> None:
        # Installed before it has its final place: start its programs by its Python, never by their first line.
        uv = shutil.which("uv")
        python = str(part / "bin" / "python")
        steps: tuple[tuple[str, ...], ...] = (
            (sys.executable, "-m", "venv", str(part)),
            (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", str(requirements)),
        )
        if uv:
            steps = (
                (uv, "venv", "-q", "--allow-existing", "--python", sys.executable, str(part)),
                (uv, "pip", "install", "-q", "--python", python, "-r", str(requirements)),
            )
        for argv in steps:
            done = start(argv, limit_s=PIP_LIMIT_S)
            if done.rc != 0:
                raise InstallError(
                    "the Ansible of this release cannot be installed", _said(done), "see that the package index can be reached"
                )

    return cachedir.obtain("ansible", key, make) / "bin" / "python"


def _commit(path: Path, release: Release, start: Run) -> tuple[Path, str]:
    """The git directory of `path`, and the commit of the release in it."""
    fix = "give the path of a kubespray checkout: git clone https://github.com/kubernetes-sigs/kubespray"
    if not path.is_dir():
        raise InstallError(f"{path} is not a git repository", "there is no such folder", fix)
    asked = start(("git", "-C", str(path), "rev-parse", "--absolute-git-dir"), limit_s=GIT_LIMIT_S)
    if asked.rc != 0:
        raise InstallError(f"{path} is not a git repository", _said(asked), fix)
    git_dir = Path(asked.stdout.strip())
    for name in (f"refs/tags/{release.tag}", release.commit):
        argv = ("git", f"--git-dir={git_dir}", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if (found := start(argv, limit_s=GIT_LIMIT_S)).rc == 0:
            return git_dir, found.stdout.strip()
    why = f"neither the tag nor its commit {release.commit[:9]} is there"
    raise InstallError(f"{path} does not have {release.tag}", why, f"fetch it: git -C {path} fetch --tags origin")


def _lay_out(git_dir: Path, commit: str, tree: Path, start: Run) -> None:
    """The files of `commit` in `tree`, by an index of their own, so that the repository stays as it is."""
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    index = tree.parent.absolute() / f".{tree.name}.index"
    argv = ("git", f"--git-dir={git_dir}", "--work-tree=.", "checkout", "--quiet", "--force", commit, "--", ".")
    try:
        done = start(argv, limit_s=GIT_LIMIT_S, cwd=tree, env={"GIT_INDEX_FILE": str(index)})
    finally:
        index.unlink(missing_ok=True)
    if done.rc != 0:
        raise InstallError(f"{git_dir} cannot be laid out at {commit[:9]}", _said(done), "see that the repository is whole: git fsck")


def _said(done: Completed) -> str:
    return f"`{' '.join(done.argv)}` ended with {done.rc}: {(done.stderr or done.stdout).strip()[-SAID_CHARACTERS:]}"
