from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.datafile import Schema, dump_yaml, is_on, load_yaml, read
from lab.errors import ScenarioError


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
