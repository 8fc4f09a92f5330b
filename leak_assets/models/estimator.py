"""What both models share: the scikit-learn contract around a torch network.

Hyper-parameters are stored untouched, learnt state ends in `_`, `fit` returns self.
"""

import hashlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dataset import WindowSet
from .scaler import ChannelScaler

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


class NotFittedError(ValueError):
    """A model was asked to predict before it was fitted."""


class WindowModel:
    """Base of the detector and the pinpointer.

    Attributes
    ----------
    scaler_
        Input scaling, fitted on leak-free training windows.
    network_
        Trained torch module with the weights of the best epoch.
    channels_, points_
        Channels in input order, points of a window.
    history_
        epoch, train_loss, validation_loss of each epoch that ran.
    best_epoch_
        Epoch whose weights were kept.
    """

    scaler_: ChannelScaler
    network_: "nn.Module"
    channels_: tuple[str, ...]
    points_: int
    history_: list[dict[str, Any]]
    best_epoch_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters; `deep` is part of scikit-learn's signature."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params: Any) -> "WindowModel":
        """Set hyper-parameters and return self."""
        unknown = sorted(set(params) - set(self.get_params()))
        if unknown:
            message = f"{type(self).__name__} has no parameter {', '.join(unknown)}"
            raise ValueError(message)
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def check_fitted(self) -> None:
        """Raise `NotFittedError` unless `fit` has run."""
        if not hasattr(self, "network_"):
            message = f"this {type(self).__name__} is not fitted; call fit first"
            raise NotFittedError(message)

    def weights_sha256(self) -> str:
        """Return the hash over all weights, in order of their names."""
        self.check_fitted()
        digest = hashlib.sha256()
        for name, value in sorted(self.network_.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.numpy()).tobytes())
        return digest.hexdigest()

    def exported(self) -> "ExportedNetwork":
        """Return the fitted network as it is exported."""
        raise NotImplementedError

    def _outputs(self, x: NDArray[np.float32]) -> "Tensor":
        import torch

        from .nets import predict

        self.check_fitted()
        return predict(self.network_, torch.from_numpy(self.scaler_.transform(x)))


def inputs_of(windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return model inputs [n, 2 * channels, points] of a window set or of themselves."""
    return windows.inputs() if isinstance(windows, WindowSet) else windows
