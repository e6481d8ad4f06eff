from collections.abc import Callable
from pathlib import Path

import pytest

from lab import ability
from lab.ability import Ability
from lab.host import facts
from tests.test_host import lay_out


def everything(name: str) -> str | None:
    return f"/usr/bin/{name}"


def without(*missing: str) -> Callable[[str], str | None]:
    return lambda name: None if name in missing else everything(name)


def row(rows: tuple[Ability, ...], name: str) -> Ability:
    return next(one for one in rows if one.name == name)


def test_a_usual_laptop_can_do_all_but_virtual_machines_on_kvm(tmp_path: Path) -> None:
    rows = ability.abilities(facts(lay_out(tmp_path), uid=0), engine="docker 27.0", cache=Path("/"), which=everything, inotify=lambda: 100)
    assert {one.name for one in rows if not one.ok and one.name != "disk"} == {"KVM"}


@pytest.mark.parametrize(
    ("missing", "name", "fix"),
    [
        (("ssh",), "nodes by SSH", "apt-get install openssh-client"),
        (("debootstrap",), "node image", "apt-get install debootstrap"),
        (("iptables",), "podman firewall rules", "apt-get install iptables"),
        (("runc",), "container runtime", "cgroups are hybrid: apt-get install runc"),
        (("vagrant",), "vagrant", "apt-get install vagrant vagrant-libvirt, for beds of virtual machines only"),
        (("go",), "Go", "apt-get install golang (or go on: the lab gets one from PyPI)"),
    ],
)
def test_what_is_missing_is_told_with_its_fix(tmp_path: Path, missing: tuple[str, ...], name: str, fix: str) -> None:
    rows = ability.abilities(facts(lay_out(tmp_path, cgroup="hybrid")), engine="podman 4.3.1", cache=tmp_path, which=without(*missing))
    assert (row(rows, name).ok, row(rows, name).fix) == (False, fix)


def test_no_engine_and_no_root_are_needed_rows_that_say_what_to_do(tmp_path: Path) -> None:
    rows = ability.abilities(facts(lay_out(tmp_path), uid=1000), engine="", cache=tmp_path, which=everything)
    assert (row(rows, "root").ok, row(rows, "root").fix, row(rows, "root").needed) == (False, "run the lab with sudo", True)
    assert row(rows, "container engine").fix.startswith("install one, for example: apt-get install podman")


def test_a_host_without_inotify_instances_for_one_cell_is_told(tmp_path: Path) -> None:
    def rows(free: int) -> tuple[Ability, ...]:
        return ability.abilities(facts(lay_out(tmp_path)), engine="docker 27", cache=tmp_path, which=everything, inotify=lambda: free)

    few = row(rows(ability.NEEDED_INOTIFY - 1), "inotify")
    assert (few.ok, few.needed, few.fix) == (False, True, "end what uses them up, or raise fs.inotify.max_user_instances")
    assert row(rows(ability.NEEDED_INOTIFY), "inotify").ok


def test_crun_serves_where_cgroups_are_v2(tmp_path: Path) -> None:
    rows = ability.abilities(facts(lay_out(tmp_path)), engine="podman 5.0", cache=tmp_path, which=without("runc"))
    assert row(rows, "container runtime").ok


def test_a_host_without_ipvs_says_what_cannot_run(tmp_path: Path) -> None:
    seen = facts(lay_out(tmp_path, config="CONFIG_VETH=y", modules=None))
    ipvs = row(ability.abilities(seen, engine="docker 27", cache=tmp_path, which=everything), "kernel IP_VS")
    assert not ipvs.ok
    assert not ipvs.needed
    assert "kube-proxy in ipvs mode" in ipvs.seen


def test_every_row_that_is_not_ok_has_a_fix_and_no_other_has(tmp_path: Path) -> None:
    for rows in (
        ability.abilities(facts(lay_out(tmp_path)), engine="docker 27", cache=tmp_path, which=everything),
        ability.abilities(facts(tmp_path / "nothing", uid=1), engine="", cache=tmp_path, which=lambda _: None),
    ):
        assert [one.name for one in rows if one.ok == bool(one.fix)] == []
