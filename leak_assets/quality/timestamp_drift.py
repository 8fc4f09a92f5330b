"""Timestamp drift: a logger whose time stamps wander against the grid, second by second."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST_DRIFT_S = 60.0


def mean_offset(offset_s: Floats, cadence_s: float) -> Floats:
    """Return the mean way from time stamps to their steps (S), on the circle of the cadence.

    Parameters
    ----------
    offset_s
        Of each reading (S × T), 0 to below the cadence; NaN where there is none.
    """
    angle = 2 * np.pi * offset_s / cadence_s
    known = np.isfinite(angle)
    sine = np.where(known, np.sin(angle), 0.0).sum(axis=1)
    cosine = np.where(known, np.cos(angle), 0.0).sum(axis=1)
    mean = (np.arctan2(sine, cosine) % (2 * np.pi)) * cadence_s / (2 * np.pi)
    return np.where(known.any(axis=1), mean % cadence_s, np.nan)


def drifted(offset_s: Floats, usual_s: Floats, cadence_s: float) -> NDArray[np.bool_]:
    """Return the sensors whose stamps have wandered away from where they used to lie (S)."""
    with np.errstate(invalid="ignore"):
        way = np.abs((offset_s - usual_s + cadence_s / 2) % cadence_s - cadence_s / 2)
        return np.asarray(way >= min(LARGEST_DRIFT_S, cadence_s / 4), dtype=np.bool_)
