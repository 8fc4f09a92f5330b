"""How much daily channels scatter without a leak: between channels, and from day to day.

Numbers and covariances only; what the data say under them is `fit`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from leak_assets.features.half_hours import ChannelReference

Floats = NDArray[np.float64]

# Variance of a daily mean of a pressure's residual in parts of the half-hours' variance on the
# reference days. Two leak-free towns of two years, of different generators, have 0.03 to 0.10 in
# nearly all directions; what is known of running leaks leaves 0.06 to 0.11.
PRESSURE_PART = 0.06
_FLOOR_M = 0.001
# Scatter of a zone's daily balance from day to day, in parts of its consumption.
BALANCE_PART = 0.012


@dataclass(frozen=True)
class Course:
    """How the scatter of a channel goes on from day to day, in parts of its daily variance.

    Parameters
    ----------
    slow
        Variance of what forgets itself within `days` (first-order Markov).
    days
        Its time constant.
    offset
        Variance of what stays: the reference days are few.
    """

    slow: float
    days: float
    offset: float

    def covariance(self, count: int) -> Floats:
        """Return the covariance over so many days (N × N)."""
        day = np.arange(count)
        apart = np.abs(day[:, None] - day[None])
        covariance: Floats = np.eye(count) + self.slow * np.exp(-apart / self.days) + self.offset
        return covariance


# On the two leak-free towns slow departures of pressures have a tenth to a third of the daily
# variance; running leaks whose effects the signatures do not follow exactly bring more.
PRESSURE_COURSE = Course(1.0, 30.0, 1.0)
# A balance whose season AMR meters tell departs by 1 to 3 m3/h of 148 for months.
SEASONED_COURSE = Course(3.0, 40.0, 0.5)
# Without them the season is unknown: 10 % of the consumption, as on both towns.
FORECAST_COURSE = Course(70.0, 60.0, 1.0)


@dataclass(frozen=True, eq=False)
class Noise:
    """Scatter of the daily channels of a network.

    Parameters
    ----------
    daily
        Covariance of daily values from day to day (S × S).
    courses
        Of each channel (S).
    """

    daily: Floats
    courses: tuple[Course, ...]

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, reference: ChannelReference) -> "Noise":
        """Return the noise that a reference lets expect; the same object each time."""
        count, size = reference.pressures, len(reference.names)
        daily = np.zeros((size, size))
        daily[:count, :count] = PRESSURE_PART * reference.covariance + np.eye(count) * _FLOOR_M**2
        has_season = any(reference.is_metered)
        courses = [PRESSURE_COURSE] * count
        for i in range(count, size):
            usual = reference.usual[i] if np.isfinite(reference.usual[i]) else 1.0
            daily[i, i] = max(BALANCE_PART * abs(usual), 1e-3) ** 2
            courses.append(SEASONED_COURSE if has_season else FORECAST_COURSE)
        return cls(daily, tuple(courses))

    @property
    def deviation(self) -> Floats:
        """Standard deviation of the channels on a day far from the reference (S)."""
        more = np.array([1 + course.slow + course.offset for course in self.courses])
        deviation: Floats = np.sqrt(np.diag(self.daily) * more)
        return deviation
