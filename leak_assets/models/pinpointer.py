"""The leak pinpointer, which says which pipe leaks, given that a window leaks.

Fitting and ranking pipes belongs here; metrics belong in `evaluation`.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from .dataset import WindowSet
from .estimator import ExportedNetwork, WindowModel
from .options import Progress, TrainingOptions
from .pipes import CandidatePipes

# Range of the basis functions in distance scales, and how many at most.
_BASIS_RANGE = 3.0
_BASIS_SIZE = 150


class LeakPinpointer(WindowModel):
    """Small network over the whitened pattern of a leak window; probability of each pipe.

    Parameters
    ----------
    options
        Size, regularization and optimization.
    distance_scale_m
        Target weight of a pipe at distance d from the leaking one is exp(-d / scale): near
        pipes have near signatures, so a thousand leaks teach nine hundred pipes.

    Attributes
    ----------
    pipes_
        Candidate pipes in the order of the output.
    """

    pipes_: CandidatePipes

    def __init__(
        self, options: TrainingOptions | None = None, *, distance_scale_m: float = 100.0
    ) -> None:
        self.options = options
        self.distance_scale_m = distance_scale_m

    def fit(
        self,
        train: WindowSet,
        validation: WindowSet,
        pipes: CandidatePipes,
        *,
        progress: Progress | None = None,
    ) -> Self:
        """Train on the leak windows; the leak-free ones fit scaling and whitening."""
        import torch

        from .nets import PinpointerNet, deterministic, fit_network

        options = self.options or TrainingOptions()
        self.pipes_ = pipes
        whitening = self._fit_scaling(train)
        basis = torch.from_numpy(smooth_basis(pipes.distance_m, self.distance_scale_m))
        targets = torch.from_numpy(soft_targets(pipes.distance_m, self.distance_scale_m))

        def loss(logits: torch.Tensor, pipe: torch.Tensor) -> torch.Tensor:
            return -(targets[pipe] * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()

        def leaky(windows: WindowSet) -> tuple[torch.Tensor, torch.Tensor]:
            chosen = windows.select(windows.is_leak)
            pipe = torch.from_numpy(pipes.positions(chosen.index["link_id"]))
            return self._scaled(chosen), pipe

        with deterministic(options.seed, options.threads):
            self.network_ = PinpointerNet(whitening, basis, options)
            self.history_, self.best_epoch_ = fit_network(
                self.network_,
                train=leaky(train),
                validation=leaky(validation),
                loss=loss,
                options=options,
                progress=progress,
            )
        return self

    def exported(self) -> ExportedNetwork:
        """Return the network with its softmax: likeliest pipe, probability of each pipe."""
        from .nets import PinpointerExport

        self.check_fitted()
        link_ids = self.pipes_.link_ids
        shape = ["batch", len(link_ids)]
        return ExportedNetwork(
            PinpointerExport(self.network_),
            (
                {"name": "label", "dtype": "int64", "shape": ["batch"]},
                {"name": "probability", "dtype": "float32", "shape": shape},
            ),
            link_ids=link_ids,
        )

    def predict_proba(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of each candidate pipe, float32 [n, pipes]."""
        return self._outputs(windows).softmax(dim=1).numpy()


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
