"""What Vagrant is asked and how its errors are told: a small program of that name stands in for it."""

import json
import shutil
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from lab import boxes, machines, vagrantfile
from lab.command import run
from lab.deadline import until
from lab.errors import BedError, HostError, LabError
from lab.host import started
from lab.vagrantfile import Machines
from tests import made
from tests.fakes import SILENT, gone, set_once_there
from tests.test_machines import BOOT, wanted

SAID = {
    "no provider": (
        "The provider 'libvirt' could not be found, but was requested to\nback the machine 'cp1'.",
        HostError,
        "has not the provider",
    ),
    "no box": (
        "The box 'debian/sarge' could not be found or\ncould not be accessed in the remote catalog.",
        HostError,
        "cannot get the box",
    ),
    "no libvirt": (
        "Error while connecting to Libvirt:\nCall to virConnectOpen failed: Failed to connect socket to '/var/run/libvirt/libvirt-sock'",
        HostError,
        "cannot reach libvirt",
    ),
    "no kvm": ("Could not access KVM kernel module: Permission denied", HostError, "KVM refuses"),
    "no memory": ("qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory", HostError, "no memory"),
    "network": ("internal error: Network is already in use by interface eth0", HostError, "a network of the machines is in use"),
    "anything": ("Something nobody has seen before.", BedError, "Vagrant could not make the machines: it ended with 1"),
}


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    """A `vagrant` that writes down what it is asked, with its environment, and then does `script`."""
    (folder / "bin").mkdir(parents=True)
    one = folder / "bin" / "vagrant"
    one.write_text(f'#!/bin/sh\necho "$* $VAGRANT_DOTFILE_PATH $SPRAYLAB_MACHINES" >> {folder}/asked\n{script}\n')
    one.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")
    return folder / "asked"


def vagrant(folder: Path) -> Machines:
    return Machines(folder / "machines.json", box=boxes.chosen({}), folder=folder)


@pytest.mark.parametrize("name", SAID)
def test_what_vagrant_says_becomes_one_message_with_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said, kind, told = SAID[name]
    program(tmp_path, monkeypatch, f"cat <<'TEXT' >&2\n{said}\nTEXT\nexit 1")
    with pytest.raises(kind, match=told) as caught:
        vagrant(tmp_path).up()
    assert isinstance(caught.value, LabError)
    assert said.splitlines()[0] in caught.value.args[1]
    assert caught.value.args[2]


def test_output_goes_to_the_cells_folder_and_progress_to_whoever_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = program(tmp_path, monkeypatch, "echo '==> cp1: Starting domain.'; echo '==> cp1:  -- Cpus: 2'; echo 'a warning' >&2")
    seen: list[str] = []
    Machines(tmp_path / "machines.json", box=boxes.chosen({}), folder=tmp_path, say=seen.append).up()
    assert seen == ["cp1: Starting domain."]
    log = (tmp_path / "vagrant.log").read_text()
    assert "Starting domain" in log
    assert "a warning" in log
    assert asked.read_text() == f"up --provider=libvirt {tmp_path}/vagrant {tmp_path}/machines.json\n"


def test_vagrant_does_not_outlive_an_up_that_is_broken_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; echo '==> cp1: Starting domain.'; exec sleep 60")

    def stop(_said: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Machines(tmp_path / "machines.json", box=boxes.chosen({}), folder=tmp_path, say=stop).up()
    pid = int((tmp_path / "pid").read_text())
    assert until(lambda: started(pid), lambda seen: not seen, limit_s=10) == ""


@pytest.mark.parametrize("hears", ["", "trap '' TERM; "], ids=["politely", "or not"])
def test_vagrant_that_says_nothing_ends_when_the_run_does(hears: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vagrantfile, "GRACE_S", 0.5)
    program(tmp_path, monkeypatch, hears + SILENT.replace("{folder}", str(tmp_path)))
    stop = Event()
    one = Machines(tmp_path / "machines.json", box=boxes.chosen({}), folder=tmp_path, stop=stop)
    with set_once_there(tmp_path / "pid", stop), pytest.raises(KeyboardInterrupt):
        one.up()
    assert gone(tmp_path)


def test_once_the_run_is_over_vagrant_is_asked_for_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = program(tmp_path, monkeypatch, "")
    stop = Event()
    stop.set()
    one = Machines(tmp_path / "machines.json", box=boxes.chosen({}), folder=tmp_path, stop=stop)
    for make in (one.up, lambda: one.start("cp1")):
        with pytest.raises(KeyboardInterrupt):
            make()
    assert not asked.exists()
    (tmp_path / "vagrant").mkdir()
    one.destroy()
    assert asked.read_text().startswith("destroy --force"), "what was made is removed all the same"


def test_each_cell_has_a_state_of_its_own_and_only_that_is_destroyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = program(tmp_path, monkeypatch, "")
    one = vagrant(tmp_path)
    one.destroy()
    assert not asked.exists(), "nothing was made, so that nothing is destroyed"
    (tmp_path / "vagrant").mkdir()
    one.destroy()
    one.save("a-key")
    one.restore("a-key")
    one.halt("cp1")
    words = [line.split(" /")[0] for line in asked.read_text().splitlines()]
    assert words == ["destroy --force", "snapshot save a-key", "snapshot restore a-key", "halt cp1 --force"]


def test_without_vagrant_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match=r"no program vagrant\n.*\n.*apt-get install vagrant"):
        vagrantfile.see("libvirt")


@pytest.mark.parametrize(
    ("provider", "plugins", "said"),
    [
        (
            "libvirt",
            "vagrant-share",
            r"Vagrant has not the provider libvirt\n.*there are vagrant-share\n.*vagrant plugin install vagrant-libvirt",
        ),
        ("virtualbox", "vagrant-share", r"no VirtualBox\n.*VBoxManage"),
    ],
)
def test_a_provider_that_is_missing_is_told(
    provider: str, plugins: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = f"1,,plugin-name,{plugins}\n1,{plugins},plugin-version,1.0"
    program(tmp_path, monkeypatch, f"[ $1 = plugin ] && echo '{listed}' || echo 'Vagrant 2.3.4'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/bin")
    with pytest.raises(HostError, match=said):
        vagrantfile.see(provider)


def test_a_box_is_added_once_per_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = "1,,box-name,spraylab/node\n1,,box-provider,libvirt\n1,,box-version,1.0.7"
    asked = program(tmp_path, monkeypatch, f"[ $2 = list ] && echo '{there}' || true")
    vagrantfile.add_box(boxes.chosen({}), version="1.0.7", catalog=lambda: pytest.fail("it is there"))
    vagrantfile.add_box(boxes.chosen({}), version="1.0.8", catalog=lambda: "/tmp/catalog.json")
    assert asked.read_text().splitlines()[-1].strip() == "box add /tmp/catalog.json --provider libvirt --box-version 1.0.8"


def test_the_list_by_hand_is_one_control_plane_and_the_client() -> None:
    listed = json.loads((vagrantfile.PROJECT / "lab" / "data" / "machines" / "by-hand.json").read_text())
    assert [one["name"] for one in listed["machines"]] == ["cp1", "client"]
    assert listed["box"] == boxes.chosen({boxes.PROVIDER: "virtualbox"}).name
    assert listed["box_version"] == boxes.chosen({boxes.PROVIDER: "virtualbox"}).version


def handed(listed: dict[str, object] | None, provider: str, folder: Path) -> Any:
    """What the top-level Vagrantfile tells Vagrant for `provider`."""
    if not shutil.which("ruby"):
        pytest.skip("needs ruby, which Vagrant is written in")
    environment = {}
    if listed is not None:
        (folder / "machines.json").write_text(json.dumps(listed))
        environment = {vagrantfile.LIST: str(folder / "machines.json")}
    done = run(("ruby", str(Path(__file__).parent / "vagrantfile.rb"), provider), limit_s=60, env=environment)
    assert done.rc == 0, done.stderr
    return json.loads(done.stdout)


def test_virtualbox_is_handed_names_sizes_networks_and_marks(tmp_path: Path) -> None:
    asked = wanted(tmp_path, VAGRANT_DEFAULT_PROVIDER="virtualbox")
    told = handed(machines.public(made.site(tmp_path), asked, prepare=Path("/lab/prepare.sh")), "virtualbox", tmp_path)
    assert told["ssh"] == {"insert_key": True}, "Vagrant replaces the box's key by one of its own"
    assert told["vm"]["provision"] == [["shell", {"path": "/lab/prepare.sh", "args": [asked.public_key, "10.231.0.2"]}]]
    first = told["vm"]["define"]["cp1"]["vm"]
    assert (first["box"], first["box_version"], first["hostname"]) == ("debian/bookworm64", "1.0.7", "cp1")
    assert first["network"] == [["private_network", {"ip": "10.231.0.10", "netmask": "255.255.255.0"}]]
    assert first["provider"] == {
        "memory": 3072,
        "cpus": 2,
        "name": "spraylab-r1-s0-cp1",
        "customize": [[["setextradata", "id", "spraylab.owner", "r1"]], [["setextradata", "id", "spraylab.cell", "a:b"]]],
    }


def test_libvirt_is_handed_a_kernel_a_disk_and_the_owner_of_each_machine(tmp_path: Path) -> None:
    told = handed(machines.own(made.site(tmp_path), wanted(tmp_path), BOOT), "libvirt", tmp_path)
    assert told["ssh"] == {"insert_key": False, "username": "root", "private_key_path": str(tmp_path / "key")}
    assert "provision" not in told["vm"]
    first = told["vm"]["define"]["cp1"]["vm"]
    (kind, network), *_ = first["network"]
    assert (kind, network["libvirt__network_name"], network["auto_config"]) == ("private_network", "spraylab-r1-s0-net", False)
    its = first["provider"]
    assert (its["driver"], its["kernel"], its["initrd"], its["memory"]) == ("qemu", "/pool/vmlinuz", "/pool/initrd", 3072)
    assert its["description"] == "spraylab.owner=r1 spraylab.cell=a:b"
    assert its["storage"] == [
        ["file", {"device": "vdb", "path": "one-cp1-lab.qcow2", "pool": "spraylab", "allow_existing": True, "cache": "unsafe"}]
    ]
    assert its["serial"] == [[{"type": "file", "source": {"path": str(tmp_path / "console-cp1.log")}}]]
    assert "storage" not in told["vm"]["define"]["client"]["vm"]["provider"]


@pytest.mark.parametrize("provider", ["libvirt", "virtualbox"])
def test_by_hand_there_is_one_control_plane_and_the_client(provider: str, tmp_path: Path) -> None:
    told = handed(None, provider, tmp_path)
    assert told["ssh"] == {"insert_key": True}
    sizes = {name: one["vm"]["provider"] for name, one in told["vm"]["define"].items()}
    assert sizes == {"cp1": {"memory": 3072, "cpus": 2}, "client": {"memory": 512, "cpus": 1}}
