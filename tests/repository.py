"""A repository in the shape of kubespray's, made by git in a folder: tags, branches, a pull request; run by the Ansible of the tests."""

import site
import subprocess
import zipfile
from pathlib import Path

import yaml

INIT = "Kubeadm | Initialize first master"
TAGS = ("v2.24.0", "v2.25.0", "v2.25.1")
WHEEL = "wheels/pinned_ansible-1.0-py3-none-any.whl"
REQUIREMENTS = f"--no-index\n./{WHEEL}\n"
ROLE = "roles/kubernetes/control-plane/tasks/main.yml"


def git(folder: Path, *arguments: str) -> str:
    """What git says, run in `folder` as somebody."""
    who = ("-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")
    argv = ["git", "-C", str(folder), *who, "-c", "init.defaultBranch=master", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def write(folder: Path, **files: str) -> None:
    """Write these files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def commit(folder: Path, **files: str) -> str:
    """A commit with these files written; the commit's name."""
    write(folder, **files)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "a change")
    return git(folder, "rev-parse", "HEAD")


def tasks(*made: dict[str, object]) -> dict[str, str]:
    """The file of the role that runs kubeadm init, with these tasks."""
    return {ROLE: yaml.safe_dump([*made], sort_keys=False)}


def make(folder: Path) -> Path:
    """The repository: tags v2.24.0 to v2.25.1 in a row, master one commit further, and, from v2.25.0 on, a branch with a slash in
    its name and pull request 7. v2.25.1 is an annotated tag."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--template=")
    _wheel(folder / WHEEL)
    play = [{"hosts": "all", "gather_facts": False, "connection": "local", "roles": ["kubernetes/control-plane"]}]
    commit(
        folder,
        **{
            "ansible.cfg": "[defaults]\nroles_path = roles\ngathering = explicit\n",
            "cluster.yml": yaml.safe_dump([{"name": "Install Kubernetes", "import_playbook": "playbooks/cluster.yml"}]),
            "playbooks/cluster.yml": yaml.safe_dump(play),
            "requirements.txt": REQUIREMENTS,
            **tasks({"name": INIT, "command": "echo v2.24.0"}),
        },
    )
    git(folder, "tag", "v2.24.0")
    commit(folder, **tasks({"name": INIT, "command": "echo v2.25.0"}))
    git(folder, "tag", "v2.25.0")
    git(folder, "checkout", "--quiet", "-b", "fix/endpoint")
    commit(folder, **tasks({"name": INIT, "command": "echo fix"}))
    git(folder, "update-ref", "refs/pull/7/head", commit(folder, **tasks({"name": INIT, "command": "echo seven"})))
    git(folder, "reset", "--quiet", "--hard", "HEAD~1")
    git(folder, "checkout", "--quiet", "master")
    commit(folder, **tasks({"name": INIT, "command": "echo v2.25.1"}))
    git(folder, "tag", "--annotate", "v2.25.1", "--message", "a release")
    commit(folder, **tasks({"name": INIT, "command": "echo master"}))
    return folder


def _wheel(path: Path) -> None:
    """A package that has no Ansible of its own: its environment sees that of the tests, so that none is installed from anywhere."""
    path.parent.mkdir(parents=True)
    about = "pinned_ansible-1.0.dist-info"
    files = {
        "pinned_ansible.pth": "\n".join(site.getsitepackages()) + "\n",
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: pinned-ansible\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/entry_points.txt": "[console_scripts]\nansible-playbook = ansible.cli.playbook:main\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in {**files, f"{about}/RECORD": record}.items():
            wheel.writestr(zipfile.ZipInfo(name), text)  # without a time: the same file again
