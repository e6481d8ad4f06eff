"""What refs mean: the commit, the release whose facts hold for it, and which refs are run in place of those that a scenario names."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from lab import checkout, release
from lab.command import run
from lab.errors import LabError, ScenarioError
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
    repository what they mean now, else only what data says is known and nothing is asked.
    """

    def __init__(
        self,
        *,
        repository: str | None = None,
        instead: Iterable[str] = (),
        look_up: bool = False,
        start: Callable[..., Completed] = run,
    ) -> None:
        self._named, self._repository = repository is not None, repository or checkout.PUBLIC
        self._instead = tuple(dict.fromkeys(parse_option(text) for text in instead))
        self._looks_up, self._start = look_up, start
        self._read: dict[str, Ref] = {}
        self._wrong: dict[str, LabError] = {}

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
        """What each of `texts` means. Raises the LabError of the one that means nothing, or one ScenarioError of several."""
        wanted = tuple(dict.fromkeys(texts))
        for text in wanted:
            self._see(text)
        wrong = [self._wrong[text] for text in wanted if text in self._wrong]
        if len(wrong) > 1:
            why, fixes = "; ".join(f"{error.args[0]}: {error.args[1]}" for error in wrong), dict.fromkeys(error.args[2] for error in wrong)
            raise ScenarioError("several refs mean nothing", why, "; ".join(fixes))
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
            return replace(ref, release=(known or release.load(ref.name)).name)
        if self._looks_up:
            return self._looked_up(ref, known)
        older = [one for one in release.every() if release.numbers(one.tag) <= release.numbers(ref.release)] if ref.release else []
        return replace(ref, release=(known or (older or release.every())[-1]).name)

    def _looked_up(self, ref: Ref, known: Release | None) -> Ref:
        found = checkout.find(self._repository, ref.name, release=_tagged(known) if known else None, start=self._start)
        facts = known or next((one for one in release.every() if one.commit == found.commit), None)
        departures = [_other_commit(ref, known, found)] if known and found.commit != known.commit else []
        if facts is None:
            older = [one for one in release.every() if checkout.contains(found, _tagged(one), start=self._start)]
            facts = older[-1] if older else release.every()[-1]
            departures.append(_facts_of(ref, facts, contained=bool(older)))
        if found.changes:
            why = "the ref worktree is the checkout as it is, with what is changed and not committed"
            departures.append(Deviation(what="local changes", released="none", used=f"a diff of hash {found.changes}", why=why))
        if found.older:
            departures.append(
                Deviation(what=f"commit of {ref.name}", released="what the repository has now", used=found.commit[:9], why=found.older)
            )
        return replace(ref, release=facts.name, commit=found.commit, changes=found.changes, deviations=tuple(departures))


def _tagged(facts: Release) -> checkout.Tagged:
    return checkout.Tagged(tag=facts.tag, commit=facts.commit)


def _other_commit(ref: Ref, known: Release, found: checkout.Found) -> Deviation:
    why = "the repository has another commit under that tag than upstream"
    return Deviation(what=f"commit of {ref.name}", released=known.commit[:9], used=found.commit[:9], why=why)


def _facts_of(ref: Ref, facts: Release, *, contained: bool) -> Deviation:
    newest = f"{facts.tag} is the newest release with facts"
    why = f"{newest} that is in its history" if contained else f"no release with facts is in its history, and {newest}"
    return Deviation(
        what="facts of the release", released=f"of {ref.name}", used=f"of {facts.tag}", why=f"the lab has none of {ref.name}; {why}"
    )
