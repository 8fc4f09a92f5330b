"""Clock shift: how late a sensor's clock is against all others, by cross-correlation.

Sensors of one network see the same changes of demand at the same time; one that sees them late has
a wrong clock. Only changes from step to step are compared, for daily waves are too broad to place.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Lags that are tried, to either side.
LONGEST_S = 3600
# Below this correlation a sensor has little in common with the others, and its clock stays unknown.
LEAST_CORRELATION = 0.35
# The lag must explain so much more than no lag does: noise of 288 correlated steps is 0.06.
LEAST_GAIN = 0.15
# Half a step of five minutes and more; an operator sets a clock that is three minutes off.
LARGEST_SHIFT_S = 240.0
LEAST_SENSORS, LEAST_STEPS = 4, 96


@dataclass(frozen=True)
class Lags:
    """How late sensors are (S): seconds, and how well that is known; NaN where it is not."""

    lag_s: Floats
    correlation: Floats
    gain: Floats


def lags(values: Floats, step_s: float) -> Lags:
    """Return how late each sensor sees what the others see.

    Parameters
    ----------
    values
        Readings of a day (S × T), NaN where there is none.
    step_s
        Length of a step.
    """
    count, steps = values.shape
    nothing = np.full(count, np.nan)
    if steps <= LEAST_STEPS:
        return Lags(nothing, nothing, nothing)
    change = np.diff(values, axis=1)
    known = np.isfinite(change)
    moving = np.where(known, change, 0.0).std(axis=1) > 0
    enough = (known.sum(axis=1) >= LEAST_STEPS) & moving
    if enough.sum() < LEAST_SENSORS:
        return Lags(nothing, nothing, nothing)
    moves = _standardized(change, known)
    moves[~enough] = 0.0
    moves *= _signs(moves)[:, None]
    others = moves.sum(axis=0)[None] - moves
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-12)
    moves /= np.maximum(np.linalg.norm(moves, axis=1, keepdims=True), 1e-12)
    reach = min(round(LONGEST_S / step_s), steps // 4)
    shifts = np.arange(-reach, reach + 1)
    found = np.stack([_correlation(moves, others, int(shift)) for shift in shifts], axis=1)
    best = np.abs(found).argmax(axis=1)
    rows = np.arange(count)
    # A late sensor's direction cannot be told before its lag is.
    found = found * np.where(found[rows, best] < 0, -1.0, 1.0)[:, None]
    peak = found[rows, best]
    lag = (shifts[best] + _between(found, best)) * step_s
    known_lag = enough & (peak >= LEAST_CORRELATION)
    return Lags(
        np.where(known_lag, lag, np.nan),
        np.where(enough, peak, np.nan),
        np.where(enough, peak - found[:, reach], np.nan),
    )


def shifted(found: Lags, usual_s: Floats) -> NDArray[np.bool_]:
    """Return the sensors whose clock is off (S).

    Parameters
    ----------
    usual_s
        Lag of each sensor so far (S), NaN where nothing is known: then no lag is usual.
    """
    off = found.lag_s - np.nan_to_num(usual_s)
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (np.abs(off) >= LARGEST_SHIFT_S) & (found.gain >= LEAST_GAIN), dtype=np.bool_
        )


def _standardized(change: Floats, known: NDArray[np.bool_]) -> Floats:
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    filled = np.where(known, change, 0.0)
    centered = np.where(known, filled - filled.sum(axis=1, keepdims=True) / count, 0.0)
    deviation = np.sqrt((centered**2).sum(axis=1, keepdims=True) / count)
    scaled = centered / np.maximum(deviation, 1e-12)
    # One switching of a pump must not speak for the whole day.
    return np.asarray(np.clip(scaled, -4.0, 4.0))


def _signs(moves: Floats) -> Floats:
    """Return the direction of each sensor: flow rises where pressure falls."""
    _, vectors = np.linalg.eigh(moves @ moves.T)
    first = vectors[:, -1]
    return np.where(first < 0, -1.0, 1.0)


def _correlation(moves: Floats, others: Floats, shift: int) -> Floats:
    """Return the correlation of sensors with what the others saw `shift` steps before (S)."""
    if shift >= 0:
        late, early = moves[:, shift:], others[:, : moves.shape[1] - shift]
    else:
        late, early = moves[:, :shift], others[:, -shift:]
    return np.asarray((late * early).sum(axis=1))


def _between(found: Floats, best: NDArray[np.int64]) -> Floats:
    """Return where between steps the peak lies, by the parabola through three points (S)."""
    rows = np.arange(len(found))
    inside = (best > 0) & (best < found.shape[1] - 1)
    middle = np.clip(best, 1, found.shape[1] - 2)
    left, top, right = found[rows, middle - 1], found[rows, middle], found[rows, middle + 1]
    bend = left - 2 * top + right
    offset = np.where(np.abs(bend) > 1e-12, (left - right) / (2 * np.where(bend == 0, 1, bend)), 0)
    return np.where(inside, np.clip(offset, -0.5, 0.5), 0.0)
