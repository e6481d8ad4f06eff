import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import checkout
from lab.checkout import Tagged
from lab.command import run
from lab.errors import InstallError
from lab.model import Completed
from tests import repository
from tests.repository import git

V2_25_1 = Tagged(tag="v2.25.1", commit="0" * 40)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def url(folder: Path) -> str:
    """The same repository, as one that is elsewhere."""
    return f"file://{folder}"


def counted(asked: list[str]) -> Callable[..., Completed]:
    """Starts git for real and keeps what was asked of another repository."""

    def start(argv: tuple[str, ...], **rest: object) -> Completed:
        asked.extend(word for word in argv if word in ("ls-remote", "fetch"))
        return run(argv, **rest)  # type: ignore[arg-type]

    return start


def said(repository: str, name: str, release: Tagged | None = None) -> str:
    with pytest.raises(InstallError) as caught:
        checkout.find(repository, name, release=release)
    return str(caught.value)


WAYS = pytest.mark.parametrize("way", [str, url], ids=["path", "url"])
NAMES = {
    "master": "refs/heads/master",
    "fix/endpoint": "refs/heads/fix/endpoint",
    "v2.24.0": "refs/tags/v2.24.0",
    "pr/7": "refs/pull/7/head",
}


@WAYS
@pytest.mark.parametrize("name", NAMES)
def test_a_name_means_the_commit_that_the_repository_has_under_it(kubespray: Path, way: Callable[[Path], str], name: str) -> None:
    wanted = git(kubespray, "rev-parse", f"{NAMES[name]}^{{commit}}")
    assert checkout.find(way(kubespray), name).commit == wanted


@WAYS
def test_a_release_is_its_tag_also_an_annotated_one(kubespray: Path, way: Callable[[Path], str]) -> None:
    found = checkout.find(way(kubespray), "v2.25.1", release=V2_25_1)
    assert found.commit == git(kubespray, "rev-parse", "v2.25.1^{commit}")


@WAYS
@pytest.mark.parametrize("digits", [40, 9])
def test_a_commit_is_found_by_all_of_its_digits_or_some(kubespray: Path, way: Callable[[Path], str], digits: int) -> None:
    commit = git(kubespray, "rev-parse", "fix/endpoint")
    assert checkout.find(way(kubespray), commit[:digits]).commit == commit


def test_a_commit_of_a_pull_request_alone_is_found_by_its_digits(kubespray: Path) -> None:
    commit = git(kubespray, "rev-parse", "refs/pull/7/head")
    assert checkout.find(url(kubespray), commit).commit == commit


def test_a_checkout_without_the_tag_has_the_release_by_its_commit(kubespray: Path) -> None:
    commit = git(kubespray, "rev-parse", "v2.25.0")
    git(kubespray, "tag", "--delete", "v2.25.0")
    assert checkout.find(str(kubespray), "v2.25.0", release=Tagged(tag="v2.25.0", commit=commit)).commit == commit


@WAYS
@pytest.mark.parametrize("name", ["nope", "pr/8", "abcdef0123", "a" * 40])
def test_what_the_repository_does_not_have_is_one_error(kubespray: Path, way: Callable[[Path], str], name: str) -> None:
    told = said(way(kubespray), name)
    assert name in told
    assert "why: " in told
    assert "fix: " in told


def test_a_checkout_says_how_to_fetch_what_it_lacks(kubespray: Path) -> None:
    assert "fetch origin +refs/pull/8/head:refs/pull/8/head" in said(str(kubespray), "pr/8")
    assert "fetch origin tag v2.26.0" in said(str(kubespray), "v2.26.0", Tagged(tag="v2.26.0", commit="1" * 40))


def test_what_cannot_move_is_asked_for_once(kubespray: Path) -> None:
    asked: list[str] = []
    start = counted(asked)
    commit = git(kubespray, "rev-parse", "fix/endpoint")
    for _ in range(2):
        checkout.find(url(kubespray), "v2.25.1", release=V2_25_1, start=start)
        checkout.find(url(kubespray), commit, start=start)
    assert asked == ["ls-remote", "fetch"] * 2


def test_a_branch_is_asked_for_each_time_and_fetched_when_it_moved(kubespray: Path) -> None:
    asked: list[str] = []
    first = [checkout.find(url(kubespray), "master", start=counted(asked)).commit for _ in range(2)]
    git(kubespray, "reset", "--quiet", "--hard", "HEAD~1")  # as after a forced push
    assert checkout.find(url(kubespray), "master", start=counted(asked)).commit == git(kubespray, "rev-parse", "HEAD") != first[0]
    assert first[0] == first[1]
    assert asked == ["ls-remote", "fetch", "ls-remote", "ls-remote", "fetch"]


def test_without_a_network_what_is_cached_works_and_says_so(kubespray: Path, tmp_path: Path) -> None:
    before = checkout.find(url(kubespray), "pr/7")
    tag = checkout.find(url(kubespray), "v2.25.1", release=V2_25_1)
    there = url(kubespray)
    kubespray.rename(tmp_path / "away")
    later = checkout.find(there, "pr/7")
    assert later.commit == before.commit
    assert "could not be asked" in later.older
    assert not before.older
    assert checkout.find(there, "v2.25.1", release=V2_25_1) == tag
    assert (checkout.tree(there, tag.commit, "") / repository.ROLE).exists()


def test_without_a_network_what_is_missing_is_said(tmp_path: Path) -> None:
    told = said(f"file://name:hunter2@{tmp_path}/nowhere", "master")
    assert "is not in the cache, and the repository cannot be asked" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("name", ["master", "pr/7", "commit", "v2.25.1"])
def test_without_asking_a_repository_elsewhere_is_known_by_what_was_fetched(kubespray: Path, tmp_path: Path, name: str) -> None:
    release = V2_25_1 if name == "v2.25.1" else None
    name = git(kubespray, "rev-parse", "master") if name == "commit" else name
    asked: list[str] = []
    assert checkout.here(url(kubespray), name, release=release, start=counted(asked)) is None
    assert not (tmp_path / "cache").exists()
    found = checkout.find(url(kubespray), name, release=release)
    again = checkout.here(url(kubespray), name, release=release, start=counted(asked))
    assert again is not None
    assert (again.commit, asked) == (found.commit, [])
    assert ("was not asked" in again.older) == (name in ("master", "pr/7"))


def test_a_path_is_looked_into_with_the_same_errors(kubespray: Path, tmp_path: Path) -> None:
    assert checkout.here(str(kubespray), "pr/7") == checkout.find(str(kubespray), "pr/7")
    with pytest.raises(InstallError, match="does not have pr/8"):
        checkout.here(str(kubespray), "pr/8")
    with pytest.raises(InstallError, match="is not a git repository"):
        checkout.here(str(tmp_path / "nowhere"), "master")


def test_the_files_of_a_commit_are_laid_out_once_and_the_checkout_stays_as_it_was(kubespray: Path) -> None:
    (kubespray / "cluster.yml").write_text("# edited\n")
    (kubespray / ".git" / "hooks").mkdir()
    (kubespray / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\ntouch hooked\n")
    (kubespray / ".git" / "hooks" / "post-checkout").chmod(0o755)
    before = (git(kubespray, "status", "--porcelain"), git(kubespray, "rev-parse", "HEAD"), sorted((kubespray / ".git").rglob("*")))
    found = checkout.find(str(kubespray), "v2.24.0")
    first = checkout.tree(str(kubespray), found.commit, "")
    assert "echo v2.24.0" in (first / repository.ROLE).read_text()
    assert "edited" not in (first / "cluster.yml").read_text()
    assert not (first / "hooked").exists()
    assert checkout.tree(str(kubespray), found.commit, "") == first
    assert before == (git(kubespray, "status", "--porcelain"), git(kubespray, "rev-parse", "HEAD"), sorted((kubespray / ".git").rglob("*")))


def test_a_bare_repository_will_do(kubespray: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(kubespray), "bare")
    found = checkout.find(str(tmp_path / "bare"), "fix/endpoint")
    assert "echo fix" in (checkout.tree(str(tmp_path / "bare"), found.commit, "") / repository.ROLE).read_text()


def test_all_files_are_laid_out_also_where_the_checkout_shows_some(kubespray: Path, tmp_path: Path) -> None:
    git(kubespray, "status")  # a copy's files are newer than its index says, and git leaves what it takes for changed
    git(kubespray, "sparse-checkout", "set", "roles")
    assert not (kubespray / "playbooks").exists()
    found = checkout.find(str(kubespray), "v2.25.0")
    assert (checkout.tree(str(kubespray), found.commit, "") / "playbooks" / "cluster.yml").exists()


def test_a_linked_worktree_has_its_own_changes(kubespray: Path, tmp_path: Path) -> None:
    git(kubespray, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), "v2.25.0")
    (tmp_path / "linked" / repository.ROLE).write_text("[]\n")
    found = checkout.find(str(tmp_path / "linked"), "worktree")
    assert found.commit == git(kubespray, "rev-parse", "v2.25.0")
    assert (checkout.tree(str(tmp_path / "linked"), found.commit, found.changes) / repository.ROLE).read_text() == "[]\n"
    assert checkout.find(str(kubespray), "worktree").changes == ""


def test_local_changes_are_run_as_they_are_and_have_a_hash(kubespray: Path) -> None:
    clean = checkout.find(str(kubespray), "worktree")
    (kubespray / ".gitignore").write_text("*.retry\n")
    (kubespray / "site.retry").write_text("ignored")
    (kubespray / repository.ROLE).write_text("[]\n")
    (kubespray / "requirements.txt").unlink()
    before = (git(kubespray, "status", "--porcelain"), sorted((kubespray / ".git").rglob("*")))
    found = checkout.find(str(kubespray), "worktree")
    assert (clean.changes, found.commit) == ("", clean.commit)
    assert len(found.changes) == 12
    laid_out = checkout.tree(str(kubespray), found.commit, found.changes)
    assert (laid_out / repository.ROLE).read_text() == "[]\n"
    assert (laid_out / ".gitignore").exists()
    assert not (laid_out / "requirements.txt").exists()
    assert not (laid_out / "site.retry").exists()
    assert before == (git(kubespray, "status", "--porcelain"), sorted((kubespray / ".git").rglob("*")))
    assert checkout.find(str(kubespray), "worktree") == found


def test_the_hash_is_of_the_changes_alone(kubespray: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", str(kubespray), "other")
    hashes = set()
    for folder in (kubespray, tmp_path / "other"):
        (folder / repository.ROLE).write_text("[]\n")
        hashes.add(checkout.find(str(folder), "worktree").changes)
    (kubespray / repository.ROLE).write_text("[ ]\n")
    assert len(hashes) == 1
    assert checkout.find(str(kubespray), "worktree").changes not in hashes


def test_changes_that_were_changed_again_are_not_taken_for_the_first(kubespray: Path, tmp_path: Path) -> None:
    (kubespray / repository.ROLE).write_text("[]\n")
    found = checkout.find(str(kubespray), "worktree")
    (tmp_path / "cache").rename(tmp_path / "deleted")
    assert checkout.tree(str(kubespray), found.commit, found.changes).exists()
    (tmp_path / "cache").rename(tmp_path / "deleted again")
    (kubespray / repository.ROLE).write_text("[ ]\n")
    with pytest.raises(InstallError, match="has changed meanwhile"):
        checkout.tree(str(kubespray), found.commit, found.changes)


def test_what_has_no_files_has_no_local_changes(kubespray: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "--quiet", "--bare", str(kubespray), "bare")
    assert "it is a URL" in said(url(kubespray), "worktree")
    assert "has no files that could have been changed" in said(str(tmp_path / "bare"), "worktree")


def test_a_folder_without_git_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "is not a git repository" in said(str(tmp_path / "plain"), "master")
    assert "there is no such folder" in said(str(tmp_path / "nothing"), "master")


@WAYS
def test_what_a_commit_contains_is_told_by_its_history(kubespray: Path, way: Callable[[Path], str]) -> None:
    branch = checkout.find(way(kubespray), "fix/endpoint")
    upstream = Tagged(tag="v9", commit=git(kubespray, "rev-parse", "v2.24.0"))
    inside = [tag for tag in repository.TAGS if checkout.contains(branch, Tagged(tag=tag, commit="0" * 40))]
    assert inside == ["v2.24.0", "v2.25.0"]
    assert checkout.contains(branch, upstream)


def test_a_repository_that_asks_for_a_password_is_not_waited_for(tmp_path: Path) -> None:
    seen: list[object] = []

    def start(argv: tuple[str, ...], **rest: object) -> Completed:
        seen.append(rest["env"])
        return Completed(argv=argv, rc=0, stdout="", stderr="", started_at_s=0, duration_s=0)

    with pytest.raises(InstallError):
        checkout.find("https://127.0.0.1/x", "master", start=start)
    assert all(isinstance(env, dict) and env["GIT_TERMINAL_PROMPT"] == "0" for env in seen)
    assert "GIT_TERMINAL_PROMPT" not in os.environ


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ("https://github.com/a/b", True),
        ("git@github.com:a/b.git", True),
        ("file:///a", True),
        ("/a/b", False),
        ("../a", False),
        ("a:b/c", False),
    ],
)
def test_a_url_is_told_from_a_path(text: str, elsewhere: bool) -> None:
    assert checkout.is_url(text) is elsewhere
