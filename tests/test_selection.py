from typing import Any

import pytest
from _pytest.mark.expression import Expression
from hypothesis import given
from hypothesis import strategies as st

from lab import selection
from lab.errors import ScenarioError

NAMES = ("replica-v2.25.0:k8s-v1.29.5:1cp:kube-vip+metallb:vip:containers", "orderings.yaml")


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("", True),
        (" ", True),
        ("1.29 and kube-vip", True),
        ("1.28 or KUBE-VIP", True),
        ("not 1.29", False),
        ("not (1.28 or base) and vip", True),
        ("1.28 and 1.29 or vip", True),
        ("1.28 and (1.29 or vip)", False),
        ("orderings", True),
        ("kube-vip+metallb:vip", True),
        ("nothing", False),
    ],
)
def test_an_expression_means_what_it_says(expression: str, fits: bool) -> None:
    assert selection.parse(expression)(NAMES) is fits


def test_the_names_of_nothing_fit_no_part() -> None:
    assert not selection.parse("vip")(())
    assert selection.parse("not vip")(())


WORDS = st.sampled_from(["and", "or", "not", "(", ")", "1.29", "kube-vip:vip", "VIP", "base", "+", "\t", "=", "not(", "x)", "AND", ""])


@given(st.lists(WORDS, max_size=9).map(" ".join))
def test_whatever_is_asked_pytest_means_the_same(expression: str) -> None:
    def holds(part: str, /, **_: Any) -> bool:
        return any(part.lower() in name.lower() for name in NAMES)

    try:
        by_pytest: bool | None = Expression.compile(expression).evaluate(holds) if expression.strip() else True
    except SyntaxError:
        by_pytest = None
    try:
        by_lab: bool | None = selection.parse(expression)(NAMES)
    except ScenarioError:
        by_lab = None
    assert by_lab is by_pytest


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("1.29 and", "'its end' stands where a part of an id, not, or an opening parenthesis is expected"),
        ("(1.29", "'its end' stands where and, or, or a closing parenthesis is expected"),
        ("1.29 vip", "'vip' stands where and, or, or its end is expected"),
        ("vip = 1", "'= 1' stands where and, or, or its end is expected"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(expression: str, why: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        selection.parse(expression)
    assert raised.value.args == (f"-k {expression!r} cannot be read", why, 'for example -k "1.29 and not kube-vip:vip"')


def test_an_expression_that_fits_no_cell_is_told_with_what_shows_them() -> None:
    assert selection.nothing_fits("weave", of=6).args == (
        "no cell fits -k 'weave'",
        "none of the 6 cell(s) asked for has that in its id; -k takes parts of ids, joined by and, or, not",
        "`spraylab list` shows the cells",
    )
