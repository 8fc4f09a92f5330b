"""Queries of people: they may say anything, read the lake alone, and change nothing.

What the program itself asks goes through `Warehouse.sql`, with the same connection.
"""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import duckdb
import polars as pl

from leak_assets.errors import InputError
from leak_assets.system.files import publishing

from .lake import Warehouse

# Statements that only read; `MULTI` is what DuckDB makes of a PIVOT.
_READING = {"SELECT", "EXPLAIN", "PRAGMA", "CALL", "MULTI"}
_CAST = (
    "Cast it in the query: `epoch(…)` gives an interval in seconds, `column::VARCHAR` any value"
    " as text"
)
_EPOCH = date(1970, 1, 1)
# Python has no others; DuckDB counts from the year -290308, and to infinity.
_FIRST_DAY, _LAST_DAY = (date.min - _EPOCH).days, (date.max - _EPOCH).days
_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def query(warehouse: Warehouse, text: str, *, as_of: datetime | None = None) -> pl.DataFrame:
    """Return the result of a person's query.

    Parameters
    ----------
    as_of
        Ask the tables as they had been published by then; by default as they are.

    Raises
    ------
    InputError
        The query cannot be run, would change something, or gives values that cannot be shown.
    """
    try:
        frame = warehouse.with_older(lambda: _answer(warehouse, text, as_of))
    except duckdb.Error as error:
        raise InputError(
            f"the query failed: {str(error).splitlines()[0]}",
            remedy="`leak-assets warehouse check` lists the tables; see warehouse/README.md",
        ) from error
    except pl.exceptions.PolarsError as error:
        raise InputError(
            "the result has a column of a type that cannot be shown", remedy=_CAST
        ) from error
    for column in frame.iter_columns():
        _check_times(column, column.name)
    return frame


def _answer(warehouse: Warehouse, text: str, as_of: datetime | None) -> pl.DataFrame:
    with warehouse.connect(as_of) as connection:
        _check_reads(connection, text)
        result = connection.sql(text)
        return pl.DataFrame() if result is None else result.pl()


def _check_reads(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Refuse statements that write: views are made anew for each query, files are the program's."""
    statements = connection.extract_statements(text)
    if not statements:
        raise InputError(
            "the query is empty", remedy='Ask with SELECT, for example "SHOW ALL TABLES"'
        )
    for statement in statements:
        kind = statement.type.name
        if kind == "EXPLAIN" and "COPY" in _keywords(text):
            kind = "COPY"  # `EXPLAIN ANALYZE COPY …` carries it out.
        if kind not in _READING:
            raise InputError(
                f"a query only reads, and this is a {kind} statement",
                remedy="Ask with SELECT; `--out FILE.csv` or `FILE.parquet` exports the result",
            )


def _keywords(text: str) -> set[str]:
    tokens = duckdb.tokenize(text)
    ends = [start for start, _ in tokens[1:]] + [len(text.encode())]
    raw = text.encode()
    return {
        raw[start:end].decode(errors="replace").strip().upper()
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind == duckdb.token_type.keyword
    }


def _check_times(column: pl.Series, name: str) -> None:
    """Refuse times that Python cannot hold, also nested: polars stops the process for them."""
    match column.dtype:
        case pl.List() | pl.Array():
            _check_times(column.explode(), name)
        case pl.Struct():
            for part in column.struct.fields:
                _check_times(column.struct.field(part), name)
        case pl.Datetime(time_unit=unit):
            _check_range(column, name, _PER_DAY[unit])
        case pl.Date():
            _check_range(column, name, 1)


def _check_range(column: pl.Series, name: str, per_day: int) -> None:
    counts = column.to_physical().cast(pl.Int64).drop_nulls().to_numpy()
    if len(counts) and (
        counts.min() < _FIRST_DAY * per_day or counts.max() >= (_LAST_DAY + 1) * per_day
    ):
        raise InputError(
            f"column {name!r} has times outside of the years {date.min.year} to {date.max.year}",
            remedy=_CAST,
        )


def export(frame: pl.DataFrame, path: Path) -> None:
    """Write a result as the CSV or Parquet file that the path's suffix says; it appears whole.

    Raises
    ------
    InputError
        Another suffix, or nested values in a CSV file.
    """
    writers: dict[str, Callable[[Path], None]] = {
        ".csv": frame.write_csv,
        ".parquet": frame.write_parquet,
    }
    write = writers.get(path.suffix.lower())
    if write is None:
        raise InputError(
            f"no format has the suffix {path.suffix!r}",
            remedy="Give a file that ends with .csv or .parquet",
            file=path,
        )
    try:
        with publishing(path) as draft:
            write(draft)
    except pl.exceptions.PolarsError as error:
        raise InputError(
            f"the result does not fit into this format: {str(error).splitlines()[0]}",
            remedy="Give a file that ends with .parquet",
            file=path,
        ) from error
