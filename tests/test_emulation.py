from pathlib import Path

import pytest

from lab import box, emulation
from tests.test_host import lay_out

SAYS = 'for word in "$@"; do case $word in file:*) echo "spraylab: this machine runs" > "${word#file:}" ;; esac; done'


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> box.Built:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / box.KIND / box.key()
    folder.mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return box.Built(folder=folder, version="1.0.7")


def qemu(tmp_path: Path, script: str) -> None:
    (tmp_path / "bin" / emulation.QEMU).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / emulation.QEMU).chmod(0o755)


def host(tmp_path: Path, *, kvm: bool = True) -> Path:
    root = lay_out(tmp_path / "host")
    if kvm:
        (root / "dev").mkdir(exist_ok=True)
        (root / "dev" / "kvm").touch()
    return root


@pytest.mark.parametrize(("script", "runs"), [(SAYS, True), ("exit 1", False)], ids=["it runs", "it does not"])
def test_kvm_counts_only_where_a_guest_runs_by_it(tmp_path: Path, built: box.Built, script: str, *, runs: bool) -> None:
    root = host(tmp_path)
    assert emulation.accelerated(root=root), "nobody has tried yet"
    qemu(tmp_path, script)
    assert emulation.probe(built, root=root) is runs
    assert emulation.accelerated(root=root) is runs
    qemu(tmp_path, "exit 1" if runs else SAYS)
    assert emulation.probe(built, root=root) is runs, "it is asked once per boot"


def test_without_kvm_nothing_is_started(tmp_path: Path, built: box.Built) -> None:
    root = host(tmp_path, kvm=False)
    qemu(tmp_path, f"touch {tmp_path}/started")
    assert not emulation.probe(built, root=root)
    assert not emulation.accelerated(root=root)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("accelerated", [True, False])
def test_machines_have_as_long_as_others_only_where_kvm_runs_them(monkeypatch: pytest.MonkeyPatch, *, accelerated: bool) -> None:
    monkeypatch.setattr(emulation, "accelerated", lambda: accelerated)
    assert (emulation.pace() == 1.0) is accelerated
