from pathlib import Path

import pytest

from lab import filetree
from lab.errors import BedError


def lay(folder: Path) -> Path:
    for name in ("lib/a/blobs/one", "lib/a/meta.db", "lib/b/deep/two", "log/three"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "lib" / "a").chmod(0o711)
    (folder / "lib" / "link").symlink_to("nowhere")
    return folder


def listed(folder: Path) -> dict[str, tuple[int, str]]:
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, str(path.readlink()) if path.is_symlink() else path.read_text())
        for path in files
    }


@pytest.mark.parametrize("shared", [(), ("lib/a/blobs",), ("lib/a/blobs", "lib/b"), ("log",), ("not/there",)], ids=" ".join)
def test_a_copy_is_the_same_whatever_of_it_is_shared(tmp_path: Path, shared: tuple[str, ...]) -> None:
    source, to = lay(tmp_path / "source"), tmp_path / "to"
    filetree.copy_sharing(source, to, shared=shared)
    assert listed(to) == listed(source)
    assert (to / "lib" / "a").stat().st_mode == (source / "lib" / "a").stat().st_mode


def test_only_what_is_shared_is_the_same_file(tmp_path: Path) -> None:
    source, to = lay(tmp_path / "source"), tmp_path / "to"
    filetree.copy_sharing(source, to, shared=("lib/a/blobs", "lib/b"))
    same = {name for name in listed(source) if (source / name).lstat().st_ino == (to / name).lstat().st_ino}
    assert same == {"lib/a/blobs/one", "lib/b/deep/two"}
    (to / "lib/a/meta.db").write_text("changed")
    assert (source / "lib/a/meta.db").read_text() == "lib/a/meta.db"


def test_a_whole_copy_shares_nothing(tmp_path: Path) -> None:
    source, to = lay(tmp_path / "source"), tmp_path / "to"
    filetree.copy(source, to)
    assert listed(to) == listed(source)
    assert not [name for name in listed(source) if (source / name).lstat().st_ino == (to / name).lstat().st_ino]


def test_where_nothing_can_be_written_the_reason_is_told(tmp_path: Path) -> None:
    (tmp_path / "to" / "log").mkdir(parents=True)
    (tmp_path / "to" / "log" / "three").mkdir()
    with pytest.raises(BedError, match="could not be copied") as caught:
        filetree.copy(lay(tmp_path / "source"), tmp_path / "to")
    assert "three" in str(caught.value)
