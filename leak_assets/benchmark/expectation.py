"""What a sensor layout lets expect: leaks of which size are found how soon and placed how near.

The likelihood method's own arithmetic on drawn leaks, before anything is trained or delivered.
Where the scatter without leaks comes from is `expected_noise`; words and pages are elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.detection.likelihood.coordinates import Coordinates
from leak_assets.detection.likelihood.explanations import COMMON_MISMATCH, HIT_M, Explanations
from leak_assets.detection.likelihood.history import FAULT_MARGIN
from leak_assets.detection.likelihood.noise import Course, Noise
from leak_assets.detection.likelihood.placing import SIZES_M3_PER_H as PLACED_SIZES_M3_PER_H
from leak_assets.detection.likelihood.policy import LikelihoodPolicy
from leak_assets.detection.likelihood.rivals import FAULT_SHARE, SENSOR_SD_M

Floats = NDArray[np.float64]

SIZES_M3_PER_H = (1.0, 2.5, 5.0, 10.0, 20.0)
"""Leaks in a network of L-Town's demand; in others they grow with it."""
DAYS = (1, 3, 7, 14, 30)
"""After so many whole days the evidence is looked at."""
_HISTORY_DAYS = 60
# Leaks drawn of a size, and products of draws, pipes and channels worth computing at once.
_DRAWS, _MOST_WORK, _AT_ONCE = 2000, 4e8, 100
_SEED = 0


@dataclass(frozen=True, eq=False)
class Drawn:
    """What becomes of the leaks drawn of one size.

    Parameters
    ----------
    leak_m3_per_h
        Their size.
    found_days
        After how many days each is believed to be a leak; infinite: not within `DAYS` (E).
    distance_m
        From the pipe that is reported to the leaking one; NaN where nothing is (E).
    is_taken_for_fault
        Whether a lying sensor or meter was believed instead (E).
    """

    leak_m3_per_h: float
    found_days: Floats
    distance_m: Floats
    is_taken_for_fault: NDArray[np.bool_]

    def found_share(self, days: int) -> float:
        """Return the share that is found within so many days."""
        return float((self.found_days <= days).mean())

    @property
    def median_m(self) -> float | None:
        """Median distance of those that are reported."""
        known = self.distance_m[np.isfinite(self.distance_m)]
        return float(np.median(known)) if len(known) else None

    @property
    def near_share(self) -> float | None:
        """Share within 300 m of those that are reported."""
        known = self.distance_m[~np.isnan(self.distance_m)]
        return float((known <= HIT_M).mean()) if len(known) else None


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a layout lets expect.

    Parameters
    ----------
    pipes
        Pipes that can leak (P).
    tried
        Number of the leaking pipe of each drawn leak (E), the same for all sizes.
    sizes
        By size, smallest first; empty where the layout has nothing that could see a leak.
    pressures, zones
        Number of pressure sensors and of metered zones that count.
    """

    pipes: tuple[str, ...]
    tried: NDArray[np.int64]
    sizes: tuple[Drawn, ...]
    pressures: int
    zones: int
    distance_m: Floats = field(repr=False)

    @cached_property
    def _nearest(self) -> NDArray[np.int64]:
        """Return for each pipe the tried one that is nearest (P)."""
        tried = np.unique(self.tried)
        return np.asarray(tried[self.distance_m[:, tried].argmin(axis=1)])

    def smallest_m3_per_h(self, days: int) -> Floats:
        """Return the smallest leak of each pipe that is likely to be found; infinite: none (P)."""
        smallest = np.full(len(self.pipes), np.inf)
        for one in reversed(self.sizes):
            share = self._by_pipe(one.found_days <= days)
            smallest[share >= 0.5] = one.leak_m3_per_h
        return smallest

    def usual_distance_m(self, size: int) -> Floats:
        """Return the median distance of leaks of a size at each pipe; infinite: not found (P)."""
        away = np.where(np.isnan(self.sizes[size].distance_m), np.inf, self.sizes[size].distance_m)
        tried = np.unique(self.tried)
        middle = {int(pipe): float(np.median(away[self.tried == pipe])) for pipe in tried}
        return np.array([middle[int(pipe)] for pipe in self._nearest])

    def _by_pipe(self, is_so: NDArray[np.bool_]) -> Floats:
        count = np.bincount(self.tried, minlength=len(self.pipes))
        share = np.bincount(self.tried, is_so, minlength=len(self.pipes)) / np.maximum(count, 1)
        return np.asarray(share[self._nearest], dtype=np.float64)


def expect(
    explanations: Explanations,
    noise: Noise | None,
    *,
    sizes_m3_per_h: Sequence[float] = SIZES_M3_PER_H,
    policy: LikelihoodPolicy | None = None,
) -> Expectation:
    """Return what is to be expected, by leaks drawn at all pipes (or at many of them).

    A drawn leak does to the channels what its signature says, but for the mismatch between town
    and model that the method reckons with, and begins at midnight after two quiet months in a
    network that has no other. Real ones begin at noon, beside others: take it as the best case.

    Parameters
    ----------
    explanations
        What leaks and faults do to the channels.
    noise
        Scatter of the channels without leak; None where there is no channel.
    sizes_m3_per_h
        In a network of L-Town's demand.
    """
    policy = policy or LikelihoodPolicy()
    channels = explanations.leaks.shape[1]
    tried = _tried(len(explanations.pipes), channels)
    if noise is None:
        return Expectation(explanations.pipes, tried, (), 0, 0, explanations.distance_m)
    coordinates = Coordinates.of(explanations, noise, tuple(range(channels)))
    sizes = [size * explanations.flow_scale for size in sizes_m3_per_h]
    return Expectation(
        explanations.pipes,
        tried,
        tuple(_drawn(explanations, coordinates, size, tried, policy) for size in sizes),
        explanations.pressures,
        channels - explanations.pressures,
        explanations.distance_m,
    )


def precision(course: Course, days: int) -> float:
    """Return what so many days tell of a change that lasts, in parts of one day of free scatter.

    Before the change lie two quiet months, from which offset and slow departures are known as well
    as they let themselves.
    """
    changed = (np.arange(_HISTORY_DAYS + days) >= _HISTORY_DAYS).astype(float)
    return float(changed @ np.linalg.solve(course.covariance(len(changed)), changed))


def _tried(pipes: int, channels: int) -> NDArray[np.int64]:
    """Return the pipes of the drawn leaks, each as often; of many pipes evenly spaced ones."""
    most = max(50, int(min(_DRAWS, _MOST_WORK / max(1, channels * pipes))))
    chosen = np.unique(np.linspace(0, pipes - 1, min(pipes, most)).round().astype(np.int64))
    return np.repeat(chosen, max(1, most // len(chosen)))


def _drawn(
    explanations: Explanations,
    coordinates: Coordinates,
    size: float,
    tried: NDArray[np.int64],
    policy: LikelihoodPolicy,
) -> Drawn:
    """Draw leaks of a size and follow the evidence of each until it is reported."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(_SEED)
    effect = size * _true_effects(explanations, tried, rng) @ coordinates.turn.T
    smallest = policy.smallest_m3_per_h * explanations.flow_scale
    found, reported = np.full(len(tried), np.inf), np.full(len(tried), np.nan)
    is_fault = np.zeros(len(tried), dtype=bool)
    is_near = csr_array((explanations.distance_m <= HIT_M).astype(np.float64))
    scatter, known = np.zeros(effect.shape), np.zeros(effect.shape[1])
    for days in DAYS:
        information = known.copy()
        for group in coordinates.groups:
            information[group.part] = precision(group.course, days)
        more = np.sqrt(np.maximum(information - known, 0.0))
        scatter += more * rng.normal(size=effect.shape)
        known = information
        open_ones = np.flatnonzero(np.isnan(reported) & ~is_fault)
        scores = effect[open_ones] * information + scatter[open_ones]
        best, chance, flow, gain = _placed(
            coordinates, scores, information, is_near, explanations.flow_scale
        )
        of_fault = _fault_gain(coordinates, explanations.pressures, scores, information)
        alarms = 2 * np.maximum(gain, of_fault) > policy.alarm
        # A fault that is believed once takes the sensor out, and the leak with it.
        lies = alarms & (of_fault >= gain + FAULT_MARGIN) & ~np.isfinite(found[open_ones])
        is_fault[open_ones[lies]] = True
        is_leak = (2 * gain > policy.alarm) & (flow >= smallest) & ~lies
        numbers, best, chance = open_ones[is_leak], best[is_leak], chance[is_leak]
        found[numbers] = np.minimum(found[numbers], days)
        waited = days - found[numbers] >= policy.longest_wait_days
        told = (chance >= policy.chance_to_report) | waited | (days == DAYS[-1])
        pipe = tried[numbers[told]]
        reported[numbers[told]] = explanations.distance_m[pipe, best[told]]
    return Drawn(size, found, reported, is_fault)


def _true_effects(
    explanations: Explanations, tried: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Return what 1 m3/h at each pipe does in a town that differs from its model (E × S)."""
    effect = explanations.leaks[tried].copy()
    part = slice(0, explanations.pressures)
    effect[:, part] *= 1 + COMMON_MISMATCH * rng.normal(size=(len(tried), 1))
    return effect + explanations.mismatch[tried] * rng.normal(size=effect.shape)


def _placed(
    coordinates: Coordinates, scores: Floats, information: Floats, is_near: Any, scale: float
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Return pipe, chance to be within 300 m, flow and gain of each leak (E each).

    As `placing.place`, for many effects at once.
    """
    sizes = PLACED_SIZES_M3_PER_H * scale
    parts = [
        _placed_some(coordinates, scores[first : first + _AT_ONCE], information, is_near, sizes)
        for first in range(0, len(scores), _AT_ONCE)
    ]
    if not parts:
        none = np.zeros(0)
        return none.astype(np.int64), none, none, none
    best, chance, flow, gain = (np.concatenate(part) for part in zip(*parts, strict=True))
    return best, chance, flow, gain


def _placed_some(
    coordinates: Coordinates, scores: Floats, information: Floats, is_near: Any, sizes: Floats
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    measured = scores / information
    ratios = np.empty((len(sizes), len(scores), len(coordinates.leaks)))
    for number, size in enumerate(sizes):
        variance = 1 / information + size**2 * coordinates.strange
        effect = size * coordinates.leaks
        misfit = measured**2 @ (1 / variance).T - 2 * measured @ (effect / variance).T
        misfit += (effect**2 / variance + np.log(variance)).sum(axis=1)
        ratios[number] = -misfit / 2
    ratios += ((measured * scores).sum(axis=1) - np.log(information).sum())[None, :, None] / 2
    peak = ratios.max(axis=(0, 2))
    weight = np.exp(ratios - peak[None, :, None])
    shares = weight.sum(axis=0)
    total = shares.sum(axis=1)
    gain = peak + np.log(total / (len(sizes) * len(coordinates.leaks)))
    shares /= total[:, None]
    near = shares @ is_near
    close = near >= near.max(axis=1, keepdims=True) - 0.02
    best = np.where(close, shares + near, -1.0).argmax(axis=1)
    rows = np.arange(len(best))
    of_best = weight[:, rows, best]
    flow = (of_best * sizes[:, None]).sum(axis=0) / of_best.sum(axis=0)
    return best, near[rows, best], flow, gain


def _fault_gain(
    coordinates: Coordinates, pressures: int, scores: Floats, information: Floats
) -> Floats:
    """Return the gain of the likeliest pressure sensor that lies; minus infinity: none does (E)."""
    if pressures == 0:
        return np.full(len(scores), -np.inf)
    faults = coordinates.faults[:pressures]
    strength = information @ (faults**2).T
    value = (scores @ faults.T) ** 2 / strength
    charge = np.log1p(SENSOR_SD_M**2 * strength) / 2 + np.log(len(coordinates.faults))
    total = (scores**2 / information).sum(axis=1, keepdims=True)
    gain = np.where(value >= FAULT_SHARE * total, value / 2 - charge, -np.inf)
    return np.asarray(gain.max(axis=1), dtype=np.float64)
