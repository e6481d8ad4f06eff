import pytest

from lab import tasks
from lab.model import StageRun, TaskEvent

INIT = "kubernetes/control-plane : Kubeadm | Initialize first control plane node"


def event(at_s: float, kind: str, *, task: str = "etcd", node: str = "cp1", said: str = "", rc: int | None = None) -> TaskEvent:
    return TaskEvent(at_s=at_s, kind=kind, task=task, node=node, said=said, rc=rc, path="roles/etcd/tasks/main.yml:7" if said else "")


def test_where_nothing_failed_there_is_no_failure() -> None:
    assert tasks.failure([event(1, "start"), event(2, "ok"), event(3, "retry")]) is None


def test_the_last_failure_counts_for_one_before_it_was_rescued() -> None:
    told = tasks.failure([event(1, "failed", said="rescued"), event(2, "failed", task="coredns", node="cp2", said="no", rc=1)])
    assert told == tasks.Failure(task="coredns", at="roles/etcd/tasks/main.yml:7", node="cp2", rc=1, said="no")


def test_what_the_first_try_said_is_kept_where_the_last_said_something_else() -> None:
    told = tasks.failure([event(1, "retry", said="no route to host"), event(2, "retry", said="in use"), event(3, "failed", said="in use")])
    assert told is not None
    assert (told.first, told.said) == ("no route to host", "in use")
    same = tasks.failure([event(1, "retry", said="in use"), event(3, "failed", said="in use")])
    assert same is not None
    assert same.first == ""


def test_a_first_try_that_is_a_task_of_its_own_is_one_all_the_same() -> None:
    other_node = event(0, "failed", task=f"{INIT} (1st try)", node="cp2", said="of another node")
    first = event(1, "failed", task=f"{INIT} (1st try)", said="timed out")
    told = tasks.failure([other_node, first, event(2, "failed", task=f"{INIT} (retry)", said="[ERROR Port-6443]")])
    assert told is not None
    assert (told.task, told.first) == (f"{INIT} (retry)", "timed out")


@pytest.mark.parametrize(
    ("events", "during"),
    [
        ([event(5, "start"), event(9, "failed", rc=124)], (5, 9)),
        ([event(5, "start"), event(7, "retry", said="not yet"), event(9, "failed", said="not yet")], (5, 9)),
        ([event(5, "start"), event(9, "failed", said="error: timed out waiting for the condition", rc=1)], (5, 9)),
        ([event(5, "start"), event(9, "failed", said="The connection to the server was refused", rc=1)], (5, 9)),
        ([event(5, "start"), event(9, "failed", said="'x' is undefined")], None),
        ([event(1, "start"), event(2, "retry"), event(3, "ok"), event(5, "start"), event(9, "failed", said="no")], None),
        ([event(1, "start"), event(3, "ok"), event(5, "start"), event(9, "failed", rc=137)], (5, 9)),
    ],
    ids=["ended", "tried in vain", "a time-out", "nobody there", "its own fault", "another time it ran", "only this time"],
)
def test_when_something_failed_for_want_of_time_it_is_told_from_when_on(
    events: list[TaskEvent], during: tuple[float, float] | None
) -> None:
    told = tasks.failure(events)
    assert told is not None
    assert told.during == during


def test_the_slowest_tasks_come_first_with_the_time_of_the_slowest_node() -> None:
    events = [
        *(event(0, "start"), event(2, "ok")),
        *(event(0, "start", node="cp2"), event(5, "changed", node="cp2")),
        *(event(5, "start", task="images"), event(6, "skipped", task="images")),
        *(event(6, "start", task="images"), event(12, "ok", task="images")),
        event(12, "start", task="init"),
    ]
    assert tasks.slowest(events, until_s=22.0) == (("init", 10.0), ("images", 7.0), ("etcd", 5.0))
    assert tasks.slowest(events, until_s=22.0, number=1) == (("init", 10.0),)


def test_the_fact_has_a_line_for_each_thing_that_a_signature_may_ask_for() -> None:
    green = StageRun(stage="base", rc=0, duration_s=20.4)
    stopped = StageRun(stage="base", rc=None, duration_s=50)
    red = StageRun(
        stage="kube-vip",
        rc=2,
        duration_s=103,
        failed_task="etcd : Start",
        failed_at="roles/etcd/tasks/main.yml:7 of kubespray v2.25.0",
        failed_node="cp1",
        failed_said="no disk\n\nat all",
        failed_first="slow disk",
    )
    assert tasks.told([green, stopped, red]).splitlines() == [
        "stage: base, rc 0 after 20 s",
        "stage: base, stopped after 50 s",
        "stage: kube-vip, rc 2 after 103 s",
        "task: etcd : Start",
        "at: roles/etcd/tasks/main.yml:7 of kubespray v2.25.0",
        "node: cp1, rc none",
        "first: slow disk",
        "said: no disk",
        "said: at all",
    ]
