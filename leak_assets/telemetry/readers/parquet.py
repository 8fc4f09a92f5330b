"""Reader of Parquet telemetry: wide like the CSV export, or long with one reading a row.

Gives the same readings as the CSV reader for the same data. Nothing here knows CSV.
"""

import io
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from leak_assets.units import unit_by_name, unit_choices

from .cells import UNDECLARED, Collector, Source
from .limits import MOST_COLUMNS, MOST_VALUES, too_large, too_many_values
from .parsed_file import ParsedFile
from .problems import Problem, shown, unknown_sensor, whole_file
from .scada_header import TIME_COLUMN, quantity_of, unknown_quantity
from .times import judge_times, parse_times, with_reason

_LONG_TIME = "ts_utc"
_LONG_COLUMNS = (_LONG_TIME, "sensor_id", "quantity", "value")
# Rows count from 2, as if a header were line 1, so that they match the same data as CSV.
_FIRST_ROW = 2
_UTC_US = pl.Datetime("us", "UTC")


def parse_parquet(source: Source) -> ParsedFile | Problem:
    """Read one Parquet file; a problem instead where nothing of it can be used.

    Wide: `Timestamp` (time stamp or text) and one column per sensor in the layout's unit; the
    file name ends in the quantity. Long: `ts_utc`, `sensor_id`, `quantity`, `value` and `unit`;
    a value without one is taken in the layout's and marked as undeclared.
    """
    frame = read_frame(io.BytesIO(source.raw))
    if isinstance(frame, Problem):
        return frame
    time_name = time_column(frame.columns)
    is_long = time_name == _LONG_TIME
    problem = _wrong_columns(frame, source, is_long=is_long)
    if problem is None and is_long:
        problem = _too_many_sensors(frame)
    if problem:
        return problem
    collector = Collector(source, example="28.92")
    rows = frame.rename({time_name: "time_text"}).with_columns(
        pl.int_range(_FIRST_ROW, pl.len() + _FIRST_ROW, dtype=pl.UInt32).alias("file_row")
    )
    per_row = 1 if is_long else frame.width - 1
    collector.values = frame.height * per_row
    times = clock_to_utc(frame.get_column(time_name), source.contract.source_timezone)
    rows = pl.concat(
        [rows.with_columns(as_text(rows.get_column("time_text"))), times], how="horizontal"
    )
    rows, problems = judge_times(rows, source.times, column=time_name, values_per_row=per_row)
    collector.add_problems(problems)
    if is_long:
        _add_long(rows, collector)
    else:
        _add_wide(rows, [c for c in frame.columns if c != TIME_COLUMN], collector)
    return collector.result("parquet")


def read_frame(content: io.BytesIO) -> pl.DataFrame | Problem:
    """Return all columns of a file, or the problem of one that cannot or must not be read."""
    if not content.getbuffer().nbytes:
        return whole_file("empty_file", "the file is empty", "Export it again")
    try:
        return too_much(content) or pl.read_parquet(content)
    except (pl.exceptions.PolarsError, OSError) as error:
        return whole_file(
            "unreadable_parquet",
            f"the file is no complete Parquet file (`{shown(str(error))}`)",
            "Copy the file again from its source",
        )


def too_much(content: io.BytesIO | Path) -> Problem | None:
    """Return the problem of a file that unpacks to more than can be read, by its footer alone.

    Equal values take no room in a Parquet file: a few kilobytes can hold billions of rows.

    Raises
    ------
    PolarsError
        It is no complete Parquet file.
    """
    names = pl.read_parquet_schema(content)
    if isinstance(content, io.BytesIO):
        content.seek(0)
    if len(names) > MOST_COLUMNS:
        return too_large(f"{MOST_COLUMNS:,} columns")
    rows = pl.scan_parquet(content).select(pl.len()).collect().item()
    per_row = 1 if time_column(names) == _LONG_TIME else len(names)
    return too_many_values() if rows * per_row > MOST_VALUES else None


def _wrong_columns(frame: pl.DataFrame, source: Source, *, is_long: bool) -> Problem | None:
    required = _LONG_COLUMNS if is_long else (TIME_COLUMN,)
    missing = [name for name in required if name not in frame.columns]
    remedy = (
        f"Name the columns {', '.join(_LONG_COLUMNS)} (long)"
        f" or {TIME_COLUMN} and one per sensor (wide)"
    )
    if missing:
        return whole_file(
            "wrong_header", f"the column `{missing[0]}` is missing", remedy, column=missing[0]
        )
    clash = [c for c in frame.columns if c in ("file_row", "time_text", "reason")]
    if clash and not is_long:
        return whole_file(
            "wrong_header", f"`{clash[0]}` is no sensor", "Remove the column", column=clash[0]
        )
    if frame.width < len(required) + (not is_long):
        return whole_file("wrong_header", "no column holds a sensor's values", remedy)
    if frame.is_empty():
        return whole_file("empty_file", "the file has no row", "Export it again")
    if not is_long and quantity_of(source.name) is None:
        return unknown_quantity(source.name)
    return None


def _too_many_sensors(frame: pl.DataFrame) -> Problem | None:
    """Return the problem of a long file that names more sensors than any network has."""
    count = frame.select(pl.struct("sensor_id", "quantity").n_unique()).item()
    return too_large(f"{MOST_COLUMNS:,} sensors") if count > MOST_COLUMNS else None


def time_column(names: Iterable[str]) -> str:
    """Return the column that holds the time stamps of a file with these columns."""
    return _LONG_TIME if "sensor_id" in names else TIME_COLUMN


def clock_to_utc(column: pl.Series, source_timezone: str) -> pl.DataFrame:
    """Return time stamps read from a column of any type.

    Parameters
    ----------
    column
        Time stamps with or without zone, dates, or text (see `parse_times`).
    source_timezone
        Zone of times without zone or offset.

    Returns
    -------
    polars.DataFrame
        `ts_utc`, null where there is none, and `reason`, null where there is one.
    """
    dtype = column.dtype
    empty = pl.Series("ts_utc", [None], _UTC_US).new_from_index(0, len(column))
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        aware = column.dt.cast_time_unit("us").dt.convert_time_zone("UTC")
        naive = pl.Series("naive", [None], pl.Datetime("us")).new_from_index(0, len(column))
        return with_reason(naive, aware.cast(_UTC_US), source_timezone)
    if isinstance(dtype, pl.Datetime):
        return with_reason(column.dt.cast_time_unit("us"), empty, source_timezone)
    if dtype == pl.Date:
        return with_reason(column.cast(pl.Datetime("us")), empty, source_timezone)
    if dtype in (pl.String, pl.Categorical):
        return parse_times(column.cast(pl.String), source_timezone)
    # Numbers could be seconds, days or anything: not guessed.
    unreadable = pl.Series([None], dtype=pl.Datetime("us")).new_from_index(0, len(column))
    return with_reason(unreadable, empty, source_timezone)


def as_text(values: pl.Series) -> pl.Series:
    """Return values of any type as text."""
    if values.dtype.is_nested() or values.dtype in (pl.Binary, pl.Object):
        return pl.Series(
            values.name, [None if v is None else str(v) for v in values], dtype=pl.String
        )
    return values.cast(pl.String, strict=False)


def typed_numbers(values: pl.Series) -> pl.DataFrame:
    """Return `raw_text`, `value`, `reason` of delivered values of any type."""
    if values.dtype == pl.Float32:
        # By way of text: 28.92 stored in 32 bits is meant as 28.92, not 28.92000007.
        numbers = values.cast(pl.String).cast(pl.Float64)
    elif values.dtype.is_numeric():
        numbers = values.cast(pl.Float64, strict=False)
    elif values.dtype in (pl.String, pl.Categorical, pl.Null):
        numbers = values.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    else:
        numbers = pl.Series([None], dtype=pl.Float64).new_from_index(0, len(values))
    texts = as_text(values)
    text, value = pl.col("raw_text"), pl.col("value")
    return pl.DataFrame({"raw_text": texts, "value": numbers}).select(
        pl.when(text.str.strip_chars() != "").then(text).alias("raw_text"),
        "value",
        pl.when(text.is_null() | (text.str.strip_chars() == ""))
        .then(None)
        .when(value.is_null())
        .then(pl.lit("not_a_number"))
        .when(~value.is_finite())
        .then(pl.lit("not_finite"))
        .alias("reason"),
    )


def _add_wide(rows: pl.DataFrame, names: list[str], collector: Collector) -> None:
    source = collector.source
    quantity = str(quantity_of(source.name))
    sensors = {s.sensor_id: s for s in source.layout.sensors if s.quantity == quantity}
    for name in names:
        cells = _cells(rows, name)
        if name in sensors:
            collector.add_column(cells, sensors[name], sensors[name].unit, name)
        else:
            collector.add_unknown_column(name, quantity, cells.get_column("raw_text"))


def _add_long(rows: pl.DataFrame, collector: Collector) -> None:
    layout = collector.source.layout
    sensors = {(s.quantity, s.sensor_id): s for s in layout.sensors}
    if "unit" not in rows.columns:
        rows = rows.with_columns(pl.lit(None, pl.String).alias("unit"))
    keys = ["quantity", "sensor_id", "unit"]
    rows = rows.with_columns(as_text(rows.get_column(key)) for key in keys)
    for (quantity, sensor_id, unit), group in rows.group_by(keys, maintain_order=True):
        names = str(quantity or ""), str(sensor_id or "")
        sensor = sensors.get(names)
        cells = _cells(group, "value")
        if sensor is None:
            words = unknown_sensor(names[1], names[0], layout.network, layout.ids(names[0]))
            _refuse(cells.with_columns(reason=pl.lit("unknown_sensor")), names[1], collector, words)
        elif unit and unit_by_name(sensor.delivered, str(unit)) is None:
            words = (
                f"unit `{shown(str(unit))}` does not measure {sensor.delivered}",
                f"Declare one of {', '.join(unit_choices(sensor.delivered))}",
            )
            _refuse(cells.with_columns(reason=pl.lit("unknown_unit")), str(unit), collector, words)
        else:
            declared = unit_by_name(sensor.delivered, str(unit)) if unit else UNDECLARED
            collector.add_column(cells, sensor, declared or UNDECLARED, "value")


def _refuse(cells: pl.DataFrame, text: str, collector: Collector, words: tuple[str, str]) -> None:
    """Quarantine all values of a group whose sensor or unit is unknown, row by row."""
    has_value = pl.col("raw_text").is_not_null()
    column = "unit" if cells.item(0, "reason") == "unknown_unit" else "sensor_id"
    bad = cells.filter(has_value).with_columns(pl.lit(text).alias("raw_text"))
    collector.empty += cells.height - bad.height
    collector.add_bad_rows(bad, column, lambda _reason, _text: words)


def _cells(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return pl.concat(
        [rows.select("file_row", "ts_utc"), typed_numbers(rows.get_column(column))],
        how="horizontal",
    )
