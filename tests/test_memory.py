from pathlib import Path

import pytest

from lab.memory import used_mib

MIB = 2**20


def lay_out(root: Path, group: str, files: dict[str, str]) -> Path:
    (root / "proc/7").mkdir(parents=True)
    (root / "proc/7/cgroup").write_text(group)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


V1 = {
    "memory/pod/memory.usage_in_bytes": f"{900 * MIB}\n",
    "memory/pod/memory.stat": f"inactive_file 5\ntotal_inactive_file {300 * MIB}\n",
}
V2 = {"a/pod/memory.current": f"{700 * MIB}\n", "a/pod/memory.stat": f"anon 1\ninactive_file {200 * MIB}\n"}


@pytest.mark.parametrize(
    ("group", "files", "mib"),
    [
        ("5:cpu,cpuacct:/pod\n4:memory:/pod\n1:name=systemd:/pod/init.scope\n0::/\n", V1, 600.0),
        ("4:memory:/pod/init.scope\n", V1, 600.0),
        ("0::/a/pod/init.scope\n", V2, 500.0),
        ("1:name=systemd:/pod\n", V1, 0.0),
        ("0::/elsewhere\n", V2, 0.0),
    ],
    ids=["v1", "v1, systemd in a scope of its own", "v2", "no memory controller", "no such group"],
)
def test_memory_of_a_group_is_what_it_could_not_do_without(tmp_path: Path, group: str, files: dict[str, str], mib: float) -> None:
    assert used_mib(7, root=lay_out(tmp_path, group, files)) == mib


def test_a_process_that_is_gone_uses_nothing(tmp_path: Path) -> None:
    assert used_mib(8, root=lay_out(tmp_path, "0::/a/pod\n", V2)) == 0.0
