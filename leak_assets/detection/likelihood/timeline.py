"""Days as coordinates in which the noise of one day tells nothing of the next; courses of effects.

What an effect does over days, and that in white noise. Which effects there are is decided above.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .coordinates import Group
from .noise import Course

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Longest growth of a leak that is looked for, days.
LONGEST_GROWTH_DAYS = 90
# Factors are kept for numbers of days in these steps, so that they are made once in so many days.
_STEP_DAYS = 64


@lru_cache(maxsize=6)
def _factor(size: int, course: Course) -> Floats:
    """Return the inverse Cholesky factor over days (lower triangular)."""
    from scipy.linalg import lapack

    factor, info = lapack.dtrtri(np.linalg.cholesky(course.covariance(size)), lower=1)
    if info != 0:
        raise ArithmeticError(f"the covariance over {size} days cannot be inverted")
    out = np.tril(factor)
    out.setflags(write=False)
    return out


@lru_cache(maxsize=24)
def _white_factor(days: int, masked: tuple[int, ...], course: Course) -> Floats:
    """Return the factor over days of which some tell nothing.

    That a day tells nothing is the same as that it has a free effect of its own: what it does in
    white noise is taken out of everything. A sixth of the time of a factor over the other days.
    """
    size = -(-days // _STEP_DAYS) * _STEP_DAYS
    factor = _factor(size, course)[:days, :days]
    free = list(masked)
    directions, _ = np.linalg.qr(factor[:, free])
    out = np.asarray(factor - directions @ (directions.T @ factor), dtype=np.float64)
    out[:, free] = 0.0
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Timeline:
    """The days so far, seen through white noise.

    Parameters
    ----------
    load
        Flow through the network in parts of the usual, to the power with which the effect of a
        leak on pressures grows (N).
    masked
        Days that tell nothing: mixtures of before and after a sudden change, days without data.
    groups
        Of the coordinates.
    """

    load: Floats
    masked: frozenset[int]
    groups: tuple[Group, ...]

    @property
    def days(self) -> int:
        """Number of days (N)."""
        return len(self.load)

    def factor(self, group: Group) -> Floats:
        """Return what turns days into white noise (N × N)."""
        masked = tuple(sorted(day for day in self.masked if day < self.days))
        return _white_factor(self.days, masked, group.course)

    def white(self, values: Floats) -> Floats:
        """Return values of all coordinates (N × J) in white noise."""
        return np.concatenate(
            [self.factor(group) @ values[:, group.part] for group in self.groups], axis=1
        )

    def weight(self, group: Group) -> Floats:
        """Return what an effect of size one is on each day (N)."""
        return self.load if group.is_pressure else np.ones(self.days)

    def white_courses(self, courses: Floats) -> list[Floats]:
        """Return courses of effects (N × K) in white noise, by group."""
        return [
            self.factor(group) @ (courses * self.weight(group)[:, None]) for group in self.groups
        ]

    def beginnings(self, onsets: Ints, growth_days: float) -> list[Floats]:
        """Return effects that begin on some days and do not end, in white noise (N × O each).

        Growth takes whole days here.

        The first day of a sudden effect is left free: how much of it is a mixture is unknown.
        """
        columns = []
        for group, (steps, once, twice) in zip(self.groups, self._steps, strict=True):
            if growth_days == 1:
                columns.append(self._without(group, steps[:, onsets + 1], onsets))
                continue
            # (d - o)^2 / L^2 is a sum of steps with odd weights.
            last = onsets + int(growth_days)
            rises = twice[:, last] - twice[:, onsets]
            level = once[:, last] - once[:, onsets]
            columns.append((2 * rises - (2 * onsets + 1) * level) / growth_days**2)
        return columns

    def courses_until(
        self, onsets: Floats, growth_days: float, last_day: int | None
    ) -> list[Floats]:
        """Return effects that begin on some days and are gone on `last_day`, as `beginnings`."""
        courses = np.stack([course(self.days, o, growth_days, last_day) for o in onsets], 1)
        columns = self.white_courses(courses)
        for number, group in enumerate(self.groups):
            if last_day is not None and last_day < self.days:
                ends = np.full(len(onsets), last_day)
                columns[number] = self._without(group, columns[number], ends)
            if growth_days == 1:
                columns[number] = self._without(group, columns[number], onsets.astype(np.int64))
        return columns

    @cached_property
    def _steps(self) -> list[tuple[Floats, Floats, Floats]]:
        """Return steps that begin on each day, and their sums, plain and weighted by day."""
        out = []
        width = self.days + LONGEST_GROWTH_DAYS + 2
        for group in self.groups:
            steps = np.zeros((self.days, width))
            weighted = self.factor(group) * self.weight(group)[None]
            steps[:, : self.days] = np.cumsum(weighted[:, ::-1], axis=1)[:, ::-1]
            twice = np.cumsum(steps * np.arange(width), axis=1)
            out.append((steps, np.cumsum(steps, axis=1), twice))
        return out

    def _without(self, group: Group, columns: Floats, days: Ints) -> Floats:
        """Return columns with one day each taken out of what they can explain."""
        free = self.factor(group)[:, days]
        size = (free * free).sum(axis=0)
        along = (free * columns).sum(axis=0) / np.where(size > 0, size, 1.0)
        return np.asarray(columns - free * along, dtype=np.float64)


def course(days: int, onset: float, growth_days: float, last_day: int | None) -> Floats:
    """Return the size of a leak on each day in parts of its peak (N).

    The diameter of a hole grows evenly (Leak.opening), so that the flow grows with the square; a
    sudden leak is whole from the day after its onset, on which it ran for a part of the day.
    """
    after = np.arange(days + 1) - onset
    if growth_days == 1:
        size = np.clip(after[:-1], 0.0, 1.0)
    else:
        # The integral of the square of the time since its begin, and of one after its growth.
        within = np.clip(after, 0.0, growth_days)
        size = np.diff(within**3 / (3 * growth_days**2) + np.maximum(after - growth_days, 0.0))
    if last_day is not None:
        size[max(last_day, 0) :] = 0.0
    return np.asarray(size, dtype=np.float64)


def courses(days: int, parts: Sequence[tuple[float, float, int | None]]) -> Floats:
    """Return the courses of several leaks (N × K): onset, growth in days, last day of each."""
    if not parts:
        return np.zeros((days, 0))
    return np.stack([course(days, *part) for part in parts], axis=1)
