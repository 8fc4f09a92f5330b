"""Channels turned so that noise is white and what signatures leave unexplained is nearly diagonal.

Linear algebra of one day's channels; days are `timeline`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .explanations import COMMON_MISMATCH, NEIGHBOR_SCALE_M, NEIGHBORHOOD_M, Explanations
from .noise import Course, Noise

Floats = NDArray[np.float64]

# Share of the neighbors' scatter that a leak which is placed may still have: it may lie there.
_NEIGHBOR_SHARE = 0.3
_LEAST_VARIANCE = 1e-12
# Pipes that the turn is learned from: every third is enough.
_EVERY = 3


@dataclass(frozen=True)
class Group:
    """Coordinates whose noise goes on in the same way.

    Parameters
    ----------
    part
        Which coordinates.
    course
        Of their noise.
    is_pressure
        Effects on them grow with the load; those on balances do not.
    zone
        Number of the zone whose load counts.
    """

    part: slice
    course: Course
    is_pressure: bool
    zone: int = 0


@dataclass(frozen=True, eq=False)
class Coordinates:
    """A network's explanations in turned coordinates (J = number of channels in use).

    Parameters
    ----------
    channels
        Numbers of the channels in use (J), pressures first. Coordinates of pressures go by zone.
    groups
        What goes on alike.
    turn, back
        From channels to coordinates (J × J), and back.
    leaks, faults
        Effects of 1 m3/h at each pipe (P × J) and of a unit of each fault (F × J).
    strange
        Variance of a true effect of 1 m3/h about a pipe's own (P × J).
    placed
        The same for a leak that may be some way off the pipe it was placed at (P × J).
    """

    channels: NDArray[np.int64]
    groups: tuple[Group, ...]
    turn: Floats
    back: Floats
    leaks: Floats
    faults: Floats
    strange: Floats
    placed: Floats

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, explanations: Explanations, noise: Noise, used: tuple[int, ...]) -> "Coordinates":
        """Return the coordinates of some of the channels, made once.

        The turn is by the main directions, in units of the noise, in which true effects differ
        from the nominal ones and neighbors from one another. Pressures of different zones are
        turned each for themselves: they hang on different flows.
        """
        channels = np.array(used, dtype=np.int64)
        pressures = int((channels < explanations.pressures).sum())
        daily = noise.daily[np.ix_(channels, channels)]
        effects = explanations.leaks[:, channels]
        mismatch = explanations.mismatch[:, channels]
        turn = np.diag(1 / np.sqrt(np.diag(daily)))
        turn[:pressures] = 0.0
        zones = explanations.zone_of_pressures[channels[:pressures]]
        first, parts = 0, []
        for zone in np.unique(zones).tolist():
            inside = np.flatnonzero(zones == zone)
            white = np.linalg.inv(np.linalg.cholesky(daily[np.ix_(inside, inside)]))
            directions = _directions(explanations, effects[:, inside], mismatch[:, inside], white)
            last = first + len(inside)
            turn[first:last, inside] = directions.T @ white
            parts.append((slice(first, last), zone))
            first = last
        leaks = effects @ turn.T
        strange = mismatch**2 @ (turn.T**2) + _LEAST_VARIANCE
        strange[:, :pressures] += (COMMON_MISMATCH * leaks[:, :pressures]) ** 2
        courses = [noise.courses[i] for i in channels]
        return cls(
            channels,
            _groups(courses, parts),
            turn,
            np.asarray(np.linalg.inv(turn), dtype=np.float64),
            leaks,
            explanations.faults[:, channels] @ turn.T,
            strange,
            strange + _NEIGHBOR_SHARE * _scatter_of_neighbors(leaks, explanations.distance_m),
        )


def _directions(
    explanations: Explanations, effects: Floats, mismatch: Floats, white: Floats
) -> Floats:
    """Return orthonormal directions of what the nominal effects leave open (columns).

    Parameters
    ----------
    effects, mismatch
        On the pressures of a zone (P × K).
    white
        Turns these so that their noise is white (K × K).
    """
    in_white = effects @ white.T
    size = np.linalg.norm(in_white, axis=1)
    total = np.zeros(white.shape)
    for pipe in range(0, len(in_white), _EVERY):
        if size[pipe] == 0:
            continue
        own = mismatch[pipe, :, None] * white.T / size[pipe]
        near = np.flatnonzero(explanations.distance_m[pipe] <= NEIGHBORHOOD_M)
        apart = (in_white[near] - in_white[pipe]) / size[pipe]
        total += own.T @ own + 0.5 * apart.T @ apart / len(near)
    _, directions = np.linalg.eigh(total)
    return np.asarray(directions, dtype=np.float64)


def _scatter_of_neighbors(leaks: Floats, distance_m: Floats) -> Floats:
    """Return the mean square difference of the neighbors' effects from each pipe's (P × J)."""
    weight = np.exp(-((distance_m / NEIGHBOR_SCALE_M) ** 2)) * (distance_m <= NEIGHBORHOOD_M)
    weight /= weight.sum(axis=1, keepdims=True)
    apart = weight @ leaks**2 - 2 * leaks * (weight @ leaks) + leaks**2
    return np.asarray(np.maximum(apart, 0.0), dtype=np.float64)


def _groups(courses: list[Course], parts: list[tuple[slice, int]]) -> tuple[Group, ...]:
    """Return the zones' pressures, and runs of balances with the same course."""
    groups = [Group(part, courses[part.start], True, zone) for part, zone in parts]
    first = groups[-1].part.stop if groups else 0
    while first < len(courses):
        last = first + 1
        while last < len(courses) and courses[last] == courses[first]:
            last += 1
        groups.append(Group(slice(first, last), courses[first], False))
        first = last
    return tuple(groups)
