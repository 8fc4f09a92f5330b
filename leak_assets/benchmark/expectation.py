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

from leak_assets.detection.likelihood.explanations import COMMON_MISMATCH, HIT_M, Explanations
from leak_assets.detection.likelihood.policy import LikelihoodPolicy

from .expected_noise import DailyNoise

Floats = NDArray[np.float64]

SIZES_M3_PER_H = (1.0, 2.5, 5.0, 10.0, 20.0)
"""Leaks in a network of L-Town's demand; in others they grow with it."""
DAYS = (1, 3, 7, 14, 30)
"""After so many whole days the evidence is looked at."""
_HISTORY_DAYS = 60
# A leak that a lying sensor explains so much better, and nearly alone, is taken for one, as in the
# method.
_FAULT_MARGIN, _FAULT_SHARE = 3.0, 0.8
# Leaks drawn of a size, and products of draws, pipes and pairs of channels worth computing.
_DRAWS, _MOST_WORK = 2000, 4e9
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
    noise: DailyNoise | None,
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
    tried = _tried(len(explanations.pipes), explanations.leaks.shape[1])
    if noise is None:
        return Expectation(explanations.pipes, tried, (), 0, 0, explanations.distance_m)
    sizes = [size * explanations.flow_scale for size in sizes_m3_per_h]
    return Expectation(
        explanations.pipes,
        tried,
        tuple(_drawn(explanations, noise, size, tried, policy) for size in sizes),
        explanations.pressures,
        explanations.leaks.shape[1] - explanations.pressures,
        explanations.distance_m,
    )


def _tried(pipes: int, channels: int) -> NDArray[np.int64]:
    """Return the pipes of the drawn leaks, each as often; of many pipes evenly spaced ones."""
    pairs = channels * (channels + 1) / 2
    most = max(50, int(min(_DRAWS, _MOST_WORK / max(1.0, pairs * pipes))))
    chosen = np.unique(np.linspace(0, pipes - 1, min(pipes, most)).round().astype(np.int64))
    return np.repeat(chosen, max(1, most // len(chosen)))


def _drawn(
    explanations: Explanations,
    noise: DailyNoise,
    size: float,
    tried: NDArray[np.int64],
    policy: LikelihoodPolicy,
) -> Drawn:
    """Draw leaks of a size and follow the evidence of each until it is reported."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(_SEED)
    shape = (len(tried), explanations.leaks.shape[1])
    effect = size * _true_effects(explanations, tried, rng)
    smallest = policy.smallest_m3_per_h * explanations.flow_scale
    found, reported = np.full(shape[0], np.inf), np.full(shape[0], np.nan)
    is_fault = np.zeros(shape[0], dtype=bool)
    is_near = csr_array((explanations.distance_m <= HIT_M).astype(np.float64))
    scatter, known = np.zeros(shape), np.zeros(shape[1])
    for days in DAYS:
        precision = noise.precision(days, _HISTORY_DAYS)
        more = np.sqrt(np.maximum(precision - known, 0.0))
        scatter += more * (rng.normal(size=shape) @ noise.root)
        known = precision
        information = np.sqrt(precision)[:, None] * noise.weight * np.sqrt(precision)[None]
        open_ones = np.flatnonzero(np.isnan(reported) & ~is_fault)
        scores = effect[open_ones] @ information + scatter[open_ones]
        alarms = _alarms(explanations, information, scores, policy.alarm, smallest)
        numbers, scores = open_ones[alarms], scores[alarms]
        if len(numbers) == 0:
            continue
        covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
        seen = scores @ covariance
        best, chance, leak = _placed(explanations, seen, covariance, size, is_near)
        fault = _fault_likelihood(explanations, seen, covariance)
        # A fault that is believed once takes the sensor out, and the leak with it.
        is_leak = (fault <= leak + _FAULT_MARGIN) | np.isfinite(found[numbers])
        is_fault[numbers] = ~is_leak
        numbers, best, chance = numbers[is_leak], best[is_leak], chance[is_leak]
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


def _alarms(
    explanations: Explanations, information: Floats, scores: Floats, alarm: float, smallest: float
) -> NDArray[np.bool_]:
    """Say for which leaks the largest ratio of a pipe's signature is over the alarm (E)."""
    leaks = explanations.leaks
    known = ((leaks @ information) * leaks).sum(axis=1)
    signal = scores @ leaks.T
    flow = np.divide(signal, known, out=np.zeros(signal.shape), where=known > 0)
    ratio = np.where(flow >= smallest, flow * signal, 0.0)
    return np.asarray(ratio.max(axis=1) > alarm)


def _placed(
    explanations: Explanations, seen: Floats, covariance: Floats, size: float, is_near: Any
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Return pipe, chance to be within 300 m and log likelihood of each leak (E each).

    As `Explanations.place`, for many effects at once: the mismatch is taken at the size that
    was drawn, where the method takes the flow that it estimates.
    """
    leaks = explanations.leaks
    common = leaks.copy()
    common[:, explanations.pressures :] = 0.0
    common *= COMMON_MISMATCH * size
    spread = covariance[None] + common[:, :, None] * common[:, None, :]
    np.einsum("pss->ps", spread)[:] += (size * explanations.mismatch) ** 2
    weight = np.linalg.inv(spread)
    _, log_det = np.linalg.slogdet(spread)
    first, second = np.triu_indices(leaks.shape[1])
    twice = np.where(first == second, 1.0, 2.0)
    weighted = np.einsum("pst,pt->ps", weight, leaks)
    misfit = (seen[:, first] * seen[:, second]) @ (twice * weight[:, first, second]).T
    signal = np.maximum(seen @ weighted.T, 0.0)
    strength = (weighted * leaks).sum(axis=1)
    misfit -= np.divide(signal**2, strength, out=np.zeros(signal.shape), where=strength > 0)
    log_likelihood = -(misfit + log_det) / 2
    peak = log_likelihood.max(axis=1)
    share = np.exp(log_likelihood - peak[:, None])
    share /= share.sum(axis=1, keepdims=True)
    near = share @ is_near
    close = near >= near.max(axis=1, keepdims=True) - 0.02
    best = np.where(close, share + near, -1.0).argmax(axis=1)
    return best, near[np.arange(len(best)), best], peak


def _fault_likelihood(explanations: Explanations, seen: Floats, covariance: Floats) -> Floats:
    """Return the log likelihood of the most likely sensor or meter fault (E).

    Minus infinity where it leaves too much unexplained.
    """
    weight = np.linalg.inv(covariance)
    faults = explanations.faults
    weighted = faults @ weight
    whole = ((seen @ weight) * seen).sum(axis=1)
    explained = ((seen @ weighted.T) ** 2 / (weighted * faults).sum(axis=1)).max(axis=1)
    likelihood = -(whole - explained + np.linalg.slogdet(covariance)[1]) / 2
    return np.where(explained >= _FAULT_SHARE * whole, likelihood, -np.inf)
