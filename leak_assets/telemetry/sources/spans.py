"""Which days a landed file holds readings of, by the clock that its reader will read.

Bytes, time column and time stamps are taken with the readers' own functions, so that no file has
readings on a day that nobody was asked for. Values are not looked at here.
"""

from datetime import date
from pathlib import Path

import polars as pl

from leak_assets.telemetry.readers.leakdb import LEAKDB_FILE, leakdb_series
from leak_assets.telemetry.readers.mapped import times_of
from leak_assets.telemetry.readers.mapping import SiteMapping
from leak_assets.telemetry.readers.parquet import clock_to_utc, time_column, too_much
from leak_assets.telemetry.readers.problems import Problem
from leak_assets.telemetry.readers.read_file import format_of
from leak_assets.telemetry.readers.times import TimeRange, parse_times

from .source_bytes import read_text, read_whole


def day_span(
    path: Path, allowed: TimeRange, source_timezone: str, mapping: SiteMapping | None = None
) -> tuple[date, date]:
    """Return the first and last UTC day that a file can hold readings of.

    Parameters
    ----------
    path
        A file in any format, or none.
    allowed
        Time stamps that can be true; others do not count, reading will quarantine them.
    source_timezone
        Zone of times without offset.
    mapping
        As of `parse_file`.

    Returns
    -------
    tuple of date
        Both the day of receipt where the file has no usable time stamp.
    """
    try:
        times = _times(path, source_timezone, mapping)
    except (OSError, pl.exceptions.PolarsError):
        # Reading will say precisely what is wrong with the file; here only its days matter.
        times = None
    if times is not None:
        times = times.filter(times.is_between(allowed.earliest, allowed.latest))
    if times is None or times.is_empty():
        today = allowed.received_at.date()
        return today, today
    days = times.dt.date()
    return days.min(), days.max()  # type: ignore[return-value]


def _times(path: Path, source_timezone: str, mapping: SiteMapping | None) -> pl.Series | None:
    """Return the time stamps of a file in UTC, each at least once, null where unreadable."""
    file = mapping.file(path.name) if mapping is not None else None
    if file is None and leakdb_series(path.name) is not None:
        file = LEAKDB_FILE
    if file is not None and format_of(path.name):
        raw = read_whole(path)
        return None if isinstance(raw, Problem) else times_of(path.name, raw, file, source_timezone)
    match format_of(path.name):
        case "csv" | "csv.gz":
            raw = read_whole(path)
            text = raw if isinstance(raw, Problem) else read_text(raw)
            if isinstance(text, Problem):
                return None
            return parse_times(_first_fields(text.data), source_timezone).get_column("ts_utc")
        case "parquet":
            if too_much(path):
                return None
            column = time_column(pl.read_parquet_schema(path))
            clock = pl.read_parquet(path, columns=[column]).get_column(column).unique()
            return clock_to_utc(clock, source_timezone).get_column("ts_utc")
        case _:
            return None


def _first_fields(data: bytes) -> pl.Series:
    """Return the first field of each line below the header, however many fields it has."""
    return pl.read_csv(
        data,
        separator=";",
        has_header=False,
        skip_rows=1,
        columns=[0],
        infer_schema=False,
        quote_char=None,
        truncate_ragged_lines=True,
    ).to_series()
