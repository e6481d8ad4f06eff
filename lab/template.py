"""Text out of the templates of data/: what a template asks for and is not given is an error, never an empty place."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

DATA = Path(__file__).parent / "data"


def environment(folder: Path = DATA, *, escape: bool = False) -> Environment:
    """Templates of `folder`. escape: values become text of HTML."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=escape,  # noqa: S701 - other templates make shell, YAML and Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not escape,
    )


def text(name: str, /, **values: object) -> str:
    """The template `name` of data/, with `values`; in YAML and shell, values go through the filter tojson or are known to be plain."""
    return environment().get_template(name).render(**values)
