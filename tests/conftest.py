"""Keeps tests honest: a fast one changes no environment, leaves no child process, and ends."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lab import libvirt
from tests import repository

settings.register_profile("lab", deadline=None)  # how long an example takes says something of the machine alone
settings.load_profile("lab")


@pytest.fixture(scope="session")
def _kubespray(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository.make(tmp_path_factory.mktemp("repository") / "kubespray")


@pytest.fixture
def kubespray(_kubespray: Path, tmp_path: Path) -> Path:
    """A repository in kubespray's shape, the test's own."""
    return shutil.copytree(_kubespray, tmp_path / "kubespray", symlinks=True)


FAST_S = 60
REAL_S = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test a time to end in, where it has none of its own."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            real = item.get_closest_marker("real") is not None  # what it shares with others, such as a cold build, has a limit of its own
            item.add_marker(pytest.mark.timeout(REAL_S, func_only=True) if real else pytest.mark.timeout(FAST_S))


@pytest.fixture(autouse=True)
def _own_pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disks of this machine are no fast test's business."""
    if not request.node.get_closest_marker("real"):
        monkeypatch.setattr(libvirt, "POOL_FOLDER", tmp_path_factory.getbasetemp() / "no-pool")


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a fast test that changes this process's environment or leaves a child process."""
    if request.node.get_closest_marker("real") or request.node.get_closest_marker("browser"):  # a browser is shared by its tests
        yield
        return
    before, children = dict(os.environ), _children()
    yield
    changed = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)} - {"PYTEST_CURRENT_TEST"}
    assert not changed, f"environment changed: {sorted(changed)}"
    assert _children() <= children, "a child process is left"


def _children() -> set[str]:
    pids = {pid for task in Path("/proc/self/task").glob("*/children") for pid in _text(task).split()}
    return {pid for pid in pids if "resource_tracker" not in _text(Path(f"/proc/{pid}/cmdline"))}  # Python's own, as long as this one runs


def _text(path: Path) -> str:
    """What it holds; nothing when its thread or process has ended since it was listed."""
    try:
        return path.read_text()
    except OSError:
        return ""
