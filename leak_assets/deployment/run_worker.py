"""A process that waits for one run with everything imported, carries it out and ends.

Started by `warm_launcher`; knows nothing of what it imports.
"""

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from dagster import Definitions
from dagster._cli.api import api_cli


def main(modules: Sequence[str]) -> None:
    """Import the modules, wait for a line with a run on standard input, carry it out.

    The line is what `dagster api execute_run` takes as its argument. If standard input is closed
    first, nobody is going to ask any more, and the process ends.
    """
    # While it waits, Ctrl-C in the terminal ends it without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for name in modules:
        _import(name)
    line = sys.stdin.readline().strip()
    if not line:
        return
    # What the run starts must not hold the launcher's pipe.
    with open(os.devnull) as nothing:  # noqa: PTH123 - a descriptor is wanted
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    signal.signal(signal.SIGINT, signal.default_int_handler)
    api_cli(["execute_run", line], prog_name="dagster api")


def _import(name: str) -> None:
    # Whatever is wrong with a module, the run meets it again and reports it with the cause.
    with contextlib.suppress(Exception):
        definitions = getattr(importlib.import_module(name), "defs", None)
        if isinstance(definitions, Definitions):
            definitions.get_repository_def().get_all_jobs()


if __name__ == "__main__":
    main(sys.argv[1:])
