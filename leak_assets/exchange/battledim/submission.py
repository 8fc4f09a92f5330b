"""BattLeDIM's lists of a pipe and a time a line: submissions, and reports of repaired leaks."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from leak_assets.errors import InputError
from leak_assets.exchange.text_file import parse_time, read_rows
from leak_assets.system.files import publish

from .names import MINUTE_FORMAT, REPAIR_COLUMNS, SUBMISSION_COLUMNS


def read_submission(path: Path) -> list[tuple[int, str, datetime]]:
    """Return line number, link and time of each line, in file order.

    Lines are `linkID, startTime[, …]`; empty lines, `#` comments and a heading are skipped.

    Raises
    ------
    InputError
        The file is missing, or a line has no two fields or no time.
    """
    out = []
    for number, content in read_rows(path, heading=SUBMISSION_COLUMNS[0]):
        fields = [field.strip() for field in content.split(",")]
        if len(fields) < len(SUBMISSION_COLUMNS) or not all(fields[:2]):
            raise InputError(
                f"{content[:80]!r} has fewer than 2 fields",
                remedy="Separate the fields with commas, e.g. `p257, 2019-01-31 23:55`",
                file=path,
                row=number,
            )
        when = parse_time(fields[1], file=path, row=number, column=SUBMISSION_COLUMNS[1])
        out.append((number, fields[0], when))
    return out


def write_submission(path: Path, detections: Iterable[tuple[str, datetime]]) -> None:
    """Write a submission, `linkID, startTime` lines; a reader sees the old file or the new one."""
    _write(path, SUBMISSION_COLUMNS, detections)


def write_repair_report(path: Path, repairs: Iterable[tuple[str, datetime]]) -> None:
    """Write a report of repaired leaks, `linkID, repairTime` lines."""
    _write(path, REPAIR_COLUMNS, repairs)


def _write(path: Path, columns: Sequence[str], lines: Iterable[tuple[str, datetime]]) -> None:
    text = [f"# {', '.join(columns)}"]
    text += [f"{link}, {when.strftime(MINUTE_FORMAT)}" for link, when in lines]
    publish(path, "".join(f"{line}\n" for line in text).encode())
