"""Reads YAML and JSON files into checked values; every problem of a file is told at once."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from lab.errors import ScenarioError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Checked = AfterValidator  # Annotated[str, Checked(function)]: the function raises ValueError with what is wrong
TOLD = 5  # problems of a value that a program wrote: the others are mostly the same
# What a value must be, by the first word of the type that pydantic gives a problem; its own sentences speak of Python.
MUST_BE: Mapping[str, str] = {
    "string": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "date": "a date like 2027-06-30",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping of names to values",
    "model": "a mapping of names to values",
    "dataclass": "a mapping of names to values",
}
WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is no field",
    "unexpected_keyword_argument": "is no field",
    "invalid_key": "is a name that must be text",
}
BRANCHES = ("str", "int", "bool", "float")  # in pydantic's place of a problem: which of several types it tried there


class Schema(BaseModel):
    """What a data file may hold; an unknown key is a mistake, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Schema)
V = TypeVar("V")


def decode(kind: type[V], raw: object) -> V:
    """`raw`, as json.loads gives it, as a value of the dataclass `kind`; ValueError when it does not fit."""
    try:
        made: V = _adapter(kind).validate_python(raw)  # type: ignore[arg-type] # a class is hashable, whatever V is
    except ValidationError as error:
        problems = _problems(error)
        more = [f"and {len(problems) - TOLD} more"] if len(problems) > TOLD else []
        raise ValueError("; ".join([*problems[:TOLD], *more])) from error
    return made


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once: it takes a hundred times longer than to decode a line of the journal with it."""
    return TypeAdapter(kind)


def load_yaml(text: str) -> object:
    """The value of a YAML text; ValueError for a key that stands twice, of which YAML's readers drop the first without a word."""
    loader = LOADER(text)
    try:
        node = loader.get_single_node()
        if twice := list(_twice(node)):
            raise ValueError("; ".join(twice))
        return loader.construct_document(node) if node is not None else None
    finally:
        loader.dispose()


def _twice(whole: yaml.Node | None) -> Iterator[str]:
    """What is said of each key that stands twice in one mapping of the document `whole`."""
    ahead, seen = [whole], set[int]()
    while ahead:
        node = ahead.pop()
        if node is None or id(node) in seen:
            continue  # an alias of what was looked at; it may even be inside itself
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            lines: dict[tuple[str, str], int] = {}
            for key, value in node.value:
                ahead += [value, key]
                if not isinstance(key, yaml.ScalarNode):
                    continue
                name, line = (key.tag, key.value), key.start_mark.line + 1
                if name in lines:
                    yield f"line {line}: {key.value!r} stands in line {lines[name]} already"
                lines.setdefault(name, line)
        elif isinstance(node, yaml.SequenceNode):
            ahead += node.value


def is_on(value: object) -> bool:
    """Whether `value` is true, in one of the words that Ansible takes for it."""
    return str(value).lower() in ("true", "yes", "on", "1")


def dump_yaml(value: object) -> str:
    """`value` as YAML, keys in the order given."""
    return str(yaml.dump(value, Dumper=DUMPER, sort_keys=False, width=140, allow_unicode=True))


def read(path: Path, schema: type[S]) -> S:
    """The file at `path` as `schema`; ScenarioError lists every problem with its place."""
    try:
        raw = load_yaml(path.read_text())
    except FileNotFoundError as error:
        there = ", ".join(sorted(other.stem for other in path.parent.glob(f"*{path.suffix}"))) or "nothing"
        raise ScenarioError(f"no file {path}", f"{path.parent} has {there}", "name one of them") from error
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read", str(error), "see that it is a file you may read") from error
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # the last three from values, such as 2026-13-45
        raise ScenarioError(f"{path} is not YAML", str(error), "correct the line it names") from error
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        problems = _problems(error)
        raise ScenarioError(
            f"{path} has {len(problems)} problem(s)", "; ".join(problems), "correct them; docs/formats.md shows every field"
        ) from error


def _problems(error: ValidationError) -> list[str]:
    """Each problem with its place, in the lab's words."""
    found = []
    for one in error.errors(include_url=False):
        parts = [str(part) for part in one["loc"] if "[" not in str(part) and part not in BRANCHES]
        found.append(f"{'.'.join(parts) or 'file'}: {_words(one['type'], one['input'], one.get('ctx', {}))}")
    return list(dict.fromkeys(found))


def _words(kind: str, given: object, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return str(context["error"])
    if kind in WORDS:
        return WORDS[kind]
    wanted = context.get("expected") or MUST_BE.get(kind.partition("_")[0], "something else")
    return f"must be {wanted}" + (f", not {given!r}" if isinstance(given, str | int | float) else "")
