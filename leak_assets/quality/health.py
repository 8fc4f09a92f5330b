"""A sensor's day in numbers: readings by quality and reason, health, silence, age.

What needs more than a day is judged in `sensor_days`.
"""

import polars as pl

from .reasons import OF_READINGS, Reason, name_of

SENSOR = ("sensor_id", "quantity")
_QUALITIES = ("good", "suspect", "bad", "estimated", "missing")
COUNTS = ("steps", "usable", *_QUALITIES, *(name_of(reason) for reason in OF_READINGS))
# A suspect reading is worth half a good one; so is a good one of a sensor that is wrong by days.
SUSPECT_WORTH = 0.5
WRONG_DAY_WORTH = 0.5


def day_counts(readings: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each sensor and quantity of a day of readings.

    Counts of steps, of usable readings, of each quality and reason; health from 0 to 1; time of
    the last usable reading; where the grid of the day ends.
    """
    quality = pl.col("quality")
    is_usable = pl.col("mask") == 1
    counts = [(quality == name).sum().cast(pl.Int64).alias(name) for name in _QUALITIES]
    flags = [
        ((pl.col("flags") & int(reason)) != 0).sum().cast(pl.Int64).alias(name_of(reason))
        for reason in OF_READINGS
    ]
    worth = (pl.col("good") + SUSPECT_WORTH * pl.col("suspect")) / pl.col("steps")
    return (
        readings.group_by(*SENSOR)
        .agg(
            pl.len().cast(pl.Int64).alias("steps"),
            pl.col("mask").cast(pl.Int64).sum().alias("usable"),
            *counts,
            *flags,
            pl.col("ts_utc").filter(is_usable).max().alias("last_reading_at"),
            pl.col("flags").bitwise_or().alias("reasons"),
        )
        .with_columns(
            worth.alias("health"), pl.lit(readings.get_column("ts_utc").max()).alias("day_end_at")
        )
        .sort("quantity", "sensor_id")
    )


def with_silence(days: pl.DataFrame, max_age_s: float) -> pl.DataFrame:
    """Return sensors' days with `age_s` at the end of the day's grid, and `is_silent`.

    A sensor that never delivered a usable reading has no age, and is silent.
    """
    age = (pl.col("day_end_at") - pl.col("last_reading_at")).dt.total_microseconds() / 1e6
    days = days.with_columns(age.alias("age_s"))
    silent = (pl.col("age_s") > max_age_s) | pl.col("age_s").is_null()
    return days.with_columns(silent.alias("is_silent")).with_columns(
        pl.when("is_silent")
        .then(pl.col("reasons") | int(Reason.SILENT))
        .otherwise("reasons")
        .alias("reasons")
    )
