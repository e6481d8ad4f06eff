"""What the documentation points at is there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import main

PROJECT = Path(__file__).parent.parent
DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")])
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
COMMAND = re.compile(r"`spraylab ([^`]+)`|^(?:sudo )?(?:\./bootstrap )?spraylab (.+)$", re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), f"{document.name} points at {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT)))
def test_commands_and_their_options_exist(document: Path) -> None:
    for inline, block in COMMAND.findall(document.read_text()):
        words = shlex.split((inline or block).partition("#")[0])
        if not words[0].islower():
            continue
        assert words[0] in main.commands, f"{document.name} has `spraylab {words[0]}`"
        options = {option for parameter in main.commands[words[0]].params for option in parameter.opts}
        assert not [word for word in words[1:] if word.startswith("-") and word.partition("=")[0] not in options], (
            f"{document.name}: {words}"
        )


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_the_readme_has_every_command(verb: str) -> None:
    assert f"`spraylab {verb}" in (PROJECT / "README.md").read_text()
    assert CliRunner().invoke(main, [verb, "--help"]).exit_code == 0
