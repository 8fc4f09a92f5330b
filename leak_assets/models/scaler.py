"""Scaling and whitening of the models' inputs, fitted on leak-free training windows.

Numpy only: training and scoring in operation use the same code.
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# Share of the mean variance added to every direction: with a few towns the smallest ones are
# estimated from next to nothing.
_RIDGE = 0.01


class WindowScaler:
    """Standardize each statistic of each channel; what is missing becomes 0, the mean.

    Attributes
    ----------
    mean_, std_
        float64 [statistics, channels], over the windows fitted on. A channel without variance
        or without data has std 0 and is scaled to 0.
    """

    mean_: NDArray[np.float64]
    std_: NDArray[np.float64]

    def fit(self, x: NDArray[np.float32]) -> Self:
        """Learn mean and standard deviation.

        Parameters
        ----------
        x
            [n, statistics, channels] of leak-free windows; NaN where missing.
        """
        usable = np.isfinite(x)
        count = np.maximum(usable.sum(axis=0), 1)
        values = np.where(usable, x, 0.0).astype(np.float64)
        self.mean_ = values.sum(axis=0) / count
        self.std_ = np.sqrt((np.where(usable, values - self.mean_, 0.0) ** 2).sum(axis=0) / count)
        return self

    def transform(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scaled inputs, float32 [n, statistics, channels], without NaN."""
        gain = np.where(self.std_ > 0, 1.0 / np.where(self.std_ > 0, self.std_, 1.0), 0.0)
        scaled = (x - self.mean_.astype(np.float32)) * gain.astype(np.float32)
        return np.where(np.isfinite(scaled), scaled, np.float32(0.0))

    def to_dict(self, channels: tuple[str, ...], statistics: tuple[str, ...]) -> dict[str, Any]:
        """Return the scaler as JSON-ready content, with its channels and statistics in order."""
        return {
            "channels": list(channels),
            "statistics": list(statistics),
            "mean": self.mean_.tolist(),
            "std": self.std_.tolist(),
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """Return the scaler that `to_dict` described."""
        scaler = cls()
        scaler.mean_ = np.asarray(content["mean"], dtype=np.float64)
        scaler.std_ = np.asarray(content["std"], dtype=np.float64)
        return scaler


def whitening_matrices(scaled: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what makes each statistic of leak-free windows uncorrelated over the channels.

    Demand noise moves all sensors together; without whitening it hides a leak's pattern.

    Parameters
    ----------
    scaled
        Scaled inputs of leak-free windows, [n, statistics, channels].

    Returns
    -------
    numpy.ndarray
        float32 [statistics, channels, channels].

    Notes
    -----
    Symmetric square root of the inverse covariance (ZCA), so that a whitened channel is still
    mostly its own sensor.
    """
    channels = scaled.shape[2]
    found = []
    for x in np.moveaxis(scaled.astype(np.float64), 1, 0):
        covariance = np.atleast_2d(np.cov(x.T))
        ridge = _RIDGE * max(float(np.trace(covariance)) / channels, 1e-12)
        values, vectors = np.linalg.eigh(covariance + ridge * np.eye(channels))
        found.append((vectors / np.sqrt(values)) @ vectors.T)
    return np.stack(found).astype(np.float32)
