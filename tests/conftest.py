"""Keeps tests honest: a fast one changes no environment, leaves no child process, and ends."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FAST_S = 60
REAL_S = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test a time to end in, where it has none of its own."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(REAL_S if item.get_closest_marker("real") else FAST_S))


@pytest.fixture(autouse=True)
def _leaves_nothing(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a fast test that changes this process's environment or leaves a child process."""
    if request.node.get_closest_marker("real"):
        yield
        return
    before, children = dict(os.environ), _children()
    yield
    changed = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)} - {"PYTEST_CURRENT_TEST"}
    assert not changed, f"environment changed: {sorted(changed)}"
    assert _children() <= children, "a child process is left"


def _children() -> set[str]:
    return {pid for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()}
