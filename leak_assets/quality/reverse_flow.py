"""Reverse flow: a meter that runs against a direction it never had on its reference days.

The sign stays, for balances count with it; only the flag tells.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# In parts of the usual flow: a meter that stands still scatters about zero.
STANDSTILL = 0.02


def reversed_flows(values: Floats, usual: Floats, smallest: Floats) -> NDArray[np.bool_]:
    """Return the flows below zero of meters that only ran forward (S × T).

    Parameters
    ----------
    values
        Readings (S × T), m3/s.
    usual, smallest
        Mean and smallest value on the reference days (S); NaN judges nothing.
    """
    tolerance = STANDSTILL * np.abs(usual)
    with np.errstate(invalid="ignore"):
        forward = smallest >= -tolerance
        return np.asarray(forward[:, None] & (values < -tolerance[:, None]), dtype=np.bool_)
