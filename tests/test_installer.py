import base64
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab import access, installer, signature, tasks, verdict
from lab.command import RC_LIMIT, RC_STOPPED
from lab.errors import InstallError
from lab.facts import Evidence, Fact
from lab.model import Completed, Node, Site, Slot, Stage, StageRun, TaskEvent
from lab.playbooks import Playbooks

INIT = "Kubeadm | Initialize first master"
STAGE = Stage(index=0, name="kube-vip", addons=("kube-vip",), endpoint="vip", variables={"kube_vip_enabled": True})
SLOT = Slot(number=7, subnet="10.9.7.0/24", gateway="10.9.7.1", client="10.9.7.2", vip="10.9.7.100", pool="10.9.7.200-10.9.7.220")
NODES = (Node(name="cp1", role="control-plane", address="10.9.7.10"), Node(name="client", role="client", address="10.9.7.2"))


def event(at_s: float, kind: str, *, task: str = f"control-plane : {INIT}", rc: int | None = None, said: str = "") -> TaskEvent:
    return TaskEvent(at_s=at_s, kind=kind, task=task, node="cp1", said=said, rc=rc)


def ended(rc: int, *, duration_s: float = 100.0) -> Completed:
    return Completed(argv=("ansible-playbook",), rc=rc, stdout="", stderr="", started_at_s=1000.0, duration_s=duration_s)


def outcome(rc: int, events: Iterable[TaskEvent]) -> StageRun:
    return installer.outcome(STAGE, ended(rc), tuple(events), init_tasks=(INIT,))


def line(**fields: Any) -> str:
    said = {"at_s": 1.0, "kind": "ok", "task": "t", "node": "cp1", "said": "", "rc": 0, **fields}
    return installer.MARK + base64.b64encode(json.dumps(said).encode()).decode()


def test_a_green_run_has_one_attempt() -> None:
    told = outcome(0, [event(1010, "start"), event(1018, "changed", rc=0)])
    assert (told.rc, told.attempts, told.init_rc, told.init_s, told.stopped_after_s) == (0, 1, 0, 8, None)
    assert told.failed_task == ""


def test_four_attempts_are_counted_as_four() -> None:
    retries = [event(1040 + 35 * n, "retry", rc=124) for n in range(3)]
    told = outcome(2, [event(1010, "start"), *retries, event(1145, "failed", rc=124, said="timed out")])
    assert (told.rc, told.attempts, told.init_rc, told.init_s) == (2, 4, 124, 135)
    assert told.failed_task == f"control-plane : {INIT}"
    assert told.failed_said == "timed out"


def test_a_run_stopped_in_its_second_attempt_says_when_and_what_the_first_ended_with() -> None:
    told = outcome(RC_STOPPED, [event(1010, "start"), event(1045, "retry", rc=124)])
    assert (told.rc, told.attempts, told.init_rc, told.stopped_after_s) == (None, 2, 124, 90)
    assert told.failed_task == ""


def test_a_run_stopped_before_kubeadm_init_has_no_attempt() -> None:
    told = outcome(RC_STOPPED, [event(1001, "start", task="etcd")])
    assert (told.attempts, told.init_rc, told.stopped_after_s) == (0, None, 0.0)


def test_an_init_that_was_skipped_is_no_attempt() -> None:
    told = outcome(0, [event(1010, "start"), event(1011, "skipped")])
    assert (told.attempts, told.init_rc, told.init_s) == (0, None, 0)


def test_a_first_try_and_its_retries_under_another_name_are_attempts_of_one_init() -> None:
    first, again = (f"control-plane : Kubeadm | Initialize first control plane node ({name})" for name in ("1st try", "retry"))
    events = [
        event(1010, "start", task=first),
        event(1050, "failed", task=first, rc=1, said="timed out waiting"),
        event(1051, "start", task=again),
        event(1053, "retry", task=again, rc=1),
        event(1060, "failed", task=again, rc=1, said="Port-6443 is in use"),
    ]
    tasks = tuple(name.rpartition(" : ")[2] for name in (first, again))
    told = installer.outcome(STAGE, ended(2), tuple(events), init_tasks=tasks)
    assert (told.attempts, told.init_rc, told.init_s, told.failed_task) == (3, 1, 50, again)
    assert (told.failed_said, told.failed_first) == ("Port-6443 is in use", "timed out waiting")
    stopped = installer.outcome(STAGE, ended(RC_STOPPED), tuple(events[:3]), init_tasks=tasks)
    assert (stopped.attempts, stopped.stopped_after_s) == (2, 90)


def test_nodes_that_skip_init_neither_end_it_nor_count() -> None:
    others = [replace(event(1010.5, kind), node=node) for node in ("cp2", "cp3") for kind in ("start", "skipped")]
    told = outcome(0, [event(1010, "start"), *others, event(1040, "changed", rc=0)])
    assert (told.attempts, told.init_rc, told.init_s) == (1, 0, 30)
    assert outcome(0, others).attempts == 0


def test_a_task_before_init_that_fails_is_named() -> None:
    told = outcome(2, [event(1001, "start", task="etcd"), event(1002, "failed", task="etcd", rc=1, said="no disk")])
    assert (told.attempts, told.failed_task, told.failed_said) == (0, "etcd", "no disk")


def test_a_run_that_reaches_the_limit_says_so() -> None:
    told = outcome(RC_LIMIT, [event(1010, "start")])
    assert told.rc == RC_LIMIT
    assert told.failed_said.startswith("ended by the lab after its limit of 100 s")


@given(st.integers(min_value=0, max_value=10), st.sampled_from(["changed", "failed", ""]))
def test_attempts_are_retries_seen_and_one(retries: int, last: str) -> None:
    events = [event(1010, "start"), *(event(1011 + n, "retry", rc=124) for n in range(retries))]
    events += [event(1100, last, rc=0)] if last else []
    assert outcome(0 if last == "changed" else 2, events).attempts == retries + 1


def test_an_event_is_read_back_and_its_secrets_are_masked() -> None:
    read = installer.event_of(line(kind="failed", rc=124, said="token: abcdef.0123456789abcdef"))
    assert read is not None
    assert (read.kind, read.rc, read.node) == ("failed", 124, "cp1")
    assert "0123456789abcdef" not in read.said


@pytest.mark.parametrize(
    "text",
    ["TASK [etcd] ***", "", installer.MARK, installer.MARK + "not base64", installer.MARK + base64.b64encode(b'{"kind": 1}').decode()],
    ids=["plain", "empty", "mark alone", "damaged", "another shape"],
)
def test_a_line_that_carries_no_event_is_text(text: str) -> None:
    assert installer.event_of(text) is None


def play(tmp_path: Path, *tasks: dict[str, object]) -> tuple[Playbooks, Site]:
    """A playbook of `tasks` that stays on this machine, and a site of which only names count."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\ngathering = explicit\n")
    cluster = tmp_path / "cluster.yml"
    cluster.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "connection": "local", "tasks": list(tasks)}]))
    program = Path(sys.executable).parent / "ansible-playbook"
    interpreter = ("-e", f"ansible_python_interpreter={sys.executable}", "-e", "ansible_become=false")
    made = Playbooks(cluster=cluster, ansible_playbook=(sys.executable, str(program)), label="x", init_tasks=(INIT,), arguments=interpreter)
    return made, Site(nodes=NODES, slot=SLOT, ssh_config=tmp_path / "ssh_config")


def test_real_ansible_tells_four_attempts_of_a_task_that_fails(tmp_path: Path) -> None:
    failing = {"name": INIT, "command": "sh -c 'echo password=hunter2hunter2 >&2; exit 124'", "register": "x", "retries": 3, "delay": 0}
    playbooks, site = play(tmp_path, {**failing, "until": "x is succeeded"})
    seen: list[TaskEvent] = []
    told = installer.install(
        STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=seen.append, stop=Event(), limit_s=60
    )
    assert (told.rc, told.attempts, told.init_rc, told.failed_task) == (2, 4, 124, INIT)
    assert [one.kind for one in seen] == ["start", "retry", "retry", "retry", "failed", "stats"]
    kept = (tmp_path / "stage" / "events.jsonl").read_text()
    assert len(kept.splitlines()) == len(seen)
    assert "hunter2" not in kept + (tmp_path / "stage" / "ansible.log").read_text() + told.failed_said
    assert installer.MARK not in (tmp_path / "stage" / "ansible.log").read_text()
    assert (told.failed_at, told.failed_node, told.failed_rc) == ("cluster.yml:5 of x", "cp1", 124)
    assert told.failed_first == ""
    assert [task for task, _ in told.slowest] == [INIT]
    assert "kube_vip_address: 10.9.7.100" in (tmp_path / "stage" / "inventory" / "group_vars" / "all.yaml").read_text()


def test_real_ansible_tells_which_items_of_a_loop_failed_and_where_the_task_stands(tmp_path: Path) -> None:
    roles = tmp_path / "roles" / "apps" / "tasks"
    roles.mkdir(parents=True)
    loop = {"name": "apply", "command": "sh -c 'echo {{ item }} is wrong >&2; test {{ item }} != b; exit $?'", "loop": ["a", "b", "c"]}
    (roles / "main.yml").write_text(
        "# the first line\n" + yaml.safe_dump([loop, {"name": "after", "debug": {"msg": "{{ nobody_sets_it }}"}}])
    )
    playbooks, site = play(tmp_path, {"name": "apps", "import_role": {"name": "apps"}})
    told = installer.install(
        STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=lambda _: None, stop=Event(), limit_s=60
    )
    assert (told.failed_task, told.failed_at, told.failed_rc) == ("apps : apply", "roles/apps/tasks/main.yml:2 of x", 1)
    assert "b is wrong" in told.failed_said
    assert "c is wrong" not in told.failed_said


FIRST = "Kubeadm | Initialize first control plane node"
CHECK = "Kubernetes Apps | Check cluster settings for MetalLB"
IN_USE = "[ERROR FileAvailable--etc-kubernetes-manifests-kube-apiserver.yaml]: already exists"
FAILURES: dict[str, tuple[str, str, list[dict[str, object]]]] = {
    "download-failed": (
        "download",
        "ERROR",
        [{"name": "Download_file | Download item", "get_url": {"url": "http://127.0.0.1:9/kubeadm", "dest": "/nowhere"}}],
    ),
    "download-not-as-pinned": (
        "download",
        "FAIL",
        [
            {
                "name": "Download_file | Download item",
                "get_url": {"url": "file:///etc/hostname", "dest": "/nowhere", "checksum": f"sha256:{'0' * 64}"},
            }
        ],
    ),
    "metallb-variable-undefined": (
        "metallb",
        "FAIL",
        [{"name": "Kubernetes Apps | Lay Down MetalLB", "copy": {"content": "{{ metallb_namespace }}", "dest": "/nowhere"}}],
    ),
    "strict-arp-required": ("metallb", "FAIL", [{"name": CHECK, "fail": {"msg": "MetalLB require kube_proxy_strict_arp = true, see"}}]),
    "init-retry-refused": (
        "control-plane",
        "FAIL",
        [
            {
                "block": [{"name": f"{FIRST} (1st try)", "command": "sh -c 'echo no route to host; exit 124'"}],
                "rescue": [{"name": f"{FIRST} (retry)", "command": f"sh -c 'echo \"{IN_USE}\" >&2; exit 1'"}],
            }
        ],
    ),
}


@pytest.mark.parametrize("finding", FAILURES)
def test_what_real_ansible_says_of_a_failure_leads_to_its_finding_and_verdict(finding: str, tmp_path: Path) -> None:
    role, outcome, failing = FAILURES[finding]
    main = tmp_path / "roles" / role / "tasks" / "main.yml"
    main.parent.mkdir(parents=True)
    main.write_text(yaml.safe_dump(failing))
    playbooks, site = play(tmp_path, {"name": role, "import_role": {"name": role}})
    run = installer.install(
        STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=lambda _: None, stop=Event(), limit_s=60
    )
    taken = Evidence(facts=(Fact(probe="ansible", node="lab", text=tasks.told([run]), at_s=1.0),))
    matched = signature.match(signature.load(), taken, context=signature.Context.of(site))
    judged = verdict.judge([], [run], matched=matched, files=[], full="")
    assert (judged.outcome.name, [one.signature for one in judged.findings]) == (outcome, [finding])
    assert f"(roles/{role}/tasks/main.yml:" in judged.summary
    assert run.failed_first.endswith("no route to host" if finding == "init-retry-refused" else "")
    assert bool(run.failed_first) == (finding == "init-retry-refused")


def test_real_ansible_may_fail_outside_of_any_task_and_its_words_are_kept(tmp_path: Path) -> None:
    (tmp_path / "more.yml").write_text("- name: what no collection here has\n  nobody.knows.this: {}\n")
    playbooks, site = play(tmp_path, {"name": "first", "debug": {"msg": "fine"}}, {"name": "more", "include_tasks": "more.yml"})
    told = installer.install(
        STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=lambda _: None, stop=Event(), limit_s=60
    )
    assert told.rc not in (0, None)
    assert "nobody.knows.this" in told.failed_said


def test_real_ansible_tells_a_variable_that_nobody_sets(tmp_path: Path) -> None:
    playbooks, site = play(tmp_path, {"name": "lay down", "debug": {"msg": "{{ metallb_namespace }}"}})
    told = installer.install(
        STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=lambda _: None, stop=Event(), limit_s=60
    )
    assert "'metallb_namespace' is undefined" in told.failed_said
    assert told.failed_at.startswith("cluster.yml:")


def test_a_run_is_ended_when_asked_to_stop(tmp_path: Path) -> None:
    playbooks, site = play(tmp_path, {"name": INIT, "command": "sleep 50"})
    stop = Event()

    def at_init(told: TaskEvent) -> None:
        if told.kind == "start":
            stop.set()

    told = installer.install(STAGE, site=site, playbooks=playbooks, folder=tmp_path / "stage", on_event=at_init, stop=stop, limit_s=60)
    assert (told.rc, told.attempts, told.init_rc) == (None, 1, None)
    assert told.stopped_after_s is not None


def test_playbooks_that_cannot_be_read_are_an_error_with_what_ansible_said(tmp_path: Path) -> None:
    playbooks, site = play(tmp_path)
    playbooks.cluster.write_text("- hosts: [")
    with pytest.raises(InstallError, match="before any task"):
        installer.install(STAGE, site=site, playbooks=playbooks, folder=tmp_path / "s", on_event=lambda _: None, stop=Event(), limit_s=60)


def test_ansible_knows_whom_ssh_logs_in_as(tmp_path: Path) -> None:
    site = Site(nodes=NODES, slot=SLOT, ssh_config=tmp_path / "ssh_config")
    playbooks = Playbooks(cluster=tmp_path / "cluster.yml", ansible_playbook=("true",), init_tasks=(INIT,), label="a label")
    user = installer._environment(site, playbooks, tmp_path)["ANSIBLE_REMOTE_USER"]
    assert f"User {user}\n" in access.CONFIG


@pytest.mark.parametrize(("pace", "told"), [(1.0, None), (6.0, "300")])
def test_ansible_waits_longer_for_a_slow_node_alone(pace: float, told: str | None, tmp_path: Path) -> None:
    site = Site(nodes=NODES, slot=SLOT, ssh_config=tmp_path / "ssh_config", pace=pace)
    playbooks = Playbooks(cluster=tmp_path / "cluster.yml", ansible_playbook=("true",), init_tasks=(INIT,), label="a label")
    assert installer._environment(site, playbooks, tmp_path).get("ANSIBLE_TIMEOUT") == told
