"""What both models share: options, scaling and the scikit-learn contract around a torch network.

Imported in training only: it brings scikit-learn along.
"""

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .dataset import WindowSet
from .scaler import WindowScaler, whitening_matrices

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class ExportedNetwork:
    """What an artefact holds of a model besides weights and scaler.

    Attributes
    ----------
    module
        Torch module from scaled inputs to the outputs.
    outputs
        Name, dtype and shape of each output, in order; the last one is the score.
    link_ids
        Candidate pipes in output order; empty for the detector.
    thresholds
        Thresholds by output name.
    """

    module: "nn.Module"
    outputs: tuple[dict[str, Any], ...]
    link_ids: tuple[str, ...] = ()
    thresholds: dict[str, float] = field(default_factory=dict)


class WindowModel(BaseEstimator):
    """Base of the detector and the pinpointer.

    Attributes
    ----------
    scaler_
        Input scaling, fitted on leak-free training windows.
    network_
        Trained torch module with the weights of the best epoch.
    channels_, statistics_
        Channels and statistics in input order.
    history_
        epoch, train_loss, validation_loss of each epoch that ran.
    best_epoch_
        Epoch whose weights were kept.
    """

    scaler_: WindowScaler
    network_: "nn.Module"
    channels_: tuple[str, ...]
    statistics_: tuple[str, ...]
    history_: list[dict[str, Any]]
    best_epoch_: int

    def check_fitted(self) -> None:
        """Raise scikit-learn's `NotFittedError` unless `fit` has run."""
        check_is_fitted(self, "network_")

    def weights_sha256(self) -> str:
        """Return the hash over all weights, in order of their names."""
        self.check_fitted()
        digest = hashlib.sha256()
        for name, value in sorted(self.network_.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.numpy()).tobytes())
        return digest.hexdigest()

    def predict_proba(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the exported score of each window or of inputs [n, statistics, channels]."""
        raise NotImplementedError

    def exported(self) -> ExportedNetwork:
        """Return the fitted network as it is exported."""
        raise NotImplementedError

    def _fit_scaling(self, train: WindowSet) -> "Tensor":
        """Fit the scaler on leak-free windows and return their whitening matrices."""
        import torch

        self.channels_, self.statistics_ = train.channels, train.statistics
        free = train.values[~train.is_leak & ~train.is_partial]
        self.scaler_ = WindowScaler().fit(free)
        return torch.from_numpy(whitening_matrices(self.scaler_.transform(free)))

    def _scaled(self, windows: WindowSet | NDArray[np.float32]) -> "Tensor":
        import torch

        x = windows.values if isinstance(windows, WindowSet) else windows
        return torch.from_numpy(self.scaler_.transform(x))

    def _outputs(self, windows: WindowSet | NDArray[np.float32]) -> "Tensor":
        from .nets import predict

        self.check_fitted()
        return predict(self.network_, self._scaled(windows))
