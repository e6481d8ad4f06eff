import tomllib
from pathlib import Path

import pytest

from lab import podman
from lab.errors import HostError
from lab.host import facts
from tests.test_host import lay_out


def test_limits_and_runtime_follow_what_the_host_can_give(tmp_path: Path) -> None:
    seen = facts(lay_out(tmp_path, cgroup="hybrid", caps="0", nofile="20000"))
    conf = tomllib.loads(podman.containers_conf(seen, runc="/usr/sbin/runc"))
    assert conf["containers"]["default_ulimits"] == ["nofile=20000:20000", "nproc=32768:32768"]
    assert conf["engine"] == {"runtime": "runc", "runtimes": {"runc": ["/usr/sbin/runc"]}}


def test_a_usual_laptop_keeps_the_defaults(tmp_path: Path) -> None:
    assert tomllib.loads(podman.containers_conf(facts(lay_out(tmp_path)), runc="/usr/sbin/runc")) == {}


def test_a_service_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "podman"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no storage >&2; exit 125\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setattr("lab.owner.RUN_FOLDER", tmp_path / "run")
    with (
        pytest.raises(HostError, match=r"podman's service did not start\n.*no storage"),
        podman.service(facts(lay_out(tmp_path)), lambda _: False),
    ):
        pass
    assert list((tmp_path / "run").iterdir()) == []
