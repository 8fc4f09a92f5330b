"""How commands print: one JSON document, or a table for people.

What comes from files and tables is printed as it is: rich would take `pipe [p12]` for markup.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .documents import plain

# A terminal of 80 columns cuts the last columns of an incident; pipes have no width at all.
WIDTH_WITHOUT_TERMINAL = 160

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def console() -> Console:
    """Return the console; output that is not a terminal gets a fixed width and no color."""
    found = Console(log_path=False)
    return found if found.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL, log_path=False)


def progress(*, as_json: bool) -> Callable[[str], None]:
    """Return what is called with each line of progress; beside JSON nothing is shown."""
    screen = console()
    return (lambda _: None) if as_json else (lambda line: screen.log(Text(line)))


def print_rows(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str | None = None
) -> None:
    """Print rows that share their keys."""
    if as_json:
        print_json(list(rows))
        return
    table = Table(title=None if title is None else Text(title), title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(Text(name))
    for row in rows:
        table.add_row(*(Text(_text(value)) for value in row.values()))
    console().print(table if rows else Text(f"{title or 'result'}: no rows"))


def print_frame(frame: pl.DataFrame, *, as_json: bool, title: str | None = None) -> None:
    """Print a frame, all rows of it."""
    print_rows(frame.to_dicts(), as_json=as_json, title=title)


def print_json(document: Any) -> None:
    """Print one JSON document; `documents.plain` says what becomes of other types."""
    typer.echo(json_text(document), nl=False)


def json_text(document: Any) -> str:
    """Return a document as `print_json` prints it."""
    return json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        case datetime():
            # Steps are of minutes; what sensors of seconds say is not to look the same.
            return f"{value:%Y-%m-%d %H:%M:%S}" if value.second else f"{value:%Y-%m-%d %H:%M}"
        case _:
            return str(value)
