"""Random-forest pinpointer over window statistics: what the pinpointer has to beat."""

from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .dataset import WindowSet
from .pipes import CandidatePipes


class ForestPinpointer:
    """Random forest on the statistics of each channel.

    Parameters
    ----------
    trees, seed, jobs
        Forest size, seed, processes.
    """

    def __init__(self, *, trees: int = 200, seed: int = 0, jobs: int = 1) -> None:
        self.trees = trees
        self.seed = seed
        self.jobs = jobs

    def fit(self, windows: WindowSet, pipes: CandidatePipes) -> Self:
        """Train on the leak windows."""
        from sklearn.ensemble import RandomForestClassifier

        leaky = windows.select(windows.is_leak)
        self.pipes_ = pipes
        self.forest_ = RandomForestClassifier(
            n_estimators=self.trees, random_state=self.seed, n_jobs=self.jobs, min_samples_leaf=2
        ).fit(_statistics(leaky), leaky.index["link_id"].to_numpy())
        return self

    def predict_proba(self, windows: WindowSet) -> NDArray[np.float64]:
        """Return the probability of each candidate pipe, [n, pipes]; 0 for pipes never seen."""
        found = self.forest_.predict_proba(_statistics(windows))
        probability = np.zeros((len(windows), len(self.pipes_.link_ids)))
        columns = self.pipes_.positions(pl.Series(self.forest_.classes_, dtype=pl.String))
        probability[:, columns] = found
        return probability


def _statistics(windows: WindowSet) -> NDArray[np.float32]:
    return np.nan_to_num(windows.values.reshape(len(windows), -1))
