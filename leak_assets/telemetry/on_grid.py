"""Usable readings on the grid of the contract: every sensor at every step, gaps sized and filled.

What a value is worth is judged in `judged`. Sensors are numbered and steps counted, so that a day
is a matrix: sorting and joining by names took three times as long.
"""

import numpy as np
import polars as pl

from leak_assets.sites.contract import Contract
from leak_assets.sites.sensors import SensorLayout

from .raw import DELIVERY_ORDER

_SENSOR = ("sensor_id", "quantity")
_UTC_US = pl.Datetime("us", "UTC")
# More steps than there are from 1970 to 9999, a second each.
_MOST_STEPS = 1 << 40


def in_order(layout: SensorLayout) -> pl.DataFrame:
    """Return `sensor_id` and `quantity` of all sensors in the order of `telemetry.readings`."""
    return pl.DataFrame(
        [(s.sensor_id, s.quantity) for s in layout.sensors],
        schema=dict.fromkeys(_SENSOR, pl.String),
        orient="row",
    ).sort("quantity", "sensor_id")


def on_grid(usable: pl.DataFrame, cadence_s: int) -> pl.DataFrame:
    """Return one reading per sensor and step: the last time stamp, of it the last delivery.

    `number` is the sensor's, `step` counts from 1970; sorted by both.
    """
    cadence_us = cadence_s * 1_000_000
    clock_us = pl.col("ts_utc").dt.epoch("us")
    step = -((-clock_us) // cadence_us)
    rows = usable.select(
        pl.col("number").cast(pl.Int64),
        step.alias("step"),
        ((step * cadence_us - clock_us) // 1_000_000).alias("offset_s"),
        "ts_utc",
        "value_si",
        *DELIVERY_ORDER,
    )
    # One number for sensor and step: sorting by it takes a fifth of sorting by both and the times.
    place = rows.select(pl.col("number") * _MOST_STEPS + pl.col("step")).to_series()
    order = place.arg_sort()
    if (place.gather(order).diff() == 0).any():
        rows = rows.sort("number", "step", "ts_utc", *DELIVERY_ORDER)
        return rows.unique(["number", "step"], keep="last", maintain_order=True)
    return rows[order]


def completed(observed: pl.DataFrame, layout: SensorLayout, contract: Contract) -> pl.DataFrame:
    """Return every sensor at every step of the grid with its gaps sized and filled."""
    sensors = in_order(layout)
    seen = sensors[observed.get_column("number").unique()].get_column("quantity").unique()
    watched = sensors.get_column("quantity").is_in(seen.implode())
    steps = observed.get_column("step").to_numpy()
    first, count = int(steps.min()), int(steps.max() - steps.min()) + 1
    # Place of each sensor among those that are watched, of each observation on the grid.
    row = np.cumsum(watched.to_numpy()) - 1
    found = np.full((int(watched.sum()), count), -1)
    found[row[observed.get_column("number").to_numpy()], steps - first] = np.arange(len(steps))
    index = pl.Series(found.ravel())
    index = index.set(index < 0, None).cast(pl.UInt32)
    clock = pl.int_range(first, first + count, eager=True) * contract.cadence_s * 1_000_000
    numbers = pl.int_range(len(found), dtype=pl.UInt32, eager=True)
    grid = pl.DataFrame(
        {
            **sensors.filter(watched)[np.repeat(numbers.to_numpy(), count)].to_dict(),
            "ts_utc": clock.cast(_UTC_US)[np.tile(np.arange(count), len(found))],
        }
    )
    kept = ("value_si", "offset_s", "received_at", "sequence", "source", "message_id")
    grid = grid.with_columns(observed.get_column(name).gather(index) for name in kept)
    return _with_gaps(grid, contract)


def _with_gaps(steps: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return sorted steps with `is_missing`, the runs of missing ones, and what fills them."""
    is_missing = pl.col("value_si").is_null()
    steps = steps.with_columns(is_missing.alias("is_missing"))
    if not steps.get_column("is_missing").any():
        return steps.with_columns(
            pl.lit(0, pl.UInt32).alias("run"),
            pl.col("value_si").alias("filled"),
            pl.lit(0, pl.UInt32).alias("run_steps"),
            pl.lit(False).alias("is_filled"),
        )
    steps = steps.with_columns(
        pl.struct(*_SENSOR, "is_missing").rle_id().alias("run"),
        pl.col("value_si").interpolate().over(*_SENSOR).alias("filled"),
    )
    steps = steps.with_columns(pl.len().over("run").alias("run_steps"))
    is_filled = (
        pl.col("is_missing")
        & (pl.col("run_steps") <= contract.max_interpolated_steps)
        # Interpolation leaves open gaps (no observed step on one side) null.
        & pl.col("filled").is_not_null()
    )
    return steps.with_columns(is_filled.alias("is_filled"))
