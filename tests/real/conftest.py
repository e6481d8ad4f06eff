"""The runs that the real tests share: a cell runs once, and every test that only reads its evidence reads that run."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lab import engine, matrix
from lab.command import run
from lab.errors import LabError
from lab.matrix import CellResult, Matrix
from lab.model import Completed

PROJECT = Path(__file__).parent.parent.parent
LIMIT_S = 3600.0  # a cold cache builds two Kubernetes first
SHORT = """\
name: short-init
about: the red cell with time-outs that a test can wait out
mitigations:
  short-init:
    why: four time-outs of 30 s in place of 300 s
    variables: {kubeadm_init_timeout: 30s}
cells:
  - {refs: [replica@v2.25.0], kubernetes: [v1.29.5], orderings: [kube-vip], mitigations: [short-init]}
"""


SUBSET = """\
name: subset
about: what every change must show with all three addons
defaults: {kubernetes: [v1.29.5]}
mitigations:
  no-advertisement:
    why: metallb_config without layer2, which makes a pool and no L2Advertisement
    variables: {metallb_config: {address_pools: {primary: {ip_range: ["{pool}"], auto_assign: true}}}}
cells:
  - {refs: [replica@v2.25.1], orderings: [cilium > kube-vip > metallb, kube-vip+metallb+cilium, cilium]}
  - {refs: [replica@v2.25.0], orderings: [kube-vip+metallb+cilium, kube-vip > metallb]}
  - {refs: [replica@v2.25.1], orderings: [metallb], mitigations: [no-advertisement]}
"""


class Job(NamedTuple):
    """A run of the command: how it ended, its folder, and its matrix."""

    done: Completed
    folder: Path
    matrix: Matrix

    def cell(self, part: str) -> CellResult:
        """The only cell whose id holds `part`."""
        (found,) = [result for result in self.matrix.cells if part in result.id]
        return found

    def again(self) -> Matrix:
        """Its matrix as it stands now."""
        return matrix.read(self.folder)


def spraylab(*words: str, cwd: Path) -> Completed:
    """`spraylab words` in the folder `cwd`."""
    return run((sys.executable, "-m", "lab.cli", *words), limit_s=LIMIT_S, cwd=cwd, env={"PYTHONPATH": str(PROJECT)})


def job(*words: str, cwd: Path) -> Job:
    """`spraylab words`, which makes one run in `cwd`."""
    done = spraylab(*words, cwd=cwd)
    folders = sorted((cwd / "runs").glob("*/matrix.json"))
    assert folders, done.stdout + done.stderr
    return Job(done=done, folder=folders[-1].parent, matrix=matrix.read(folders[-1]))


@pytest.fixture(scope="session", autouse=True)
def _can_run() -> Iterator[None]:
    """Skip where no node can be made, with what is missing."""
    try:
        with engine.connect():
            pass
    except LabError as error:
        pytest.skip(f"needs root and a container engine: {error}")
    yield


@pytest.fixture(scope="session")
def main_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The command of the README: six cells."""
    return job("repro", "kubespray-11338", cwd=tmp_path_factory.mktemp("main"))


@pytest.fixture(scope="session")
def patient_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """The red cell, waited out as kubespray does, with 30 s in place of 300 s."""
    folder = tmp_path_factory.mktemp("patient")
    (folder / "short-init.yaml").write_text(SHORT)
    return job("repro", "short-init.yaml", "--patience", "full", cwd=folder)


@pytest.fixture(scope="session")
def orderings_job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """All three addons: six cells on five sets of nodes."""
    folder = tmp_path_factory.mktemp("orderings")
    (folder / "subset.yaml").write_text(SUBSET)
    return job("repro", "subset.yaml", cwd=folder)
