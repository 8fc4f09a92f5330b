"""The half-hour clock: what began within the last day, seen against the same times of the week.

Evidence of sudden changes of the pressures by half-hour; whether one is believed is `watch`, and
what the days say of it later is `estimate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import PER_DAY

from .coordinates import Coordinates
from .days import LOAD_EXPONENT, carried
from .estimate import Changes
from .explanations import Explanations
from .noise import PRESSURE_PART, Noise

Floats = NDArray[np.float64]

# Days before yesterday whose mean at the same time of the day is what is usual.
USUAL_DAYS = 7
# With yesterday: what must be at hand before today.
CONTEXT_DAYS = USUAL_DAYS + 1
# Half-hours from the beginning of a change to the first look at it, and before it.
_SHORTEST, _BEFORE = 3, 6
# Beginnings are weighed at every half-hour of the last hours, every second one of a day.
_LONGEST, _ALL_OF = PER_DAY, 12
# A channel that was out for more of the days before tells nothing of today.
_MOST_MISSING = 0.25
# Departures from the usual within a day: white, and a quarter of the variance goes on for hours
# (a leak-free town: correlation 0.1 after half an hour; towns with leaks 0.2 to 0.5).
_SLOW, _SLOW_HALF_HOURS = 0.25, 16.0
# Peaks of demand scatter more than nights: variances by time of the day, over so many half-hours.
_PROFILE_WINDOW, _LEAST_PROFILE = 5, 0.3
# In parts of the half-hours' scatter on the reference days: a quiet week is no quiet network.
_LEAST_DEVIATION = 0.7
_LEAST_INFORMATION, _LEAST_RANK = 1e-9, 1e-8


@dataclass(frozen=True, eq=False)
class TwoDays:
    """Yesterday and today so far, as departures from the week before.

    Parameters
    ----------
    coordinates
        Of the channels that deliver (J).
    departures
        N × J, N = 48 of yesterday and up to 48 of today.
    deviation
        Of white noise (J).
    profile
        Scatter by half-hour in parts of it (N).
    load
        As of `timeline.Timeline`, by half-hour (N).
    disturbances
        Departures of what moves pressures in an unknown way (N × E).
    """

    coordinates: Coordinates
    departures: Floats
    deviation: Floats
    profile: Floats
    load: Floats
    disturbances: Floats

    @classmethod
    def of(
        cls,
        half_hours: Floats,
        coordinates: Coordinates,
        explanations: Explanations,
        noise: Noise,
        usual_m3_per_h: float,
    ) -> "TwoDays | None":
        """Return the departures, None where too little was delivered.

        Parameters
        ----------
        half_hours
            Nine days of `features.channel_days.half_hours` (9 × 48 × W), today the last; NaN
            after what is known of today.
        coordinates
            Of the channels that the days trust.
        usual_m3_per_h
            What the largest zone takes in the mean.
        """
        channels = explanations.leaks.shape[1]
        residual = half_hours[:, :, :channels]
        until = _last_known(residual[-1])
        # Of the days before: what is decided at noon must stand when the evening has come.
        missing = 1 - np.isfinite(residual[:-1]).mean(axis=(0, 1))
        used = tuple(
            int(i)
            for i in coordinates.channels
            if i < explanations.pressures and missing[i] <= _MOST_MISSING
        )
        if until == 0 or not used:
            return None
        coordinates = Coordinates.of(explanations, noise, used)
        turned = _departures(residual[:, :, coordinates.channels]) @ coordinates.turn.T
        steps = np.diff(turned[:USUAL_DAYS], axis=1)
        # Of the mean of seven days a day departs by 6/7 of its variance, another one by 8/7.
        variance = (steps**2).mean(axis=(0, 1)) / 2 * (USUAL_DAYS + 1) / (USUAL_DAYS - 1)
        # Coordinates are in units of the daily noise.
        deviation = np.maximum(np.sqrt(variance), _LEAST_DEVIATION / np.sqrt(PRESSURE_PART))
        taken = carried(half_hours[:, :, channels].reshape(-1), usual_m3_per_h)
        load = np.maximum(taken / usual_m3_per_h, 0.1) ** LOAD_EXPONENT
        load = load.reshape(-1, PER_DAY)
        moved = [
            _departures(half_hours[:, :, i, None]) for i in range(channels + 1, half_hours.shape[2])
        ]
        moved.append(_departures(load[:, :, None]))
        size = PER_DAY + until
        flat = load[-2:].reshape(-1)[:size]
        disturbances = np.concatenate(moved, axis=2)[-2:].reshape(2 * PER_DAY, -1)[:size]
        return cls(
            coordinates,
            turned[-2:].reshape(2 * PER_DAY, -1)[:size],
            deviation,
            np.tile(_profile(steps**2 / np.maximum(variance, _LEAST_INFORMATION)), 2)[:size],
            flat,
            np.concatenate([disturbances, disturbances[:, :-1] * flat[:, None]], axis=1),
        )

    def changes(self, until: int, steps: Sequence[int], since: int, first: int) -> Changes | None:
        """Return the evidence for what began lately and has not ended, None before there is any.

        Parameters
        ----------
        until
            Half-hours that are known, from yesterday's begin on.
        steps
            Half-hours of sudden changes that are known already: what they did is free.
        since
            First half-hour in which a change may have begun.
        first
            Half-hour before which nothing is looked at: something unknown changed there.
        """
        begin = max(first + _BEFORE, until - _LONGEST, since)
        starts = [
            start
            for start in range(begin, until - _SHORTEST + 1)
            if until - start <= _ALL_OF or start % 2 == 0
        ]
        if not starts:
            return None
        at, part = np.arange(first, until), slice(first, until)
        weight, scale = self.load[part], self.profile[part, None]
        begun = (at[:, None] >= np.array(starts)) * weight[:, None]
        # What changed before yesterday, what is known already, what is moved by other things. The
        # first has a shape of its own: how an effect goes with the load is known in the mean only.
        before = [weight**power for power in range(3)]
        known = [*before, *((at >= step) * weight for step in steps), *self.disturbances[part].T]
        factor = _white(until - first)
        columns = _without(factor @ (begun / scale), factor @ (np.stack(known, axis=1) / scale))
        variance = self.deviation**2
        information = (columns**2).sum(axis=0)[:, None] / variance
        score = columns.T @ (factor @ (self.departures[part] / scale)) / variance
        return Changes(
            np.maximum(information, _LEAST_INFORMATION),
            score,
            tuple((start, 1) for start in starts),
            np.ones(len(starts)),
        )


def _last_known(residual: Floats) -> int:
    """Return the number of half-hours up to the last that has a value."""
    known = np.flatnonzero(np.isfinite(residual).any(axis=1))
    return int(known[-1]) + 1 if len(known) else 0


def _departures(values: Floats) -> Floats:
    """Return days (9 × 48 × C) less the mean of the first seven, zero where not known."""
    known = np.isfinite(values[:USUAL_DAYS])
    count = known.sum(axis=0)
    usual = np.where(known, values[:USUAL_DAYS], 0.0).sum(axis=0) / np.maximum(count, 1)
    departures = values - usual
    return np.where(np.isfinite(departures) & (count > 0), departures, 0.0)


def _profile(scaled: Floats) -> Floats:
    """Return the scatter at each time of the day in parts of the mean one (48).

    Parameters
    ----------
    scaled
        Squares of differences between half-hours, in parts of their mean (7 × 47 × C).
    """
    between = scaled.mean(axis=(0, 2))
    by_time = np.concatenate([between[:1], between])
    edge = _PROFILE_WINDOW // 2
    window = np.lib.stride_tricks.sliding_window_view(
        np.pad(by_time, edge, mode="wrap"), _PROFILE_WINDOW
    )
    smooth = window.mean(axis=1)
    highest = np.maximum(smooth, np.roll(smooth, -1))
    return np.asarray(np.sqrt(np.maximum(highest / highest.mean(), _LEAST_PROFILE)))


@lru_cache(maxsize=2 * PER_DAY)
def _white(size: int) -> Floats:
    """Return what turns so many half-hours into white noise (N × N, lower triangular)."""
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    covariance = np.eye(size) + _SLOW * np.exp(-apart / _SLOW_HALF_HOURS)
    factor: Floats = np.linalg.inv(np.linalg.cholesky(covariance))
    factor.setflags(write=False)
    return factor


def _without(columns: Floats, free: Floats) -> Floats:
    """Return columns without what others can explain; those that are nothing explain nothing."""
    norm = np.linalg.norm(free, axis=0)
    free = free[:, norm > _LEAST_RANK] / norm[norm > _LEAST_RANK]
    basis, values, _ = np.linalg.svd(free, full_matrices=False)
    basis = basis[:, values > _LEAST_RANK * values[0]]
    return np.asarray(columns - basis @ (basis.T @ columns), dtype=np.float64)
