"""What is applied once kind's cluster is there: Cilium by its chart, MetalLB by its manifest, each out of what the node has mounted."""

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from threading import Event

from lab.command import run
from lab.deadline import now_s
from lab.kindcluster import CILIUM, POOLS
from lab.model import Completed, Site, TaskEvent

LIMIT_S = 600.0  # of one step
SAID_CHARACTERS = 1500
KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"
HELM = "/opt/lab/helm template cilium /opt/lab/cilium-chart --namespace kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing applied on the first control plane, by a shell that reads `stdin`."""

    task: str
    script: str
    stdin: str = ""


def steps(files: Mapping[str, str], *, kube_version: str) -> tuple[Step, ...]:
    """In their order. files: as kindcluster.files gives them."""
    found: list[Step] = []
    if CILIUM in files:
        apply = f"cat >/tmp/values.yaml; set -o pipefail; {HELM} --kube-version {kube_version} -f /tmp/values.yaml | {KUBECTL} apply -f -"
        wait = f"{KUBECTL} -n kube-system rollout status daemonset/cilium --timeout 4m || true"  # as kubespray: checks say whether it runs
        found += [
            Step(task="Cilium | Apply its chart", script=apply, stdin=files[CILIUM]),
            Step(task="Cilium | Wait for its pods", script=wait),
        ]
    if POOLS in files:
        wait = f"{KUBECTL} -n metallb-system rollout status deployment/controller --timeout 2m"
        found += [
            Step(task="MetalLB | Apply its manifest", script=f"{KUBECTL} apply -f /opt/lab/metallb-native.yaml"),
            Step(task="MetalLB | Wait for its controller", script=wait),
            Step(task="MetalLB | Address pools and layer 2 advertisements", script=f"{KUBECTL} apply -f -", stdin=files[POOLS]),
        ]
    return tuple(found)


def apply(wanted: Iterable[Step], site: Site, *, tell: Callable[[TaskEvent], None], stop: Event) -> Completed | None:
    """Do `wanted` until one fails or `stop` is set; how the last one ended, None when there was none. tell: gets each event."""
    node, done = site.control_planes[0].name, None
    for step in wanted:
        tell(TaskEvent(at_s=now_s(), kind="start", task=step.task, node=node))
        argv = ("ssh", "-F", str(site.ssh_config), node, f"bash -c {shlex.quote(step.script)}")
        done = run(argv, limit_s=LIMIT_S, stdin=step.stdin, stop=stop)
        said = (done.stdout + done.stderr).strip()[-SAID_CHARACTERS:]
        tell(TaskEvent(at_s=now_s(), kind="failed" if done.rc else "changed", task=step.task, node=node, said=said, rc=done.rc))
        if done.rc != 0:
            break
    return done
