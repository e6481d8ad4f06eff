from pathlib import Path

from lab import handover
from lab.cli import main

FILE, ROOT = Path("/x/one.yaml"), Path("/x")
NOTHING = {
    **dict.fromkeys(handover.CELL_OPTIONS),
    **dict.fromkeys(handover.SEVERAL, ()),
    **dict.fromkeys(handover.FLAGS, False),
    "only": None,
}


def test_what_was_not_asked_is_not_handed_on() -> None:
    plugins = ("-p", "lab.pytest_plugin", "-p", "no:cacheprovider")
    assert handover.arguments(FILE, asked="green", options=NOTHING, root=ROOT) == (
        str(FILE),
        "--asked=green",
        "--no-header",
        *plugins,
        "--rootdir=/x",
    )


def test_what_was_asked_is_handed_on() -> None:
    options = {**NOTHING, "slot": 0, "ref": ("v2.25.0", "pr/7"), "resume": True, "only": "1.29 and not base"}
    made = handover.arguments(FILE, asked="verdicts", options=options, root=ROOT)
    assert made[-6:] == ("--slot=0", "--ref=v2.25.0", "--ref=pr/7", "--resume", "-k", "1.29 and not base")


def test_every_option_of_the_verbs_is_handed_on() -> None:
    for verb in ("run", "repro"):
        options = {parameter.name for parameter in main.commands[verb].params} - {"name"}
        assert options == set(NOTHING)
