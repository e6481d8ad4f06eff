"""Reads YAML and JSON files into checked values; every problem of a file is told at once."""

from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter, ValidationError

from lab.errors import ScenarioError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it was built
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
Checked = AfterValidator  # Annotated[str, Checked(function)]: the function raises ValueError with what is wrong


class Schema(BaseModel):
    """What a data file may hold; an unknown key is a mistake, not a comment."""

    model_config = ConfigDict(extra="forbid", frozen=True)


S = TypeVar("S", bound=Schema)
V = TypeVar("V")


def decode(kind: type[V], raw: object) -> V:
    """`raw`, as json.loads gives it, as a value of the dataclass `kind`; ValueError when it does not fit."""
    made: V = _adapter(kind).validate_python(raw)  # type: ignore[arg-type] # a class is hashable, whatever V is
    return made


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once: it takes a hundred times longer than to decode a line of the journal with it."""
    return TypeAdapter(kind)


def load_yaml(text: str) -> object:
    """The value of a YAML text."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe one


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
        problems = [f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {e['msg']}" for e in error.errors()]
        raise ScenarioError(
            f"{path} has {len(problems)} problem(s)", "; ".join(problems), "correct them; docs/formats.md shows every field"
        ) from error
