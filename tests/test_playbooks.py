import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
import yaml

from lab import installer, plan, playbooks, release
from lab.command import RC_LIMIT, run
from lab.errors import InstallError
from lab.host import NodeNeeds
from lab.model import Completed, Node, Site, Slot, Stage, StageRun, TaskEvent
from lab.playbooks import Playbooks
from lab.refs import Refs
from tests import repository
from tests.made import cell as cell_of
from tests.repository import git

pytestmark = pytest.mark.timeout(600)  # real Ansible, which a busy host makes slow
GREEN = release.load("v2.25.1")
HOSTS = {"all": {"hosts": {"cp1": {"ip": "10.9.7.10", "ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", release.replicas())
def test_every_replica_is_of_a_release_with_facts_and_called_one(name: str) -> None:
    made = playbooks.replica(release.load(name))
    assert made.label == f"replica of {name}"
    assert made.cluster.exists()


def of(repository: Path, ref: str) -> Playbooks:
    """The playbooks of `ref`, looked up as a run does."""
    named = f"kubespray@{ref}"
    read = Refs(repository=str(repository), look_up=True).read([named])[named]
    return playbooks.kubespray(read, str(repository))


SITE = Site(
    nodes=(Node(name="cp1", role="control-plane", address="10.9.7.10"), Node(name="client", role="client", address="10.9.7.2")),
    slot=Slot(number=0, subnet="10.9.7.0/24", gateway="10.9.7.1", client="10.9.7.2", vip="10.9.7.100", pool="10.9.7.200-10.9.7.220"),
    ssh_config=Path("ssh_config"),
)
STAGE = Stage(index=0, name="kube-vip", addons=("kube-vip",), endpoint="vip", variables={})
HERE = ("-e", f"ansible_python_interpreter={sys.executable}", "-e", "ansible_become=false")


def installed(
    made: Playbooks,
    folder: Path,
    *,
    stage: Stage = STAGE,
    limit_s: float = 300,
    on_event: Callable[[TaskEvent], None] | None = None,
    stop: Event | None = None,
) -> StageRun:
    """One stage of `made` on this machine, as a run does it."""
    return installer.install(
        stage,
        site=SITE,
        playbooks=replace(made, arguments=HERE),
        folder=folder,
        on_event=on_event or (lambda _: None),
        stop=stop or Event(),
        limit_s=limit_s,
    )


def test_each_ref_runs_its_own_playbooks_by_the_ansible_it_pins(kubespray: Path, tmp_path: Path) -> None:
    (kubespray / "cluster.yml").write_text("an edit that no other ref sees\n")
    said, pythons = {}, set()
    for ref in ("v2.24.0", "v2.25.1", "fix/endpoint", "pr/7", git(kubespray, "rev-parse", "master")):
        made = of(kubespray, ref)
        said[ref] = (made.cluster.parent / repository.ROLE).read_text().rpartition("echo ")[2].strip()
        pythons.add(made.ansible_playbook[0])
    assert list(said.values()) == ["v2.24.0", "v2.25.1", "fix", "seven", "master"]
    assert len(pythons) == 1  # the refs pin the same
    assert pythons.pop().startswith(str(tmp_path / "cache" / "ansible"))
    events: list[TaskEvent] = []
    made = of(kubespray, "pr/7")
    files = sorted(made.cluster.parent.rglob("*"))
    told = installed(made, tmp_path / "stage", on_event=events.append)
    assert (told.rc, told.attempts, told.init_rc) == (0, 1, 0)
    assert [event.kind for event in events if event.task.endswith(made.init_tasks)] == ["start", "changed"]
    assert sorted(made.cluster.parent.rglob("*")) == files  # which other runs will find


def test_local_changes_are_what_is_run(kubespray: Path, tmp_path: Path) -> None:
    repository.write(kubespray, **repository.tasks({"name": repository.INIT, "command": "sh -c 'echo mine; exit 3'"}))
    made = of(kubespray, "worktree")
    assert "with changes" in made.label
    told = installed(made, tmp_path / "stage")
    assert (told.init_rc, told.rc) == (3, 2)


def test_a_failing_ref_tells_its_task_and_what_it_said(kubespray: Path, tmp_path: Path) -> None:
    failing = {"name": repository.INIT, "command": "sh -c 'echo no lease >&2; exit 124'", "register": "x", "retries": 2, "delay": 0}
    repository.commit(kubespray, **repository.tasks({**failing, "until": "x is succeeded"}))
    told = installed(of(kubespray, "master"), tmp_path / "stage")
    assert (told.rc, told.attempts, told.init_rc) == (2, 3, 124)
    assert told.failed_task.endswith(repository.INIT)
    assert "no lease" in told.failed_said


def test_each_stage_of_a_cell_is_a_run_with_its_own_inventory(kubespray: Path, tmp_path: Path) -> None:
    seen = "{{ groups['kube_control_plane'] | join }} {{ kube_version }} {{ kube_vip_enabled | default(false) }}"
    writes: dict[str, object] = {"name": repository.INIT, "copy": {"content": seen, "dest": "{{ inventory_dir }}/seen"}}
    repository.commit(kubespray, **repository.tasks(writes))
    playbook, cell = of(kubespray, "master"), cell_of("base > kube-vip", ref="kubespray@v2.25.1")
    needs = NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)
    told = {}
    for stage in plan.stages(cell, release.load(cell.ref.release), needs=needs, versions={}):
        folder = tmp_path / f"stage-{stage.index}"
        run = installed(playbook, folder, stage=stage)
        told[run.stage] = (run.rc, (folder / "inventory" / "seen").read_text())
    assert told == {"base": (0, "cp1 v1.29.5 False"), "kube-vip": (0, "cp1 v1.29.5 True")}


HANGS = repository.tasks({"name": "Gather", "command": "true"}, {"name": repository.INIT, "command": "sleep 50"})


def test_a_playbook_that_hangs_is_ended_at_its_limit_and_says_so(kubespray: Path, tmp_path: Path) -> None:
    repository.commit(kubespray, **HANGS)
    told = installed(of(kubespray, "master"), tmp_path / "stage", limit_s=6)
    assert told.rc == RC_LIMIT
    assert told.failed_said.startswith("ended by the lab after its limit of")


def test_a_playbook_that_hangs_is_ended_when_asked(kubespray: Path, tmp_path: Path) -> None:
    repository.commit(kubespray, **HANGS)
    stop = Event()

    def at_init(event: TaskEvent) -> None:
        if event.kind == "start" and event.task.endswith(repository.INIT):
            stop.set()

    told = installed(of(kubespray, "master"), tmp_path / "stage", on_event=at_init, stop=stop)
    assert (told.rc, told.attempts, told.init_rc) == (None, 1, None)


def test_a_playbook_that_somebody_kills_is_no_failure_of_a_task(kubespray: Path, tmp_path: Path) -> None:
    repository.commit(kubespray, **HANGS)

    def kill(event: TaskEvent) -> None:
        if event.kind == "start" and event.task.endswith(repository.INIT):
            os.killpg(_ansible(), signal.SIGKILL)

    told = installed(of(kubespray, "master"), tmp_path / "stage", on_event=kill)
    assert (told.rc, told.attempts, told.init_rc, told.failed_task) == (-signal.SIGKILL, 1, None, "")


def _ansible() -> int:
    """The process of this one that runs ansible-playbook."""
    pids = (pid for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split())
    return next(int(pid) for pid in pids if "ansible-playbook" in Path(f"/proc/{pid}/cmdline").read_text())


def refusal(folder: Path, ref: str) -> str:
    with pytest.raises(InstallError) as caught:
        of(folder, ref)
    return str(caught.value)


def test_a_ref_that_does_not_exist_is_one_error(kubespray: Path) -> None:
    assert "does not have pr/8" in refusal(kubespray, "pr/8")


def test_what_pins_versions_that_cannot_be_had_is_one_error_and_leaves_nothing(kubespray: Path, tmp_path: Path) -> None:
    repository.commit(kubespray, **{"requirements.txt": "--no-index\nansible-core==0.0.1\n"})
    told = refusal(kubespray, "master")
    assert "what requirements.txt of kubespray master (" in told
    assert "ansible-core" in told.partition("why: ")[2]
    assert not [left for left in (tmp_path / "cache" / "ansible").iterdir() if not left.name.startswith(".")]


def test_pip_does_it_where_there_is_no_uv(kubespray: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert installed(of(kubespray, "v2.25.0"), tmp_path / "stage").rc == 0


def test_what_pins_no_ansible_is_refused(kubespray: Path) -> None:
    repository.commit(kubespray, **{"requirements.txt": "# nothing\n"})
    assert "pins no Ansible" in refusal(kubespray, "master")


def test_another_repository_is_refused(kubespray: Path) -> None:
    git(kubespray, "rm", "--quiet", "cluster.yml", "requirements.txt")
    git(kubespray, "commit", "--quiet", "--message", "gone")
    assert "it has no cluster.yml and no requirements.txt" in refusal(kubespray, "master")


def test_an_ansible_is_installed_once_per_set_of_pins(tmp_path: Path) -> None:
    started: list[tuple[str, ...]] = []

    def counting(argv: tuple[str, ...], **rest: object) -> Completed:
        started.append(argv)
        program = Path(next(word for word in argv if "cache" in word).partition("/bin/")[0]) / "bin" / "ansible-playbook"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch()
        return Completed(argv=argv, rc=0, stdout="", stderr="", started_at_s=0, duration_s=0)

    texts = (
        "ansible==9.5.1\njinja2==3.1.4\n",
        "# what renders\njinja2==3.1.4\n\nansible==9.5.1\n",
        "ansible==9.5.1\n",
        "a \\\n b\n",
        "b\na \\\n",
    )
    made = []
    for text in texts:
        (tmp_path / "requirements.txt").write_text(text)
        made.append(playbooks.ansible(tmp_path / "requirements.txt", label="x", start=counting))
    assert made[0] == made[1]
    assert len(set(made)) == 4
    assert len(started) == 8  # of each the environment, then what is pinned


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
    plays = [{**play, "vars": {**play["vars"], "name": name}} for name in release.replicas()]  # type: ignore[dict-item]
    (folder / "play.yml").write_text(yaml.safe_dump(plays))
    made = playbooks.replica(GREEN)
    argv = (*made.ansible_playbook, "-i", str(folder / "hosts.yaml"), str(folder / "play.yml"))
    done = run(argv, limit_s=600, env={"ANSIBLE_ROLES_PATH": str(roles), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")})
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
