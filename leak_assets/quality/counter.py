"""Counters: what flowed between two readings of a register that begins again at zero.

A rollover is no negative volume; a register that was set back or swapped is no rollover.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# A rollover takes the register from its last to its first tenth; a swapped meter comes from
# anywhere.
NEAR_END = 0.1


def increments(register: Floats, capacity: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what was counted since the reading before (T), and where the register rolled over.

    Parameters
    ----------
    register
        Readings in order of time (T), NaN where there is none.
    capacity
        What the register counts before it begins again, e.g. 100,000 for five digits.

    Returns
    -------
    tuple of arrays
        NaN where a reading or the one before is missing, and where the register fell without
        rolling over: what flowed then is not known.

    Examples
    --------
    >>> increments(np.array([99998.0, 99999.0, 3.0]), 100_000.0)[0].tolist()
    [nan, 1.0, 4.0]
    """
    change = np.diff(register, prepend=np.nan)
    before = np.concatenate([[np.nan], register[:-1]])
    with np.errstate(invalid="ignore"):
        rolled = (
            (change < 0) & (before >= (1 - NEAR_END) * capacity) & (register <= NEAR_END * capacity)
        )
        counted = np.where(rolled, change + capacity, np.where(change < 0, np.nan, change))
    return np.asarray(counted), np.asarray(rolled, dtype=np.bool_)
