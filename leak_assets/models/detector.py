"""The leak detector, which says whether a leak runs in a window.

Fitting, scoring and the choice of the threshold belong here; metrics belong in `evaluation`.
"""

from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from .dataset import WindowSet
from .estimator import ExportedNetwork, WindowModel, inputs_of
from .scaler import ChannelScaler, whitening_matrix

if TYPE_CHECKING:
    from torch import Tensor

    from .nets import Progress

# What a false alarm weighs against a missed leak, both as rates: the gates allow a recall that
# is 0.15 short and a false-alarm rate of 0.05.
FALSE_ALARM_WEIGHT = 3.0


class LeakDetector(WindowModel):
    """1-D CNN over a window of residuals; larger score = more leak-like.

    Parameters
    ----------
    hidden, kernel, dropout, channel_dropout
        Size and regularization of the network.
    epochs, batch_size, learning_rate, weight_decay, patience
        Optimization with AdamW; stops after `patience` epochs without a better validation loss.
    target_far
        Largest false-alarm rate on the validation windows.
    seed, threads
        Same seed, threads and data give the same weights on the same kind of machine.

    Attributes
    ----------
    threshold_
        Score from which a window alarms.

    Notes
    -----
    Windows that leak in some, but less than half, of their steps are left out of training,
    validation and the threshold's choice: they look like leaks and are labelled as none. Taught
    as none, the model waits: on L-Town the median time to detection rises from 50 min to 2 h.
    The scarcer class is weighted up so that both weigh the same.
    """

    threshold_: float

    def __init__(
        self,
        *,
        hidden: int = 32,
        kernel: int = 5,
        dropout: float = 0.2,
        channel_dropout: float = 0.1,
        epochs: int = 20,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
        patience: int = 4,
        target_far: float = 0.02,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.hidden = hidden
        self.kernel = kernel
        self.dropout = dropout
        self.channel_dropout = channel_dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.patience = patience
        self.target_far = target_far
        self.seed = seed
        self.threads = threads

    def fit(
        self, train: WindowSet, validation: WindowSet, *, progress: "Progress | None" = None
    ) -> Self:
        """Train on labelled windows and set the threshold on the validation windows."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        from .nets import DetectorNet, deterministic, fit_network

        train = train.select(~train.is_partial)
        validation = validation.select(~validation.is_partial)
        _check_both_classes(train, "training")
        _check_both_classes(validation, "validation")
        self.channels_, self.points_ = train.channels, train.spec.points
        free = train.select(~train.is_leak).inputs()
        self.scaler_ = ChannelScaler().fit(free)
        whitening = torch.from_numpy(whitening_matrix(self.scaler_.transform(free)))
        label = train.is_leak.astype(np.float32)
        leak_weight = torch.tensor(float((1 - label).sum() / label.sum()))

        def batch(rows: NDArray[np.int64]) -> "tuple[Tensor, Tensor]":
            x = self.scaler_.transform(train.inputs(rows))
            return torch.from_numpy(x), torch.from_numpy(label[rows])

        def loss(logit: "Tensor", y: "Tensor") -> "Tensor":
            return binary_cross_entropy_with_logits(logit, y, pos_weight=leak_weight)

        held_out = torch.from_numpy(self.scaler_.transform(validation.inputs()))
        with deterministic(self.seed, self.threads):
            self.network_ = DetectorNet(whitening, self.hidden, self.kernel, self.dropout)
            self.history_, self.best_epoch_ = fit_network(
                self.network_,
                train_batch=batch,
                train_size=len(train),
                validation=(
                    held_out,
                    torch.from_numpy(validation.is_leak.astype(np.float32)),
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
        scores = self.predict_proba(validation)
        is_free = ~validation.is_leak
        self.threshold_ = balanced_threshold(
            scores[is_free],
            scores[~is_free],
            self.target_far,
            groups=validation.index["batch"].to_numpy()[is_free],
        )
        return self

    def exported(self) -> ExportedNetwork:
        """Return the network with its threshold: label and anomaly score."""
        from .nets import DetectorExport

        self.check_fitted()
        return ExportedNetwork(
            DetectorExport(self.network_, self.threshold_),
            (
                {"name": "label", "dtype": "int64", "shape": ["batch"]},
                {"name": "anomaly_score", "dtype": "float32", "shape": ["batch"]},
            ),
            thresholds={"anomaly_score": self.threshold_},
        )

    def predict_proba(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the score of each window, 0 to 1, float32 [n]."""
        return self._outputs(inputs_of(windows)).sigmoid().numpy()

    def predict(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which windows alarm, bool [n]."""
        return self.predict_proba(windows) >= self.threshold_


def balanced_threshold(
    leak_free_scores: NDArray[np.floating],
    leak_scores: NDArray[np.floating],
    max_far: float,
    *,
    groups: NDArray[np.object_] | None = None,
) -> float:
    """Return the threshold that balances missed leaks and false alarms.

    Of all thresholds with a false-alarm rate of at most `max_far` in every group, the one with
    the largest `recall - FALSE_ALARM_WEIGHT * far`; where scores leave a gap, its middle, so
    that a new town whose scores lie a little higher does not alarm at once.

    Parameters
    ----------
    leak_free_scores, leak_scores
        Scores of windows without and with a leak, [n], [m].
    groups
        Town of each leak-free score, [n]. The rate is held in the worst of them: towns differ
        more than windows do, and the next one may be like the worst. Default: one group.
    """
    free = np.asarray(leak_free_scores, dtype=np.float64)
    leaky = np.sort(np.asarray(leak_scores, dtype=np.float64))
    levels = np.unique(np.concatenate([free, leaky, [0.0, 1.0]]))
    thresholds = (levels[1:] + levels[:-1]) / 2
    names = np.zeros(free.size) if groups is None else groups
    rates = np.stack([_rate_above(free[names == name], thresholds) for name in np.unique(names)])
    gain = _rate_above(leaky, thresholds) - FALSE_ALARM_WEIGHT * _rate_above(free, thresholds)
    gain[rates.max(axis=0) > max_far] = -np.inf
    # float32, as the exported model compares.
    return float(np.float32(thresholds[int(np.argmax(gain))]))


def _rate_above(
    scores: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    return 1 - np.searchsorted(np.sort(scores), thresholds) / max(scores.size, 1)


def _check_both_classes(windows: WindowSet, name: str) -> None:
    if not 0 < windows.is_leak.sum() < len(windows):
        message = f"the {name} windows hold one class only ({len(windows)} windows)"
        raise ValueError(message)
