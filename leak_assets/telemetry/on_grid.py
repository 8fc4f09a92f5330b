"""Readings on the grid of the contract: every sensor at every step, gaps sized and filled.

What a value is worth is judged in `judged`. Sensors are numbered and steps counted, so that a day
is a matrix (sensors by steps): tables with names took three times as long.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.sites.sensors import Sensor, SensorLayout

from .raw import DELIVERY_ORDER

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_UTC_US = pl.Datetime("us", "UTC")
# More steps than there are from 1970 to 9999, a second each.
_MOST_STEPS = 1 << 40
_US = 1_000_000


def in_order(layout: SensorLayout) -> list[Sensor]:
    """Return all sensors in the order of `telemetry.readings`; their places are their numbers."""
    return sorted(layout.sensors, key=lambda sensor: (sensor.quantity, sensor.sensor_id))


@dataclass(frozen=True, eq=False)
class Grid:
    """Every watched sensor at every step, from the first observed step to the last (S × T).

    Parameters
    ----------
    sensors
        Those that are watched: the sensors of all quantities that were observed (S).
    first_step
        Number of the first step, counted from 1970.
    cadence_s
        Length of a step.
    raw
        Raw rows of known sensors and units, with `number` (of the sensor), `value_si` and
        `is_possible`.
    rows
        Which of them counts, -1 where none does (S × T).
    """

    sensors: list[Sensor]
    first_step: int
    cadence_s: int
    raw: pl.DataFrame
    rows: Ints

    @property
    def shape(self) -> tuple[int, int]:
        """Number of sensors and of steps."""
        return len(self.sensors), self.rows.shape[1]

    @property
    def step_us(self) -> Ints:
        """Time of each step, microseconds from 1970 (T)."""
        first = self.first_step
        return np.arange(first, first + self.shape[1]) * (self.cadence_s * _US)

    def matrix(self, column: str) -> Floats:
        """Return a column of the rows that count; NaN where none does (S × T).

        Times are microseconds from 1970.
        """
        series = self.raw.get_column(column).to_physical().cast(pl.Float64)
        values = np.append(series.to_numpy(), np.nan)
        return np.asarray(values[self.rows])

    @cached_property
    def offset_s(self) -> Floats:
        """From each reading's own time stamp to its step, whole seconds (S × T)."""
        return np.floor((self.step_us - self.matrix("ts_utc")) / _US)


def on_grid(
    raw: pl.DataFrame, layout: SensorLayout, cadence_s: int, *, first_step: int, end_step: int
) -> Grid | None:
    """Return the grid of raw rows in SI; None where no step from `first_step` on was observed.

    A reading belongs to the first step at or after its time stamp. Of several in a step the last
    time stamp counts, of it the last delivery. Steps from `end_step` on are another day's.
    """
    clock_us = raw.get_column("ts_utc").to_physical().to_numpy()
    steps = -((-clock_us) // (cadence_s * _US))
    numbers = raw.get_column("number").to_numpy()
    if (steps >= end_step).any():
        kept = np.flatnonzero(steps < end_step)
        raw, steps, numbers = raw[kept], steps[kept], numbers[kept]
    if not (steps >= first_step).any():
        return None
    everything = in_order(layout)
    seen = {everything[number].quantity for number in np.unique(numbers)}
    watched = np.array([sensor.quantity in seen for sensor in everything])
    begin, count = int(steps.min()), int(steps.max() - steps.min()) + 1
    # Place of each sensor among those that are watched, of each row on the grid.
    place = (np.cumsum(watched) - 1)[numbers] * count + (steps - begin)
    rows = np.full(int(watched.sum()) * count, -1)
    rows[place] = np.arange(len(place))
    if int((rows >= 0).sum()) < len(place):
        order = raw.select(pl.Series("place", place), "ts_utc", *DELIVERY_ORDER)
        sort = order.select(pl.arg_sort_by("place", "ts_utc", *DELIVERY_ORDER)).to_series()
        last = np.flatnonzero(np.diff(place[sort], append=-1))
        rows[place[sort][last]] = sort.to_numpy()[last]
    sensors = [sensor for sensor, is_watched in zip(everything, watched, strict=True) if is_watched]
    return Grid(sensors, begin, cadence_s, raw, rows.reshape(len(sensors), count))


@dataclass(frozen=True, eq=False)
class Gaps:
    """Runs of missing steps, and what fills the short ones between two observed steps.

    Parameters
    ----------
    filled
        Values with the short gaps filled linearly (S × T).
    is_filled
        Where (S × T).
    """

    filled: Floats
    is_filled: NDArray[np.bool_]


def gaps(values: Floats, longest: int) -> Gaps:
    """Return what fills the gaps of at most `longest` steps (S × T, NaN where nothing is known)."""
    is_missing = np.isnan(values)
    is_filled = np.zeros(values.shape, dtype=bool)
    if not is_missing.any() or not longest:
        return Gaps(values, is_filled)
    sensor, begin, end = runs_of(is_missing)
    length = end - begin
    # An open gap has nothing on one side that a line could go to.
    short = (length <= longest) & (begin > 0) & (end < values.shape[1])
    sensor, begin, end, length = sensor[short], begin[short], end[short], length[short]
    inside = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    of = np.repeat(np.arange(len(length)), length)
    left, right = values[sensor, begin - 1][of], values[sensor, end % values.shape[1]][of]
    filled = values.copy()
    places = sensor[of], begin[of] + inside
    filled[places] = left + (right - left) * (inside + 1) / (length[of] + 1)
    is_filled[places] = True
    return Gaps(filled, is_filled)


def runs_of(where: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Return the runs of true steps of each sensor: its row, first step and the one after it."""
    edges = np.diff(where.astype(np.int8), axis=1, prepend=0, append=0)
    sensor, begin = np.nonzero(edges == 1)
    return sensor, begin, np.nonzero(edges == -1)[1]
