"""What can be wrong with delivered telemetry, told in one line each.

Only the wording and the quarantine rows belong here; finding the problems is up to the readers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from itertools import islice

import polars as pl

from leak_assets.errors import InputError
from leak_assets.sites.contract import Range
from leak_assets.warehouse.schemas.telemetry import QUARANTINE

RAW_TEXT_LIMIT = 200
DETAILED_LIMIT = 1000
_SHOWN_LIMIT = 60
EXAMPLE_TIME = "2019-01-31 23:55:00"


@dataclass(frozen=True)
class Problem:
    """One value, line or file that cannot be used.

    Parameters
    ----------
    row
        Line of the file, header = 1; 0 = the whole file.
    column
        Column of the file; empty = the whole line.
    text
        The offending text as delivered.
    reason
        Short code.
    problem, remedy
        The reason and the way out in words.
    values
        How many values of the file are lost by it.
    ts_utc
        Device clock where it could be read.
    at_row, at_column
        Where the message points, when that is more precise than `row` and `column`.
    """

    row: int
    column: str
    text: str
    reason: str
    problem: str
    remedy: str
    values: int = 1
    ts_utc: datetime | None = None
    message_id: str | None = None
    at_row: int | None = None
    at_column: str | None = None

    def error(self, file: object) -> InputError:
        """Return the problem as the error that the command line prints."""
        return InputError(
            self.problem,
            remedy=self.remedy,
            file=file,
            row=self.at_row or self.row or None,
            column=shown(self.at_column or self.column) or None,
        )


def shown(text: str) -> str:
    """Return text fit for a one-line message: control characters escaped, at most 60 signs."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return safe if len(safe) <= _SHOWN_LIMIT else f"{safe[: _SHOWN_LIMIT - 1]}…"


def whole_file(reason: str, problem: str, remedy: str, **where: int | str | None) -> Problem:
    """Return a problem that leaves nothing of the file to be used."""
    at_row, at_column = where.get("row"), where.get("column")
    return Problem(
        row=0,
        column="",
        text=str(where.get("text") or ""),
        reason=reason,
        problem=problem,
        remedy=remedy,
        values=0,
        at_row=None if at_row is None else int(at_row),
        at_column=None if at_column is None else str(at_column),
    )


def unusable_value(reason: str, text: str, *, example: str = "28,92") -> tuple[str, str]:
    """Return problem and remedy of a value that is no finite number in the file's notation."""
    value = f"`{shown(text)}`"
    match reason:
        case "decimal_point":
            comma = shown(text).replace(".", ",", 1)
            return (
                f"{value} has a decimal point where a comma belongs",
                f"Write `{comma}` (the format is `;` between fields and a decimal comma)",
            )
        case "not_finite":
            return f"{value} is not a finite number", "Leave the field empty for a missing value"
        case "not_utf8":
            return (
                f"{value} has bytes that are not UTF-8",
                "Export the file as UTF-8 and deliver it again",
            )
        case "half_written_line":
            return (
                f"{value} ends the file without a line end and has fewer decimals than the"
                " values above it",
                "Deliver the file again when it is complete; its other values were taken",
            )
        case _:
            return (
                f"{value} is not a number",
                f"Write a number such as `{example}`, or leave the field empty for a missing value",
            )


def out_of_range(text: str, unit: str, quantity: str, allowed: Range) -> tuple[str, str]:
    """Return problem and remedy of a value that no water network can have."""
    return (
        f"`{shown(text)}` {unit} is outside the possible range of {quantity},"
        f" {allowed.min:g} to {allowed.max:g} {allowed.unit}",
        "Check the sensor and the unit in the layout, or widen the range in configs/readings.yaml",
    )


def unknown_sensor(
    sensor_id: str, quantity: str, network: str, known: Sequence[str]
) -> tuple[str, str]:
    """Return problem and remedy of a sensor that the layout does not have."""
    near = get_close_matches(sensor_id, known, n=3) or list(known[:3])
    hint = f" ({', '.join(near)}, … {len(known)} in all)" if known else " (it has none)"
    kind = f"{shown(quantity)} sensor" if quantity else "sensor"
    return (
        f"`{shown(sensor_id)}` is no {kind} of {network}",
        f"Correct the name or add the sensor to the layout of {network}{hint}",
    )


def capped(
    problems: Iterable[Problem], count: int, last_row: int, *, limit: int = DETAILED_LIMIT
) -> list[Problem]:
    """Return the first problems of a kind; the last one kept stands for all that follow.

    A file with a wrong decimal sign has millions of bad values: the first thousand of each
    column tell as much, and the file itself stays in the landing zone.

    Parameters
    ----------
    problems
        Problems of one column and reason, in the order of lines, each of as many values.
    count
        How many there are.
    last_row
        Line of the last one.
    limit
        How many are told one by one.
    """
    kept = list(islice(problems, limit + 1))
    if count > len(kept) or len(kept) > limit:
        last, following = kept[-1], count - len(kept)
        more = f"; {following} more lines down to row {last_row} have the same problem"
        kept[-1] = replace(
            last,
            values=last.values * (following + 1),
            problem=last.problem + (more if following else ""),
        )
    return kept


def quarantine_frame(
    problems: Iterable[Problem],
    *,
    network: str,
    file_path: str,
    source: str,
    received_at: datetime,
    delivery_id: str = "",
    file: object | None = None,
) -> pl.DataFrame:
    """Return problems as rows of `telemetry.quarantine`, sorted by line and column.

    Parameters
    ----------
    problems
        What could not be used.
    network, file_path, source, received_at
        As in the table.
    delivery_id
        SHA-256 of the file, with which the ids of its messages begin; of no use where the
        problems name their messages themselves.
    file
        How messages call the file, where not by `file_path`.
    """
    rows = [
        {
            "network": network,
            "file_path": file_path,
            "source": source,
            "message_id": p.message_id or f"{delivery_id}:{p.row}",
            "file_row": p.row,
            "column_name": p.column,
            "ts_utc": p.ts_utc,
            "raw_text": p.text[:RAW_TEXT_LIMIT],
            "reason": p.reason,
            "message": str(p.error(file or file_path)),
            "received_at": received_at,
        }
        for p in problems
    ]
    return pl.DataFrame(rows, schema=QUARANTINE.polars_schema).sort(
        "file_row", "column_name", "reason", maintain_order=True
    )
