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


@lru_cache(maxsize=24)
def _white_factor(size: int, masked: tuple[int, ...], course: Course) -> Floats:
    """Return the inverse Cholesky factor over days, with rows and columns of masked days zero."""
    from scipy.linalg import lapack

    kept = np.array([day for day in range(size) if day not in set(masked)])
    factor = np.linalg.cholesky(course.covariance(size)[np.ix_(kept, kept)])
    inverse, info = lapack.dtrtri(factor, lower=1)
    if info != 0:
        raise ArithmeticError(f"the covariance over {size} days cannot be inverted")
    out = np.zeros((size, size))
    out[np.ix_(kept, kept)] = np.tril(inverse)
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Timeline:
    """The days so far, seen through white noise.

    Parameters
    ----------
    load
        Flow through each zone in parts of the usual, to the power with which the effect of a leak
        on pressures grows (N × Z).
    masked
        Days that tell nothing: mixtures of before and after a sudden change, days without data.
    groups
        Of the coordinates.
    scatter
        Standard deviation of the noise in parts of the usual, by day and group (N × G).
    """

    load: Floats
    masked: frozenset[int]
    groups: tuple[Group, ...]
    scatter: Floats

    @property
    def days(self) -> int:
        """Number of days (N)."""
        return len(self.load)

    def factor(self, group: Group) -> Floats:
        """Return what turns days into white noise (N × N, lower triangular)."""
        return self._factors[self.groups.index(group)]

    def white(self, values: Floats) -> Floats:
        """Return values of all coordinates (N × J) in white noise."""
        return np.concatenate(
            [self.factor(group) @ values[:, group.part] for group in self.groups], axis=1
        )

    def weight(self, group: Group) -> Floats:
        """Return what an effect of size one is on each day (N)."""
        return self.load[:, group.zone] if group.is_pressure else np.ones(self.days)

    def white_courses(self, courses: Floats) -> list[Floats]:
        """Return courses of effects (N × K) in white noise, by group."""
        return [
            self.factor(group) @ (courses * self.weight(group)[:, None]) for group in self.groups
        ]

    def beginnings(self, onsets: Ints, growth_days: int) -> list[Floats]:
        """Return effects that begin on some days and do not end, in white noise (N × O each).

        The first day of a sudden effect is left free: how much of it is a mixture is unknown.
        """
        columns = []
        for group, (steps, once, twice) in zip(self.groups, self._steps, strict=True):
            if growth_days == 1:
                columns.append(self._without(group, steps[:, onsets + 1], onsets))
                continue
            # (d - o)^2 / L^2 is a sum of steps with odd weights.
            last = onsets + growth_days
            rises = twice[:, last] - twice[:, onsets]
            level = once[:, last] - once[:, onsets]
            columns.append((2 * rises - (2 * onsets + 1) * level) / growth_days**2)
        return columns

    def courses_until(self, onsets: Ints, growth_days: int, last_day: int) -> list[Floats]:
        """Return effects that begin on some days and are gone on `last_day`, as `beginnings`."""
        courses = np.stack([course(self.days, int(o), growth_days, last_day) for o in onsets], 1)
        columns = self.white_courses(courses)
        ends = np.full(len(onsets), last_day)
        for number, group in enumerate(self.groups):
            if last_day < self.days:
                columns[number] = self._without(group, columns[number], ends)
            if growth_days == 1:
                columns[number] = self._without(group, columns[number], onsets)
        return columns

    @cached_property
    def _factors(self) -> list[Floats]:
        size = -(-self.days // _STEP_DAYS) * _STEP_DAYS
        masked = tuple(sorted(day for day in self.masked if day < size))
        return [
            _white_factor(size, masked, group.course)[: self.days, : self.days] / self.scatter[:, g]
            for g, group in enumerate(self.groups)
        ]

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


def course(days: int, onset: int, growth_days: int, last_day: int | None) -> Floats:
    """Return the size of a leak on each day in parts of its peak (N).

    The diameter of a hole grows evenly (Leak.opening), so that the flow grows with the square; a
    sudden leak is whole from the day after its onset, on which it ran for a part of the day.
    """
    size = np.clip((np.arange(days) - onset) / growth_days, 0.0, 1.0) ** 2
    if last_day is not None:
        size[max(last_day, 0) :] = 0.0
    return np.asarray(size, dtype=np.float64)


def courses(days: int, parts: Sequence[tuple[int, int, int | None]]) -> Floats:
    """Return the courses of several leaks (N × K): onset, growth in days, last day of each."""
    if not parts:
        return np.zeros((days, 0))
    return np.stack([course(days, *part) for part in parts], axis=1)
