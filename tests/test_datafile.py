from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.datafile import Checked, Schema, decode, dump_yaml, is_on, load_yaml, read
from lab.errors import ScenarioError
from lab.matrix import Matrix
from lab.release import ReleaseSchema
from lab.scenariofile import ScenarioSchema
from lab.signature import SignatureSchema


class Thing(Schema):
    name: str
    count: int


@pytest.mark.parametrize(
    ("value", "on"), [(True, True), ("Yes", True), ("on", True), (1, True), (False, False), ("no", False), (None, False), ("", False)]
)
def test_a_variable_is_on_in_the_words_that_ansible_takes_for_it(value: object, on: bool) -> None:
    assert is_on(value) is on


def test_a_good_file_becomes_a_value(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\ncount: 3\n")
    assert read(tmp_path / "a.yaml", Thing) == Thing(name="a", count=3)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: [1]\ncount: many\nsurprise: 1\n")
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path / "a.yaml", Thing)
    assert "3 problem(s)" in str(caught.value)
    assert all(word in str(caught.value) for word in ("name:", "count:", "surprise:"))


def test_a_file_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("")
    with pytest.raises(ScenarioError, match="has other"):
        read(tmp_path / "a.yaml", Thing)


@pytest.mark.parametrize("text", ["a: {", "- [", "a: b: c", "\t- a", "a: 2026-13-45", "a: !!int x", "a: !!timestamp x", "[" * 3000])
def test_what_is_no_yaml_is_told_as_such(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ScenarioError, match="is not YAML"):
        read(tmp_path / "a.yaml", Thing)


def test_what_is_no_text_or_no_file_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(ScenarioError, match="is not YAML"):
        read(tmp_path / "a.yaml", Thing)
    with pytest.raises(ScenarioError, match="cannot be read"):
        read(tmp_path, Thing)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="ascii")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
    )
)
def test_yaml_goes_there_and_back(value: object) -> None:
    assert load_yaml(dump_yaml(value)) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' stands in line 1 already"),
        ("a: {b: 1, c: [{d: 1,\n  d: 2}]}\n", "line 2: 'd' stands in line 1 already"),
        ("a: &x {b: 1, b: 2}\nc: *x\n", "line 1: 'b' stands in line 1 already"),
        ("a: 1\na: 2\nb: {c: 1, 'c': 2}\n", "line 2: 'a' stands in line 1 already; line 3: 'c' stands in line 3 already"),
    ],
    ids=["at the top", "inside", "an alias", "several"],
)
def test_a_key_that_stands_twice_is_told_with_both_lines(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path / "a.yaml", Thing)
    assert caught.value.args[1] == said


def test_a_key_may_stand_once_in_each_mapping_and_an_alias_inside_itself() -> None:
    assert load_yaml("a: {b: 1}\nc: {b: 1, 1: x, '1': y}\n") == {"a": {"b": 1}, "c": {"b": 1, 1: "x", "1": "y"}}
    assert load_yaml("&x [*x]\n")


def even(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number


class Every(Schema):
    text: str
    number: Annotated[int, Checked(even)]
    some: list[str] = []
    names: dict[str, str | dict[str, str]] = {}
    one: Literal["vip", "node"] = "vip"
    until: date = date(2026, 1, 1)
    seconds: float = 1.0
    sure: bool = True
    inside: Thing | None = None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["file: must be a mapping of names to values"]),
        ("3", ["file: must be a mapping of names to values, not 3"]),
        ("number: 3\nother: 1\n", ["text: is missing", "number: 3 is odd", "other: is no field"]),
        ("text: 1\nnumber: x\n", ["text: must be text, not 1", "number: must be a whole number, not 'x'"]),
        ("text: [a]\nnumber: 2.5\n", ["text: must be text", "number: must be a whole number, not 2.5"]),
        ("text: a\nnumber: 2\nsome: a\n", ["some: must be a list, not 'a'"]),
        ("text: a\nnumber: 2\nnames: {a: 3}\n", ["names.a: must be text, not 3", "names.a: must be a mapping of names to values, not 3"]),
        ("text: a\nnumber: 2\n3: 4\n", ["3: is a name that must be text"]),
        ("text: a\nnumber: 2\none: x\n", ["one: must be 'vip' or 'node', not 'x'"]),
        ("text: a\nnumber: 2\nuntil: soon\n", ["until: must be a date like 2027-06-30, not 'soon'"]),
        ("text: a\nnumber: 2\nseconds: x\nsure: x\n", ["seconds: must be a number, not 'x'", "sure: must be true or false, not 'x'"]),
        ("text: a\nnumber: 2\ninside: x\n", ["inside: must be a mapping of names to values, not 'x'"]),
    ],
)
def test_a_problem_is_told_in_the_labs_own_words(tmp_path: Path, text: str, said: list[str]) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ScenarioError) as caught:
        read(tmp_path / "a.yaml", Every)
    assert caught.value.args[1].split("; ") == said


WRONG = st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab") | st.dates() | st.datetimes() | st.binary()


@given(st.sampled_from([Every, Matrix, ReleaseSchema, ScenarioSchema, SignatureSchema]), st.data())
def test_no_problem_is_told_in_the_words_of_a_library(kind: type, data: st.DataObject) -> None:
    value = WRONG | st.lists(WRONG) | st.dictionaries(st.text("ab"), WRONG)
    raw = {name: data.draw(value) for name in kind.__annotations__}
    with pytest.raises(ValueError) as caught:
        decode(kind, raw)
    assert not [word for word in ("pydantic", "Input", "valid", "Value error", "something else", "function-") if word in str(caught.value)]


def test_of_what_a_program_wrote_the_first_problems_are_told() -> None:
    with pytest.raises(ValueError, match=r"^lab_version: is missing; .*; and 2 more$"):
        decode(Matrix, {})
