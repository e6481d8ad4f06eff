"""The nouns of the lab as frozen values. No I/O, no decisions beyond naming and ordering."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal

ADDONS = ("kube-vip", "metallb", "cilium")
Endpoint = Literal["vip", "node"]
Network = Literal["plain", "none"]
Role = Literal["control-plane", "worker", "client"]
Source = Literal["replica", "kubespray", "kind"]
Blames = Literal["product", "infrastructure"]
API_PORT = 6443  # kube_apiserver_port of every release
RESET = "reset.yml"  # the playbook after which there is no cluster


class Outcome(IntEnum):
    """Ordered by severity: the outcome of a whole is the worst of its parts."""

    SKIP, PASS, UNKNOWN, FAIL, ERROR = range(5)


def worst(outcomes: list[Outcome]) -> Outcome:
    """The most severe of `outcomes`; of nothing nothing is known."""
    return max(outcomes, default=Outcome.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """A departure from what the release ships or defaults to, with its reason; stands in every report."""

    what: str
    released: str
    used: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ref:
    """Where playbooks come from; of `kind`, which runs none, whose settings it takes. `name`: what was asked for, a release, or of
    kubespray a branch, a commit, pr/N or worktree; `release`: whose facts hold for it, empty until that is looked up; `commit`,
    `changes`: what the name meant when it was, and a hash of the local changes; `deviations`: how it departs from that release."""

    source: Source
    name: str
    release: str
    commit: str = ""
    changes: str = ""
    deviations: tuple[Deviation, ...] = ()

    def __str__(self) -> str:
        return f"{self.source}@{self.name}"

    @property
    def label(self) -> str:
        """What reports call it; the replica is never passed off as kubespray, nor another commit as a release."""
        if self.source == "replica":
            return f"replica of {self.name}"
        if self.source == "kind":
            return f"kind, settings of {self.name}"
        changes = f" with changes {self.changes}" if self.changes else ""
        says_it = not self.deviations and (self.name.startswith(self.release) or self.commit.startswith(self.name))
        return f"kubespray {self.name}" + (f" ({self.commit[:9]}{changes})" if self.commit and not says_it else "")

    @property
    def slug(self) -> str:
        """Its part of a cell's id: `+` stands for `/`, which no folder's name can have and no ref's name has."""
        return f"{self.source}-{self.name.replace('/', '+')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """How many nodes of which role; one client outside the cluster always stands beside them."""

    control_planes: int
    workers: int = 0

    def __str__(self) -> str:
        return f"{self.control_planes}cp" + (f"+{self.workers}w" if self.workers else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run to do. `ordering`: the addons each stage turns on, or what else a stage does, such as `reset`; `((),)` is base. `network`:
    what pods have for a network while no addon is one, the lab's plain bridges or nothing. `variables`: name and YAML value of what the
    mitigations change."""

    ref: Ref
    kube_version: str
    topology: Topology
    ordering: tuple[tuple[str, ...], ...]
    endpoint: Endpoint
    network: Network = "plain"
    bed: str = "containers"
    mitigations: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def ordering_text(self) -> str:
        """The ordering as people write it: `cilium > kube-vip+metallb`."""
        return " > ".join("+".join(addons) or "base" for addons in self.ordering)

    @property
    def id(self) -> str:
        """Stable and readable; fit for a folder and for pytest's -k, whose grammar knows neither `>` nor `@`."""
        ordering = self.ordering_text.replace(" > ", "..").replace("(", "-").replace(")", "")
        fields = [self.ref.slug, f"k8s-{self.kube_version}", str(self.topology), ordering]
        fields += [self.endpoint, *(["no-network"] if self.network == "none" else []), self.bed]
        fields += [f"with-{name}" for name in self.mitigations]
        return ":".join(fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One run of the installer. `addons`: all that are on after it; `variables`: name -> value as YAML would load it;
    `tags`: empty for a full run; `playbook`: which one, of those beside cluster.yml."""

    index: int
    name: str
    addons: tuple[str, ...]
    endpoint: Endpoint
    variables: Mapping[str, object]
    tags: tuple[str, ...] = ()
    playbook: str = "cluster.yml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of a bed and the address of its cluster interface."""

    name: str
    role: Role
    address: str
    interface: str = "eth0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The fixed addresses of one parallel place on a host, so that certificates agree between runs."""

    number: int
    subnet: str
    gateway: str
    client: str
    vip: str
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What a bed hands out: nodes (control planes first, the client last), their slot, and how to reach them by SSH
    (a client configuration whose host names are the node names). `api_port`: where the cell lets its API servers listen; `pace`: how
    many times longer than usual these nodes may take for anything, over 1 where their processor is emulated."""

    nodes: tuple[Node, ...]
    slot: Slot
    ssh_config: Path
    api_port: int = API_PORT
    pace: float = 1.0

    @property
    def members(self) -> tuple[Node, ...]:
        """The nodes that belong to the cluster."""
        return tuple(node for node in self.nodes if node.role != "client")

    @property
    def control_planes(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.role == "control-plane")

    @property
    def client(self) -> Node:
        return next(node for node in self.nodes if node.role == "client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A process that ended. `rc` 124: ended at its limit. `started_at_s`: Unix time."""

    argv: tuple[str, ...]
    rc: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)
    started_at_s: float
    duration_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEvent:
    """One line of Ansible's stream. `kind`: start, ok, changed, skipped, failed, retry, unreachable, stats; `path`: file and line
    of a task that did not end well."""

    at_s: float
    kind: str
    task: str
    node: str = ""
    said: str = ""
    rc: int | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRun:
    """How one run of the installer ended. `rc` of ansible-playbook, None when it was stopped; `attempts`: how often kubeadm init was
    really started (seen, not what Ansible reports); `init_rc`: the last one's exit code, None when unknown; `stopped_after_s`: seconds
    of kubeadm init until an early verdict stopped it; `failed_at`: file and line of the task, and of which playbooks; `failed_first`:
    what its first try said, where its last said something else; `failed_during`: Unix times from its first try to its end, where it
    failed because something did not come in time; `slowest`: task -> seconds."""

    stage: str
    rc: int | None
    duration_s: float
    attempts: int = 0
    init_rc: int | None = None
    init_s: float = 0.0
    stopped_after_s: float | None = None
    failed_task: str = ""
    failed_said: str = ""
    failed_at: str = ""
    failed_node: str = ""
    failed_rc: int | None = None
    failed_first: str = ""
    failed_during: tuple[float, float] | None = None
    slowest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One assertion on one node. `said`: what was seen, once per look; `measured`: name with its unit -> number; `excused`: what the
    host was short of, where that may be all that made it fail."""

    check: str
    node: str
    outcome: Outcome
    said: str
    duration_s: float = 0.0
    measured: tuple[tuple[str, float], ...] = ()
    excused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the preflight expects of a cell before any node exists. `rule`: the check of the preflight; `signature`: of the failure
    it names, empty where none is catalogued."""

    rule: str
    signature: str
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of a chain from symptom to cause, with the line that proves it and where that line stands."""

    says: str
    probe: str
    node: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A signature that holds. `chain` runs from symptom to cause; `blames`: what is broken, infrastructure is not the product's."""

    signature: str
    catalogue: str
    means: str
    fix: str
    upstream: tuple[str, ...]
    chain: tuple[Link, ...]
    blames: Blames = "product"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledOut:
    """A known failure that this is not, and the fact that says so."""

    signature: str
    means: str
    because: str
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`summary`: one sentence; `ended`: how the installer ended and how it would have ended when stopped early;
    `look_at`: evidence files to open when no signature matched."""

    outcome: Outcome
    summary: str
    ended: str = ""
    findings: tuple[Finding, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    look_at: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """Signature of the first finding; empty when the cause is unknown or there is none."""
        return self.findings[0].signature if self.findings else ""
