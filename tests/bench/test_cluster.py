"""What benches have of their nodes, without nodes: that they are laid and installed as in a run, and never left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench.cluster import KUBE_VERSION, cell_of, cluster_of, see_green
from lab import artifacts, bed, engine, groundwork, installer
from lab.artifacts import Artifacts
from lab.errors import BedError
from lab.model import CheckResult, Outcome, Stage, StageRun
from lab.notation import parse_ordering
from tests import made

GREEN = StageRun(stage="kube-vip", rc=0, duration_s=1.0, attempts=1, init_rc=0, init_s=1.0)


class Nodes:
    name = "nodes"

    def __init__(self, done: list[str], run_id: str, folder: Path) -> None:
        self._done, self.run_id, self.folder = done, run_id, folder

    def down(self) -> None:
        self._done.append("down")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What was done to nodes, in order."""
    told: list[str] = []

    @contextmanager
    def connect() -> Iterator[None]:
        yield

    def prepare(kube_version: str, addons: tuple[str, ...], supply: object, *, later: tuple[str, ...]) -> Artifacts:
        assert later == ()
        return Artifacts(path=tmp_path, versions=artifacts.versions(kube_version, addons), deviations=())

    monkeypatch.setattr(engine, "connect", connect)
    monkeypatch.setattr(artifacts, "prepare", prepare)
    monkeypatch.setattr(bed, "find", lambda _: lambda *, run_id, folder, **_: Nodes(told, run_id, folder))
    monkeypatch.setattr(groundwork, "lay", lambda _, stage, **__: told.append(f"lay for {stage.name}"))
    return told


def installs(monkeypatch: pytest.MonkeyPatch, done: list[str], *, red: str = "") -> None:
    def install(stage: Stage, **_: object) -> StageRun:
        done.append(stage.name)
        return replace(made.REFUSED, stage=stage.name) if stage.name == red else GREEN

    monkeypatch.setattr(installer, "install", install)


def test_stages_are_installed_in_their_order_on_what_was_laid_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, done: list[str]
) -> None:
    installs(monkeypatch, done)
    with cluster_of(made.cell("kube-vip > metallb"), bench="x") as cluster:
        cluster.install(made.site(tmp_path))
    assert done == ["lay for kube-vip", "kube-vip", "metallb", "down"]


def test_a_stage_that_fails_is_told_and_its_nodes_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, done: list[str]) -> None:
    installs(monkeypatch, done, red="kube-vip")
    why = rf"stage 'kube-vip' ended with 2\n.*{made.REFUSED.failed_task}"
    with cluster_of(made.cell("kube-vip > metallb"), bench="x") as cluster, pytest.raises(BedError, match=why):
        cluster.install(made.site(tmp_path))
    assert done == ["lay for kube-vip", "kube-vip", "down"]


def test_nodes_go_whatever_ends_the_bench_and_carry_its_name(done: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), cluster_of(made.cell(), bench="x") as cluster:
        assert isinstance(cluster.nodes, Nodes)
        assert cluster.nodes.run_id.startswith("x-")
        assert cluster.folder.name == f"spraylab-{cluster.nodes.run_id}"
        raise KeyboardInterrupt
    assert done == ["down"]
    assert not cluster.folder.exists()


@pytest.mark.parametrize(
    ("ordering", "endpoint"), [("kube-vip", "vip"), ("metallb > kube-vip", "vip"), ("metallb", "node"), ("base", "node")]
)
def test_a_cell_with_kube_vip_is_asked_through_its_vip(ordering: str, endpoint: str) -> None:
    like = made.cell(ordering)
    cell = cell_of(like.ref, parse_ordering(ordering), like.topology)
    assert (cell.endpoint, cell.kube_version) == (endpoint, KUBE_VERSION)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_passed_or_was_skipped_is_green(outcome: Outcome) -> None:
    result = CheckResult(check="the VIP answers", node="cp1", outcome=outcome, said="no route")
    if outcome in (Outcome.PASS, Outcome.SKIP):
        see_green([result], what="it is not green")
        return
    with pytest.raises(BedError, match=r"it is not green\n.*the VIP answers on cp1: no route"):
        see_green([result], what="it is not green")
