"""Residuals on a dense time grid, and where windows lie on it.

Turning long frames into arrays and placing windows belongs here, so that training, batch and
streaming use one code. What is computed from a window belongs in `windows` and in the models.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from leak_assets.errors import InputError

US_PER_S = 1_000_000
_US_PER_DAY = 86_400 * US_PER_S


@dataclass(frozen=True)
class WindowSpec:
    """Length, stride and step of sliding windows, in seconds.

    The default is 3 h every 30 min on 5-minute data: 36 points, stride 6.

    Raises
    ------
    InputError
        If a length or stride is not a whole, positive number of steps.

    Examples
    --------
    >>> WindowSpec().points, WindowSpec().stride_steps
    (36, 6)
    >>> WindowSpec(length_s=10, stride_s=10, step_s=2).points
    5
    """

    length_s: int = 10_800
    stride_s: int = 1_800
    step_s: int = 300

    def __post_init__(self) -> None:
        for name in ("length_s", "stride_s"):
            value = getattr(self, name)
            if self.step_s <= 0 or value <= 0 or value % self.step_s:
                message = f"window {name} {value} is not a multiple of the step {self.step_s} s"
                raise InputError(message, remedy="Choose whole, positive numbers of steps.")

    @property
    def points(self) -> int:
        """Points in a window."""
        return self.length_s // self.step_s

    @property
    def stride_steps(self) -> int:
        """Steps from one window's start to the next."""
        return self.stride_s // self.step_s


@dataclass(frozen=True)
class WindowGrid:
    """Residuals of several groups (scenarios) on a dense grid, with the windows on it.

    Attributes
    ----------
    values
        float64 [groups, channels, steps]; NaN where missing or masked.
    windows
        float64 [groups, channels, places, points], a view of `values`.
    group, place
        int [n]: group and place of each window, ordered by group and time.
    start
        datetime64[us] [n]: first step of each window, UTC.
    """

    spec: WindowSpec
    groups: tuple[str, ...]
    channels: tuple[str, ...]
    values: NDArray[np.float64]
    group: NDArray[np.int64]
    place: NDArray[np.int64]
    start: NDArray[np.datetime64]

    @property
    def windows(self) -> NDArray[np.float64]:
        """Every place of a window as a view [groups, channels, places, points]."""
        view = sliding_window_view(self.values, self.spec.points, axis=2)
        return view[:, :, :: self.spec.stride_steps]

    @property
    def end(self) -> NDArray[np.datetime64]:
        """datetime64[us] [n]: last step of each window."""
        return self.start + np.timedelta64(self.spec.length_s - self.spec.step_s, "s")


def channel_ids(frame: pl.DataFrame) -> tuple[str, ...]:
    """Return the channels `<quantity>/<sensor_id>` of a residual frame, sorted."""
    pairs = frame.select("quantity", "sensor_id").unique().sort("quantity", "sensor_id")
    return tuple(f"{quantity}/{sensor}" for quantity, sensor in pairs.iter_rows())


def window_grid(
    residuals: pl.DataFrame,
    spec: WindowSpec,
    *,
    value: str = "residual_z",
    group: str | None = None,
    channels: tuple[str, ...] | None = None,
    day: date | None = None,
) -> WindowGrid:
    """Place windows over residuals, aligned to multiples of the stride since the epoch.

    Parameters
    ----------
    residuals
        Long frame with sensor_id, quantity, ts_utc, mask and the column `value`.
    value
        Column to put on the grid.
    group
        Column whose values (scenarios) are windowed apart from each other.
    channels
        Channels and their order; absent ones are all missing, others are left out. Default:
        the channels of the frame, sorted.
    day
        Keep only windows whose last step falls in this UTC day; the days before are context.

    Returns
    -------
    WindowGrid
        A window lies wholly between the first and last row of its group.

    Raises
    ------
    InputError
        If a time is off the step grid.
    """
    known = channel_ids(residuals)
    channels = known if channels is None else channels
    if residuals.is_empty():
        return _empty(spec, channels)
    groups, group_of_row = _codes(residuals, group)
    time_us = residuals["ts_utc"].dt.epoch("us").to_numpy()
    step_us, stride_us = spec.step_s * US_PER_S, spec.stride_s * US_PER_S
    off = np.flatnonzero(time_us % step_us)
    if off.size:
        when = residuals["ts_utc"][int(off[0])]
        message = f"time {when.isoformat()} is not a multiple of the step {spec.step_s} s"
        raise InputError(message, remedy="Resample to the step, or set the window's step.")

    first_us = np.full(len(groups), np.iinfo(np.int64).max)
    last_us = np.full(len(groups), np.iinfo(np.int64).min)
    np.minimum.at(first_us, group_of_row, time_us)
    np.maximum.at(last_us, group_of_row, time_us)
    origin_us = first_us // stride_us * stride_us
    step_of_row = (time_us - origin_us[group_of_row]) // step_us
    steps = int(max(step_of_row.max() + 1, spec.points))

    values = np.full((len(groups), len(channels), steps), np.nan)
    position = {name: i for i, name in enumerate(channels)}
    channel_of_row = (
        residuals.select(
            pl.concat_str("quantity", pl.lit("/"), "sensor_id").replace_strict(
                position, default=-1, return_dtype=pl.Int64
            )
        )
        .to_series()
        .to_numpy()
    )
    row_value = residuals[value].cast(pl.Float64).to_numpy()
    usable = (channel_of_row >= 0) & (residuals["mask"].to_numpy() == 1)
    values[group_of_row[usable], channel_of_row[usable], step_of_row[usable]] = row_value[usable]

    places = (steps - spec.points) // spec.stride_steps + 1
    start_us = origin_us[:, None] + np.arange(places) * stride_us
    end_us = start_us + (spec.points - 1) * step_us
    fits = (start_us >= first_us[:, None]) & (end_us <= last_us[:, None])
    if day is not None:
        day_us = (day - date(1970, 1, 1)).days * _US_PER_DAY
        fits &= (end_us >= day_us) & (end_us < day_us + _US_PER_DAY)
    group_index, place = np.nonzero(fits)
    start = start_us[fits].astype("datetime64[us]")
    return WindowGrid(spec, groups, channels, values, group_index, place, start)


def _codes(frame: pl.DataFrame, group: str | None) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    if group is None:
        return ("",), np.zeros(frame.height, dtype=np.int64)
    names = frame[group].unique().sort()
    position = {name: i for i, name in enumerate(names)}
    codes = frame[group].replace_strict(position, return_dtype=pl.Int64).to_numpy()
    return tuple(names), codes


def _empty(spec: WindowSpec, channels: tuple[str, ...]) -> WindowGrid:
    nothing = np.zeros(0, dtype=np.int64)
    values = np.full((0, len(channels), spec.points), np.nan)
    return WindowGrid(
        spec, (), channels, values, nothing, nothing, nothing.astype("datetime64[us]")
    )
