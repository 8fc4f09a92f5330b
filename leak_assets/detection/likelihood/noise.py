"""How much daily channels scatter without a leak, from what half-hours do on reference days."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import ChannelReference

Floats = NDArray[np.float64]

# Variance of daily means, from day to day and over the seasons, in parts of the half-hour
# variance on the reference days. A leak-free town over two years: 0.073 and 0.15.
FAST_PART, SLOW_PART = 0.08, 0.15
_FLOOR_M = 0.001
# Standard deviations of a zone's daily balance in parts of its consumption: a forecast from
# nominal patterns misses the season (10 %), AMR meters do not.
FORECAST_FAST, FORECAST_SLOW = 0.015, 0.10
METERED_FAST, METERED_SLOW = 0.006, 0.015


@dataclass(frozen=True, eq=False)
class Noise:
    """Covariance of the daily scatter and of the slow departures of the channels (S × S)."""

    fast: Floats
    slow: Floats

    @classmethod
    def of(cls, reference: ChannelReference) -> "Noise":
        """Return the noise that a reference lets expect."""
        count = reference.pressures
        floor = np.eye(count) * _FLOOR_M**2
        size = len(reference.names)
        fast, slow = np.zeros((size, size)), np.zeros((size, size))
        fast[:count, :count] = FAST_PART * reference.covariance + floor
        slow[:count, :count] = SLOW_PART * reference.covariance + floor
        for i in range(count, size):
            metered = reference.is_metered[i]
            parts = (METERED_FAST, METERED_SLOW) if metered else (FORECAST_FAST, FORECAST_SLOW)
            usual = reference.usual[i] if np.isfinite(reference.usual[i]) else 1.0
            fast[i, i], slow[i, i] = (parts[0] * usual) ** 2, (parts[1] * usual) ** 2
        return cls(fast, slow)
