"""Drift: how far one set of windows lies from another, and whether weeks differ by as much.

Pure functions of arrays; which windows are compared is `drift_steps`' matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import DriftLimits

BINS = 10
# Windows of three hours every half hour overlap sixfold; fewer than this say nothing.
LEAST_WINDOWS = 48
# Blocks that the reference is cut into: weeks of the usual 28 days. A correction of the twin is
# learned on about as many days as one of them has.
BLOCKS = 4
# Keeps the index finite where a tenth is empty: half a window in the least sample.
_FLOOR = 0.005


@dataclass(frozen=True)
class Shift:
    """How far one feature lies from its reference; None where there are too few values.

    Attributes
    ----------
    psi, ks
        Population stability index over tenths of the reference, Kolmogorov-Smirnov distance.
    bias_z
        Difference of the means in standard deviations of the reference.
    bias_se
        The same in standard errors of such a difference.
    """

    windows: int
    reference_windows: int
    psi: float | None
    ks: float | None
    bias_z: float | None
    bias_se: float | None


NOTHING = (None, None, None, None)


def block_spread(reference: NDArray[np.floating]) -> float:
    """Return the variance of block means in parts of the variance of windows, over all channels.

    Parameters
    ----------
    reference
        [n, channels] in order of time, NaN where missing. One channel's four blocks say little of
        their scatter; the channels of a statistic have weather and calendar in common, so their
        mean is taken.

    Returns
    -------
    float
        At least what independent windows would give, 1 / (windows of a block); that, too, where
        no channel has two blocks with values.

    Notes
    -----
    The method of batch means (Law, Simulation modeling and analysis, 5th ed. 2015, 9.5.3): windows
    overlap and weather lasts for days, so that the 1,344 of a month count as few; how few is seen
    from how far blocks that are long against both lie apart.
    """
    floor = BLOCKS / max(len(reference), BLOCKS)
    means = np.array(
        [_mean(block) for block in np.array_split(reference.astype(np.float64), BLOCKS)]
    )
    scatter, width = _variance(means, ddof=1), _variance(reference, ddof=0)
    known = np.isfinite(scatter) & (width > 0)
    return max(float((scatter[known] / width[known]).mean()), floor) if known.any() else floor


def shift_of(values: NDArray[np.floating], reference: NDArray[np.floating], spread: float) -> Shift:
    """Return how far values lie from their reference, both [n], NaN where missing.

    Parameters
    ----------
    spread
        As of `block_spread` of the reference.

    Notes
    -----
    The index is that of credit scoring (Siddiqi, Credit risk scorecards, 2006): the sum over tenths
    of `(a - r) * ln(a / r)`. With the usual tests any month is "significantly" unlike another.
    The variance of a difference of means is that of a block times
    `1 / blocks of the values + 1 / blocks of the reference + 2`: the means of two independent
    stretches, and of the two stretches, a block long each, on which the twin's correction was
    learned, whose luck moves everything that it is applied to. (Where both have the same correction
    the last is too careful.)
    """
    now, then = values[np.isfinite(values)], reference[np.isfinite(reference)]
    sizes = int(now.size), int(then.size)
    if min(sizes) < LEAST_WINDOWS:
        return Shift(*sizes, *NOTHING)
    std = float(then.std())
    bias = float(now.mean() - then.mean())
    if std == 0 and bias != 0:
        return Shift(*sizes, psi(now, then), ks_distance(now, then), None, None)
    bias_z = bias / std if std > 0 else 0.0
    block = reference.size / BLOCKS
    error = np.sqrt(spread * (block / now.size + block / then.size + 2))
    return Shift(*sizes, psi(now, then), ks_distance(now, then), bias_z, float(bias_z / error))


def psi(values: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Return the population stability index over tenths of the reference."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
    if edges.size == 1:
        # (Almost) constant: what lies below, at and above it.
        edges = np.array([edges[0], np.nextafter(edges[0], np.inf)])
    shares = []
    for sample in (values, reference):
        place = np.searchsorted(edges, sample, side="right")
        count = np.bincount(place, minlength=edges.size + 1) / sample.size
        shares.append(np.maximum(count, _FLOOR))
    now, then = shares
    return float(((now - then) * np.log(now / then)).sum())


def ks_distance(values: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Return the largest gap between the two distribution functions, 0 to 1."""
    a, b = np.sort(values), np.sort(reference)
    both = np.concatenate([a, b])
    gap = np.searchsorted(a, both, side="right") / a.size
    return float(np.abs(gap - np.searchsorted(b, both, side="right") / b.size).max())


def is_far(shift: Shift, limits: DriftLimits) -> bool:
    """Whether the distribution of a feature or score passes both limits of its size."""
    if shift.psi is None or shift.ks is None:
        return False
    return shift.psi > limits.psi and shift.ks > limits.ks


def is_shifted(shift: Shift, limits: DriftLimits) -> bool:
    """Whether a feature is far, and its mean farther than weeks of the reference explain.

    A reference that never varied has no standard error: any size is a shift of it.
    """
    return is_far(shift, limits) and _is_more_than_noise(shift, limits)


def is_biased(shift: Shift, limits: DriftLimits) -> bool:
    """Whether the mean of a channel's residual moved beyond its limit, and beyond noise."""
    far = shift.bias_z is not None and abs(shift.bias_z) > limits.bias_z
    return far and _is_more_than_noise(shift, limits)


def _is_more_than_noise(shift: Shift, limits: DriftLimits) -> bool:
    return shift.bias_se is None or abs(shift.bias_se) > limits.standard_errors


def _mean(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of each column over what is known, NaN without any."""
    count = np.isfinite(x).sum(axis=0)
    total = np.where(np.isfinite(x), x, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(x.shape[1], np.nan), where=count > 0)


def _variance(x: NDArray[np.floating], *, ddof: int) -> NDArray[np.float64]:
    """Return the variance of each column over what is known, NaN with too little."""
    values = x.astype(np.float64)
    count = np.isfinite(values).sum(axis=0) - ddof
    square = np.where(np.isfinite(values), values - _mean(values), 0.0) ** 2
    return np.divide(
        square.sum(axis=0), count, out=np.full(values.shape[1], np.nan), where=count > 0
    )
