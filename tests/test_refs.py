from dataclasses import replace
from pathlib import Path

import pytest

from lab import checkout, refs, release
from lab.errors import InstallError, LabError, ScenarioError
from lab.model import Ref
from lab.refs import Refs
from tests import repository
from tests.repository import git


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRAYLAB_CACHE", str(tmp_path / "cache"))


def looked_up(folder: Path, name: str) -> Ref:
    named = f"kubespray@{name}"
    return Refs(repository=str(folder), look_up=True).read([named])[named]


def facts(ref: Ref) -> str:
    return next(one.why for one in ref.deviations if one.what == "facts of the release")


@pytest.mark.parametrize(
    ("name", "follows"),
    [("master", "v2.25.1"), ("fix/endpoint", "v2.25.0"), ("pr/7", "v2.25.0"), ("v2.25.1", "v2.25.1"), ("v2.24.0", "v2.24")],
)
def test_a_ref_has_the_facts_of_the_newest_release_it_contains(kubespray: Path, name: str, follows: str) -> None:
    assert looked_up(kubespray, name).release == follows


def test_the_report_says_whose_facts_they_are_and_which_commit_it_was(kubespray: Path) -> None:
    ref = looked_up(kubespray, "pr/7")
    assert "v2.25.0 is the newest release with facts that is in its history" in facts(ref)
    assert ref.label == f"kubespray pr/7 ({git(kubespray, 'rev-parse', 'refs/pull/7/head')[:9]})"


def test_a_ref_that_contains_no_release_has_the_newest_ones_facts_and_says_so(kubespray: Path) -> None:
    git(kubespray, "checkout", "--quiet", "--orphan", "new")
    repository.commit(kubespray)
    ref = looked_up(kubespray, "new")
    assert ref.release == release.every()[-1].name
    assert "no release with facts is in its history" in facts(ref)


def test_a_minor_version_of_which_only_a_patch_has_facts_is_known_by_that(kubespray: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = release.every()
    later = [replace(known[-1], name=name, tag=name, commit="0" * 40) for name in ("v2.26.1", "v2.26.2", "v2.27.1")]
    monkeypatch.setattr(release, "every", lambda: (*known, *later))
    git(kubespray, "tag", "v2.26.0", "master")
    repository.commit(kubespray)
    ref = looked_up(kubespray, "master")
    assert ref.release == "v2.26.1"
    assert "v2.26.0 is in its history, and v2.26.1 is the nearest to it with facts" in facts(ref)


def test_a_tag_at_another_commit_than_upstreams_is_not_passed_off_as_the_release(kubespray: Path) -> None:
    ref = looked_up(kubespray, "v2.25.0")
    (departure,) = ref.deviations
    assert (departure.what, departure.released) == ("commit of v2.25.0", release.load("v2.25.0").commit[:9])
    assert ref.label == f"kubespray v2.25.0 ({ref.commit[:9]})"


@pytest.mark.parametrize("named", ["v2.25.0", "commit"])
def test_upstreams_own_release_departs_from_nothing(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    commit = release.load("v2.25.0").commit
    monkeypatch.setattr(checkout, "find", lambda *_, **__: checkout.Found(git_dir=Path(), commit=commit))
    ref = looked_up(Path(), named if named != "commit" else commit)
    assert (ref.release, ref.deviations, ref.commit) == ("v2.25.0", (), commit)
    assert ref.label == f"kubespray {ref.name}"


def test_local_changes_are_named_by_their_hash(kubespray: Path) -> None:
    repository.write(kubespray, **repository.tasks({"name": "other", "command": "true"}))
    ref = looked_up(kubespray, "worktree")
    assert ref.label == f"kubespray worktree ({ref.commit[:9]} with changes {ref.changes})"
    assert f"a diff of hash {ref.changes}" in [one.used for one in ref.deviations]
    git(kubespray, "stash")
    assert looked_up(kubespray, "worktree").label == f"kubespray worktree ({ref.commit[:9]})"


def test_a_branch_at_upstreams_own_release_says_which_commit_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = release.load("v2.25.0").commit
    monkeypatch.setattr(checkout, "find", lambda *_, **__: checkout.Found(git_dir=Path(), commit=commit))
    ref = looked_up(Path(), "mine")
    assert (ref.release, ref.deviations) == ("v2.25.0", ())
    assert ref.label == f"kubespray mine ({commit[:9]})"


def test_what_was_fetched_before_is_not_passed_off_as_new(kubespray: Path, tmp_path: Path) -> None:
    def read() -> Ref:
        return Refs(repository=f"file://{kubespray}", look_up=True).read(["kubespray@master"])["kubespray@master"]

    first = read()
    kubespray.rename(tmp_path / "away")
    later = read()
    assert later.commit == first.commit
    assert [one.what for one in later.deviations] == ["facts of the release", "commit of master"]


def test_a_ref_is_looked_up_once_so_that_all_cells_mean_the_same(kubespray: Path) -> None:
    reads = Refs(repository=str(kubespray), look_up=True)
    first = reads.read(["kubespray@master"])
    repository.commit(kubespray)
    assert reads.read(["kubespray@master"]) == first


def test_without_looking_nothing_is_asked_of_any_repository() -> None:
    def start(argv: tuple[str, ...], **rest: object) -> object:
        raise AssertionError(argv)

    reads = Refs(repository="https://127.0.0.1/x", start=start)  # type: ignore[arg-type]
    read = reads.read(["kubespray@pr/7", "kubespray@v2.24.0", "kubespray@v2.24.3", "replica@v2.25.0"])
    assert [ref.release for ref in read.values()] == [release.every()[-1].name, "v2.24", "v2.24.1", "v2.25.0"]


def test_what_several_refs_say_alike_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(InstallError) as caught:
        Refs(repository=str(tmp_path / "nowhere"), look_up=True).read(["kubespray@master", "kubespray@v2.25.0"])
    assert str(caught.value).count("is not a git repository") == 1


def test_without_a_network_a_checkout_is_looked_into_and_of_another_repository_it_is_said_what_was_not(kubespray: Path) -> None:
    reads = Refs(repository=str(kubespray), look_up=True, network=False)
    assert reads.read(["kubespray@pr/7"])["kubespray@pr/7"] == looked_up(kubespray, "pr/7")
    with pytest.raises(InstallError, match=r"does not have v2\.99\.0"):
        reads.read(["kubespray@v2.99.0"])
    assert reads.assumed == {}
    elsewhere = Refs(repository=f"file://{kubespray}", look_up=True, network=False)
    elsewhere.read(["kubespray@master", "kubespray@v2.24.3", "kubespray@v2.25.0", "replica@v2.25.0"])
    assert elsewhere.assumed == {"master": release.every()[-1].tag, "v2.24.3": "v2.24.1"}


def test_a_replica_that_there_is_none_of_names_those_there_are() -> None:
    with pytest.raises(ScenarioError, match=r"no replica of v9\.9\.9\n.*written for v2\.24, v2\.25\.0, v2\.25\.1\n.*without replica@"):
        Refs(instead=["replica@v9.9.9"]).read(["replica@v9.9.9"])


def test_one_ref_that_means_nothing_is_its_error_and_several_are_told_at_once(kubespray: Path) -> None:
    reads = Refs(repository=str(kubespray), look_up=True)
    with pytest.raises(InstallError, match="does not have pr/8"):
        reads.read(["kubespray@master", "kubespray@pr/8"])
    with pytest.raises(ScenarioError) as caught:
        reads.read(["kubespray@pr/8", "kubespray@nope", "replica@v9.9"])
    assert all(name in str(caught.value) for name in ("pr/8", "nope", "v9.9"))


@pytest.mark.parametrize("text", ["a..b", "-c", "replica@pr/7", "other@v1"])
def test_an_option_that_is_no_ref_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="is no ref"):
        Refs(instead=[text])


@pytest.mark.parametrize(
    ("text", "ref"), [("pr/7", "kubespray@pr/7"), ("worktree", "kubespray@worktree"), ("replica@v2.25.0", "replica@v2.25.0")]
)
def test_an_option_without_a_source_is_of_kubespray(text: str, ref: str) -> None:
    assert refs.parse_option(text) == ref


def test_local_changes_need_a_checkout() -> None:
    with pytest.raises(LabError, match="--kubespray PATH"):
        Refs(instead=["worktree"], look_up=True).read(["kubespray@worktree"])


def test_a_repository_alone_moves_a_scenario_of_the_replica() -> None:
    replicas, mixed = ["replica@v2.25.0", "replica@v2.25.1"], ["replica@v2.25.0", "kubespray@pr/7"]
    named = Refs(repository="anywhere")
    assert list(named.in_place_of(replicas).values()) == [("kubespray@v2.25.0",), ("kubespray@v2.25.1",)]
    assert list(named.in_place_of(mixed).values()) == [("replica@v2.25.0",), ("kubespray@pr/7",)]
    assert list(Refs().in_place_of(replicas).values()) == [("replica@v2.25.0",), ("replica@v2.25.1",)]
    assert set(Refs(repository="anywhere", instead=["pr/7"]).in_place_of(mixed).values()) == {("kubespray@pr/7",)}
