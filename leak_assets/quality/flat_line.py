"""Flat line: a sensor that repeats itself longer than the water would.

Judged at each step from what came until then, so a batch and a micro-batch say the same.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def run_lengths(
    values: Floats, before: Floats | None = None, steps_before: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return how many readings in a row, up to each step, have had the same value (S × T).

    Steps without a reading neither count nor end a run.

    Parameters
    ----------
    values
        Readings on the grid (S × T), NaN where there is none.
    before, steps_before
        The last value before the first step and how often in a row it came (S).
    """
    sensors, steps = values.shape
    if before is not None and steps_before is not None:
        longer = run_lengths(np.concatenate([before[:, None], values], axis=1))[:, 1:]
        first = _value_at_start(values, before) & np.isfinite(values)
        extra = np.where(np.isfinite(before), np.maximum(steps_before, 1) - 1, 0)
        return np.asarray(longer + np.where(first, extra[:, None], 0), dtype=np.int64)
    known = np.isfinite(values)
    place = np.where(known, np.arange(steps)[None], -1)
    last = np.maximum.accumulate(place, axis=1)
    previous = np.concatenate([np.full((sensors, 1), -1), last[:, :-1]], axis=1)
    rows = np.arange(sensors)[:, None]
    same = known & (previous >= 0) & (values == values[rows, previous.clip(0)])
    count = np.cumsum(known, axis=1)
    start = np.maximum.accumulate(np.where(known & ~same, count, 0), axis=1)
    return np.where(known, count - start + 1, 0).astype(np.int64)


def _value_at_start(values: Floats, before: Floats) -> NDArray[np.bool_]:
    """Return where a sensor has not yet had another value than the one before (S × T)."""
    other = np.isfinite(values) & (values != before[:, None])
    return ~np.maximum.accumulate(other, axis=1)


def flat_lines(
    runs: NDArray[np.int64], values: Floats, longest: NDArray[np.int64], rests: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the readings that repeat for too long (S × T).

    Parameters
    ----------
    runs
        As of `run_lengths` (S × T).
    values
        Readings (S × T).
    longest
        Readings in a row that are one too many, of each sensor (S).
    rests
        Sensors that may be zero for as long as they like (S): a flow at night, a pump that stands.
    """
    is_rest = rests[:, None] & (values == 0.0)
    return np.asarray((runs >= longest[:, None]) & ~is_rest, dtype=np.bool_)
