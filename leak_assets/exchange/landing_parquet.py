"""Writes telemetry as one long Parquet file, as the landing zone takes it."""

import io
from pathlib import Path

import polars as pl

from leak_assets.sites.sensors import SensorLayout
from leak_assets.system.files import publish


def write_long_parquet(wide: pl.DataFrame, layout: SensorLayout, path: Path) -> None:
    """Write telemetry as one Parquet file for the landing zone.

    Parameters
    ----------
    wide
        `ts_utc` and one column per sensor, SI; null where a value is missing.
    layout
        Which columns to write, and in which unit.
    path
        File with `ts_utc`, `sensor_id`, `quantity`, `value`, `unit`, one reading a row.
    """
    parts = [
        wide.select(
            "ts_utc",
            pl.lit(s.sensor_id).alias("sensor_id"),
            pl.lit(s.quantity).alias("quantity"),
            s.conversion.from_si(pl.col(s.column)).alias("value"),
            pl.lit(s.unit).alias("unit"),
        )
        for s in layout.sensors
    ]
    buffer = io.BytesIO()
    pl.concat(parts).drop_nulls("value").write_parquet(buffer, compression="zstd")
    publish(path, buffer.getvalue())
