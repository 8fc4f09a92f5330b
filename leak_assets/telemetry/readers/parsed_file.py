"""What a reader makes of one delivered file: readings, quarantine, counts.

A year of 82 sensors is 8.6 million readings, so they are held compactly (names as enums) and
turned into rows of `telemetry.raw_readings` day by day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.units import si_conversion, unit_choices
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

# Value of the column `source`.
FILE_SOURCE = "file"
_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class ParsedFile:
    """One delivered file.

    Parameters
    ----------
    file_path
        File relative to the landing zone.
    sha256
        Hash of the file's bytes; empty where it could not be read.
    format
        `csv`, `csv.gz`, `parquet`; empty where it is none of them.
    cells
        Accepted readings: `sensor_id`, `quantity`, `unit` (enums), `ts_utc`, `file_row`,
        `raw_text`, `value` (in `unit`); in the file's order for each sensor.
    quarantine
        Rows of `telemetry.quarantine`.
    values
        Values the file has room for: data lines times sensor columns. Equal to
        `accepted + quarantined + empty`.
    quarantined
        Values that could not be used (one line in quarantine can stand for many).
    empty
        Empty fields: missing values, not an error.
    is_rejected
        Nothing of the file could be used.
    """

    network: str
    file_path: str
    sha256: str
    size_bytes: int
    format: str
    received_at: datetime
    cells: pl.DataFrame
    quarantine: pl.DataFrame
    values: int
    quarantined: int
    empty: int
    is_rejected: bool

    @property
    def accepted(self) -> int:
        """Number of accepted readings."""
        return self.cells.height

    @cached_property
    def readings(self) -> pl.DataFrame:
        """All accepted readings by day as rows of `telemetry.raw_readings` (144 bytes each)."""
        return pl.concat([RAW_READINGS.empty(), *map(self.readings_of, self.days)])

    @cached_property
    def days(self) -> list[date]:
        """UTC days with at least one accepted reading."""
        return list(self._rows_by_day)

    @cached_property
    def _rows_by_day(self) -> dict[date, NDArray[np.uint32]]:
        """Numbers of the rows of each day, in their order.

        Days as 16-bit numbers are sorted by counting; sorting a year of 82 sensors by its time
        stamps took two seconds.
        """
        numbers = self.cells.get_column("ts_utc").to_physical().to_numpy() // _DAY_US
        if not len(numbers):
            return {}
        first, last = int(numbers.min()), int(numbers.max())
        small = np.int16 if last - first < np.iinfo(np.int16).max else np.int64
        days = (numbers - first).astype(small)
        order = np.argsort(days, kind="stable").astype(np.uint32)
        ends = np.cumsum(np.bincount(days))
        rows = zip(range(first, last + 1), np.split(order, ends[:-1]), strict=True)
        return {_EPOCH + timedelta(days=number): found for number, found in rows if len(found)}

    def rows_of(self, day: date) -> NDArray[np.uint32] | None:
        """Return the numbers of the cells of one UTC day; None where it has none."""
        return self._rows_by_day.get(day)

    def readings_of(self, day: date) -> pl.DataFrame:
        """Return the accepted readings of one UTC day as rows of `telemetry.raw_readings`."""
        rows = self.rows_of(day)
        return self._as_raw(self.cells.clear() if rows is None else self.cells[rows])

    @property
    def first_ts(self) -> datetime | None:
        """Time of the earliest accepted reading."""
        return self.cells.get_column("ts_utc").min()  # type: ignore[return-value]

    @property
    def last_ts(self) -> datetime | None:
        """Time of the latest accepted reading."""
        return self.cells.get_column("ts_utc").max()  # type: ignore[return-value]

    def wide(self) -> pl.DataFrame:
        """Return the accepted readings in SI as a wide frame, unvalidated and not on a grid.

        `ts_utc` and one Float64 column `<quantity>/<sensor_id>` per sensor with a reading; of
        two readings of a sensor at one time the later line of the file counts. Without a declared
        unit a value is null.
        """
        kinds = self.cells.select("quantity", "unit").unique()
        scaled = pl.lit(None, pl.Float64)
        for quantity, unit in kinds.iter_rows():
            # Registers of counters are no flows.
            if unit not in unit_choices(quantity):
                continue
            is_kind = (pl.col("quantity") == quantity) & (pl.col("unit") == unit)
            scaled = (
                pl.when(is_kind)
                .then(si_conversion(quantity, unit).to_si(pl.col("value")))
                .otherwise(scaled)
            )
        columns = []
        for quantity in self.cells.get_column("quantity").unique().cast(pl.String).sort():
            part = self.cells.filter(pl.col("quantity") == quantity)
            part = part.select("ts_utc", "sensor_id", scaled.alias("value"))
            pivoted = part.pivot(
                on="sensor_id", index="ts_utc", values="value", aggregate_function="last"
            )
            columns.append(
                pivoted.rename({c: f"{quantity}/{c}" for c in pivoted.columns if c != "ts_utc"})
            )
        if not columns:
            return self.cells.select("ts_utc")
        wide = columns[0]
        for more in columns[1:]:
            wide = wide.join(more, on="ts_utc", how="full", coalesce=True)
        return wide.sort("ts_utc")

    def _as_raw(self, cells: pl.DataFrame) -> pl.DataFrame:
        ids, place = self._message_ids(cells.get_column("file_row"))
        received = pl.lit(self.received_at, RAW_READINGS.polars_schema["received_at"])
        return cells.select(
            pl.lit(self.network).alias("network"),
            pl.col("sensor_id").cast(pl.String),
            pl.col("quantity").cast(pl.String),
            "ts_utc",
            received.alias("received_at"),
            pl.lit(FILE_SOURCE).alias("source"),
            ids.gather(place),
            pl.col("file_row").cast(pl.Int64).alias("sequence"),
            "raw_text",
            "value",
            pl.col("unit").cast(pl.String),
        )

    def _message_ids(self, file_rows: pl.Series) -> tuple[pl.Series, NDArray[np.int64]]:
        """Return the ids of messages, once for each line, and the number of each row's."""
        rows = file_rows.to_numpy().astype(np.int64)
        first, last = (int(rows.min()), int(rows.max())) if len(rows) else (0, -1)
        lines, place = np.arange(first, last + 1), rows - first
        if len(lines) > len(rows):
            lines, place = np.unique(rows, return_inverse=True)
        ids = pl.select(pl.format("{}:{}", pl.lit(self.sha256), pl.Series(lines)))
        return ids.to_series().alias("message_id"), place


def distinct_day(files: Sequence[ParsedFile], day: date) -> pl.DataFrame | None:
    """Return the readings of a day of several files in the order of its log.

    None where a reading is there twice, or the files were not read against one layout. Numbers
    are sorted, and names are written once, in the end: half of what rows of names cost.
    """
    brought = [
        (file, file.cells[rows]) for file in files if (rows := file.rows_of(day)) is not None
    ]
    if not brought or any(cells.schema != brought[0][1].schema for _, cells in brought):
        return None
    cells = pl.concat([cells for _, cells in brought], rechunk=True)
    clock = cells.get_column("ts_utc").to_physical().to_numpy()
    sensor, quantity, unit = (
        _codes(cells.get_column(n)) for n in ("sensor_id", "quantity", "unit")
    )
    place = (sensor.rank * len(quantity.names) + quantity.rank) * (2 * _DAY_US) + clock % _DAY_US
    order = np.argsort(place, kind="stable")
    if (np.diff(place[order]) == 0).any():
        return None
    ids, places, count = [], [], 0
    for file, own in brought:
        texts, found = file._message_ids(own.get_column("file_row"))
        ids.append(texts)
        places.append(found + count)
        count += len(texts)
    lengths = [len(found) for found in places]
    received = pl.Series([file.received_at for file, _ in brought], dtype=cells.schema["ts_utc"])
    in_order = cells.select("ts_utc", "file_row", "raw_text", "value")[order]
    return in_order.select(
        pl.lit(brought[0][0].network).alias("network"),
        pl.Series("sensor_id", sensor.names).gather(sensor.codes[order]),
        pl.Series("quantity", quantity.names).gather(quantity.codes[order]),
        "ts_utc",
        received.gather(np.repeat(np.arange(len(brought)), lengths)[order]).alias("received_at"),
        pl.lit(FILE_SOURCE).alias("source"),
        pl.concat(ids).gather(np.concatenate(places)[order]),
        pl.col("file_row").cast(pl.Int64).alias("sequence"),
        "raw_text",
        "value",
        pl.Series("unit", unit.names).gather(unit.codes[order]),
    )


class _Codes(NamedTuple):
    """Names that occur, each row's number among them, and its place in alphabetic order."""

    names: list[str]
    codes: NDArray[np.int64]
    rank: NDArray[np.int64]


def _codes(column: pl.Series) -> _Codes:
    dtype = column.dtype
    if not isinstance(dtype, pl.Enum):
        raise TypeError(f"{column.name} of parsed cells is {dtype}, not an Enum")
    names = dtype.categories.to_list()
    codes = column.to_physical().to_numpy().astype(np.int64)
    return _Codes(names, codes, np.argsort(np.argsort(np.array(names)))[codes])


def cell_schema(
    sensor_ids: Sequence[str], quantities: Sequence[str], units: Sequence[str]
) -> dict[str, pl.DataType]:
    """Return the column types of `ParsedFile.cells` for the names that can occur."""
    return {
        "sensor_id": pl.Enum(sensor_ids),
        "quantity": pl.Enum(quantities),
        "unit": pl.Enum(units),
        "ts_utc": pl.Datetime("us", "UTC"),
        "file_row": pl.UInt32(),
        "raw_text": pl.String(),
        "value": pl.Float64(),
    }
