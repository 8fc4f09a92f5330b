"""Small text files of other programs: reading one, its rows, its times; errors name the row."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.system.clock import parse_utc

TIME_REMEDY = "Write times as `2019-01-31 23:55`"


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    InputError
        It is missing, cannot be opened, or is not UTF-8.
    """
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("no such file", remedy="Check the path", file=path) from error
    except UnicodeDecodeError as error:
        raise InputError(
            "this is not UTF-8 text", remedy="Check the path, or save it as UTF-8", file=path
        ) from error
    except OSError as error:
        raise InputError(
            f"the file cannot be read ({error.strerror or type(error).__name__})",
            remedy="Check the path and its permissions",
            file=path,
        ) from error


def read_rows(path: Path, *, heading: str) -> Iterator[tuple[int, str]]:
    """Yield number and content of each line; empty ones, `#` comments and a heading are skipped.

    Parameters
    ----------
    heading
        What a heading begins with, in any case.
    """
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        content = line.strip()
        if content and not content.startswith("#"):
            if content.lower().startswith(heading.lower()):
                continue
            yield number, content


def parse_time(text: str, *, file: object, row: int | None = None, column: str) -> datetime:
    """Return the time in a cell of a file, UTC.

    Raises
    ------
    InputError
        The text is not a time.
    """
    try:
        return parse_utc(text)
    except ValueError as error:
        raise InputError(
            f"{text.strip()!r} is not a time",
            remedy=TIME_REMEDY,
            file=file,
            row=row,
            column=column,
        ) from error
