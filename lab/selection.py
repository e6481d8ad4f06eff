"""Which cells `-k` means: parts of names joined by and, or, not and parentheses, as pytest's own -k reads them. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from lab.errors import ScenarioError

Means = Callable[[Sequence[str]], bool]
TOKEN = re.compile(r"[ \t]*([()]|[\w:+\-.\[\]\\/]+|$|.)", re.DOTALL)
WORD = re.compile(r"[\w:+\-.\[\]\\/]+")
RESERVED = ("and", "or", "not")


def parse(expression: str) -> Means:
    """Whether the names of a cell fit `expression`: some name has the part in it, large or small letters; all fit where there is none.

    Raises ScenarioError when it cannot be read.
    """
    return _Reader(expression).whole() if expression.strip() else lambda _: True


def nothing_fits(expression: str, *, of: int) -> ScenarioError:
    """What is told when none of `of` cells fits."""
    why = f"none of the {of} cell(s) asked for has that in its id; -k takes parts of ids, joined by and, or, not"
    return ScenarioError(f"no cell fits -k {expression!r}", why, "`spraylab list` shows the cells")


@dataclass(slots=True)
class _Reader:
    """Reads one expression, from the left; `at`: characters read."""

    text: str
    at: int = 0

    def whole(self) -> Means:
        means = self._either()
        if self._next():
            self._wrong("and, or, or its end")
        return means

    def _either(self) -> Means:
        means = self._both()
        while self._take("or"):
            means = _any(means, self._both())
        return means

    def _both(self) -> Means:
        means = self._one()
        while self._take("and"):
            means = _all(means, self._one())
        return means

    def _one(self) -> Means:
        if self._take("not"):
            means = self._one()
            return lambda names: not means(names)
        if self._take("("):
            means = self._either()
            return means if self._take(")") else self._wrong("and, or, or a closing parenthesis")
        word = self._next()
        if word in RESERVED or not WORD.fullmatch(word):
            self._wrong("a part of an id, not, or an opening parenthesis")
        self._take(word)
        return lambda names: any(word.lower() in name.lower() for name in names)

    def _next(self) -> str:
        found = TOKEN.match(self.text, self.at)
        return found[1] if found else ""

    def _take(self, token: str) -> bool:
        if self._next() != token:
            return False
        self.at = self.text.index(token, self.at) + len(token)
        return True

    def _wrong(self, wanted: str) -> NoReturn:
        why = f"{self.text[self.at :].strip() or 'its end'!r} stands where {wanted} is expected"
        raise ScenarioError(f"-k {self.text!r} cannot be read", why, 'for example -k "1.29 and not kube-vip:vip"')


def _any(one: Means, other: Means) -> Means:
    return lambda names: one(names) or other(names)


def _all(one: Means, other: Means) -> Means:
    return lambda names: one(names) and other(names)
