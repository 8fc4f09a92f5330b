"""Scores that mean what they say: calibration of logits, reliability of probabilities.

Pure functions of arrays.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 10
_STEPS = 100
_CLOSE = 1e-9
_LEAST_SHARE = 1e-6


def platt_scaling(logits: NDArray[np.floating], is_leak: NDArray[np.bool_]) -> tuple[float, float]:
    """Return scale and offset with which `sigmoid(scale * logit + offset)` is the share of leaks.

    Parameters
    ----------
    logits, is_leak
        Of windows that were not trained on, [n].

    Notes
    -----
    Platt, Probabilistic outputs for support vector machines, 1999, with his smoothed targets,
    solved by Newton's method. The order of windows stays: where the best scale would not be
    positive, the logits are left as they are.
    """
    x = np.asarray(logits, dtype=np.float64)
    leaks = int(is_leak.sum())
    free = is_leak.size - leaks
    spread = float(x.std())
    if not leaks or not free or not spread:
        return 1.0, 0.0
    target = np.where(is_leak, (leaks + 1) / (leaks + 2), 1 / (free + 2))
    design = np.stack([(x - x.mean()) / spread, np.ones_like(x)], axis=1)

    def loss(parameters: NDArray[np.float64]) -> float:
        z = design @ parameters
        return float((np.logaddexp(0.0, z) - target * z).sum())

    found = np.zeros(2)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-design @ found))
        gradient = design.T @ (p - target)
        curvature = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        # Newton's steps overshoot where classes are far apart: halved until the loss falls.
        share, before = 1.0, loss(found)
        while share > _LEAST_SHARE and loss(found - share * step) > before:
            share /= 2
        found = found - share * step
        if np.abs(share * step).max() < _CLOSE:
            break
    scale = float(found[0] / spread)
    offset = float(found[1] - found[0] * x.mean() / spread)
    return (scale, offset) if scale > 0 and np.isfinite([scale, offset]).all() else (1.0, 0.0)


def reliability(
    score: NDArray[np.floating], is_leak: NDArray[np.bool_]
) -> list[dict[str, float | int]]:
    """Return for each tenth of the scores what they say beside how many windows leak.

    Returns
    -------
    list of dict
        `bin`, `windows`, `mean_score`, `leak_share`; tenths without windows are left out.
    """
    place = np.minimum((np.asarray(score) * BINS).astype(int), BINS - 1)
    return [
        {
            "bin": number,
            "windows": int(mine.sum()),
            "mean_score": float(score[mine].mean()),
            "leak_share": float(is_leak[mine].mean()),
        }
        for number in range(BINS)
        if (mine := place == number).any()
    ]


def expected_calibration_error(rows: list[dict[str, float | int]]) -> float | None:
    """Return the mean gap between score and share of leaks, weighted by windows; None of none.

    Guo and others, On calibration of modern neural networks, 2017.
    """
    total = sum(row["windows"] for row in rows)
    if not total:
        return None
    gaps = (row["windows"] * abs(row["mean_score"] - row["leak_share"]) for row in rows)
    return sum(gaps) / total
