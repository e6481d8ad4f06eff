import sys
from pathlib import Path

from lab.command import run

PROJECT = Path(__file__).parent.parent


def begun(folder: Path, *words: str) -> tuple[int, str]:
    """How `spraylab words` ends where modules of `folder` come first, and what it says on standard error."""
    argv = (sys.executable, "-c", "from lab.entry import main; main()", *words)
    done = run(argv, limit_s=60, env={"PYTHONPATH": f"{folder}:{PROJECT}"})
    return done.rc, done.stderr


def test_ctrl_c_while_the_verbs_are_imported_is_the_end_of_an_interrupted_command(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt\n")
    assert begun(tmp_path, "list") == (130, "interrupted\n")


def test_the_code_of_the_verb_is_that_of_the_program(tmp_path: Path) -> None:
    code, said = begun(tmp_path, "frob")
    assert (code, "No such command 'frob'" in said) == (4, True)
    assert begun(tmp_path, "--version") == (0, "")
