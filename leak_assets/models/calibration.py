"""Scores that mean what they say: calibration of logits, reliability of probabilities.

Pure functions of arrays.
"""

import numpy as np
from numpy.typing import NDArray

BINS = 10
_STEPS = 100


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
    if not leaks or not free:
        return 1.0, 0.0
    target = np.where(is_leak, (leaks + 1) / (leaks + 2), 1 / (free + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    found = np.array([1.0, 0.0])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-np.clip(design @ found, -50, 50)))
        gradient = design.T @ (p - target)
        curvature = (design * np.maximum(p * (1 - p), 1e-9)[:, None]).T @ design
        step = np.linalg.solve(curvature + 1e-9 * np.eye(2), gradient)
        # Newton's steps overshoot where classes are far apart.
        found -= step * min(1.0, 2.0 / max(1e-12, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-9:
            break
    scale, offset = float(found[0]), float(found[1])
    return (scale, offset) if scale > 0 and np.isfinite(found).all() else (1.0, 0.0)


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
