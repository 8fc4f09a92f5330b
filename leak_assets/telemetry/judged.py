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
from leak_assets.sites.sensors import Sensor
from leak_assets.telemetry.readers.cells import UNDECLARED

from .on_grid import Grid

Floats = NDArray[np.float64]
_SENSOR = ("sensor_id", "quantity")
# Quantities that may rest at zero.
_RESTING = ("flow", "demand")
_STATISTICS = ("mean_si", "std_si", "smallest_si", "largest_step_si")


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
    rows
        Raw rows of sensors and units that are known.
    runs
        Gives the last value of sensors before the grid and how often in a row it came; None
        where nothing is known of the day before.
    """

    rows: pl.DataFrame
    runs: Callable[[Sequence[str]], pl.DataFrame] | None = None


def judged(
    grid: Grid,
    values: Floats,
    delivered: Delivered,
    contract: Contract,
    statistics: pl.DataFrame | None,
) -> NDArray[np.int64]:
    """Return the flags of each step (S × T): what the readings themselves show.

    Each step is judged from what came until then, so a day in parts gives what a whole day gives.

    Parameters
    ----------
    grid
        Which reading belongs to which step.
    values
        Of the readings in SI (S × T), NaN where there is none that could be true.
    statistics
        As of `reference_statistics`; without it only what needs no reference is judged.
    """
    quantity = [sensor.quantity for sensor in grid.sensors]
    mean, std, smallest, largest = _of(grid.sensors, statistics, _STATISTICS)
    rests = np.array([q in _RESTING for q in quantity]) & ~(smallest > 0)
    flat_after = np.array([contract.flat_after_steps(q) for q in quantity], dtype=np.int64)
    is_flow = np.array([q == "flow" for q in quantity])
    stamp_s = grid.step_us / 1e6 - grid.offset_s
    received_s = grid.matrix("received_at") / 1e6
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(values - mean[:, None]) / std[:, None]
        is_outlier = (std > 0)[:, None] & (deviation > contract.outlier_sigma)
    found = {
        Reason.OUTLIER: is_outlier,
        Reason.RATE_OF_CHANGE: jumps(values, largest),
        Reason.FLAT_LINE: flat_lines(_runs(grid, values, delivered), values, flat_after, rests),
        Reason.REVERSE_FLOW: reversed_flows(values, np.where(is_flow, mean, np.nan), smallest),
        Reason.TIME_INCONSISTENT: inconsistent_times(stamp_s, received_s, grid.matrix("sequence")),
    }
    flags = np.zeros(values.shape, dtype=np.int64)
    for reason, hit in found.items():
        flags[hit] |= int(reason)
    for reason, rows in _of_deliveries(grid, delivered).items():
        flags[_places(grid, rows)] |= int(reason)
    return flags


def _runs(grid: Grid, values: Floats, delivered: Delivered) -> NDArray[np.int64]:
    """Return how often in a row each value came; of the day before where it may have begun."""
    runs = run_lengths(values)
    if delivered.runs is None:
        return runs
    # Nearly every sensor has had two values in the first steps of the grid: what was before
    # does not matter to it.
    first = np.isfinite(values[:, :3]).cumsum(axis=1)
    still = (runs[:, :3] == first) | (first == 0)
    # A counter's values are flows, its raw rows registers.
    same = still.all(axis=1) & [sensor.counter is None for sensor in grid.sensors]
    if not same.any():
        return runs
    ids = [sensor.sensor_id for sensor, is_same in zip(grid.sensors, same, strict=True) if is_same]
    before, steps = _of(grid.sensors, delivered.runs(ids), ("value_si", "run_steps"))
    return run_lengths(values, before, np.nan_to_num(steps).astype(np.int64))


def _of_deliveries(grid: Grid, delivered: Delivered) -> dict[Reason, pl.DataFrame]:
    """Return the raw rows that a judgement found, by reason."""
    rows, found = delivered.rows, {}
    if (rows.get_column("unit") == UNDECLARED).any():
        found[Reason.UNIT_SUSPECT] = rows.filter(pl.col("unit") == UNDECLARED)
    # One row for each step is the rule, and then nothing can have come twice.
    if rows.height > (grid.rows >= 0).sum():
        found[Reason.DUPLICATE_TIME] = repeated_times(rows)
    return found


def _places(grid: Grid, rows: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sensors and steps that some raw rows belong to, where the grid has them."""
    number = {(s.sensor_id, s.quantity): place for place, s in enumerate(grid.sensors)}
    names = rows.select(*_SENSOR).iter_rows()
    sensor = np.array([number.get((name, quantity), -1) for name, quantity in names], dtype=int)
    clock_us = rows.get_column("ts_utc").to_physical().to_numpy()
    step = -((-clock_us) // (grid.cadence_s * 1_000_000)) - grid.first_step
    inside = (sensor >= 0) & (step >= 0) & (step < grid.shape[1])
    return sensor[inside], step[inside]


def _of(
    sensors: Sequence[Sensor], known: pl.DataFrame | None, columns: tuple[str, ...]
) -> list[Floats]:
    """Return columns of a frame of sensors in the order of the grid; NaN where it has none."""
    found = [np.full(len(sensors), np.nan) for _ in columns]
    if known is not None:
        place = {(s.sensor_id, s.quantity): number for number, s in enumerate(sensors)}
        for name, quantity, *values in known.select(*_SENSOR, *columns).iter_rows():
            number = place.get((name, quantity))
            if number is not None:
                for column, value in zip(found, values, strict=True):
                    column[number] = np.nan if value is None else value
    return found
