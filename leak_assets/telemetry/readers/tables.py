"""A delivered CSV or Parquet file as a table: whole lines as columns, the others as problems.

What columns mean is decided in `mapped`.
"""

import csv
import io
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.telemetry.sources.source_bytes import read_text

from .limits import MOST_COLUMNS, MOST_VALUES, too_large, too_many_values
from .lines import Lines, join_lines, scan_lines
from .mapping import FileMapping
from .parquet import read_frame
from .problems import Problem, capped, shown, whole_file


@dataclass
class FileTable:
    """Rows of a file.

    Parameters
    ----------
    header
        Names of the columns.
    rows
        Columns by number (`0`, `1`, …), text in CSV, any type in Parquet, and `file_row`.
    format
        `csv`, `csv.gz` or `parquet`.
    first_row
        Line of the first row.
    problems
        Lines that are no rows; their `values` counts lines.
    """

    header: list[str]
    rows: pl.DataFrame
    format: str
    first_row: int
    problems: list[Problem] = field(default_factory=list)

    def column(self, name: str) -> str:
        """Return the number of a column of `rows`."""
        return str(self.header.index(name))


def file_table(name: str, raw: bytes, file: FileMapping) -> FileTable | Problem:
    """Return the rows of a file; a problem instead where nothing of it can be used."""
    return _parquet_rows(raw) if name.lower().endswith(".parquet") else _csv_rows(raw, file)


def _csv_rows(raw: bytes, file: FileMapping) -> FileTable | Problem:
    text = read_text(raw)
    if isinstance(text, Problem):
        return text
    data = text.data
    problems: list[Problem] = []
    if text.is_truncated:
        end = data.rfind(b"\n") + 1
        problems.append(_truncated(data.count(b"\n") + 1, data[end:].decode()))
        data = data[:end]
    if not data or data.isspace():
        return whole_file("empty_file", "the file is empty", "Export it again")
    lines = scan_lines(data, file.delimiter, quotes=b'"' in data)
    if problem := _too_much(lines, file.skip_lines):
        return problem
    top = file.skip_lines
    header = _fields(data[lines.starts[top] : lines.ends[top]].decode(), file.delimiter)
    rows, broken = _whole_lines(data, lines, top)
    problems += _told(data, lines, broken, len(header))
    frame = _split(data, lines, rows, file.delimiter, len(header))
    if frame is None or len(header) != lines.separators[top] + 1:
        return whole_file(
            "wrong_quotes",
            "quotes stand where fields cannot be told from each other",
            "Double every quote inside of a quoted field, and close each in its line",
        )
    return FileTable(header, frame, "csv.gz" if text.is_gzip else "csv", top + 2, problems)


def _too_much(lines: Lines, top: int) -> Problem | None:
    if len(lines.starts) <= top:
        return whole_file("empty_file", "the file ends above its header", "Export it again")
    width = int(lines.separators[top]) + 1
    if width > MOST_COLUMNS:
        return too_large(f"{MOST_COLUMNS:,} columns")
    return too_many_values() if len(lines.starts) * width > MOST_VALUES else None


def _whole_lines(
    data: bytes, lines: Lines, top: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which lines below the header have its number of fields, and which have not."""
    is_line = lines.ends > lines.starts
    is_line[: top + 1] = False
    if lines.separators[top]:
        for i in np.flatnonzero((lines.separators == 0) & is_line):
            is_line[i] &= bool(data[lines.starts[i] : lines.ends[i]].strip())
    is_whole = is_line & (lines.separators == lines.separators[top]) & ~lines.is_open
    return np.flatnonzero(is_whole), np.flatnonzero(is_line & ~is_whole)


def _split(
    data: bytes, lines: Lines, rows: NDArray[np.int64], delimiter: str, width: int
) -> pl.DataFrame | None:
    """Return the fields of some lines; None where the parser finds others than were counted."""
    names = [str(i) for i in range(width)]
    frame = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    if len(rows):
        try:
            frame = pl.read_csv(
                join_lines(data, lines, rows),
                separator=delimiter,
                has_header=False,
                new_columns=names,
                infer_schema=False,
                quote_char='"' if b'"' in data else None,
            )
        except pl.exceptions.PolarsError:
            return None
    if frame.height != len(rows) or frame.width != width:
        return None
    return frame.with_columns(pl.Series("file_row", rows + 1, dtype=pl.UInt32))


def _told(data: bytes, lines: Lines, broken: NDArray[np.int64], width: int) -> list[Problem]:
    problems = (
        _ragged(
            int(i) + 1,
            data[lines.starts[i] : lines.ends[i]].decode(),
            int(lines.separators[i]) + 1,
            width,
            is_open=bool(lines.is_open[i]),
        )
        for i in broken
    )
    return capped(problems, len(broken), int(broken[-1]) + 1 if len(broken) else 0)


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        fields = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        # A field of more than 128 KiB: it is no name of a column.
        fields = line.split(delimiter)
    return [name.strip() for name in fields]


def _ragged(row: int, text: str, fields: int, width: int, *, is_open: bool) -> Problem:
    told = (
        "opens a quote that its line does not close"
        if is_open
        else f"has {fields} fields where the header has {width}"
    )
    return Problem(
        row=row,
        column="",
        text=text,
        reason="wrong_field_count",
        problem=f"`{shown(text)}` {told}",
        remedy="Give every column one field, also where a value is missing",
    )


def _truncated(row: int, rest: str) -> Problem:
    return Problem(
        row=row,
        column="",
        text=rest,
        reason="truncated_gzip",
        problem=f"the gzip stream is cut off after `{shown(rest[-30:])}`",
        remedy="Copy the file again from its source; the lines above were taken",
        values=1 if rest else 0,
    )


def _parquet_rows(raw: bytes) -> FileTable | Problem:
    frame = read_frame(io.BytesIO(raw))
    if isinstance(frame, Problem):
        return frame
    header = frame.columns
    # Rows count from 2, as if a header were line 1.
    rows = frame.rename({name: str(i) for i, name in enumerate(header)}).with_columns(
        pl.int_range(2, pl.len() + 2, dtype=pl.UInt32).alias("file_row")
    )
    return FileTable(header, rows, "parquet", 2)
