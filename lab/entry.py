"""Where the program `spraylab` begins: what its verbs need is imported here, so that Ctrl-C ends that as it ends a verb."""

import sys
from importlib import import_module
from typing import NoReturn

from lab import ending

VERBS = "lab.cli"


def main() -> NoReturn:
    """Run the verb of the command line."""
    try:
        verbs = import_module(VERBS)
    except KeyboardInterrupt as error:
        told = ending.of(error)
        ending.tell(told)
        sys.exit(told.code)
    sys.exit(verbs.main())
