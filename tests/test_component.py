import multiprocessing
import re
import shutil
from pathlib import Path

import pytest

from lab import component
from lab.component import Progress
from lab.errors import BuildError, HostError, LabError, ScenarioError
from lab.toolchain import Toolchain

GO = Toolchain(version="1.26.0", arch="amd64")
DECLARED = """
name: thing
version: v1
what: a thing
sources: [../shared/main.go]
builds: [{package: ., output: thing}, {package: example.org/x/other, ldflags: -s, tags: extra}]
aliases: [also]
expected_s: 3
needs_mib: 10
"""
FAKE_GO = """#!/bin/sh
[ "$1" = version ] && echo 'go version go1.26.0 linux/amd64' && exit
echo "$@" >>"$LOG"
[ -e main.go ] || exit 9
sleep 0.2
while [ "$1" != -o ]; do shift; done
echo built >"$2"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A components folder with the component `thing`, an empty cache, and a go that only writes its output."""
    for name, text in {
        "thing/component.yaml": DECLARED,
        "thing/go.mod": "module thing\n\ngo 1.24\n",
        "shared/main.go": "package main\n",
    }.items():
        (tmp_path / "components" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "components" / name).write_text(text)
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))
    _fake_go(tmp_path, monkeypatch, FAKE_GO)
    return tmp_path / "components"


def _fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / "bin").mkdir(exist_ok=True)
    (tmp_path / "bin" / "go").write_text(text)
    (tmp_path / "bin" / "go").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))


def _build(folder: Path) -> None:
    component.build(["thing"], folder=folder)


def _left(folder: Path) -> list[str]:
    made = folder.parent / "cache" / component.KIND
    return [path.name for path in made.iterdir() if path.suffix != ".lock"] if made.exists() else []


def test_the_programs_and_their_aliases_stand_in_bin(folder: Path, tmp_path: Path) -> None:
    entry = component.build(["thing"], folder=folder)["thing"]
    assert sorted(path.name for path in (entry / "bin").iterdir()) == ["also", "other", "thing"]
    assert (entry / "bin" / "also").read_text() == "built\n"
    assert sorted(path.name for path in entry.iterdir()) == ["bin", "build_s"]
    first, second = (tmp_path / "log").read_text().splitlines()
    assert "-ldflags -s -w -o" in first
    assert "-ldflags -s -tags extra -o" in second


def test_nothing_is_rebuilt_when_nothing_changed(folder: Path, tmp_path: Path) -> None:
    first = component.build(["thing"], folder=folder)
    (tmp_path / "log").unlink()
    seen: list[Progress] = []
    assert component.build(["thing", "thing"], folder=folder, on_progress=seen.append) == first
    assert [progress.state for progress in seen] == ["cached"]
    assert not (tmp_path / "log").exists()


def test_the_time_of_the_last_build_is_what_the_next_one_is_expected_to_take(folder: Path) -> None:
    seen: list[Progress] = []
    first = component.build(["thing"], folder=folder, on_progress=seen.append)["thing"]
    (first / "build_s").write_text("77.0\n")
    (folder / "thing" / "go.mod").write_text("module changed\n")
    component.build(["thing"], folder=folder, on_progress=seen.append)
    assert [(progress.state, progress.expected_s) for progress in seen] == [("building", 3), ("built", 3), ("building", 77), ("built", 77)]


@pytest.mark.parametrize(
    ("changed", "more"), [("thing/component.yaml", "aliases: [other]\n"), ("thing/go.mod", "\n"), ("shared/main.go", "\n")]
)
def test_the_key_changes_with_each_file_that_is_built_from(changed: str, more: str, folder: Path) -> None:
    before = component.key(folder / "thing", component.load("thing", folder), GO)
    text = (folder / changed).read_text()
    (folder / changed).write_text("".join(line for line in text.splitlines(keepends=True) if "aliases" not in line) + more)
    assert component.key(folder / "thing", component.load("thing", folder), GO) != before


def test_what_is_said_of_images_asks_for_no_new_build(folder: Path) -> None:
    before = component.key(folder / "thing", component.load("thing", folder), GO)
    path = folder / "thing" / "component.yaml"
    path.write_text(f"{path.read_text()}deviations: [{{what: a, released: b, used: c, why: d}}]\n")
    assert component.key(folder / "thing", component.load("thing", folder), GO) == before


@pytest.mark.parametrize("other", [Toolchain(version="1.26.1", arch="amd64"), Toolchain(version="1.26.0", arch="arm64")])
def test_the_key_changes_with_the_toolchain(other: Toolchain, folder: Path) -> None:
    declared = component.load("thing", folder)
    assert component.key(folder / "thing", declared, other) != component.key(folder / "thing", declared, GO)


def test_an_unknown_name_builds_nothing_and_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(ScenarioError, match=r"unknown component 'thingy'\n.*has thing\n"):
        component.build(["thing", "thingy"], folder=folder)
    assert _left(folder) == []


def test_two_builds_at_once_build_once(folder: Path, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_build, args=(folder,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert len((tmp_path / "log").read_text().splitlines()) == 2  # the two programs, once each


def test_too_little_room_is_said_before_anything_is_built(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="room on the disk to build thing"):
        component.build(["thing"], folder=folder, free=lambda: 2**20)
    assert _left(folder) == []
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ("write /x: no space left on device", HostError, "the disk became full while making the component 'thing'"),
        ("dial tcp: i/o timeout", BuildError, "fix: let this host reach a Go module proxy"),
        ("main.go:1: syntax error", BuildError, "fix: correct the files of 'thing'"),
    ],
)
def test_a_failed_build_says_why_and_leaves_nothing(
    said: str, error: type[LabError], told: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fake_go(
        folder.parent,
        monkeypatch,
        f"#!/bin/sh\n[ $1 = version ] && echo go version go1.26.0 linux/amd64 && exit\necho '{said}' >&2\nexit 1\n",
    )
    with pytest.raises(error) as caught:
        component.build(["thing"], folder=folder)
    assert told in str(caught.value)
    assert said in str(caught.value)
    assert _left(folder) == []


def test_go_itself_refuses_a_broken_program_and_the_command_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    if shutil.which("go") is None:
        pytest.skip("needs a go program on the PATH")
    monkeypatch.setenv("SPRAYLAB_CACHE", str(folder.parent / "cache"))
    (folder / "shared" / "main.go").write_text('package main\n\nimport "no/such/thing"\n')
    with pytest.raises(
        BuildError, match=r"component 'thing'\n(.|\n)*CGO_ENABLED=0 (.|\n)* build -trimpath (.|\n)*main\.go:3:8: package no/such/thing"
    ):
        component.build(["thing"], folder=folder)
    assert _left(folder) == []


@pytest.mark.parametrize("name", component.names())
def test_every_component_of_the_lab_is_declared_whole(name: str) -> None:
    declared = component.load(name)
    lines = (component.FOLDER / name / "go.mod").read_text()
    programs = {item.program for item in declared.builds}
    assert declared.name == re.sub(r"-\d+\.\d+$", "", name)  # kubernetes-1.29
    assert lines.startswith("module spraylab/")
    assert all(item.package == "." or item.package in lines for item in declared.builds)
    assert all((component.FOLDER / name / source).exists() for source in declared.sources)
    assert {program for image in declared.images for program in image.files.values()} <= programs | declared.files.keys()
    assert not list((component.FOLDER / name).glob("*.work"))


def test_what_is_optional_is_built_when_it_is_asked_for_alone() -> None:
    assert set(component.names()) - set(component.usual()) == {"kind", "kube-vip-0.7", "kube-vip-1.0", "kubernetes-1.30", "kubernetes-1.31"}
