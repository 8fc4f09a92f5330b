"""`leak-assets`: the platform without a daemon.

Exit codes: 0 done, 1 the answer is no, 2 unusable input. The commands live in
`leak_assets/commands`, one topic per file; here they are put together.
"""

import atexit
import os
import sys

import typer

from . import __version__
from .commands import data, detection, incidents, models, networks, platform, signatures, simulation
from .commands import simulators as generators
from .errors import InputError

UNUSABLE_INPUT = 2

app = typer.Typer(
    name="leak-assets",
    help="Find leaks in water networks and turn them into incidents a crew can act on.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for topic in (
    platform,
    simulation,
    generators,
    data,
    models,
    detection,
    incidents,
    signatures,
    networks,
):
    topic.add_to(app)


@app.callback(invoke_without_command=True)
def root(
    *, version: bool = typer.Option(False, "--version", help="Print the version and stop.")
) -> None:
    """Find leaks in water networks and turn them into incidents a crew can act on."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; unusable input ends with one line and exit code 2."""
    code: int | str | None = 0
    try:
        app()
    except InputError as error:
        typer.echo(f"error: {error}", err=True)
        code = UNUSABLE_INPUT
    except SystemExit as end:
        code = end.code
    _leave(code if isinstance(code, int) else int(code is not None))


def _leave(code: int) -> None:
    """End the process after its exit handlers, without taking the interpreter apart.

    Libraries leave threads behind; while they live, DuckDB 2.0's binding cannot be unloaded and
    prints pages of leaked objects below the last line that the user should read.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
