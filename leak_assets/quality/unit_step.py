"""Unit step: from one day to the next all values of a sensor are changed by the ratio of two units.

Low, middle and high values all change by the ratio; a burst, a pump or a valve changes them apart.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# m3/h for L/s; m for bar; bar for psi; and the other way round.
RATIOS = (3.6, 10.2, 0.0689)
FACTORS = np.array(sorted([*RATIOS, *(1 / ratio for ratio in RATIOS)]))
TOLERANCE = 0.12
LEVELS = (0.1, 0.5, 0.9)


def levels_of(values: Floats) -> Floats:
    """Return low, middle and high values of each sensor (S × 3), NaN where there is none."""
    known = np.isfinite(values).any(axis=1)
    found = np.full((len(values), len(LEVELS)), np.nan)
    if known.any():
        found[known] = np.nanquantile(values[known], LEVELS, axis=1).T
    return found


def unit_ratios(levels: Floats, usual: Floats) -> Floats:
    """Return the ratio of units by which a sensor's values changed (S), NaN where they did not.

    Parameters
    ----------
    levels, usual
        As of `levels_of`, of the day and until then (S × 3).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((usual > 0) & (levels > 0), levels / usual, np.nan)
        off = np.abs(np.log(ratio[:, :, None] / FACTORS[None, None, :]))
    # The low level may be zero at night; middle and high must say the same.
    fits = np.where(np.isnan(off[:, :1]) & (usual[:, :1] == 0)[:, :, None], 0.0, off)
    fits = np.concatenate([fits, off[:, 1:]], axis=1)
    worst = np.where(np.isnan(fits).any(axis=1), np.inf, fits.max(axis=1))
    best = worst.argmin(axis=1)
    rows = np.arange(len(levels))
    return np.where(worst[rows, best] <= TOLERANCE, FACTORS[best], np.nan)
