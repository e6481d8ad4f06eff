"""The pytest that `spraylab run` and `spraylab repro` become: its arguments. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PLUGINS = ("-p", "lab.pytest_plugin", "-p", "no:cacheprovider")
CELL_OPTIONS = ("artifacts", "bed", "engine", "patience", "keep", "kubespray", "slot", "runs", "jobs", "seed")
SEVERAL = ("ref", "component")
FLAGS = {"no_reuse": "--no-reuse", "resume": "--resume", "failed": "--failed"}


def arguments(file: Path, *, asked: str, options: Mapping[str, Any], root: Path) -> tuple[str, ...]:
    """What pytest is given to run the scenario `file`. asked: as its own --asked; options: those of the verb, by name."""
    made = [str(file), f"--asked={asked}", "--no-header", *PLUGINS, f"--rootdir={root}"]
    made += [f"--{option}={options[option]}" for option in CELL_OPTIONS if options[option] is not None]
    made += [f"--{option}={one}" for option in SEVERAL for one in options[option]]
    made += [flag for name, flag in FLAGS.items() if options[name]]
    return (*made, *(("-k", options["only"]) if options["only"] else ()))
