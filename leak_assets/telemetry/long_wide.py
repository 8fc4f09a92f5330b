"""The two shapes of readings: long (the table `telemetry.readings`) and wide (one column each).

Only reshaping belongs here. Wide frames have `ts_utc` and one Float64 column in SI per sensor,
named `<quantity>/<sensor_id>`; a missing or unusable value is null.
"""

import polars as pl

from leak_assets.quality.reasons import Reason
from leak_assets.warehouse.schemas.telemetry import READINGS


def column_name(quantity: str, sensor_id: str) -> str:
    """Return the wide column of a sensor's quantity."""
    return f"{quantity}/{sensor_id}"


def to_wide(readings: pl.DataFrame) -> pl.DataFrame:
    """Return readings as a wide frame.

    Parameters
    ----------
    readings
        Rows of `telemetry.readings` of one network. Where `mask` is 0 (missing, estimated) the
        value becomes null, so nothing made up reaches a model.

    Returns
    -------
    polars.DataFrame
        `ts_utc` (sorted, unique) and one Float64 column in SI per sensor, sorted by name.
    """
    usable = readings.select(
        "ts_utc",
        pl.concat_str("quantity", pl.lit("/"), "sensor_id").alias("column"),
        pl.when(pl.col("mask") == 1).then("value_si").alias("value_si"),
    )
    names = usable.get_column("column").unique().sort().to_list()
    if not names:
        return pl.DataFrame(schema={"ts_utc": READINGS.polars_schema["ts_utc"]})
    return (
        usable.pivot(on="column", index="ts_utc", values="value_si", aggregate_function="last")
        .select("ts_utc", *names)
        .sort("ts_utc")
    )


def to_long(wide: pl.DataFrame, network: str) -> pl.DataFrame:
    """Return a wide frame as rows of `telemetry.readings`.

    Parameters
    ----------
    wide
        `ts_utc` and columns named `<quantity>/<sensor_id>` in SI.
    network
        Name of the network.

    Returns
    -------
    polars.DataFrame
        One row per column and step: `good` with mask 1 where there is a value, `missing` with
        the gap flag and mask 0 where there is none. What is known of deliveries
        only is null.
    """
    names = [name for name in wide.columns if name != "ts_utc"]
    has_value = pl.col("value_si").is_not_null()
    return (
        wide.unpivot(on=names, index="ts_utc", variable_name="column", value_name="value_si")
        .with_columns(pl.col("column").str.splitn("/", 2).struct.rename_fields(["q", "s"]))
        .select(
            pl.lit(network).alias("network"),
            pl.col("column").struct.field("s").alias("sensor_id"),
            pl.col("column").struct.field("q").alias("quantity"),
            "ts_utc",
            pl.col("value_si").cast(pl.Float64),
            pl.when(has_value).then(pl.lit("good")).otherwise(pl.lit("missing")).alias("quality"),
            pl.when(has_value).then(0).otherwise(int(Reason.GAP)).cast(pl.Int64).alias("flags"),
            has_value.cast(pl.Int8).alias("mask"),
            pl.lit(None, pl.String).alias("estimator"),
            pl.lit(None, pl.Int64).alias("offset_s"),
            pl.lit(None, READINGS.polars_schema["received_at"]).alias("received_at"),
            pl.lit(None, pl.String).alias("source"),
            pl.lit(None, pl.String).alias("message_id"),
        )
        .sort("quantity", "sensor_id", "ts_utc")
    )
