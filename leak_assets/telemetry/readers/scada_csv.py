"""Reader of the BattLeDIM SCADA export: `Timestamp;id;id…`, decimal comma, plain or gzipped.

Format description: BattLeDIM 2020 data set (Vrachimis et al., doi:10.5281/zenodo.4017659). Clean
content takes the fast way through polars; only lines and values that do not fit are looked at
one by one, and every one is told with its place.
"""

from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.telemetry.sources.source_bytes import Text, read_text

from .cells import Collector, Source
from .limits import MOST_VALUES, too_many_values
from .lines import Lines, join_lines, scan_lines
from .parsed_file import ParsedFile
from .problems import Problem, capped, shown, whole_file
from .scada_header import (
    SEPARATOR,
    TIME_COLUMN,
    quantity_of,
    read_header,
    sensor_names,
    unknown_quantity,
)
from .times import judge_times, parse_times

__all__ = ["parse_scada_csv", "read_header"]


def parse_scada_csv(source: Source) -> ParsedFile | Problem:
    """Read one export; a problem instead where nothing of it can be used."""
    text = read_text(source.raw)
    if isinstance(text, Problem):
        return text
    header = _header(text)
    if isinstance(header, Problem):
        return header
    quantity = quantity_of(source.name)
    if quantity is None:
        return unknown_quantity(source.name)
    collector = Collector(source)
    table = _table(text, header, collector)
    if table is None and not collector.problems:
        return whole_file(
            "empty_file", "the file has a header but no line of data", "Export it again", row=1
        )
    if table is not None:
        _add_columns(table, header, quantity, collector, cut_row=_cut_row(text, table))
    return collector.result("csv.gz" if text.is_gzip else "csv")


def _header(text: Text) -> list[str] | Problem:
    """Return the sensors of a text whose values can be read at once."""
    if text.is_truncated and b"\n" not in text.data:
        return whole_file(
            "truncated_gzip",
            "the gzip stream is cut off before its first line ends",
            "Copy the file again from its source",
        )
    header = sensor_names(text.data)
    is_too_much = not isinstance(header, Problem) and (
        text.data.count(b"\n") * len(header) > MOST_VALUES
    )
    return too_many_values() if is_too_much else header


def _table(text: Text, header: list[str], collector: Collector) -> pl.DataFrame | None:
    """Return the whole lines as text columns `0…n` with `file_row`; tell the broken ones."""
    data, rest = text.data, b""
    if text.is_truncated:
        end = data.rfind(b"\n") + 1
        data, rest = data[:end], data[end:]
    lines = scan_lines(data, SEPARATOR)
    is_line = np.ones(len(lines.starts), dtype=bool)
    is_line[0] = False
    is_line &= lines.ends > lines.starts
    for i in np.flatnonzero((lines.separators == 0) & is_line):
        is_line[i] &= bool(data[lines.starts[i] : lines.ends[i]].strip())
    is_whole = is_line & (lines.separators == len(header))
    collector.values += int(is_line.sum()) * len(header)
    broken = np.flatnonzero(is_line & ~is_whole)
    last = len(lines.starts) - 1
    half_written = bool(
        len(broken)
        and broken[-1] == last
        and not lines.is_terminated
        and lines.separators[last] < len(header)
    )
    collector.add_problems(
        capped(
            _ragged(data, lines, broken[: len(broken) - half_written], header),
            len(broken) - half_written,
            int(broken[len(broken) - 1 - half_written]) + 1 if len(broken) > half_written else 0,
        )
    )
    if half_written:
        content = data[lines.starts[last] :].decode()
        collector.add_problems([_half_written(last + 1, content, header)])
    if text.is_truncated:
        collector.values += len(header) if rest else 0
        collector.add_problems([_truncated(len(lines.starts) + 1, rest.decode(), header)])
    rows = np.flatnonzero(is_whole)
    if not len(rows):
        return None
    return _split(data, lines, rows, len(header))


def _split(data: bytes, lines: Lines, rows: NDArray[np.int64], sensors: int) -> pl.DataFrame:
    table = pl.read_csv(
        join_lines(data, lines, rows),
        separator=";",
        has_header=False,
        new_columns=[str(i) for i in range(sensors + 1)],
        infer_schema=False,
        quote_char=None,
    )
    return table.with_columns(pl.Series("file_row", rows + 1, dtype=pl.UInt32))


def _add_columns(
    table: pl.DataFrame,
    header: list[str],
    quantity: str,
    collector: Collector,
    *,
    cut_row: int | None,
) -> None:
    source = collector.source
    rows = pl.concat(
        [
            table.rename({"0": "time_text"}),
            parse_times(table.get_column("0"), source.contract.source_timezone),
        ],
        how="horizontal",
    )
    rows, problems = judge_times(rows, source.times, column=TIME_COLUMN, values_per_row=len(header))
    collector.add_problems(problems)
    sensors = {s.sensor_id: s for s in source.layout.sensors if s.quantity == quantity}
    for number, name in enumerate(header, start=1):
        cells = rows.select("file_row", "ts_utc", pl.col(str(number)).alias("raw_text"))
        if name in sensors:
            cells = read_numbers(cells)
            if number == len(header) and cut_row is not None:
                cells = cells.with_columns(
                    pl.when(pl.col("file_row") == cut_row)
                    .then(pl.lit("half_written_line"))
                    .otherwise("reason")
                    .alias("reason")
                )
            collector.add_column(cells, sensors[name], sensors[name].unit, name)
        else:
            blank = pl.col("raw_text").str.strip_chars() == ""
            texts = cells.select(pl.when(~blank).then("raw_text").alias("raw_text"))
            collector.add_unknown_column(name, quantity, texts.to_series())


def read_numbers(cells: pl.DataFrame) -> pl.DataFrame:
    """Add `value` and `reason` to cells with a `raw_text` in decimal-comma notation.

    Empty text becomes null. `reason` is null where the text is a finite number.
    """
    text = pl.col("raw_text")
    value = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    cells = cells.with_columns(value.alias("value"), pl.lit(None, pl.String).alias("reason"))
    plain = (
        text.is_null()
        | (pl.col("value").is_finite() & ~text.str.contains(".", literal=True))
        & ~text.str.ends_with(",")
    ).fill_null(False)
    is_plain = cells.select(plain.alias("is_plain")).to_series()
    if is_plain.all():
        return cells
    trimmed = text.str.strip_chars()
    as_comma = trimmed.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
    as_point = trimmed.cast(pl.Float64, strict=False)
    has_point = trimmed.str.contains(".", literal=True)
    reason = (
        pl.when(trimmed == "")
        .then(None)
        .when(trimmed.str.contains("\\x", literal=True))
        .then(pl.lit("not_utf8"))
        .when(has_point & as_point.is_finite())
        .then(pl.lit("decimal_point"))
        .when(as_comma.is_null() | has_point | trimmed.str.ends_with(","))
        .then(pl.lit("not_a_number"))
        .when(~as_comma.is_finite())
        .then(pl.lit("not_finite"))
    )
    odd = cells.filter(~is_plain).with_columns(
        pl.when(trimmed != "").then(text).alias("raw_text"),
        pl.when(reason.is_null()).then(as_comma).alias("value"),
        reason.alias("reason"),
    )
    return pl.concat([cells.filter(is_plain), odd]).sort("file_row")


def _ragged(
    data: bytes, lines: Lines, broken: NDArray[np.int64], header: list[str]
) -> Iterator[Problem]:
    for i in broken:
        fields, expected = int(lines.separators[i]) + 1, len(header) + 1
        text = data[lines.starts[i] : lines.ends[i]].decode()
        yield Problem(
            row=int(i) + 1,
            column="",
            text=text,
            reason="wrong_field_count",
            problem=f"`{shown(text)}` has {fields} fields where the header has {expected}",
            remedy="Give every column one field, also where a value is missing",
            values=len(header),
            at_column=header[min(fields, len(header)) - 1],
        )


def _half_written(row: int, text: str, header: list[str]) -> Problem:
    last = text.count(";")
    return Problem(
        row=row,
        column="",
        text=text,
        reason="half_written_line",
        problem=f"the last line breaks off after `{shown(text[-30:])}`",
        remedy="Deliver the file again when it is complete; the lines above were taken",
        values=len(header),
        at_column=[TIME_COLUMN, *header][last],
    )


def _truncated(row: int, text: str, header: list[str]) -> Problem:
    return Problem(
        row=row,
        column="",
        text=text,
        reason="truncated_gzip",
        problem=f"the gzip stream is cut off after `{shown(text[-30:])}`",
        remedy="Copy the file again from its source; the lines above were taken",
        values=len(header) if text else 0,
        at_column=[TIME_COLUMN, *header][min(text.count(";"), len(header))],
    )


def _cut_row(text: Text, table: pl.DataFrame) -> int | None:
    """Return the line whose last value shows that the file was cut inside it.

    Many writers end a file without a line end, so that alone proves nothing. But `48,4` below
    values that all have two decimals is half of `48,45`.
    """
    last_line = text.data.count(b"\n") + 1
    if text.is_truncated or text.data.endswith(b"\n") or table.item(-1, "file_row") != last_line:
        return None
    texts = table.get_column(table.columns[-2])
    # Its neighbors: the values above it and, in a first line, those beside it.
    beside = [table.item(-1, name) for name in table.columns[1:-2]]
    neighbors = pl.Series([*texts[:-1], *beside], dtype=pl.String).drop_nulls()
    is_cut = (
        texts[-1] is not None
        and len(neighbors) > 0
        and _decimals(texts[-1:]).item() < (_decimals(neighbors).min() or 0)
    )
    return last_line if is_cut else None


def _decimals(texts: pl.Series) -> pl.Series:
    """Return how many digits each value has after its decimal comma."""
    return texts.str.extract(r",(\d+)\s*$").str.len_chars().fill_null(0).cast(pl.Int64)
