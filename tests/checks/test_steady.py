"""Each check of the steady state: what is fine, what is not, and what may not differ half a minute later."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab.check import BETWEEN_S, Answer, Scope
from lab.checks.steady import CHECKS, WINDOW_S
from tests import made
from tests.checks.nodes import Nodes, look

VIP = "10.231.0.100"


def ask(tmp_path: Path, name: str, says: dict[str, tuple[int, str]], *, addresses: dict[str, list[str]] | None = None) -> Answer:
    one = next(one for one in CHECKS if one.name == name)
    return look(tmp_path, one, Nodes(says, addresses=addresses or {}), on=("kube-vip", "metallb"))


def pod(name: str, *, ready: bool = True, restarts: int = 0, phase: str = "Running", **metadata: str) -> dict[str, object]:
    status = {"phase": phase, "containerStatuses": [{"ready": ready, "restartCount": restarts}]}
    return {"metadata": {"namespace": "kube-system", "name": name, **metadata}, "status": status}


def pods(tmp_path: Path, *listed: Mapping[str, object]) -> Answer:
    return ask(tmp_path, "every pod is Ready and none restarts", {"get pods,deployments,daemonsets": (0, json.dumps({"items": listed}))})


def lease(tmp_path: Path, **spec: object) -> Answer:
    return ask(tmp_path, "the lease of the VIP does not change hands", {"get lease": (0, json.dumps({"spec": spec}))})


def services(tmp_path: Path, version: str, *, ingress: bool = True) -> Answer:
    status = {"loadBalancer": {"ingress": [{"ip": "10.231.0.200"}]}} if ingress else {"loadBalancer": {}}
    listed = [
        {"metadata": {"name": "spraylab-echo", "resourceVersion": "1"}, "spec": {"type": "NodePort"}, "status": {}},
        {"metadata": {"name": "spraylab-echo-local", "resourceVersion": version}, "spec": {"type": "LoadBalancer"}, "status": status},
    ]
    return ask(tmp_path, "no reconcile loop", {"get services": (0, json.dumps({"items": listed}))})


def test_all_of_them_wait_for_long_between_their_looks() -> None:
    assert {one.apart_s for one in CHECKS} == {WINDOW_S}
    assert WINDOW_S > BETWEEN_S


@pytest.mark.parametrize(("addresses", "ok"), [({"cp1": [f"{VIP}/32".split("/")[0]]}, True), ({"cp1": []}, False)])
def test_a_vip_on_another_node_is_another_state(tmp_path: Path, addresses: dict[str, list[str]], ok: bool) -> None:
    answer = ask(tmp_path, "the VIP does not move", {}, addresses=addresses)
    assert (answer.ok, answer.state) == (ok, "cp1" if ok else "")


def test_a_lease_that_went_away_and_came_back_is_another_state(tmp_path: Path) -> None:
    one, other = lease(tmp_path, holderIdentity="cp1", leaseTransitions=1), lease(tmp_path, holderIdentity="cp1", leaseTransitions=3)
    assert one.ok
    assert one.state != other.state
    assert lease(tmp_path, holderIdentity="").ok is False
    assert ask(tmp_path, "the lease of the VIP does not change hands", {"get lease": (1, "NotFound")}).ok is False


def test_a_service_that_is_written_again_is_another_state(tmp_path: Path) -> None:
    assert services(tmp_path, "810").ok
    assert services(tmp_path, "810").state != services(tmp_path, "811").state
    assert "spraylab-echo@" not in services(tmp_path, "810").state  # nobody gives that one an address
    assert services(tmp_path, "810", ingress=False).ok is False


@pytest.mark.parametrize(
    ("listed", "ok", "said"),
    [
        ((pod("coredns"), pod("job", phase="Succeeded", ready=False)), True, "all 1 are Ready"),
        ((pod("coredns"), pod("controller", phase="Pending", ready=False)), False, "kube-system/controller (Pending)"),
        ((pod("coredns"), pod("old", ready=False, deletionTimestamp="now")), True, "all 1 are Ready"),
        ((), False, "all 0"),
    ],
)
def test_every_pod_that_stays_is_ready(tmp_path: Path, listed: tuple[dict[str, object], ...], ok: bool, said: str) -> None:
    answer = pods(tmp_path, *listed)
    assert answer.ok is ok
    assert said in answer.said


def test_a_restart_and_a_new_pod_are_another_state(tmp_path: Path) -> None:
    states = {pods(tmp_path, *listed).state for listed in ((pod("a"),), (pod("a", restarts=1),), (pod("b"),))}
    assert len(states) == 3


@pytest.mark.parametrize("name", ["no reconcile loop", "every pod is Ready and none restarts"])
def test_an_api_that_does_not_answer_tells_nothing(tmp_path: Path, name: str) -> None:
    assert ask(tmp_path, name, {"get": (1, "connection refused")}).ok is None


def test_nothing_is_asked_of_what_is_off() -> None:
    lacks = [one.lacks(Scope(cell=made.cell("base"), on=())) for one in CHECKS]
    assert ["kube-vip" in why or "metallb" in why for why in lacks] == [True, True, True, False]


WHOLE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}
ON_ALL = {"observedGeneration": 2, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberReady": 1}


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("Deployment", WHOLE, ""),
        ("Deployment", {}, "kube-system/coredns (-1 of 2 pods)"),
        ("Deployment", WHOLE | {"readyReplicas": 1}, "kube-system/coredns (1 of 2 pods)"),
        ("Deployment", WHOLE | {"replicas": 3}, "kube-system/coredns (1 of 2 pods)"),  # one of the old ones is still there
        ("Deployment", WHOLE | {"observedGeneration": 1}, "kube-system/coredns (-1 of 2 pods)"),  # a change nobody has begun with
        ("DaemonSet", ON_ALL, ""),
        ("DaemonSet", {"numberReady": 0}, "kube-system/coredns (-1 of 0 pods)"),
        ("DaemonSet", ON_ALL | {"numberReady": 0}, "kube-system/coredns (0 of 1 pods)"),
        ("DaemonSet", ON_ALL | {"updatedNumberScheduled": 0}, "kube-system/coredns (0 of 1 pods)"),  # the old one is Ready
    ],
)
def test_pods_that_are_not_made_yet_or_about_to_be_replaced_are_missed(
    tmp_path: Path, kind: str, status: Mapping[str, int], said: str
) -> None:
    metadata = {"namespace": "kube-system", "name": "coredns", "generation": 2}
    other = {"kind": kind, "metadata": metadata, "spec": {"replicas": 2}, "status": status}
    owner = {"kind": "DaemonSet", "name": "coredns"} if kind == "DaemonSet" else {"kind": "ReplicaSet", "name": "coredns-7dcb9c6f99"}
    its = [owned(f"coredns-{number}", owner) for number in range(2 if kind == "Deployment" else 1)]
    answer = pods(tmp_path, pod("kube-apiserver-cp1"), *its, other)
    assert answer.ok is not bool(said)
    assert said in answer.said


def owned(name: str, owner: Mapping[str, str]) -> Mapping[str, object]:
    made = pod(name)
    return {**made, "metadata": {"namespace": "kube-system", "name": name, "ownerReferences": [owner]}}


def test_a_pod_that_was_just_deleted_is_missed_whatever_its_controller_still_says(tmp_path: Path) -> None:
    other = {"kind": "DaemonSet", "metadata": {"namespace": "kube-system", "name": "kube-proxy", "generation": 1}, "status": ON_ALL}
    gone = pods(tmp_path, pod("kube-apiserver-cp1"), other)
    assert gone.ok is False
    assert "kube-system/kube-proxy (0 of 1 pods)" in gone.said
    assert pods(tmp_path, owned("kube-proxy-5g2br", {"kind": "DaemonSet", "name": "kube-proxy"}), other).ok
