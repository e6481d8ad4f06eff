"""Kubespray's repository by git: which commit a name means, what that commit contains, and its files laid out once in the cache.

A repository given by path is read where it is and left as it is. One given by URL has one bare clone in the cache, which is given
exactly what is asked for; what it already has needs no network.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from lab import cachedir
from lab.command import run
from lab.errors import InstallError
from lab.model import Completed

PUBLIC = "https://github.com/kubernetes-sigs/kubespray"
WORKTREE = "worktree"  # the ref that means the files of a checkout as they are
CLONES, TREES = "kubespray", "kubespray-trees"  # kinds of the cache
ASK_LIMIT_S = 60.0  # what a repository elsewhere has under one name
GIT_LIMIT_S = 300.0  # whatever git does without a network
FETCH_LIMIT_S = 1800.0  # all of kubespray on a slow line; this only ends what hangs
DIGITS = 40  # of a whole commit
SAID_CHARACTERS = 1200  # of a failed command
QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=15", "LC_ALL": "C"}  # asks nobody
NO_HOOKS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")  # whoever's repository it is
STALLED = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=20", "-c", "gc.auto=0", "-c", "maintenance.auto=false")
_URL = re.compile(r"[a-z][a-z0-9+]*://.+|[\w.-]+@[\w.-]+:.+")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_PULL = re.compile(r"pr/(?P<number>[1-9]\d*)")

Run = Callable[..., Completed]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a name means. `git_dir`: has the commit; `changes`: hash of the local changes, which `tree` has; `older`: why it is what
    was fetched before and not what the repository has now, empty when it is not so."""

    git_dir: Path
    commit: str
    changes: str = ""
    older: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A release: its tag, and the commit that upstream has under it."""

    tag: str
    commit: str


def is_url(repository: str) -> bool:
    """Whether `repository` is elsewhere, rather than a path."""
    return _URL.fullmatch(repository) is not None


def is_commit(name: str) -> bool:
    """Whether `name` can be a commit, by all of its digits or some."""
    return _COMMIT.fullmatch(name) is not None


def find(repository: str, name: str, *, release: Tagged | None = None, start: Run = run) -> Found:
    """What `name` means in `repository`: a branch, a tag, a commit, pr/N, or `worktree`. release: the one that is called so.

    Raises InstallError when that is no repository, has no such name, or cannot be reached and the cache lacks it.
    """
    if name == WORKTREE:
        return _as_it_is(repository, start)
    return _fetched(repository, name, release, start) if is_url(repository) else _there(repository, name, release, start)


def here(repository: str, name: str, *, release: Tagged | None = None, start: Run = run) -> Found | None:
    """As `find`, without a network and with nothing fetched: None where a repository elsewhere would have to be asked."""
    if name == WORKTREE or not is_url(repository):
        return find(repository, name, release=release, start=start)
    clone, fixed = _clone(repository), _cannot_move(name, release)
    for ref in (fixed,) if fixed else _remote_names(name):
        if clone.is_dir() and (commit := _commit(clone, ref, start)):
            return Found(git_dir=clone, commit=commit, older="" if fixed else f"{shown(repository)} was not asked")
    return None


def contains(found: Found, release: Tagged, *, start: Run = run) -> bool:
    """Whether the commit of `release`, by its tag or as upstream has it, is in the history of `found`."""
    names = (f"refs/tags/{release.tag}", release.commit)
    older = next((commit for name in names if (commit := _commit(found.git_dir, name, start))), None)
    if older is None:
        return False
    return _git(start, f"--git-dir={found.git_dir}", "merge-base", "--is-ancestor", older, found.commit).rc == 0


def tree(repository: str, commit: str, changes: str, *, start: Run = run) -> Path:
    """The files of `commit`, with the local changes of that hash if there are any: an entry of the cache, which nothing may change."""
    if (there := cachedir.entry(TREES, _key(commit, changes))) is not None:
        return there
    if changes:
        if (now := _as_it_is(repository, start)).changes != changes or now.commit != commit:
            why = f"changes {changes} of {commit[:9]} were to be run, and they are not what it has now"
            raise InstallError(f"{repository} has changed meanwhile", why, "begin again, and change nothing while it runs")
        return cachedir.root() / TREES / _key(commit, changes)
    git_dir = _clone(repository) if is_url(repository) else _git_dir(repository, start)
    return cachedir.obtain(TREES, commit, lambda part: _lay_out(git_dir, commit, part, start))


def shown(repository: str) -> str:
    """`repository` without the name and the password that a URL may have."""
    return re.sub(r"(?<=://)[^/@]*@", "", repository)


def said(done: Completed) -> str:
    """How a command ended, and the end of what it said."""
    words = (done.stderr or done.stdout).strip()[-SAID_CHARACTERS:]
    return shown(f"`{' '.join(done.argv)}` ended with {done.rc}: {words}")


def _there(path: str, name: str, release: Tagged | None, start: Run) -> Found:
    """`name` in the repository at `path`, without asking any other."""
    git_dir = _git_dir(path, start)
    for candidate in _candidates(name, release):
        if commit := _commit(git_dir, candidate, start):
            return Found(git_dir=git_dir, commit=commit)
    fetch = f"git -C {path} fetch origin"
    if pull := _PULL.fullmatch(name):
        fetch += f" +refs/pull/{pull['number']}/head:refs/pull/{pull['number']}/head"
    elif release:
        fetch += f" tag {release.tag}"
    why = f"it has no {' or '.join(_candidates(name, release))}"
    raise InstallError(f"{path} does not have {name}", why, f"correct the name, or fetch it: {fetch}")


def _candidates(name: str, release: Tagged | None) -> tuple[str, ...]:
    """Where `name` may stand in a checkout, likeliest first."""
    if release is not None:
        return f"refs/tags/{release.tag}", release.commit
    if pull := _PULL.fullmatch(name):
        number = pull["number"]
        return f"refs/pull/{number}/head", f"refs/remotes/origin/pull/{number}/head", f"refs/remotes/origin/pr/{number}"
    named = f"refs/heads/{name}", f"refs/tags/{name}", f"refs/remotes/origin/{name}"
    return (*named, name) if _COMMIT.fullmatch(name) else named


def _fetched(url: str, name: str, release: Tagged | None, start: Run) -> Found:
    """`name` in the clone of `url`, fetched unless it is there and cannot move."""
    with cachedir.growing(CLONES, cachedir.digest([url])) as clone:
        _must(_git(start, "init", "--quiet", "--bare", str(clone)), "see that the cache folder can be written")
        if (fixed := _cannot_move(name, release)) and (commit := _commit(clone, fixed, start)):
            return Found(git_dir=clone, commit=commit)
        wanted = (f"refs/tags/{release.tag}",) if release else _remote_names(name)
        asked = _git(start, *STALLED, "ls-remote", "--", url, *wanted, limit_s=ASK_LIMIT_S)
        if asked.rc != 0:
            return _before(clone, wanted, asked, url=url, name=name, start=start)
        has = {ref: sha for sha, _, ref in (line.partition("\t") for line in asked.stdout.splitlines())}
        ref = next((ref for ref in wanted if ref in has), "")
        if not ref and not _COMMIT.fullmatch(name):
            why = f"it has no {' or '.join(wanted)}"
            raise InstallError(f"{shown(url)} does not have {name}", why, "correct the name of the branch, tag, commit or pull request")
        if not ref or not _is(clone, ref, has[ref], start):
            _fetch(clone, url, ref or name, start)
        if commit := _commit(clone, ref or name, start):
            return Found(git_dir=clone, commit=commit)
        raise InstallError(f"{shown(url)} does not have {name}", "no branch of it has such a commit", "give all 40 digits of the commit")


def _cannot_move(name: str, release: Tagged | None) -> str:
    """What has to be asked for once alone: the tag of a release, a commit; empty for any other name."""
    return f"refs/tags/{release.tag}" if release else name if is_commit(name) else ""


def _remote_names(name: str) -> tuple[str, ...]:
    if pull := _PULL.fullmatch(name):
        return (f"refs/pull/{pull['number']}/head",)
    return f"refs/heads/{name}", f"refs/tags/{name}"


def _is(clone: Path, ref: str, sha: str, start: Run) -> bool:
    """Whether the clone has `ref`, and at what the repository says it is."""
    done = _git(start, f"--git-dir={clone}", "rev-parse", "--verify", "--quiet", ref)
    return done.rc == 0 and done.stdout.strip() == sha


def _fetch(clone: Path, url: str, name: str, start: Run) -> None:
    """Bring a ref, or a commit, into the clone. A commit of which only some digits are known may be on any branch."""
    whole = len(name) == DIGITS
    spec = f"+{name}:{name}" if name.startswith("refs/") else f"+{name}:refs/commits/{name}" if whole else "+refs/heads/*:refs/heads/*"
    argv = (*STALLED, f"--git-dir={clone}", "fetch", "--quiet", "--force", "--", url, spec)
    done = _git(start, *argv, limit_s=FETCH_LIMIT_S)
    if done.rc != 0:
        fix = "see that the repository can be reached and has it, or name a checkout that has: --kubespray PATH"
        raise InstallError(f"{name} cannot be fetched from {shown(url)}", said(done), fix)


def _before(clone: Path, wanted: tuple[str, ...], asked: Completed, *, url: str, name: str, start: Run) -> Found:
    """What the clone has from an earlier time, for the repository does not answer."""
    for ref in wanted:
        if commit := _commit(clone, ref, start):
            return Found(git_dir=clone, commit=commit, older=f"{shown(url)} could not be asked: {said(asked)}")
    fix = "see that the repository can be reached, or name a checkout on this host: --kubespray PATH"
    raise InstallError(f"{name} of {shown(url)} is not in the cache, and the repository cannot be asked", said(asked), fix)


def _as_it_is(path: str, start: Run) -> Found:
    """The commit of the checkout at `path`, its local changes (files that git does not ignore), and both laid out in the cache.

    Nothing in `path` changes: index and new objects lie in a folder of their own, which is removed.
    """
    git_dir = Path() if is_url(path) else _git_dir(path, start)
    top = _git(start, "-C", path, "rev-parse", "--show-toplevel") if not is_url(path) else None
    if top is None or top.rc != 0:
        why = "it is a URL" if top is None else said(top)
        raise InstallError(f"{shown(path)} has no files that could have been changed", why, "name a checkout: --kubespray PATH")
    files = Path(top.stdout.strip())
    if not (commit := _commit(git_dir, "HEAD", start)):
        raise InstallError(f"{path} has no commit", "HEAD names none", "name a checkout of kubespray")
    objects = _must(_git(start, "-C", path, "rev-parse", "--path-format=absolute", "--git-path", "objects"), "use git 2.31 or later")
    with TemporaryDirectory(prefix="spraylab-") as folder:
        (Path(folder) / "objects").mkdir()
        env = {"GIT_INDEX_FILE": f"{folder}/index", "GIT_OBJECT_DIRECTORY": f"{folder}/objects"}
        env |= {"GIT_ALTERNATE_OBJECT_DIRECTORIES": objects}
        fix = "see that the files of the checkout can be read"
        for argv in (("read-tree", "HEAD"), ("add", "--all")):
            _must(_git(start, *argv, cwd=files, env=env), fix)
        now = _must(_git(start, "write-tree", cwd=files, env=env), fix)
        plain = ("--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
        _must(_git(start, "diff", *plain, f"--output={folder}/diff", "HEAD", now, cwd=files, env=env), fix)
        diff = (Path(folder) / "diff").read_bytes()
        changes = sha256(diff).hexdigest()[:12] if diff else ""
        cachedir.obtain(TREES, _key(commit, changes), lambda part: _lay_out(git_dir, now, part, start, env=env))
    return Found(git_dir=git_dir, commit=commit, changes=changes)


def _key(commit: str, changes: str) -> str:
    return f"{commit}-{changes}" if changes else commit


def _clone(url: str) -> Path:
    return cachedir.root() / CLONES / cachedir.digest([url])


def _git_dir(path: str, start: Run) -> Path:
    fix = f"give the path of a kubespray checkout: git clone {PUBLIC}"
    if not Path(path).is_dir():
        raise InstallError(f"{path} is not a git repository", "there is no such folder", fix)
    asked = _git(start, "-C", path, "rev-parse", "--absolute-git-dir")
    if asked.rc != 0:
        raise InstallError(f"{path} is not a git repository", said(asked), fix)
    return Path(asked.stdout.strip())


def _commit(git_dir: Path, name: str, start: Run) -> str:
    """The commit that `name` is in the repository; empty when it has none."""
    done = _git(start, f"--git-dir={git_dir}", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    return done.stdout.strip() if done.rc == 0 else ""


def _lay_out(git_dir: Path, what: str, part: Path, start: Run, *, env: Mapping[str, str] | None = None) -> None:
    """The files of the commit or tree `what` in the empty folder `part`, by an index of their own: the repository stays as it is."""
    argv = (f"--git-dir={git_dir}", "--work-tree=.", "checkout", "--quiet", "--force", what, "--", ".")
    with TemporaryDirectory(prefix="spraylab-") as folder:
        done = _git(start, *argv, cwd=part, env={**(env or {}), "GIT_INDEX_FILE": f"{folder}/index"})
    if done.rc != 0:
        raise InstallError(f"{git_dir} cannot be laid out at {what[:9]}", said(done), "see that the repository is whole: git fsck")


def _git(start: Run, *argv: str, limit_s: float = GIT_LIMIT_S, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Completed:
    return start(("git", *NO_HOOKS, *argv), limit_s=limit_s, cwd=cwd, env={**QUIET, **(env or {})})


def _must(done: Completed, fix: str) -> str:
    """What git answered; InstallError when it could not."""
    if done.rc != 0:
        raise InstallError("git could not do its part", said(done), fix)
    return done.stdout.strip()
