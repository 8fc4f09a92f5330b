"""Time stamps of delivered files: text or naive clock to UTC, and whether they can be true.

No grid and no calendar here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from .problems import EXAMPLE_TIME, Problem, capped, shown

OFFICIAL_FORMAT = "%Y-%m-%d %H:%M:%S"
_OTHER_FORMATS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
)
_OFFSET_FORMATS = (
    "%Y-%m-%dT%H:%M:%S%#z",
    "%Y-%m-%d %H:%M:%S%#z",
    "%Y-%m-%dT%H:%M:%S%.f%#z",
    "%Y-%m-%d %H:%M:%S%.f%#z",
    "%Y-%m-%dT%H:%M%#z",
    "%Y-%m-%d %H:%M%#z",
)
_UTC_US = pl.Datetime("us", "UTC")
_LAST_YEAR = 9999


@dataclass(frozen=True)
class TimeRange:
    """Time stamps that can be true: from a first day to a little after the file came."""

    first_day: date
    received_at: datetime
    max_ahead_s: float

    @property
    def earliest(self) -> datetime:
        """First allowed instant."""
        return datetime(self.first_day.year, self.first_day.month, self.first_day.day, tzinfo=UTC)

    @property
    def latest(self) -> datetime:
        """Last allowed instant."""
        return self.received_at + timedelta(seconds=self.max_ahead_s)


def parse_times(text: pl.Series, source_timezone: str) -> pl.DataFrame:
    """Return time stamps read from text.

    Parameters
    ----------
    text
        `2019-01-31 23:55:00` and close relatives (ISO `T`, no seconds, offset or `Z`).
    source_timezone
        Zone of times without offset.

    Returns
    -------
    polars.DataFrame
        `ts_utc`, null where there is none, and `reason`, null where there is one.
    """
    naive = text.str.to_datetime(OFFICIAL_FORMAT, time_unit="us", strict=False)
    aware = pl.Series("ts_utc", [None], _UTC_US).new_from_index(0, len(text))
    if naive.null_count():
        trimmed = text.str.strip_chars()
        for fmt in (OFFICIAL_FORMAT, *_OTHER_FORMATS):
            parsed = trimmed.str.to_datetime(fmt, time_unit="us", strict=False)
            naive = naive.fill_null(parsed) if parsed.null_count() < len(text) else naive
        marked = trimmed.str.replace("[zZ]$", "+0000")
        for fmt in _OFFSET_FORMATS:
            parsed = marked.str.to_datetime(fmt, time_unit="us", time_zone="UTC", strict=False)
            aware = aware.fill_null(parsed)
        naive = naive.zip_with(aware.is_null(), pl.Series([None], dtype=naive.dtype))
    return with_reason(naive, aware, source_timezone)


def with_reason(naive: pl.Series, aware: pl.Series, source_timezone: str) -> pl.DataFrame:
    """Return `ts_utc` and `reason` from clocks without and with offset (one of them null)."""
    # `-019-03-04` is the year -19 to the parser, and no time to Python.
    naive, aware = (
        t.set((t.dt.year() < 1) | (t.dt.year() > _LAST_YEAR), None) for t in (naive, aware)
    )
    local = naive.dt.replace_time_zone(source_timezone, ambiguous="null", non_existent="null")
    times = local.dt.convert_time_zone("UTC").cast(_UTC_US).fill_null(aware)
    return pl.DataFrame({"ts_utc": times, "naive": naive}).select(
        "ts_utc",
        pl.when(pl.col("ts_utc").is_not_null())
        .then(None)
        .when(pl.col("naive").is_not_null())
        .then(pl.lit("ambiguous_local_time"))
        .otherwise(pl.lit("bad_timestamp"))
        .alias("reason"),
    )


def judge_times(
    rows: pl.DataFrame, allowed: TimeRange, *, column: str, values_per_row: int
) -> tuple[pl.DataFrame, list[Problem]]:
    """Split lines by whether their time stamp can be used.

    Parameters
    ----------
    rows
        `file_row`, `time_text`, `ts_utc`, `reason` of each line, and any other columns.
    allowed
        Time stamps that can be true.
    column
        Name of the time column in the file.
    values_per_row
        How many values a line has.

    Returns
    -------
    tuple
        The usable lines (without `time_text` and `reason`), and the problems of the others.
    """
    judged = rows.with_columns(
        pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(~pl.col("ts_utc").is_between(allowed.earliest, allowed.latest))
        .then(pl.lit("timestamp_out_of_range"))
        .alias("reason")
    )
    problems: list[Problem] = []
    bad = judged.filter(pl.col("reason").is_not_null())
    for (reason,), group in bad.group_by("reason", maintain_order=True):
        cells = group.select("file_row", "time_text", "ts_utc").iter_rows()
        problems += capped(
            (
                Problem(
                    row=row,
                    column=column,
                    text=text or "",
                    reason=str(reason),
                    problem=_problem(str(reason), text or "", ts, allowed),
                    remedy=_REMEDIES[str(reason)],
                    values=values_per_row,
                    ts_utc=ts,
                )
                for row, text, ts in cells
            ),
            group.height,
            group.item(-1, "file_row"),
        )
    good = judged.filter(pl.col("reason").is_null()) if bad.height else judged
    return good.drop("time_text", "reason"), problems


_REMEDIES = {
    "bad_timestamp": f"Write times in UTC as `{EXAMPLE_TIME}`",
    "ambiguous_local_time": f"Export times in UTC, written as `{EXAMPLE_TIME}`",
    "timestamp_out_of_range": "Check the clock of the device and deliver the line again",
}


def _problem(reason: str, text: str, ts: datetime | None, allowed: TimeRange) -> str:
    if reason == "bad_timestamp":
        return f"`{shown(text)}` is not a time stamp"
    if reason == "ambiguous_local_time":
        return f"`{shown(text)}` happens twice or never where clocks change"
    if ts is not None and ts < allowed.earliest:
        return f"`{shown(text)}` is before {allowed.first_day}, the first day of the platform"
    return (
        f"`{shown(text)}` is more than {allowed.max_ahead_s / 60:g} min after the file came"
        f" ({allowed.received_at:%Y-%m-%d %H:%M:%S} UTC)"
    )
