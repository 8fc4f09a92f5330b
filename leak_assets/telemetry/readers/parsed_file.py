"""What a reader makes of one delivered file: readings, quarantine, counts.

A year of 82 sensors is 8.6 million readings, so they are held compactly (names as enums) and
turned into rows of `telemetry.raw_readings` day by day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import polars as pl

from leak_assets.units import si_factor
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS

# Value of the column `source`.
FILE_SOURCE = "file"


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
        `raw_text`, `value` (in `unit`); sorted by time.
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
        """All accepted readings as rows of `telemetry.raw_readings` (144 bytes each)."""
        return self._as_raw(self.cells)

    @cached_property
    def days(self) -> list[date]:
        """UTC days with at least one accepted reading."""
        return self.cells.get_column("ts_utc").dt.date().unique().sort().to_list()

    def readings_of(self, day: date) -> pl.DataFrame:
        """Return the accepted readings of one UTC day as rows of `telemetry.raw_readings`."""
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        times = self.cells.get_column("ts_utc")
        first, end = (int(times.search_sorted(t)) for t in (start, start + timedelta(days=1)))
        return self._as_raw(self.cells.slice(first, end - first))

    @property
    def first_ts(self) -> datetime | None:
        """Time of the earliest accepted reading."""
        return None if self.cells.is_empty() else self.cells.item(0, "ts_utc")

    @property
    def last_ts(self) -> datetime | None:
        """Time of the latest accepted reading."""
        return None if self.cells.is_empty() else self.cells.item(-1, "ts_utc")

    def wide(self) -> pl.DataFrame:
        """Return the accepted readings in SI as a wide frame, unvalidated and not on a grid.

        `ts_utc` and one Float64 column `<quantity>/<sensor_id>` per sensor with a reading; of
        two readings of a sensor at one time the later line of the file counts.
        """
        kinds = self.cells.select("quantity", "unit").unique()
        scaled = pl.lit(None, pl.Float64)
        for quantity, unit in kinds.iter_rows():
            is_kind = (pl.col("quantity") == quantity) & (pl.col("unit") == unit)
            scaled = (
                pl.when(is_kind).then(pl.col("value") * si_factor(quantity, unit)).otherwise(scaled)
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
        return cells.select(
            pl.lit(self.network).alias("network"),
            pl.col("sensor_id").cast(pl.String),
            pl.col("quantity").cast(pl.String),
            "ts_utc",
            pl.lit(self.received_at, RAW_READINGS.polars_schema["received_at"]).alias(
                "received_at"
            ),
            pl.lit(FILE_SOURCE).alias("source"),
            pl.format("{}:{}", pl.lit(self.sha256), "file_row").alias("message_id"),
            pl.col("file_row").cast(pl.Int64).alias("sequence"),
            "raw_text",
            "value",
            pl.col("unit").cast(pl.String),
        )


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
