"""Rate of change: a step larger than a sensor ever made on its leak-free reference days.

Unusual only: a burst does that, so the value stays usable.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# What the reference days saw may be exceeded by so much: they are a week, not all weather.
HEADROOM = 2.0


def jumps(values: Floats, largest: Floats) -> NDArray[np.bool_]:
    """Return the steps that changed too much against the step before (S × T).

    Parameters
    ----------
    values
        Readings on the grid (S × T), NaN where there is none.
    largest
        Of the reference (S); NaN judges nothing.
    """
    change = np.abs(np.diff(values, axis=1, prepend=np.nan))
    with np.errstate(invalid="ignore"):
        return np.asarray(change > HEADROOM * largest[:, None], dtype=np.bool_)
