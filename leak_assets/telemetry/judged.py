"""A day's grid as the quality room's judgements see it: one matrix, sensors by steps.

Which judgement asks for what stands here; what each decides is in `quality`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.quality.flat_line import flat_lines, run_lengths
from leak_assets.quality.rate_of_change import jumps
from leak_assets.quality.reasons import Reason
from leak_assets.quality.reverse_flow import reversed_flows
from leak_assets.quality.times import inconsistent_times, repeated_times
from leak_assets.sites.contract import Contract
from leak_assets.telemetry.readers.cells import UNDECLARED

Floats = NDArray[np.float64]
_SENSOR = ("sensor_id", "quantity")
# Quantities that may rest at zero.
_RESTING = ("flow", "demand")
_STATISTICS = ("mean_si", "std_si", "smallest_si", "largest_step_si")


def step_of(column: str, cadence_s: int) -> pl.Expr:
    """Return the first step of the grid at or after a time."""
    cadence_us = cadence_s * 1_000_000
    ceiling = -((-pl.col(column).dt.epoch("us")) // cadence_us) * cadence_us
    return ceiling.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def reference_statistics(readings: pl.DataFrame) -> pl.DataFrame:
    """Return how usable reference readings look: a row for each sensor and quantity.

    `mean_si`, `std_si`, `smallest_si`, and `largest_step_si`, the largest change from one step
    to the next.
    """
    usable = pl.when(pl.col("mask") == 1).then("value_si")
    return (
        readings.sort(*_SENSOR, "ts_utc")
        .with_columns(usable.alias("value_si"))
        .group_by(*_SENSOR)
        .agg(
            pl.col("value_si").mean().alias("mean_si"),
            pl.col("value_si").std().alias("std_si"),
            pl.col("value_si").min().alias("smallest_si"),
            pl.col("value_si").diff().abs().max().alias("largest_step_si"),
        )
        .drop_nulls("mean_si")
        .sort(*_SENSOR)
    )


def last_runs(raw: pl.DataFrame, sensor_ids: Sequence[str]) -> pl.DataFrame:
    """Return the last raw row of some sensors, with how often in a row its value came.

    Parameters
    ----------
    raw
        Rows of the raw log before a day's grid begins.
    """
    return (
        raw.filter(pl.col("sensor_id").is_in(list(sensor_ids)))
        .sort("ts_utc", "received_at", "sequence")
        .group_by(*_SENSOR)
        .agg(
            pl.exclude(_SENSOR).last(),
            pl.struct("value", "unit").rle().last().struct.field("len").alias("run_steps"),
        )
        .select(*raw.columns, "run_steps")
    )


@dataclass(frozen=True)
class Delivered:
    """What came of a day, before the grid.

    Parameters
    ----------
    usable, unusable
        Raw rows.
    runs
        Gives the last value of sensors before the grid and how often in a row it came; None
        where nothing is known of the day before.
    """

    usable: pl.DataFrame
    unusable: pl.DataFrame
    runs: Callable[[Sequence[str]], pl.DataFrame] | None = None


def judged(
    steps: pl.DataFrame, delivered: Delivered, contract: Contract, statistics: pl.DataFrame | None
) -> pl.DataFrame:
    """Return the steps with `flags`: what the readings themselves show.

    Each step is judged from what came until then, so a day in parts gives what a whole day gives.

    Parameters
    ----------
    steps
        Every sensor at every step, sorted by sensor and time, `value_si` null where missing.
    statistics
        As of `reference_statistics`; without it only what needs no reference is judged.
    """
    count = steps.get_column("ts_utc").n_unique()
    sensors = steps.select(*_SENSOR).gather_every(count)

    def matrix(column: pl.Expr) -> Floats:
        values = steps.select(column.cast(pl.Float64).fill_null(np.nan)).to_series().to_numpy()
        return np.asarray(values.reshape(sensors.height, -1))

    values = matrix(pl.col("value_si"))
    quantity = sensors.get_column("quantity").to_list()
    mean, std, smallest, largest = _of(sensors, statistics, _STATISTICS)
    rests = np.array([q in _RESTING for q in quantity]) & ~(smallest > 0)
    flat_after = np.array([contract.flat_after_steps(q) for q in quantity], dtype=np.int64)
    is_flow = np.array([q == "flow" for q in quantity])
    stamp_s = matrix(pl.col("ts_utc").dt.epoch("us") / 1e6 - pl.col("offset_s"))
    received_s = matrix(pl.col("received_at").dt.epoch("us") / 1e6)
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(values - mean[:, None]) / std[:, None]
        is_outlier = (std > 0)[:, None] & (deviation > contract.outlier_sigma)
    found = {
        Reason.OUTLIER: is_outlier,
        Reason.RATE_OF_CHANGE: jumps(values, largest),
        Reason.FLAT_LINE: flat_lines(_runs(sensors, values, delivered), values, flat_after, rests),
        Reason.REVERSE_FLOW: reversed_flows(values, np.where(is_flow, mean, np.nan), smallest),
        Reason.TIME_INCONSISTENT: inconsistent_times(
            stamp_s, received_s, matrix(pl.col("sequence"))
        ),
    }
    flags = np.zeros(values.shape, dtype=np.int64)
    for reason, hit in found.items():
        flags[hit] |= int(reason)
    steps = steps.with_columns(pl.Series("flags", flags.ravel()))
    return _with_sparse(steps, _of_deliveries(steps, delivered), contract.cadence_s)


def _runs(sensors: pl.DataFrame, values: Floats, delivered: Delivered) -> NDArray[np.int64]:
    """Return how often in a row each value came; of the day before where it may have begun."""
    runs = run_lengths(values)
    if delivered.runs is None:
        return runs
    # Nearly every sensor has had two values in the first steps of the grid: what was before
    # does not matter to it.
    first = np.isfinite(values[:, :3]).cumsum(axis=1)
    still = (runs[:, :3] == first) | (first == 0)
    same = still.all(axis=1)
    if not same.any():
        return runs
    ids = sensors.get_column("sensor_id").filter(pl.Series(same)).to_list()
    before, steps = _of(sensors, delivered.runs(ids), ("value_si", "run_steps"))
    return run_lengths(values, before, np.nan_to_num(steps).astype(np.int64))


def _of_deliveries(steps: pl.DataFrame, delivered: Delivered) -> dict[Reason, pl.DataFrame]:
    """Return sensor, quantity and time of the raw rows that a judgement found, by reason."""
    begin = steps.get_column("ts_utc").min()
    found = {
        Reason.RANGE: delivered.unusable.filter(
            pl.col("reason") == "out_of_range", pl.col("ts_utc") >= begin
        ).select(*_SENSOR, "ts_utc"),
        Reason.UNIT_SUSPECT: delivered.usable.filter(pl.col("unit") == UNDECLARED).select(
            *_SENSOR, "ts_utc"
        ),
    }
    # One row for each step is the rule, and then nothing can have come twice.
    if delivered.usable.height > steps.height - steps.get_column("value_si").null_count():
        found[Reason.DUPLICATE_TIME] = repeated_times(delivered.usable)
    return found


def _with_sparse(
    steps: pl.DataFrame, found: dict[Reason, pl.DataFrame], cadence_s: int
) -> pl.DataFrame:
    key = [*_SENSOR, "ts_utc"]
    for reason, rows in found.items():
        if rows.is_empty():
            continue
        places = rows.with_columns(step_of("ts_utc", cadence_s).alias("ts_utc")).unique(key)
        steps = (
            steps.join(places.with_columns(pl.lit(int(reason)).alias("bit")), on=key, how="left",
                       maintain_order="left")
            .with_columns(pl.col("flags") + pl.col("bit").fill_null(0))
            .drop("bit")
        )  # fmt: skip
    return steps


def _of(
    sensors: pl.DataFrame, known: pl.DataFrame | None, columns: tuple[str, ...]
) -> list[Floats]:
    """Return columns of a frame of sensors in the order of the grid; NaN where it has none."""
    if known is None:
        return [np.full(sensors.height, np.nan) for _ in columns]
    rows = sensors.join(known, on=list(_SENSOR), how="left", maintain_order="left")
    return [rows.get_column(c).cast(pl.Float64).fill_null(np.nan).to_numpy() for c in columns]
