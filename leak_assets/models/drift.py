"""Drift: how far one set of windows lies from another, feature by feature.

Pure functions of arrays; which windows are compared is `drift_steps`' matter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .config import DriftLimits

BINS = 10
# Windows of three hours every half hour overlap sixfold; fewer than this say nothing.
LEAST_WINDOWS = 48
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
    """

    windows: int
    reference_windows: int
    psi: float | None
    ks: float | None
    bias_z: float | None


def shift_of(values: NDArray[np.floating], reference: NDArray[np.floating]) -> Shift:
    """Return how far values lie from their reference, both [n], NaN where missing.

    Notes
    -----
    The index is that of credit scoring (Siddiqi, Credit risk scorecards, 2006): the sum over tenths
    of `(a - r) * ln(a / r)`. Neither is tested for significance: windows overlap and weather lasts
    for days, so that any month is "significantly" unlike another; the limits are on the size.
    """
    now, then = values[np.isfinite(values)], reference[np.isfinite(reference)]
    sizes = int(now.size), int(then.size)
    if min(sizes) < LEAST_WINDOWS:
        return Shift(*sizes, None, None, None)
    std = float(then.std())
    bias = float(now.mean() - then.mean())
    bias_z = bias / std if std > 0 else 0.0 if bias == 0 else float(np.sign(bias) * np.inf)
    return Shift(
        *sizes, psi(now, then), ks_distance(now, then), bias_z if np.isfinite(bias_z) else None
    )


def psi(values: NDArray[np.floating], reference: NDArray[np.floating]) -> float:
    """Return the population stability index over tenths of the reference."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
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


def is_shifted(shift: Shift, limits: DriftLimits) -> bool:
    """Whether a feature or score passes both limits of its distribution."""
    if shift.psi is None or shift.ks is None:
        return False
    return shift.psi > limits.psi and shift.ks > limits.ks


def is_biased(shift: Shift, limits: DriftLimits) -> bool:
    """Whether the mean of a channel's residual moved beyond the limit."""
    return shift.bias_z is not None and abs(shift.bias_z) > limits.bias_z
