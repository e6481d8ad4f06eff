"""What a `real` test needs of the machine; it skips, with the reason, where that is missing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.engine import Engine, connect
from lab.errors import HostError
from tests import libvirt


@contextmanager
def real_engine() -> Iterator[Engine]:
    """podman or Docker as this machine has it."""
    connection = connect()
    try:
        engine = connection.__enter__()
    except HostError as error:
        pytest.skip(f"needs root and a container engine: {error}")
    try:
        yield engine
    finally:
        connection.__exit__(None, None, None)


@contextmanager
def real_machines() -> Iterator[None]:
    """A libvirt to make virtual machines with; what asks for them by SSH must do so inside the block."""
    if why := libvirt.why_not():
        pytest.skip(f"needs Vagrant and libvirt: {why}")
    with libvirt.running():
        yield
