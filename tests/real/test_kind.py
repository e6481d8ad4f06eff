"""Plain kind: red and green through the commands that other beds have, and by the folder that somebody takes home."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event, Thread

import pytest

from lab import artifacts, component, host, kindimage, podman
from lab.command import run
from lab.deadline import until
from lab.engine import Engine
from lab.model import Completed, Outcome
from tests.machine import real_engine
from tests.real.conftest import Job, job, spraylab

pytestmark = [pytest.mark.real, pytest.mark.timeout(1800)]
RED, GREEN = "kind-v2.25.0:", "kind-v2.25.1:"
F_01 = "kube-vip-admin-conf-forbidden"
FORBIDDEN = '"plndr-cp-lock" is forbidden: User "kubernetes-admin"'
LIMIT_S = 300.0
WAITS_S = 120.0  # until kube-vip says what it is refused; kubeadm init waits for 240 s
# A host without modules has no folder of them, which kind asks every node to see.
WITHOUT_MODULES = """\
#!/bin/bash
kept=()
while [ $# -gt 0 ]; do
  case "$1 $2" in '--volume /lib/modules:'*) shift 2 ;; *) kept+=("$1"); shift ;; esac
done
exec {engine} "${{kept[@]}}"
"""


@pytest.fixture(scope="session")
def kind_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The two cells of the main job that differ in kube-vip's kubeconfig alone."""
    words = ("repro", "kubespray-11338", "--bed", "kind", "-k", "v1.29.5 and 1cp:kube-vip:vip")
    return job(*words, cwd=tmp_path_factory.mktemp("kind"))


def test_the_same_command_gives_both_cells_a_verdict(kind_job: Job) -> None:
    assert kind_job.done.rc == 0, kind_job.done.stdout
    assert {cell.bed for cell in kind_job.matrix.cells} == {"kind"}
    assert {cell.ref for cell in kind_job.matrix.cells} == {"kind, settings of v2.25.0", "kind, settings of v2.25.1"}


def test_with_admin_conf_it_is_red_for_the_same_reason_as_with_kubespray(kind_job: Job) -> None:
    verdict = kind_job.cell(RED).verdict
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, F_01)
    proofs = {link.probe: link.line for link in verdict.findings[0].chain}
    assert FORBIDDEN in proofs["kube-vip-log"]
    assert proofs["kube-vip-manifest"].endswith("/etc/kubernetes/admin.conf")
    assert "would have ended with rc=1 after 1 x 240 s" in verdict.ended


def test_with_super_admin_conf_it_is_green_and_every_check_says_what_it_saw(kind_job: Job) -> None:
    result = kind_job.cell(GREEN)
    assert (result.verdict.outcome, result.verdict.findings) == (Outcome.PASS, ())
    applied = {check.check: check for check in result.checks if check.outcome is not Outcome.SKIP}
    assert {check.outcome for check in applied.values()} == {Outcome.PASS}
    assert {"VIP on exactly one node", "etcd", "pod to pod", "certificate covers the VIP"} <= applied.keys()
    assert "means less on this bed: The etcd of kind is a static pod" in applied["etcd"].said


def test_what_is_otherwise_with_kind_stands_in_the_report(kind_job: Job) -> None:
    told = {one.what for one in kind_job.cell(GREEN).deviations}
    assert {"installer", "etcd", "node image"} <= told
    assert any("Kubernetes is installed by kind" in limit for limit in kind_job.cell(GREEN).limits)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with real_engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def environment(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a user's shell has: kind and the engine on the PATH, and a node image that need not be pulled."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "kind").symlink_to(component.build(("kind",))["kind"] / "bin" / "kind")
    program = shutil.which(engine.name)
    if program is None:
        pytest.skip(f"kind talks to {engine.name} by its program, and there is none")
    if not Path("/lib/modules").is_dir():
        (folder / engine.name).write_text(WITHOUT_MODULES.format(engine=program))
        (folder / engine.name).chmod(0o755)
    seen = host.facts()
    (folder / "containers.conf").write_text(podman.containers_conf(seen, runc=shutil.which("runc")))
    image = kindimage.alone(engine, host.node_needs(seen), artifacts.prepare("v1.29.5").path, "v1.29.5")
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "ENGINE": engine.name,
        "IMAGE": image,
        "NETWORK_OPTIONS": "--internal",
        "CONTAINERS_CONF": str(folder / "containers.conf"),
    }


class TakenHome:
    """A folder of `spraylab export`, run by its own script."""

    def __init__(self, release: str, folder: Path, environment: Mapping[str, str]) -> None:
        cell = f"replica-{release}:k8s-v1.29.5:1cp:kube-vip:vip:containers"
        done = spraylab("export", cell, str(folder), "--as", "kind", "--scenario", "kubespray-11338", cwd=folder.parent)
        assert done.rc == 0, done.stderr
        self._folder, self._environment, self._stop = folder, environment, Event()
        self._up: list[Completed] = []
        self._thread = Thread(target=lambda: self._up.append(self.run("up")), name="up", daemon=True)

    def run(self, verb: str) -> Completed:
        return run((str(self._folder / "run.sh"), verb), limit_s=LIMIT_S, env=self._environment, stop=self._stop if verb == "up" else None)

    def begin(self) -> None:
        """Run `up` as in a terminal of its own."""
        self._thread.start()

    def end(self) -> None:
        """End `up`, and remove what it made."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self.run("down")


@pytest.fixture
def take_home(tmp_path: Path, environment: Mapping[str, str]) -> Iterator[Callable[[str], TakenHome]]:
    """Makes one of the cell at a release; whatever the test does, its cluster is removed."""
    made: list[TakenHome] = []

    def one(release: str) -> TakenHome:
        made.append(TakenHome(release, tmp_path / release, environment))
        return made[-1]

    yield one
    for each in made:
        each.end()
    words = (environment["ENGINE"], "ps", "--all", "--filter", "label=io.x-k8s.kind.cluster=kind-kube-vip", "--format", "{{.Names}}")
    assert run(words, limit_s=60, env=environment).stdout.strip() == "", "the cluster is gone"


def part(said: str, heading: str) -> str:
    """What `look` says below a heading."""
    return said.partition(f"== {heading}")[2].partition("\n== ")[0]


def on_the_node(said: str) -> bool:
    """Whether the API server itself answers; it may come up while `look` is at work."""
    return part(said, "the API server, asked on the node itself").strip().endswith("ok")


def test_taken_home_the_green_cell_is_green_by_plain_kind(take_home: Callable[[str], TakenHome]) -> None:
    taken = take_home("v2.25.1")
    done = taken.run("up")
    assert done.rc == 0, done.stdout + done.stderr
    said = taken.run("look").stdout
    assert "inet 10.231.255.100/32" in part(said, "addresses of the node"), said
    assert part(said, "the API server, asked through the virtual address").strip().endswith("ok")
    assert "super-admin.conf" in part(said, "the kubeconfig that kube-vip is given")


def test_taken_home_the_red_cell_shows_the_same_failure_by_plain_kind(take_home: Callable[[str], TakenHome]) -> None:
    taken = take_home("v2.25.0")
    taken.begin()
    said = until(lambda: taken.run("look").stdout, lambda said: FORBIDDEN in said and on_the_node(said), limit_s=WAITS_S, every_s=2.0)
    assert FORBIDDEN in part(said, "the last words of kube-vip"), said
    assert "10.231.255.100" not in part(said, "addresses of the node").partition("\n")[2]
    assert on_the_node(said)
    assert not part(said, "the API server, asked through the virtual address").strip().endswith("ok")
    assert "path: /etc/kubernetes/admin.conf" in part(said, "the kubeconfig that kube-vip is given")
    assert "not found" in part(said, "the lease of the virtual address")
