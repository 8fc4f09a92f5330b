"""Reader of a site's own CSV and Parquet exports, laid out as its mapping says.

One table of text or typed columns in, readings and problems out; the mapping itself is read in
`mapping`.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import polars as pl

from leak_assets.sites.sensors import Sensor
from leak_assets.units import unit_by_name, unit_choices

from .cells import UNDECLARED, Collector, Source
from .mapping import EPOCHS, FileMapping, Tag, clock_by_format, has_offset
from .parquet import as_text, clock_to_utc, typed_numbers
from .parsed_file import ParsedFile
from .problems import Problem, shown, whole_file
from .scada_csv import read_numbers
from .tables import FileTable, file_table
from .times import judge_times, parse_times, with_reason

_UTC_US = pl.Datetime("us", "UTC")
# Seconds to the year 9999, beyond which Python has no time.
_LAST_S = 253_402_300_799


def parse_mapped(
    source: Source, file: FileMapping, tags: Mapping[str, Tag]
) -> ParsedFile | Problem:
    """Read one file; a problem instead where nothing of it can be used."""
    table = file_table(source.name, source.raw, file)
    if isinstance(table, Problem):
        return table
    if problem := _wrong_header(table, file):
        return problem
    collector = Collector(source, example=f"28{file.decimal}92")
    values = [n for n in table.header if n not in (*file.time, *file.ignore)]
    per_row = 1 if file.layout == "long" else len(values)
    collector.values = table.rows.height * per_row
    for problem in table.problems:
        lost = (problem.values or 0) * per_row
        collector.values += lost
        collector.add_problems([replace(problem, values=lost)])
    if table.rows.is_empty() and not collector.problems:
        return whole_file("empty_file", "the file has no line of data", "Export it again")
    clock = _clock(table, file, source.contract.source_timezone)
    rows = pl.concat([table.rows, clock], how="horizontal")
    rows, problems = judge_times(
        rows, source.times, column=" ".join(file.time), values_per_row=per_row
    )
    collector.add_problems(problems)
    if file.layout == "long":
        _add_long(rows, table, file, tags, collector)
    else:
        _add_wide(rows, table, file, tags, collector, values)
    return collector.result(table.format)


def times_of(name: str, raw: bytes, file: FileMapping, timezone: str) -> pl.Series | None:
    """Return the time stamps of a file, null where unreadable; None where nothing can be read."""
    table = file_table(name, raw, file)
    if isinstance(table, Problem) or _wrong_header(table, file):
        return None
    return _clock(table, file, timezone).get_column("ts_utc")


def _wrong_header(table: FileTable, file: FileMapping) -> Problem | None:
    wanted = [*file.time, *(n for n in (file.tag, file.value, file.unit) if n)]
    name, count = Counter(table.header).most_common(1)[0]
    if missing := [n for n in wanted if n not in table.header]:
        return whole_file(
            "wrong_header",
            f"the column `{shown(missing[0])}` that the mapping names is missing",
            f"The header is `{shown(', '.join(table.header))}`; correct the mapping or the export",
            row=table.first_row - 1,
            column=missing[0],
        )
    if count > 1:
        return whole_file(
            "wrong_header",
            f"the column `{shown(name)}` is there {count} times",
            "Keep one of them",
            row=table.first_row - 1,
            column=name,
        )
    return None


# ---------------------------------------------------------------- times
def _clock(table: FileTable, file: FileMapping, timezone: str) -> pl.DataFrame:
    """Return `time_text`, `ts_utc` and `reason` of each row."""
    zone = file.timezone or timezone
    columns = [table.rows.get_column(table.column(name)) for name in file.time]
    known = [as_text(column).alias(str(i)) for i, column in enumerate(columns)]
    joined = pl.concat_str(known, separator=" ", ignore_nulls=True).str.strip_chars()
    text = pl.select(joined.alias("time_text")).to_series()
    is_text = all(c.dtype in (pl.String, pl.Categorical) for c in columns)
    if file.time_format in EPOCHS:
        found = _epoch(text, EPOCHS[file.time_format], zone)
    elif not is_text and len(columns) == 1:
        found = clock_to_utc(columns[0], zone)
    elif file.time_format is None:
        found = parse_times(text, zone)
    else:
        found = _formatted(text, file.time_format, zone)
    return found.with_columns(text)


def _epoch(text: pl.Series, us: int, zone: str) -> pl.DataFrame:
    number = text.cast(pl.Float64, strict=False)
    number = number.set(~(number.abs() * us <= _LAST_S * 1e6).fill_null(False), None)
    aware = (number * us).round().cast(pl.Int64, strict=False).cast(_UTC_US)
    return with_reason(_nothing(len(text), pl.Datetime("us")), aware, zone)


def _formatted(text: pl.Series, time_format: str, zone: str) -> pl.DataFrame:
    clock = clock_by_format(text, time_format)
    if has_offset(time_format):
        aware = clock.dt.convert_time_zone("UTC").cast(_UTC_US)
        return with_reason(_nothing(len(text), pl.Datetime("us")), aware, zone)
    return with_reason(clock, _nothing(len(text), _UTC_US), zone)


def _nothing(count: int, dtype: pl.DataType) -> pl.Series:
    return pl.Series([None], dtype=dtype).new_from_index(0, count)


# ---------------------------------------------------------------- values
def _cells(rows: pl.DataFrame, column: str, file: FileMapping, factor: float) -> pl.DataFrame:
    """Return `file_row`, `ts_utc`, `raw_text`, `value`, `reason` of a column."""
    cells = rows.select("file_row", "ts_utc", pl.col(column).alias("raw_text"))
    if file.decimal == "," and cells.schema["raw_text"] == pl.String:
        cells = read_numbers(cells)
    else:
        numbers = typed_numbers(cells.get_column("raw_text"))
        cells = pl.concat([cells.drop("raw_text"), numbers], how="horizontal")
    return cells if factor == 1 else cells.with_columns(pl.col("value") * factor)


def _add_wide(
    rows: pl.DataFrame,
    table: FileTable,
    file: FileMapping,
    tags: Mapping[str, Tag],
    collector: Collector,
    names: list[str],
) -> None:
    for name in names:
        column, tag = table.column(name), tags.get(name)
        if tag is None:
            texts = _cells(rows, column, file, 1.0).get_column("raw_text")
            count = len(texts) - texts.null_count()
            collector.empty += texts.null_count()
            problem, remedy = _unknown_tag(name)
            collector.add_problems(
                [
                    Problem(
                        row=table.first_row - 1,
                        column=name,
                        text=name,
                        reason="unknown_tag",
                        problem=f"{problem}; {count} values were left out",
                        remedy=remedy,
                        values=count,
                    )
                ]
            )
        else:
            cells = _cells(rows, column, file, tag.factor)
            sensor = _sensor(tag, collector)
            collector.add_column(cells, sensor, _unit(tag, sensor), name)


def _add_long(
    rows: pl.DataFrame,
    table: FileTable,
    file: FileMapping,
    tags: Mapping[str, Tag],
    collector: Collector,
) -> None:
    value, tag = table.column(file.value or ""), table.column(file.tag or "")
    rows = rows.with_columns(
        as_text(rows.get_column(tag)).str.strip_chars().fill_null("").alias("tag"),
        pl.lit("").alias("unit"),
    )
    if file.unit:
        unit = rows.get_column(table.column(file.unit))
        rows = rows.with_columns(as_text(unit).str.strip_chars().fill_null("").alias("unit"))
    known = rows.get_column("tag").is_in(list(tags))
    _refuse(rows.filter(~known), "tag", value, file, collector, _unknown_tag)
    rows = rows.filter(known).join(
        _declared(rows.filter(known), tags, collector),
        on=["tag", "unit"],
        how="left",
        maintain_order="left",
    )
    for (measured,), group in rows.filter(pl.col("declared").is_null()).group_by("measured"):
        _refuse(group, "unit", value, file, collector, partial(_unknown_unit, str(measured)))
    good = rows.filter(pl.col("declared").is_not_null())
    for (name, declared), group in good.group_by("tag", "declared", maintain_order=True):
        meant = tags[str(name)]
        cells = _cells(group, value, file, meant.factor)
        collector.add_column(cells, _sensor(meant, collector), str(declared), str(name))


def _declared(rows: pl.DataFrame, tags: Mapping[str, Tag], collector: Collector) -> pl.DataFrame:
    """Return what is `measured` and the `declared` unit, null where none, of each tag and unit."""
    pairs = rows.select("tag", "unit").unique(maintain_order=True)
    sensors = {tag: _sensor(tags[tag], collector) for tag in pairs.get_column("tag").unique()}
    found = [
        (
            sensors[tag].delivered,
            unit_by_name(sensors[tag].delivered, unit) if unit else _unit(tags[tag], sensors[tag]),
        )
        for tag, unit in pairs.iter_rows()
    ]
    schema = {"measured": pl.String, "declared": pl.String}
    return pl.concat([pairs, pl.DataFrame(found, schema, orient="row")], how="horizontal")


def _unknown_unit(quantity: str, unit: str) -> tuple[str, str]:
    return (
        f"unit `{shown(unit)}` does not measure {quantity}",
        f"Declare one of {', '.join(unit_choices(quantity))}",
    )


def _refuse(
    rows: pl.DataFrame,
    column: str,
    value: str,
    file: FileMapping,
    collector: Collector,
    words: Callable[[str], tuple[str, str]],
) -> None:
    """Quarantine the values of lines whose tag or unit is unknown, line by line."""
    if rows.is_empty():
        return
    cells = _cells(rows, value, file, 1.0)
    bad = cells.with_columns(rows.get_column(column).alias("text")).filter(
        pl.col("raw_text").is_not_null()
    )
    collector.empty += cells.height - bad.height
    reason = pl.lit(f"unknown_{column}").alias("reason")
    bad = bad.select("file_row", "ts_utc", pl.col("text").alias("raw_text"), reason)
    collector.add_bad_rows(bad, column, lambda _reason, text: words(text))


def _unknown_tag(name: str) -> tuple[str, str]:
    return (
        f"the mapping has no tag `{shown(name)}`",
        "Add it under `tags`; a column that is no tag belongs under `ignore`",
    )


def _sensor(tag: Tag, collector: Collector) -> Sensor:
    return next(
        s
        for s in collector.source.layout.sensors
        if (s.quantity, s.sensor_id) == (tag.quantity, tag.sensor)
    )


def _unit(tag: Tag, sensor: Sensor) -> str:
    """Return the unit that the mapping declares for a tag."""
    return (unit_by_name(sensor.delivered, tag.unit) if tag.unit else None) or UNDECLARED
