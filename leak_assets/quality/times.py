"""Time stamps: several values for one time, stamps from the future, stamps out of order.

A stamp is judged within its delivery: a later delivery corrects, it does not contradict.
"""

from datetime import timedelta

import polars as pl

_SENSOR = ("sensor_id", "quantity")
# Clocks of senders and ours differ by so much without anybody being to blame.
TOLERANCE = timedelta(minutes=2)


def repeated_times(readings: pl.DataFrame) -> pl.DataFrame:
    """Return sensor, quantity and time of readings that one delivery brought with several values.

    Parameters
    ----------
    readings
        `sensor_id`, `quantity`, `ts_utc`, `received_at`, `value_si`.
    """
    return (
        readings.group_by(*_SENSOR, "ts_utc", "received_at")
        .agg(pl.col("value_si").n_unique().alias("values"))
        .filter(pl.col("values") > 1)
        .select(*_SENSOR, "ts_utc")
    )


def inconsistent_times(readings: pl.DataFrame) -> pl.DataFrame:
    """Return sensor, quantity and time of readings stamped after receipt, or running backwards.

    Parameters
    ----------
    readings
        `sensor_id`, `quantity`, `ts_utc`, `received_at`, `sequence`.
    """
    found = readings.filter(pl.col("ts_utc") > pl.col("received_at") + TOLERANCE).select(
        *_SENSOR, "ts_utc"
    )
    # Lines of a file are in order of time nearly always: that is looked at first, for it costs
    # a tenth of looking at each sensor.
    lines = readings.select("received_at", "sequence", "ts_utc").unique()
    lines = lines.sort("received_at", "sequence", "ts_utc")
    backwards = (pl.col("ts_utc").diff() < timedelta()) & (
        pl.col("received_at").diff() == timedelta()
    )
    if not lines.select(backwards.any()).item():
        return found
    out_of_order = (
        readings.sort("received_at", "sequence", "ts_utc")
        .filter((pl.col("ts_utc").diff() < timedelta()).over(*_SENSOR, "received_at"))
        .select(*_SENSOR, "ts_utc")
    )
    return pl.concat([found, out_of_order])
