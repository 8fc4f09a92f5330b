"""The twin's correction, learned per channel on leak-free reference days.

A town differs from its model (roughness, diameters, a valve that is closed, sensor offsets, other
demand patterns). What of that repeats is learned here; detecting change is not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.warehouse.schemas.features import CALIBRATIONS

Floats = NDArray[np.float64]

# Penalty per reference step on standardized regressors: four days determine two slopes well, and
# it keeps apart regressors that are nearly the same (a sensor beside the inlet).
RIDGE = 1e-3
# Fewer usable steps than this (2 h at 5 minutes) determine nothing.
MIN_STEPS = 24
HOURS = 24
_REMEDY = "Name reference days on which the channel delivers, or leave the sensor out"


@dataclass(frozen=True)
class ChannelCalibration:
    """The correction of one channel.

    Parameters
    ----------
    center, scale
        Mean and standard deviation of the regressors on the reference days (R).
    slopes
        Coefficients of the standardized regressors after the intercept, SI (1 + R).
    profile
        Added per hour of the day (UTC), SI (24); empty where there is none.
    mean_si, std_si
        Of the corrected residual on the reference days.
    """

    sensor_id: str
    quantity: str
    center: tuple[float, ...]
    scale: tuple[float, ...]
    slopes: tuple[float, ...]
    profile: tuple[float, ...]
    mean_si: float
    std_si: float

    @property
    def column(self) -> str:
        """Column of wide frames."""
        return f"{self.quantity}/{self.sensor_id}"

    def correction(self, regressors: Floats, hour: NDArray[np.int64]) -> Floats:
        """Return what is to be added to the twin's value (T)."""
        out = _standardized(regressors, self.center, self.scale) @ np.array(self.slopes)
        return out + np.array(self.profile)[hour] if self.profile else out


@dataclass(frozen=True)
class Calibration:
    """The corrections of all channels of a network.

    Parameters
    ----------
    channels
        One correction per channel that could be learned.
    load_center
        Mean of every calibrated expected pressure on the reference days, m, by column: what
        the load is counted from.
    """

    channels: tuple[ChannelCalibration, ...]
    load_center: Mapping[str, float]

    def corrected(self, expected: pl.DataFrame) -> pl.DataFrame:
        """Return `ts_utc` and the corrected expectation of every calibrated channel, SI."""
        load = _load(expected, self.load_center)
        hour = expected["ts_utc"].dt.hour().to_numpy().astype(np.int64)
        columns = []
        for channel in self.channels:
            if channel.column not in expected.columns:
                columns.append(pl.lit(None, pl.Float64).alias(channel.column))
                continue
            values = _array(expected, channel.column)
            regressors = _regressors(channel.quantity, values, load)
            corrected = values + channel.correction(regressors, hour)
            columns.append(_series(channel.column, corrected))  # type: ignore[arg-type]
        return expected.select("ts_utc").with_columns(columns)

    def with_spread(self, observed_channels: pl.DataFrame, expected: pl.DataFrame) -> "Calibration":
        """Return the same correction with mean and deviation of other residuals.

        Parameters
        ----------
        observed_channels, expected
            As of `calibrate`, leak-free steps of another length.
        """
        corrected = self.corrected(expected)
        channels = []
        for channel in self.channels:
            residual = _array(observed_channels, channel.column) - _array(corrected, channel.column)
            known = residual[np.isfinite(residual)]
            if len(known):
                mean, deviation = float(known.mean()), float(known.std())
                channels.append(replace(channel, mean_si=mean, std_si=deviation))
            else:
                channels.append(channel)
        return replace(self, channels=tuple(channels))

    def to_frame(self, network: str, date: date, first_day: date, last_day: date) -> pl.DataFrame:
        """Return rows of `features.calibrations`.

        Parameters
        ----------
        date
            Day on which the correction is in use.
        first_day, last_day
            The reference days it was learned on.
        """
        rows = [
            (
                network,
                date,
                c.sensor_id,
                c.quantity,
                json.dumps([len(c.center), *c.center, *c.scale, *c.slopes, *c.profile]),
                c.mean_si,
                c.std_si,
                first_day,
                last_day,
            )
            for c in self.channels
        ]
        return pl.DataFrame(rows, schema=CALIBRATIONS.polars_schema, orient="row")

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "Calibration":
        """Return the calibration that rows of `features.calibrations` hold (one date, network).

        Raises
        ------
        InputError
            The coefficients are not those of this version.
        """
        channels = []
        for row in frame.iter_rows(named=True):
            channels.append(_from_row(row))
        centers = {c.column: c.center[0] for c in channels if c.quantity == "pressure"}
        return cls(tuple(channels), centers)


def calibrate(
    observed_channels: pl.DataFrame, expected: pl.DataFrame, *, reference: pl.Series
) -> Calibration:
    """Learn the correction of every channel on reference steps.

    Ridge regression of (observed − expected) on the expected value itself (wrong roughness or
    diameter on the way scales the head loss) and, for pressures, on the load of the whole network
    (mean departure of all expected pressures); for the inflow an hour-of-day profile, shrunk by
    how well the reference days determine it (empirical Bayes).

    Parameters
    ----------
    observed_channels, expected
        Wide frames of `Twin.observed_channels` and `Twin.expected` with the same `ts_utc`.
    reference
        Boolean per step (T): leak-free and usable.

    Returns
    -------
    Calibration
        Channels with fewer than 24 usable reference steps are left out.

    Raises
    ------
    InputError
        No channel can be calibrated.
    """
    chosen = reference.fill_null(value=False).to_numpy().astype(np.bool_)
    names = [n for n in observed_channels.columns if n != "ts_utc" and n in expected.columns]
    centers = {}
    for name in names:
        values = _array(expected, name)
        usable = chosen & np.isfinite(values) & np.isfinite(_array(observed_channels, name))
        if name.startswith("pressure/") and int(usable.sum()) >= MIN_STEPS:
            centers[name] = float(values[usable].mean())
    load = _load(expected, centers)
    hour = expected["ts_utc"].dt.hour().to_numpy().astype(np.int64)
    channels = []
    for name in names:
        values = _array(expected, name)
        target = np.where(chosen, _array(observed_channels, name) - values, np.nan)
        regressors = _regressors(name.partition("/")[0], values, load)
        fitted = _fit(name, target, regressors, centers.get(name), hour)
        if fitted is not None:
            channels.append(fitted)
    if not channels:
        raise InputError(
            f"no channel has {MIN_STEPS} usable steps on the reference days", remedy=_REMEDY
        )
    return Calibration(tuple(channels), centers)


def _fit(
    name: str,
    target: Floats,
    regressors: Floats,
    center_first: float | None,
    hour: NDArray[np.int64],
) -> ChannelCalibration | None:
    """Fit one channel to its target (T), NaN off the reference; None where too little is known."""
    quantity, _, sensor = name.partition("/")
    usable = np.isfinite(target) & np.isfinite(regressors).all(axis=1)
    count = int(usable.sum())
    if count < MIN_STEPS:
        return None
    center, scale = regressors[usable].mean(axis=0), regressors[usable].std(axis=0)
    if center_first is not None:
        center[0] = center_first  # The load is counted from it, so it must survive the table.
    scale = np.where(scale > 1e-9, scale, np.inf)  # A constant regressor explains nothing.
    x, y = _standardized(regressors[usable], tuple(center), tuple(scale)), target[usable]
    penalty = np.diag([0.0] + [RIDGE * count] * len(center))
    slopes = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    residual = y - x @ slopes
    profile: tuple[float, ...] = ()
    if quantity == "flow":
        shrunk = _shrunk_profile(residual, hour[usable])
        residual = residual - shrunk[hour[usable]]
        profile = tuple(shrunk.tolist())
    scale = np.where(np.isinf(scale), 0.0, scale)
    return ChannelCalibration(
        sensor,
        quantity,
        tuple(center.tolist()),
        tuple(scale.tolist()),
        tuple(slopes.tolist()),
        profile,
        float(residual.mean()),
        float(residual.std()),
    )


def _shrunk_profile(residual: Floats, hour: NDArray[np.int64]) -> Floats:
    """Return hourly means of a residual, each shrunk towards 0 by its own uncertainty (24).

    Neighbouring steps are not independent, so an hour's mean counts as one value per day; its
    variance is estimated from the scatter around a smooth day (second differences of the means).
    """
    count = np.bincount(hour, minlength=HOURS)
    mean = np.bincount(hour, residual, minlength=HOURS) / np.maximum(count, 1)
    if (count == 0).any():
        return np.zeros(HOURS)
    rough = mean - (np.roll(mean, 1) + np.roll(mean, -1)) / 2
    noise = float(np.mean(rough**2)) / 1.5
    signal = max(0.0, float(mean.var()) - noise)
    smooth = (np.roll(mean, 1) + mean + np.roll(mean, -1)) / 3
    return smooth * (signal / (signal + noise / 3)) if signal > 0 else np.zeros(HOURS)


def _regressors(quantity: str, expected: Floats, load: Floats) -> Floats:
    """Return the regressors of a channel (T × R)."""
    if quantity == "pressure":
        return np.stack([expected, load], axis=1)
    return expected[:, None]


def _load(expected: pl.DataFrame, centers: Mapping[str, float]) -> Floats:
    """Return the mean departure of the expected pressures from their centers, m (T)."""
    names = [name for name in centers if name in expected.columns]
    if not names:
        return np.zeros(expected.height)
    departures = np.stack([_array(expected, name) - centers[name] for name in names])
    known = np.isfinite(departures)
    total = np.where(known, departures, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def _standardized(
    regressors: Floats, center: tuple[float, ...], scale: tuple[float, ...]
) -> Floats:
    """Return 1 and the standardized regressors (T × (1 + R)); 0 where a scale is 0."""
    width = np.array(scale)
    factor = np.divide(1.0, width, out=np.zeros(len(width)), where=width > 0)
    varying = (regressors - np.array(center)) * factor
    return np.concatenate([np.ones((len(regressors), 1)), varying], axis=1)


def _from_row(row: dict[str, Any]) -> ChannelCalibration:
    try:
        values = [float(v) for v in json.loads(row["coefficients"])]
        size = int(values[0])
        center, scale = values[1 : 1 + size], values[1 + size : 1 + 2 * size]
        slopes = values[1 + 2 * size : 2 + 3 * size]
        profile = values[2 + 3 * size :]
        if len(slopes) != size + 1 or len(profile) not in (0, HOURS):
            raise ValueError(f"{len(values)} coefficients")
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"the calibration of {row['quantity']}/{row['sensor_id']} cannot be read: {error}",
            remedy="Materialize features/calibrations again",
            column="coefficients",
        ) from error
    return ChannelCalibration(
        row["sensor_id"],
        row["quantity"],
        tuple(center),
        tuple(scale),
        tuple(slopes),
        tuple(profile),
        float(row["mean_si"]),
        float(row["std_si"]),
    )


def _array(frame: pl.DataFrame, name: str) -> Floats:
    values = frame[name]
    # An expression on a single column costs more than the column: null becomes NaN on the way.
    return (values if values.dtype == pl.Float64 else values.cast(pl.Float64)).to_numpy()


def _series(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)
