"""Archives out of component binaries, without a container engine: images as `ctr images import` takes them, and tarballs.

The same members give the same bytes: fixed times, fixed owners, members in the order of their paths.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO

from lab import cachedir, rootfs
from lab.component import Image

KIND = "archives"
LAYOUT = "2"  # of the archives this module writes; a change here makes the old entries unused
PASSWD = "root:x:0:0:root:/root:/sbin/nologin\n"  # noqa: S105 - no password: programs look up the name of user 0
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TEMPORARY = "/tmp"  # noqa: S108 - a path inside the image
EPOCH = "1970-01-01T00:00:00Z"
PROGRAMS = ("bin", "sbin")  # folders
GZIP_LEVEL = 1  # the archives go to nodes on the same host: time counts, size does not


def image(declared: Image, *, programs: Path, arch: str) -> Path:
    """The docker-archive of `declared` with all its tags, out of the cache or made; the Debian root it stands on too.

    programs: the bin/ folder of a component's cache entry, whose name stands for its content; files/ is beside it.
    Raises as rootfs.of_packages for an image with packages.
    """
    base = (rootfs.of_packages(declared.packages, without=declared.without),) if declared.packages else ()
    roots = [path.parent.name for path in base]
    key = cachedir.digest((LAYOUT, declared.model_dump_json(), programs.parent.name, arch, *roots))

    def make(folder: Path) -> None:
        layer = folder / "layer.tar"
        _write_layer(declared, programs, layer)
        _write_image(declared, arch, layers=(*base, layer), to=folder / f"{declared.name}.tar")
        layer.unlink()

    return cachedir.obtain(KIND, f"{declared.name}-image-{key}", make) / f"{declared.name}.tar"


def tarball(name: str, members: Mapping[str, Path | str], *, content: str) -> Path:
    """`name` as a gzipped tar, out of the cache or made. A member is a program's path or the text of a script.

    content: what stands for the members' content in the cache's key, such as the names of the cache entries they come from.
    """
    listed = [f"{path}={'' if isinstance(member, Path) else member}" for path, member in sorted(members.items())]
    key = cachedir.digest((LAYOUT, content, *listed))

    def make(folder: Path) -> None:
        with (folder / name).open("wb") as raw:
            packed = gzip.GzipFile(filename="", mode="wb", compresslevel=GZIP_LEVEL, fileobj=raw, mtime=0)
            with packed, tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
                for path, member in sorted(members.items()):
                    if isinstance(member, Path):
                        _add_file(tar, path, member)
                    else:
                        _add_text(tar, path, member, mode=0o755)

    return cachedir.obtain(KIND, f"{name}-{key}", make) / name


def over(root: Path, *, files: Mapping[str, Path | str], links: Mapping[str, str], to: Path) -> None:
    """Write `to`: the tar file of a root with further files and links, in place of those that had their paths.

    files: path -> a file, or a text; what lies in a bin or sbin is a program, and what is one already.
    """
    added = {f".{path}" for path in (*files, *links)}
    with tarfile.open(root) as old, tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as tar:
        there = set()
        for member in old:
            there.add(member.name)
            if member.name not in added:  # engines take no path twice
                tar.addfile(member, old.extractfile(member) if member.isreg() else None)
        for folder in sorted({str(parent) for path in added for parent in PurePosixPath(path).parents} - {"."}):
            if f"./{folder}" not in there:
                tar.addfile(_member(f"./{folder}", mode=0o755, kind=tarfile.DIRTYPE))
        for path, source in sorted(files.items()):
            mode = 0o755 if PurePosixPath(path).parent.name in PROGRAMS else 0o644
            if isinstance(source, Path):
                _add_file(tar, f".{path}", source, mode=mode | source.stat().st_mode & 0o111)
            else:
                _add_text(tar, f".{path}", source, mode=mode)
        for path, target in sorted(links.items()):
            link = _member(f".{path}", mode=0o777, kind=tarfile.SYMTYPE)
            link.linkname = target
            tar.addfile(link)


def _write_layer(declared: Image, programs: Path, layer: Path) -> None:
    alone = not declared.packages
    paths = (*declared.files, *declared.links, *(("/etc/passwd",) if alone else ()))
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents} - {"/"} | ({TEMPORARY} if alone else set())
    with tarfile.open(layer, "w", format=tarfile.GNU_FORMAT) as tar:
        for folder in sorted(folders):
            tar.addfile(_member(folder, mode=0o1777 if folder == TEMPORARY else 0o755, kind=tarfile.DIRTYPE))
        if alone:
            _add_text(tar, "/etc/passwd", PASSWD, mode=0o644)
        for path, name in sorted(declared.files.items()):
            program = programs / name
            _add_tree(tar, path, program if program.exists() else programs.parent / "files" / name)
        for path, target in sorted(declared.links.items()):
            link = _member(path, mode=0o777, kind=tarfile.SYMTYPE)
            link.linkname = target
            tar.addfile(link)


def _write_image(declared: Image, arch: str, *, layers: tuple[Path, ...], to: Path) -> None:
    ids = []
    for layer in layers:
        with layer.open("rb") as raw:
            ids.append(hashlib.file_digest(raw, "sha256").hexdigest())
    config = json.dumps(
        {
            "architecture": arch,
            "os": "linux",
            "created": EPOCH,
            "config": {"Env": [PATH], "Entrypoint": list(declared.entrypoint) or None, "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{one}" for one in ids]},
            "history": [{"created": EPOCH, "created_by": "spraylab"} for _ in ids],
        }
    )
    config_name = f"{hashlib.sha256(config.encode()).hexdigest()}.json"
    manifest = json.dumps([{"Config": config_name, "RepoTags": list(declared.tags), "Layers": [f"{one}/layer.tar" for one in ids]}])
    with tarfile.open(to, "w", format=tarfile.GNU_FORMAT) as tar:
        _add_text(tar, "manifest.json", manifest, mode=0o644)
        _add_text(tar, config_name, config, mode=0o644)
        for one, layer in zip(ids, layers, strict=True):
            tar.addfile(_member(one, mode=0o755, kind=tarfile.DIRTYPE))
            _add_file(tar, f"{one}/layer.tar", layer, mode=0o644)


def _member(path: str, *, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path.lstrip("/"))
    member.mode, member.type = mode, kind
    return member  # owner 0:0 and time 0 are what TarInfo starts with


def _add_tree(tar: tarfile.TarFile, path: str, source: Path) -> None:
    """A file, or a folder with all that is in it."""
    if not source.is_dir():
        _add_file(tar, path, source)
        return
    tar.addfile(_member(path, mode=0o755, kind=tarfile.DIRTYPE))
    for child in sorted(source.iterdir()):
        _add_tree(tar, f"{path}/{child.name}", child)


def _add_text(tar: tarfile.TarFile, path: str, text: str, *, mode: int) -> None:
    raw = text.encode()
    _add(tar, _member(path, mode=mode), raw=io.BytesIO(raw), size_bytes=len(raw))


def _add_file(tar: tarfile.TarFile, path: str, source: Path, *, mode: int = 0o755) -> None:
    with source.open("rb") as raw:
        _add(tar, _member(path, mode=mode), raw=raw, size_bytes=source.stat().st_size)


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, *, raw: IO[bytes], size_bytes: int) -> None:
    member.size = size_bytes
    tar.addfile(member, raw)
