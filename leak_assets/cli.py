"""`leak-assets`: the platform without a daemon.

Exit codes: 0 done, 1 the answer is no, 2 unusable input. The commands live in
`leak_assets/commands`, one topic per file; here they are put together.
"""

import atexit
import os
import sys

import typer

from . import __version__
from .commands import (
    audit,
    audit_replay,
    backtest,
    benchmark,
    calendar,
    collect,
    data,
    detection,
    expect,
    household,
    incident_people,
    incidents,
    models,
    networks,
    notify,
    past,
    plant,
    platform,
    report,
    scoring,
    serve,
    signatures,
    simulation,
    sites,
    training,
    water,
    what_if,
)
from .commands import simulators as generators
from .errors import HydraulicError, InputError
from .system.files import as_input_error

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
    collect,
    training,
    models,
    scoring,
    detection,
    household,
    benchmark,
    incidents,
    audit,
    audit_replay,
    what_if,
    incident_people,
    calendar,
    notify,
    backtest,
    report,
    signatures,
    expect,
    networks,
    past,
    sites,
    plant,
    serve,
    water,
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
    _leave(run())


def run(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code; without arguments those of the process.

    What the user can mend is one line on the error stream. Any other error is a fault of the
    program, and its traceback is what a report of it needs.
    """
    code: int | str | None = 0
    try:
        app(arguments)
    except SystemExit as end:
        code = end.code
    except (InputError, HydraulicError, MemoryError, OSError) as error:
        told = as_told(error)
        if told is None:
            raise
        # One line, whatever was quoted.
        typer.echo(f"error: {' '.join(str(told).split())}", err=True)
        code = UNUSABLE_INPUT
    return code if isinstance(code, int) else int(code is not None)


def as_told(error: Exception) -> InputError | None:
    """Return an error as the user is told it, or None where it is a fault of the program."""
    match error:
        case InputError():
            return error
        case HydraulicError():
            return InputError(
                str(error),
                remedy="Mend the network model there, or the leak, event or valve that causes it",
            )
        case MemoryError():
            return InputError(
                f"the memory of this machine is too small: {error}",
                remedy="Take fewer days, longer steps or a smaller network",
            )
        case OSError():
            return as_input_error(error)
    return None


def _leave(code: int) -> None:
    """End the process after its exit handlers, without taking the interpreter apart.

    Libraries leave threads behind; while they live, DuckDB 2.0's binding cannot be unloaded and
    prints pages of leaked objects below the last line that the user should read.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
