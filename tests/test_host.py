import gzip
import os
import sys
from pathlib import Path

import pytest

from lab import host
from lab.command import run

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units
Max processes             96364                {nproc}                processes
Max open files            1024                 {nofile}                files
Max locked memory         8388608              unlimited            bytes
"""
MOUNTS = {
    "v1": "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\n",
    "hybrid": "cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
    "v2": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
}


def lay_out(
    root: Path, *, cgroup: str = "v2", caps: str = "1ffffffffff", nofile: str = "1048576", config: str = "", modules: str | None = ""
) -> Path:
    """A host's /proc in a folder: a usual laptop, unless told otherwise."""
    files = {
        "proc/mounts": MOUNTS[cgroup],
        "proc/self/limits": LIMITS.format(nproc="96364".ljust(5), nofile=nofile.ljust(5)),
        "proc/self/status": f"Name:\tx\nCapBnd:\t{caps}\n",
        "proc/meminfo": "MemTotal:       24683656 kB\nMemAvailable:   20000000 kB\nSwapTotal:       0 kB\n",
        "proc/cpuinfo": "processor\t: 0\n\nprocessor\t: 1\n",
        "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n",
        "proc/sys/kernel/pid_max": "32768\n",
        "proc/sys/kernel/random/boot_id": "0123456789ab\n",
    }
    files |= {"proc/modules": modules} if modules is not None else {}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    if config:
        (root / "proc/config.gz").write_bytes(gzip.compress(config.encode()))
    return root


@pytest.mark.parametrize(("cgroup", "where"), [("v1", ""), ("hybrid", "/sys/fs/cgroup/unified"), ("v2", "/sys/fs/cgroup")])
def test_cgroups_are_told_by_what_is_mounted(tmp_path: Path, cgroup: str, where: str) -> None:
    seen = host.facts(lay_out(tmp_path, cgroup=cgroup))
    assert (seen.cgroup, seen.cgroup2) == (cgroup, where)


def test_a_usual_laptop_needs_no_departure_from_defaults(tmp_path: Path) -> None:
    needs = host.node_needs(host.facts(lay_out(tmp_path)))
    assert needs == host.NodeNeeds(cgroup_driver="systemd", feature_gates=(), nofile=None, nproc=None, restrict_oom=False)


def test_a_host_that_gives_no_resources_gets_limits_it_can_keep(tmp_path: Path) -> None:
    seen = host.facts(lay_out(tmp_path, cgroup="hybrid", caps="1fffeffffff", nofile="20000"))
    needs = host.node_needs(seen)
    assert needs.cgroup_driver == "cgroupfs"
    assert needs.cgroup2 == "/sys/fs/cgroup/unified"
    assert needs.feature_gates == ("KubeletInUserNamespace=true",)
    assert (needs.nofile, needs.nproc) == (20000, 32768)
    assert needs.restrict_oom


def test_unlimited_is_more_than_any_need(tmp_path: Path) -> None:
    assert host.facts(lay_out(tmp_path, nofile="unlimited")).nofile_hard > host.KUBELET_NOFILE


def test_memory_cores_and_root_are_read(tmp_path: Path) -> None:
    seen = host.facts(lay_out(tmp_path), uid=1000)
    assert (seen.memory_bytes, seen.cores, seen.is_root, seen.swap, seen.kvm) == (24683656 * 1024, 2, False, False, False)


@pytest.mark.parametrize(
    ("config", "modules", "there"),
    [
        ("CONFIG_IP_VS=y", None, True),
        ("CONFIG_IP_VS=m", "", True),
        ("CONFIG_IP_VS=m", None, False),
        ("# CONFIG_IP_VS is not set\nCONFIG_X=y", "", False),
        ("", "ip_vs 200 0 - Live 0x0", True),
        ("", None, False),
    ],
    ids=["built in", "a module", "a module, but no module support", "left out", "loaded", "nothing known, no module support"],
)
def test_a_kernel_feature_is_there_when_it_can_be_used(tmp_path: Path, *, config: str, modules: str | None, there: bool) -> None:
    seen = host.facts(lay_out(tmp_path, config=config, modules=modules))
    assert seen.has_kernel("IP_VS", module="ip_vs") is there


def test_a_host_without_proc_is_read_without_an_error(tmp_path: Path) -> None:
    assert host.facts(tmp_path).cgroup == "v1"


def test_free_disk_is_that_of_the_place_a_folder_would_be_made(tmp_path: Path) -> None:
    assert host.disk_free_bytes(tmp_path / "not" / "there") > 0


def test_where_this_user_may_not_look_the_room_is_that_of_the_nearest_folder_he_may(tmp_path: Path) -> None:
    ask = f"print(host.disk_free_bytes(Path('{tmp_path}/shut/x')) > 0)"
    code = f"import os; from pathlib import Path; from lab import host; os.setuid(65534); {ask}"
    if os.geteuid() != 0:
        pytest.skip("needs root: to become another user")
    (tmp_path / "shut").mkdir(mode=0o700)
    done = run((sys.executable, "-c", code), limit_s=60, env={"PYTHONPATH": str(Path(host.__file__).parent.parent)})
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_process_is_known_by_its_start_and_not_by_its_number_alone(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    fields = " ".join(str(n) for n in range(4, 23))
    (root / "proc/77").mkdir()
    (root / "proc/77/stat").write_text(f"77 (a) b) S {fields}")
    assert host.started(77, root=root) == "01234567.22"
    assert host.processes(root=root) == (77,)
    (root / "proc/77/stat").write_text(f"77 (a) b) Z {fields}")
    assert host.started(77, root=root) == ""
    assert host.started(78, root=root) == ""


def test_this_process_has_a_start_and_arguments() -> None:
    assert host.started(os.getpid())
    assert "pytest" in host.cmdline(os.getpid()) or "python" in host.cmdline(os.getpid())


def test_inotify_instances_that_are_open_are_not_free(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/fs/inotify").mkdir(parents=True)
    (tmp_path / "proc/sys/fs/inotify/max_user_instances").write_text("10\n")
    (tmp_path / "proc/77/fd").mkdir(parents=True)
    for number, what in enumerate(("anon_inode:inotify", "anon_inode:[eventpoll]", "anon_inode:inotify")):
        (tmp_path / f"proc/77/fd/{number}").symlink_to(what)
    (tmp_path / "proc/78").mkdir()  # one whose descriptors cannot be seen
    assert host.inotify_free(root=tmp_path) == 8


def test_what_is_mounted_is_told_of_every_mount_name_space_once(tmp_path: Path) -> None:
    line = "31 1 0:1 {} /opt/lab ro,relatime - ext4 /dev/sda1 rw\n"
    for pid, space, source in ((1, "mnt:[1]", "/"), (7, "mnt:[2]", "/cache/artifacts/a"), (8, "mnt:[2]", "/not read again"), (9, "", "/x")):
        folder = tmp_path / f"proc/{pid}"
        (folder / "ns").mkdir(parents=True)
        (folder / "mountinfo").write_text(line.format(source))
        if space:  # of another user's process it cannot be read
            (folder / "ns" / "mnt").symlink_to(space)
    assert host.mounted(root=tmp_path) == {"/", "/cache/artifacts/a"}
