"""What refs mean: the commit, the release whose facts hold for it, and which refs are run in place of those that a scenario names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from lab import checkout, release
from lab.command import run
from lab.errors import InstallError, LabError, ScenarioError
from lab.model import Completed, Deviation, Ref
from lab.notation import parse_ref
from lab.release import Release


def parse_option(text: str) -> str:
    """A ref of the command line as scenarios write it; without a source it is kubespray's. Raises ScenarioError when it is none."""
    whole = text if "@" in text else f"kubespray@{text}"
    try:
        return str(parse_ref(whole))
    except ValueError as error:
        raise ScenarioError(f"--ref {text} is no ref", str(error), "write it like one of these") from error


class Refs:
    """Reads refs; each is looked up once, so that all cells of a run mean the same by it.

    repository: path or URL of kubespray, None when none was named; instead: refs to run in place of a scenario's; look_up: ask the
    repository what they mean now, else only what data says is known and nothing is asked; network: whether one elsewhere may be asked,
    else only what was fetched from there before; say: told what may take a while.
    """

    def __init__(
        self,
        *,
        repository: str | None = None,
        instead: Iterable[str] = (),
        look_up: bool = False,
        network: bool = True,
        say: Callable[[str], None] = lambda _: None,
        start: Callable[..., Completed] = run,
    ) -> None:
        self._named, self._repository = repository is not None, repository or checkout.PUBLIC
        self._instead = tuple(dict.fromkeys(parse_option(text) for text in instead))
        self._looks_up, self._network, self._say, self._start = look_up, network, say, start
        self._read: dict[str, Ref] = {}
        self._wrong: dict[str, LabError] = {}
        self._assumed: dict[str, str] = {}

    @property
    def assumed(self) -> Mapping[str, str]:
        """Name of each ref that was to be looked up and could not without a network -> the release whose facts are assumed for it."""
        return self._assumed

    @property
    def given(self) -> bool:
        """Whether the refs to run were named in place of a scenario's."""
        return bool(self._instead)

    def in_place_of(self, written: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Each ref that a scenario has written -> those to run in its place.

        Those named, if any are. A repository alone runs a scenario that knows the replica only by kubespray, at the same releases;
        where a scenario names refs of kubespray itself, each stays what it is.
        """
        texts = tuple(dict.fromkeys(written))
        if self._instead:
            return dict.fromkeys(texts, self._instead)
        moves = self._named and not any(text.startswith("kubespray@") for text in texts)
        return {text: (text.replace("replica@", "kubespray@", 1) if moves else text,) for text in texts}

    def read(self, texts: Iterable[str]) -> Mapping[str, Ref]:
        """What each of `texts` means. Raises the LabError of the one that means nothing, or one of several."""
        wanted = tuple(dict.fromkeys(texts))
        for text in wanted:
            self._see(text)
        wrong = [self._wrong[text] for text in wanted if text in self._wrong]
        if len({error.args for error in wrong}) > 1:
            why, fixes = "; ".join(f"{error.args[0]}: {error.args[1]}" for error in wrong), dict.fromkeys(error.args[2] for error in wrong)
            lacks = all(isinstance(error, InstallError) for error in wrong)  # as each of them would say of the repository
            raise (InstallError if lacks else ScenarioError)("several refs mean nothing", why, "; ".join(fixes))
        if wrong:
            raise wrong[0]
        return {text: self._read[text] for text in wanted}

    def _see(self, text: str) -> None:
        """Look `text` up, once: neither what was found nor that nothing was is asked for again."""
        if text in self._read or text in self._wrong:
            return
        try:
            self._read[text] = self._of(parse_ref(text))
        except LabError as error:
            self._wrong[text] = error

    def _of(self, ref: Ref) -> Ref:
        known = next((one for one in release.every() if ref.name in (one.name, one.tag)), None)
        if ref.source == "replica":
            if known is None:
                raise release.no_replica(ref.name)
            return replace(ref, release=known.name)
        if self._looks_up and (found := self._find(ref, known)):
            return self._looked_up(ref, known, found)
        older = [one for one in release.every() if release.numbers(one.tag) <= release.numbers(ref.release)] if ref.release else []
        facts = known or (older or release.every())[-1]
        if self._looks_up and known is None:
            self._assumed[ref.name] = facts.tag
        return replace(ref, release=facts.name)

    def _find(self, ref: Ref, known: Release | None) -> checkout.Found | None:
        tagged = _tagged(known) if known else None
        if not self._network:
            return checkout.here(self._repository, ref.name, release=tagged, start=self._start)
        if checkout.is_url(self._repository):
            self._say(f"looking for {ref.name} in {checkout.shown(self._repository)}")
        return checkout.find(self._repository, ref.name, release=tagged, start=self._start)

    def _looked_up(self, ref: Ref, known: Release | None, found: checkout.Found) -> Ref:
        facts = known or next((one for one in release.every() if one.commit == found.commit), None)
        departures = [_other_commit(ref, known, found)] if known and found.commit != known.commit else []
        if facts is None:
            facts, why = self._nearest(found)
            why = f"the lab has none of {ref.name}; {why}"
            departures.append(Deviation(what="facts of the release", released=f"of {ref.name}", used=f"of {facts.tag}", why=why))
        if found.changes:
            why = "the ref worktree is the checkout as it is, with what is changed and not committed"
            departures.append(Deviation(what="local changes", released="none", used=f"a diff of hash {found.changes}", why=why))
        if found.older:
            departures.append(
                Deviation(what=f"commit of {ref.name}", released="what the repository has now", used=found.commit[:9], why=found.older)
            )
        return replace(ref, release=facts.name, commit=found.commit, changes=found.changes, deviations=tuple(departures))

    def _nearest(self, found: checkout.Found) -> tuple[Release, str]:
        """The newest release in the history of what was found, and why it is taken. Patch releases are made on branches of their own,
        which no later minor version contains: where only they have facts, the one that patches the newest minor version least is it."""

        def inside(tag: str, commit: str = "") -> bool:
            return checkout.contains(found, checkout.Tagged(tag=tag, commit=commit), start=self._start)

        for minor in sorted({release.numbers(one.tag)[:2] for one in release.every()}, reverse=True):
            patches = [one for one in release.every() if release.numbers(one.tag)[:2] == minor]
            if own := [one for one in patches if inside(one.tag, one.commit)]:
                return own[-1], f"{own[-1].tag} is the newest release with facts that is in its history"
            if inside(first := f"v{minor[0]}.{minor[1]}.0"):
                return patches[0], f"{first} is in its history, and {patches[0].tag} is the nearest to it with facts"
        newest = release.every()[-1]
        return newest, f"no release with facts is in its history, and {newest.tag} is the newest of them"


def _tagged(facts: Release) -> checkout.Tagged:
    return checkout.Tagged(tag=facts.tag, commit=facts.commit)


def _other_commit(ref: Ref, known: Release, found: checkout.Found) -> Deviation:
    why = "the repository has another commit under that tag than upstream"
    return Deviation(what=f"commit of {ref.name}", released=known.commit[:9], used=found.commit[:9], why=why)
