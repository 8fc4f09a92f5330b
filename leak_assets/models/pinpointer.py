"""The leak pinpointer, which says which pipe leaks, given that a window leaks.

Fitting and ranking pipes belongs here; metrics belong in `evaluation`.
"""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .dataset import WindowSet
from .estimator import ExportedNetwork, WindowModel, inputs_of
from .pipes import CandidatePipes
from .scaler import ChannelScaler, whitening_matrix

if TYPE_CHECKING:
    from torch import Tensor

    from .nets import Progress

# Range of the basis functions in distance scales, and how many at most.
_BASIS_RANGE = 3.0
_BASIS_SIZE = 150


class LeakPinpointer(WindowModel):
    """1-D CNN over the pattern of a leak window; probability over candidate pipes.

    Parameters
    ----------
    distance_scale_m
        Target weight of a pipe at distance d from the leaking one is exp(-d / scale): near
        pipes have near signatures, so a thousand leaks teach nine hundred pipes.
    hidden, kernel, dropout, channel_dropout, epochs, batch_size, learning_rate, weight_decay, \
patience, seed, threads
        As in `LeakDetector`.

    Attributes
    ----------
    pipes_
        Candidate pipes in the order of the output.
    """

    pipes_: CandidatePipes

    def __init__(
        self,
        *,
        distance_scale_m: float = 100.0,
        hidden: int = 96,
        kernel: int = 5,
        dropout: float = 0.2,
        channel_dropout: float = 0.1,
        epochs: int = 40,
        batch_size: int = 128,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
        patience: int = 6,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.distance_scale_m = distance_scale_m
        self.hidden = hidden
        self.kernel = kernel
        self.dropout = dropout
        self.channel_dropout = channel_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.seed = seed
        self.threads = threads

    def fit(
        self,
        train: WindowSet,
        validation: WindowSet,
        pipes: CandidatePipes,
        *,
        progress: "Progress | None" = None,
    ) -> Self:
        """Train on the leak windows; the leak-free ones fit the input scaling."""
        import torch

        from .nets import PinpointerNet, deterministic, fit_network

        self.channels_, self.points_ = train.channels, train.spec.points
        self.pipes_ = pipes
        free = train.select(~train.is_leak & ~train.is_partial).inputs()
        self.scaler_ = ChannelScaler().fit(free)
        whitening = torch.from_numpy(whitening_matrix(self.scaler_.transform(free)))
        basis = torch.from_numpy(smooth_basis(pipes.distance_m, self.distance_scale_m))
        leaky, held_out = train.select(train.is_leak), validation.select(validation.is_leak)
        targets = torch.from_numpy(soft_targets(pipes.distance_m, self.distance_scale_m))
        target_row = pipes.positions(leaky.index["link_id"])

        def batch(rows: NDArray[np.int64]) -> "tuple[Tensor, Tensor]":
            x = self.scaler_.transform(leaky.inputs(rows))
            return torch.from_numpy(x), targets[target_row[rows]]

        def loss(logits: "Tensor", y: "Tensor") -> "Tensor":
            return -(y * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

        with deterministic(self.seed, self.threads):
            self.network_ = PinpointerNet(whitening, basis, self.hidden, self.kernel, self.dropout)
            self.history_, self.best_epoch_ = fit_network(
                self.network_,
                train_batch=batch,
                train_size=len(leaky),
                validation=(
                    torch.from_numpy(self.scaler_.transform(held_out.inputs())),
                    targets[pipes.positions(held_out.index["link_id"])],
                ),
                loss=loss,
                epochs=self.epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                patience=self.patience,
                channel_dropout=self.channel_dropout,
                seed=self.seed,
                progress=progress,
            )
        return self

    def exported(self) -> ExportedNetwork:
        """Return the network with its softmax: probability of each pipe."""
        from .nets import PinpointerExport

        self.check_fitted()
        link_ids = self.pipes_.link_ids
        shape = ["batch", len(link_ids)]
        return ExportedNetwork(
            PinpointerExport(self.network_),
            ({"name": "probability", "dtype": "float32", "shape": shape},),
            link_ids=link_ids,
        )

    def predict_proba(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each candidate pipe, float32 [n, pipes]."""
        return self._outputs(inputs_of(windows)).softmax(dim=1).numpy()


def soft_targets(distance_m: NDArray[np.float64], scale_m: float) -> NDArray[np.float32]:
    """Return target distributions, float32 [pipes, pipes]: exp(-d / scale), rows sum to 1."""
    weight = np.exp(-distance_m / scale_m)
    return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)


def smooth_basis(distance_m: NDArray[np.float64], scale_m: float) -> NDArray[np.float32]:
    """Return functions over pipes that vary slowly with distance, float32 [pipes, functions].

    Principal components of the kernel exp(-d / (3 scale)), weighted by the roots of their
    eigenvalues; at most 150. Pipes far from each other get a function of their own each.
    """
    kernel = np.exp(-distance_m / (_BASIS_RANGE * scale_m))
    # Not exactly positive definite (distances between pipes, not points): singular vectors.
    left, singular, _ = np.linalg.svd(kernel)
    size = min(_BASIS_SIZE, distance_m.shape[0])
    return (left[:, :size] * np.sqrt(singular[:size])).astype(np.float32)
