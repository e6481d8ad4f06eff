import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from lab import archive
from lab.component import Image

DECLARED = Image(
    name="thing",
    tags=("registry.example/one:v1", "registry.example/two:v1"),
    entrypoint=("/bin/one",),
    files={"/bin/one": "one"},
    links={"/bin/two": "one"},
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "thing-0123" / "bin"
    folder.mkdir(parents=True)
    (folder / "one").write_bytes(b"program")
    return folder


def _image(programs: Path, declared: Image = DECLARED) -> Path:
    return archive.image(declared, programs=programs, arch="amd64")


def _read(path: Path, member: str) -> bytes:
    with tarfile.open(path) as tar:
        found = tar.extractfile(member)
        assert found is not None
        return found.read()


def test_an_image_archive_names_all_its_tags_and_only_members_that_are_there(programs: Path) -> None:
    path = _image(programs)
    (manifest,) = json.loads(_read(path, "manifest.json"))
    assert manifest["RepoTags"] == ["registry.example/one:v1", "registry.example/two:v1"]
    config_raw = _read(path, manifest["Config"])
    assert manifest["Config"] == f"{hashlib.sha256(config_raw).hexdigest()}.json"
    config = json.loads(config_raw)
    layer = _read(path, manifest["Layers"][0])
    assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    assert config["config"]["Entrypoint"] == ["/bin/one"]
    assert "/usr/local/bin" in config["config"]["Env"][0]


def test_the_layer_holds_the_programs_their_links_a_user_and_a_temporary_folder(programs: Path) -> None:
    path = _image(programs)
    (manifest,) = json.loads(_read(path, "manifest.json"))
    with tarfile.open(fileobj=io.BytesIO(_read(path, manifest["Layers"][0]))) as layer:
        assert layer.getnames() == ["bin", "etc", "tmp", "etc/passwd", "bin/one", "bin/two"]
        assert layer.getmember("bin/one").mode == 0o755
        assert layer.getmember("bin/two").linkname == "one"
        assert layer.getmember("tmp").mode == 0o1777
        assert {(member.mtime, member.uid, member.uname) for member in layer} == {(0, 0, "")}


def test_the_same_members_give_the_same_bytes(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members: dict[str, Path | str] = {"top/one": programs / "one", "top/script": "#!/bin/sh\n"}
    first = _image(programs).read_bytes(), archive.tarball("x.tar.gz", members, content="c").read_bytes()
    (programs / "one").touch()
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "other"))
    assert (_image(programs).read_bytes(), archive.tarball("x.tar.gz", members, content="c").read_bytes()) == first


def test_an_archive_is_made_once_for_the_same_content_and_anew_for_another(programs: Path) -> None:
    first = _image(programs)
    assert _image(programs) == first
    assert _image(programs, DECLARED.model_copy(update={"tags": ("registry.example/one:v2",)})) != first
    other = programs.parent.parent / "thing-4567" / "bin"
    other.mkdir(parents=True)
    (other / "one").write_bytes(b"newer")
    assert _image(other) != first
    assert [path.name for path in first.parent.iterdir()] == ["thing.tar"]


def test_a_tarball_holds_programs_and_scripts_that_can_run(programs: Path) -> None:
    path = archive.tarball("x.tar.gz", {"top/one": programs / "one", "top/script": "#!/bin/sh\n"}, content="c")
    with gzip.open(path) as raw, tarfile.open(fileobj=raw) as tar:
        assert [(member.name, member.mode) for member in tar] == [("top/one", 0o755), ("top/script", 0o755)]
    assert _read(path, "top/one") == b"program"


def test_a_tarball_is_keyed_by_its_content(programs: Path) -> None:
    members: dict[str, Path | str] = {"one": programs / "one"}
    assert archive.tarball("x.tar.gz", members, content="c") != archive.tarball("x.tar.gz", members, content="d")
    assert archive.tarball("x.tar.gz", {"one": "a"}, content="") != archive.tarball("x.tar.gz", {"one": "b"}, content="")


def test_files_laid_over_a_root_replace_those_that_had_their_paths(tmp_path: Path) -> None:
    root, to = tmp_path / "root", tmp_path / "to.tar"
    for name in ("sbin/init", "etc/kept"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("old")
    with tarfile.open(tmp_path / "root.tar", "w") as tar:
        tar.add(root, arcname=".")
    (tmp_path / "program").touch(0o755)
    files: dict[str, Path | str] = {"/sbin/init": "new", "/kind/deep/file": root / "etc/kept", "/opt/program": tmp_path / "program"}
    archive.over(tmp_path / "root.tar", files=files, links={"/bin/a": "b"}, to=to)
    with tarfile.open(to) as tar:
        names = tar.getnames()
        assert len(names) == len(set(names)), "engines take no path twice"
        assert {"./sbin/init", "./etc/kept", "./kind/deep/file", "./bin/a", "./kind", "./kind/deep", "./bin"} <= set(names)
        assert (tar.getmember("./sbin/init").mode, tar.getmember("./kind/deep/file").mode) == (0o755, 0o644)
        assert tar.getmember("./opt/program").mode & 0o100
        assert tar.getmember("./bin/a").linkname == "b"
    assert _read(to, "./sbin/init") == b"new"
    assert _read(to, "./etc/kept") == b"old"
