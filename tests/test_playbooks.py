import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab import playbooks, release
from lab.command import run
from lab.errors import InstallError
from lab.model import Completed
from lab.release import Release

GREEN = release.load("v2.25.1")
HOSTS = {"all": {"hosts": {"cp1": {"ip": "10.9.7.10", "ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a tag v2.25.1, whose branch has gone on since and whose work tree has an edit."""
    folder = tmp_path / "kubespray"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "cluster.yml").write_text("[]\n")
    (folder / "requirements.txt").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v2.25.1")
    (folder / "later.yml").write_text("[]\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "two")
    (folder / "cluster.yml").write_text("# edited\n")
    return folder


def no_install(argv: tuple[str, ...], **rest: object) -> Completed:
    """Starts git for real and only pretends to install an Ansible."""
    if argv[0] == "git":
        return run(argv, **rest)  # type: ignore[arg-type]
    return Completed(argv=argv, rc=0, stdout="", stderr="", started_at_s=0, duration_s=0)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", release.names())
def test_every_release_has_a_replica_that_is_called_one(name: str) -> None:
    made = playbooks.replica(release.load(name))
    assert made.label == f"replica of {name}"
    assert made.cluster.exists()


def test_a_checkout_is_laid_out_at_its_tag_and_left_as_it_was(repository: Path, tmp_path: Path) -> None:
    before = (git(repository, "status", "--porcelain"), git(repository, "rev-parse", "HEAD"), sorted((repository / ".git").iterdir()))
    with playbooks.checkout(repository, GREEN, folder=tmp_path / "run", start=no_install) as made:
        assert made.cluster.read_text() == "[]\n"
        assert not (made.cluster.parent / "later.yml").exists()
        assert made.label.startswith("kubespray v2.25.1 (")
        assert made.init_task == "Kubeadm | Initialize first master"
    assert not list((tmp_path / "run").iterdir())
    assert before == (
        git(repository, "status", "--porcelain"),
        git(repository, "rev-parse", "HEAD"),
        sorted((repository / ".git").iterdir()),
    )


def test_a_bare_repository_will_do(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare")
    with playbooks.checkout(tmp_path / "bare", GREEN, folder=tmp_path / "run", start=no_install) as made:
        assert made.cluster.exists()


def refusal(path: Path, facts: Release, tmp_path: Path) -> str:
    with pytest.raises(InstallError) as caught, playbooks.checkout(path, facts, folder=tmp_path / "run", start=no_install):
        pass
    assert not list((tmp_path / "run").glob("*"))
    return str(caught.value)


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "is not a git repository" in refusal(tmp_path / "plain", GREEN, tmp_path)
    assert "there is no such folder" in refusal(tmp_path / "nothing", GREEN, tmp_path)


def test_a_missing_tag_is_refused_with_how_to_fetch_it(repository: Path, tmp_path: Path) -> None:
    said = refusal(repository, release.load("v2.25.0"), tmp_path)
    assert "does not have v2.25.0" in said
    assert "fetch --tags" in said


def test_another_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    git(repository, "rm", "-qf", "cluster.yml")
    git(repository, "commit", "-qm", "three")
    git(repository, "tag", "-f", "v2.25.1")
    assert "is not kubespray" in refusal(repository, GREEN, tmp_path)


def test_an_ansible_that_cannot_be_installed_leaves_nothing(tmp_path: Path) -> None:
    def failing(argv: tuple[str, ...], **rest: object) -> Completed:
        return Completed(argv=argv, rc=1, stdout="", stderr="no network", started_at_s=0, duration_s=0)

    (tmp_path / "requirements.txt").write_text("ansible==9.5.1\n")
    with pytest.raises(InstallError, match="no network"):
        playbooks.ansible(tmp_path / "requirements.txt", start=failing)
    assert not [left for left in (tmp_path / "cache" / "ansible").iterdir() if not left.name.startswith(".")]


def test_an_ansible_is_installed_once_per_content(tmp_path: Path) -> None:
    started: list[tuple[str, ...]] = []

    def counting(argv: tuple[str, ...], **rest: object) -> Completed:
        started.append(argv)
        return no_install(argv)

    (tmp_path / "a.txt").write_text("ansible==9.5.1\n")
    (tmp_path / "b.txt").write_text("ansible==9.5.1\n")
    assert playbooks.ansible(tmp_path / "a.txt", start=counting) == playbooks.ansible(tmp_path / "b.txt", start=counting)
    assert len(started) == 2  # the environment, then what is pinned


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The files of the replica as each release writes them, by real Ansible: `<release>-<kubeadm seen or not>-<file>`."""
    folder = tmp_path_factory.mktemp("replica")
    roles = playbooks.REPLICA / "roles"
    (folder / "hosts.yaml").write_text(yaml.safe_dump(HOSTS))
    variables = {
        "kube_vip_enabled": True,
        "kube_vip_arp_enabled": True,
        "kube_vip_controlplane_enabled": True,
        "kube_vip_address": "10.9.7.100",
    }
    variables |= {
        "loadbalancer_apiserver": {"address": "10.9.7.100", "port": 6443},
        "kubelet_fail_swap_on": False,
        "kube_vip_leaseduration": 15,
    }
    play = {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"out": str(folder), **variables},
        "roles": [{"role": "defaults"}],
        "tasks": [
            {"include_vars": str(playbooks.REPLICA / "releases" / "{{ name }}.yml")},
            {"add_host": {"name": "cp1", "groups": ["kube_control_plane", "etcd", "kube_node"]}},
            {
                "template": {
                    "src": str(roles / "node/templates/kube-vip.yml.j2"),
                    "dest": "{{ out }}/{{ name }}-{{ item or 'fresh' }}-kube-vip",
                },
                "vars": {"replica_kube_vip_seen": {"stdout": "{{ item }}"}},
                "loop": ["", "kubeadm", "super-admin kubeadm"],
            },
            {"template": {"src": str(roles / "control_plane/templates/kubeadm-config.yaml.j2"), "dest": "{{ out }}/{{ name }}-kubeadm"}},
            {"template": {"src": str(roles / "node/templates/kubelet-config.yaml.j2"), "dest": "{{ out }}/{{ name }}-kubelet"}},
        ],
    }
    plays = [{**play, "vars": {**play["vars"], "name": name}} for name in release.names()]  # type: ignore[dict-item]
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    made = playbooks.replica(GREEN)
    argv = (*made.ansible_playbook, "-i", str(folder / "hosts.yaml"), str(folder / "play.yml"))
    done = run(argv, limit_s=120, env={"ANSIBLE_ROLES_PATH": str(roles), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")})
    assert done.rc == 0, done.stdout
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def kubeconfig(text: str) -> str:
    return str(yaml.safe_load(text)["spec"]["volumes"][0]["hostPath"]["path"])


@pytest.mark.parametrize(
    ("name", "seen", "mounted"),
    [
        ("v2.24", "fresh", "admin.conf"),
        ("v2.25.0", "fresh", "admin.conf"),
        ("v2.25.0", "super-admin kubeadm", "admin.conf"),
        ("v2.25.1", "fresh", "super-admin.conf"),
        ("v2.25.1", "kubeadm", "admin.conf"),
        ("v2.25.1", "super-admin kubeadm", "super-admin.conf"),
    ],
)
def test_kube_vip_mounts_the_kubeconfig_the_release_documents(rendered: dict[str, str], name: str, seen: str, mounted: str) -> None:
    assert kubeconfig(rendered[f"{name}-{seen}-kube-vip"]) == f"/etc/kubernetes/{mounted}"


def settings(text: str) -> dict[str, str]:
    return {one["name"]: one["value"] for one in yaml.safe_load(text)["spec"]["containers"][0]["env"]}


def test_lease_times_are_variables_from_v2_25_0_on(rendered: dict[str, str]) -> None:
    assert settings(rendered["v2.24-fresh-kube-vip"])["vip_leaseduration"] == "5"
    assert settings(rendered["v2.25.0-fresh-kube-vip"])["vip_leaseduration"] == "15"
    assert "vip_nodename" not in settings(rendered["v2.24-fresh-kube-vip"])


def test_kube_vip_is_told_its_mode_and_its_address(rendered: dict[str, str]) -> None:
    told = settings(rendered["v2.25.0-fresh-kube-vip"])
    assert (told["vip_arp"], told["cp_enable"], told["address"], told["port"]) == ("True", "true", "10.9.7.100", "6443")
    assert "vip_interface" not in told  # not set: kube-vip looks for the default route's


def test_kubeadm_is_sent_to_the_load_balancer_and_its_certificate_covers_it(rendered: dict[str, str]) -> None:
    init, cluster, _ = yaml.safe_load_all(rendered["v2.25.0-kubeadm"])
    assert init["localAPIEndpoint"] == {"advertiseAddress": "10.9.7.10", "bindPort": 6443}
    assert cluster["controlPlaneEndpoint"] == "lb-apiserver.kubernetes.local:6443"
    assert {"10.9.7.100", "lb-apiserver.kubernetes.local", "10.9.7.10", "cp1"} <= set(cluster["apiServer"]["certSANs"])
    assert cluster["apiServer"]["timeoutForControlPlane"] == "5m0s"
    assert cluster["kubernetesVersion"] == "v1.29.5"


def test_a_kubelet_that_may_swap_is_told_how(rendered: dict[str, str]) -> None:
    told = yaml.safe_load(rendered["v2.25.0-kubelet"])
    assert told["failSwapOn"] is False
    assert told["memorySwap"] == {"swapBehavior": "LimitedSwap"}
