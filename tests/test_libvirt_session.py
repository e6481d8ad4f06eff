"""Whether the libvirt of tests/libvirt.py may be started: one session at a time, and none waits for one that was killed."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from lab.command import MARK, run
from tests import libvirt
from tests.test_gc import lay_out_process, qemu

SESSION = "python -m tests.libvirt spraylab run ipvs"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with the namespace, and a process outside of it."""
    (tmp_path / libvirt.NAMESPACES).mkdir(parents=True)
    (tmp_path / libvirt.NAMESPACES / libvirt.NAMESPACE).touch()
    process(tmp_path, 10, "sshd", space="net:[1]")
    return tmp_path


def process(root: Path, pid: int, words: str, *, mark: str = "", space: str = "") -> None:
    """A process in the namespace, or in the name space `space`; mark: the number of the process of the lab that started it."""
    lay_out_process(root, pid, ticks=pid, words=words, mark=mark)
    (root / f"proc/{pid}/ns").mkdir()
    its = space or f"net:[{(root / libvirt.NAMESPACES / libvirt.NAMESPACE).stat().st_ino}]"
    (root / f"proc/{pid}/ns/net").symlink_to(its)


def test_where_there_is_no_namespace_nobody_has_it(tmp_path: Path) -> None:
    assert libvirt.inside(root=tmp_path) == ()
    assert libvirt.in_use(root=tmp_path) == ""


def test_a_session_that_runs_is_told_in_one_line(root: Path) -> None:
    process(root, 20, SESSION)
    process(root, 21, "libvirtd", mark="20")
    said = libvirt.in_use(root=root)
    assert f"another session's: process 20 ({SESSION}) and 1 more" in said
    assert "\n" not in said


def test_a_session_that_just_begins_has_the_namespace_too(root: Path) -> None:
    process(root, 20, SESSION, space="net:[1]")
    process(root, 21, "sh -c libvirtd", mark="20")
    assert "process 21 (sh -c libvirtd)" in libvirt.in_use(root=root)


def test_what_outlived_a_killed_session_is_in_nobodys_way(root: Path) -> None:
    process(root, 21, "libvirtd", mark="20")
    process(root, 22, "/usr/sbin/dnsmasq --conf-file=/var/lib/libvirt/dnsmasq/spraylab-r0-s0-net.conf")
    process(root, 23, qemu("spraylab-r0-s0-cp1"))
    assert libvirt.in_use(root=root) == ""
    assert libvirt.inside(root=root) == (21, 22, 23)


def test_a_command_that_outlived_its_session_still_needs_it(root: Path) -> None:
    process(root, 21, "libvirtd", mark="20")
    process(root, 22, "pytest scenarios")
    assert "process 22 (pytest scenarios);" in libvirt.in_use(root=root)


def test_whoever_is_in_the_namespace_goes_on(root: Path) -> None:
    process(root, 20, SESSION)
    process(root, os.getpid(), "pytest scenarios")
    assert libvirt.in_use(root=root) == ""


@pytest.mark.real
def test_what_a_killed_session_left_is_removed_with_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and the program ip")
    monkeypatch.setattr(libvirt, "NAMESPACE", f"spraylab-test-{os.getpid()}")
    libvirt.clear()  # harmless: there is none
    assert run(("ip", "netns", "add", libvirt.NAMESPACE), limit_s=libvirt.LIMIT_S).rc == 0
    words = ("ip", "netns", "exec", libvirt.NAMESPACE, "sh", "-c", "echo there; exec sleep 300")
    with subprocess.Popen(words, env={**os.environ, MARK: str(2**31)}, stdout=subprocess.PIPE) as left:
        assert left.stdout is not None
        assert left.stdout.readline() == b"there\n"
        assert libvirt.inside() == (left.pid,)
        assert libvirt.in_use() == ""
        libvirt.clear()
        assert left.wait() == -signal.SIGTERM
    assert libvirt.NAMESPACE not in run(("ip", "netns", "list"), limit_s=libvirt.LIMIT_S).stdout
