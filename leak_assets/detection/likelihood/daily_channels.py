"""What the run looks at: one vector of twin residuals per day, and how much it scatters.

From half-hour means to daily channels; what a change in them means is decided elsewhere.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.hydraulics.signatures.signatures import Signatures
from leak_assets.hydraulics.twin.calibration import calibrate
from leak_assets.hydraulics.twin.twin import Twin

Floats = NDArray[np.float64]

# One whole week, so that every weekday of a town's true demand pattern has its say.
REFERENCE_DAYS = 7
STEPS_PER_DAY = 48
_MIN_STEPS_PER_DAY = 24
# Half-hour values further from the day's median than this many reference deviations are clipped:
# a spike must not move the day.
_CLIP = 4.0
# A day whose half-hours scatter and jump this many times more than the reference is noise.
_NOISY = 6.0
# A pressure that moves less than this all day is stuck: demand alone moves it by centimetres.
_STUCK_M = 1e-6
# Variance of daily means, from day to day and over the seasons, in parts of the half-hour
# variance on the reference days. A leak-free town over two years: 0.073 and 0.15.
FAST_PART, SLOW_PART = 0.08, 0.15
_FLOOR_M = 0.001
# Standard deviations of a zone's daily balance in parts of its consumption: a forecast from
# nominal patterns misses the season (10 %), AMR meters do not.
FORECAST_FAST, FORECAST_SLOW = 0.015, 0.10
METERED_FAST, METERED_SLOW = 0.006, 0.015
M3_PER_H = 3600.0


@dataclass(frozen=True)
class DailyChannels:
    """Daily residuals of the twin.

    Parameters
    ----------
    days
        Calendar days (D); the first `REFERENCE_DAYS` calibrated the twin.
    names
        Channels (S): `pressure/<sensor>` in m, `balance/<zone>` in m3/h.
    values
        Daily means of measured minus expected (D × S), NaN where the day cannot be used.
    fast, slow
        Covariance of the daily scatter and of the slow departures (S × S).
    """

    days: tuple[date, ...]
    names: tuple[str, ...]
    values: Floats
    fast: Floats
    slow: Floats

    @property
    def pressures(self) -> int:
        """Number of pressure channels; they come first."""
        return sum(name.startswith("pressure/") for name in self.names)

    @property
    def zones(self) -> tuple[int, ...]:
        """Numbers of the zones whose balance is a channel, in their order."""
        return tuple(int(name.partition("/")[2]) for name in self.names[self.pressures :])


def daily_channels(twin: Twin, observed: pl.DataFrame) -> DailyChannels:
    """Return the daily channels of an export.

    The calibration and the scatter come from the first week; every later day is seen through
    them and through its own measurements only.

    Parameters
    ----------
    observed
        Half-hour means in SI on a gapless grid; incomplete first and last days are dropped.

    Raises
    ------
    InputError
        Fewer complete days than the reference needs.
    """
    observed = _whole_days(observed)
    days = tuple(observed["ts_utc"].dt.date().unique(maintain_order=True).to_list())
    if len(days) <= REFERENCE_DAYS:
        raise InputError(
            f"the export has {len(days)} whole days",
            remedy=f"Deliver more than the {REFERENCE_DAYS} days that calibrate the twin",
        )
    reference = pl.Series(np.arange(observed.height) < REFERENCE_DAYS * STEPS_PER_DAY)
    names = [f"pressure/{sensor}" for sensor in twin.layout.ids("pressure")]
    expected = twin.expected(observed)
    seen = twin.observed_channels(observed)
    calibration = calibrate(
        seen.select("ts_utc", *names), expected.select("ts_utc", *names), reference=reference
    )
    corrected = calibration.corrected(expected)
    names = [name for name in names if name in corrected.columns]
    residual = (seen.select(names) - corrected.select(names)).to_numpy().astype(np.float64)
    measured = seen.select(names).to_numpy().astype(np.float64)
    for day in _slices(len(days)):
        residual[day, _is_stuck(measured[day])] = np.nan
    window = residual[: REFERENCE_DAYS * STEPS_PER_DAY]
    spread = np.ma.cov(np.ma.masked_invalid(window), rowvar=False).filled(0.0)
    deviation = np.sqrt(np.maximum(np.diag(spread), _FLOOR_M**2))
    daily = np.stack([_robust_day(residual[i], deviation) for i in _slices(len(days))])
    floor = np.eye(len(names)) * _FLOOR_M**2
    fast, slow = FAST_PART * spread + floor, SLOW_PART * spread + floor

    balances = _balances(twin, observed, len(days))
    values = np.concatenate([daily, *(b[0][:, None] for b in balances)], axis=1)
    channels = [*names, *(f"balance/{b[3]}" for b in balances)]
    for _, fast_sd, slow_sd, _ in balances:
        fast, slow = _appended(fast, fast_sd**2), _appended(slow, slow_sd**2)
    return DailyChannels(days, tuple(channels), values, fast, slow)


def channel_signatures(channels: DailyChannels, responses: Signatures) -> Floats:
    """Return what 1 m3/h of leak at each pipe changes in the daily channels (P × S)."""
    columns = [responses.sensors.index(n) for n in channels.names[: channels.pressures]]
    pressure = responses.mean()[:, columns] / M3_PER_H
    inside = responses.zone[:, None] == np.array(channels.zones)[None, :]
    return np.concatenate([pressure, inside.astype(np.float64)], axis=1)


def meter_faults(channels: DailyChannels, responses: Signatures) -> Floats:
    """Return what 1 m3/h that a zone's meters read too much changes in the channels (Z × S)."""
    zones = list(channels.zones)
    columns = [responses.sensors.index(n) for n in channels.names[: channels.pressures]]
    pressure = -responses.spread.mean(axis=1)[zones][:, columns] / M3_PER_H
    return np.concatenate([pressure, np.eye(len(zones))], axis=1)


def _whole_days(observed: pl.DataFrame) -> pl.DataFrame:
    counted = observed.with_columns(pl.len().over(pl.col("ts_utc").dt.date()).alias("_steps"))
    return counted.filter(pl.col("_steps") == STEPS_PER_DAY).drop("_steps")


def _slices(days: int) -> list[slice]:
    return [slice(i * STEPS_PER_DAY, (i + 1) * STEPS_PER_DAY) for i in range(days)]


def _is_stuck(values: Floats) -> NDArray[np.bool_]:
    """Say for each channel whether all its values of a day are the same (S)."""
    known = np.isfinite(values)
    highest = np.where(known, values, -np.inf).max(axis=0)
    lowest = np.where(known, values, np.inf).min(axis=0)
    return known.any(axis=0) & (highest - lowest < _STUCK_M)


def _robust_day(values: Floats, deviation: Floats) -> Floats:
    """Return the mean of a day per channel (S), NaN where the sensor was out, stuck or noisy."""
    known = np.isfinite(values).sum(axis=0)
    out = np.full(values.shape[1], np.nan)
    for i in np.flatnonzero(known >= _MIN_STEPS_PER_DAY):
        column = values[np.isfinite(values[:, i]), i]
        middle = np.median(column)
        width = column.std()
        if width > _NOISY * deviation[i] and np.abs(np.diff(column)).mean() > deviation[i]:
            continue
        out[i] = np.clip(
            column, middle - _CLIP * deviation[i], middle + _CLIP * deviation[i]
        ).mean()
    return out


def _balances(
    twin: Twin, observed: pl.DataFrame, days: int
) -> list[tuple[Floats, float, float, int]]:
    """Return per balanced zone daily consumption beyond its estimate, fast and slow sd, number.

    The estimate is the sum of the AMR meters or the nominal pattern, scaled on the reference; m3/h.
    """
    out = []
    for number, taken in twin.zone_consumption(observed).items():
        estimate, is_metered = twin.zone_estimate(observed, number)
        known = np.isfinite(taken) & np.isfinite(estimate)
        first = known & (np.arange(len(taken)) < REFERENCE_DAYS * STEPS_PER_DAY)
        ratio = taken[first].sum() / estimate[first].sum() if first.any() else 1.0
        rest = np.where(known, taken - ratio * estimate, np.nan) * M3_PER_H
        daily = np.array([_mean(rest[i]) for i in _slices(days)])
        usual = float(np.nanmean(taken[first])) * M3_PER_H if first.any() else 1.0
        parts = (METERED_FAST, METERED_SLOW) if is_metered else (FORECAST_FAST, FORECAST_SLOW)
        out.append((daily, parts[0] * usual, parts[1] * usual, number))
    return out


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) >= _MIN_STEPS_PER_DAY else np.nan


def _appended(matrix: Floats, variance: float) -> Floats:
    size = len(matrix)
    out = np.zeros((size + 1, size + 1))
    out[:size, :size] = matrix
    out[size, size] = variance
    return out
