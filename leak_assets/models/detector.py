"""The leak detector, which says whether a leak runs in a window.

Fitting, scoring and the choice of the threshold belong here; metrics belong in `evaluation`.
"""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from .calibration import platt_scaling
from .dataset import WindowSet
from .estimator import ExportedNetwork, WindowModel
from .options import Progress, TrainingOptions

# What a false alarm weighs against a missed leak, both as rates, without costs: the gates allow a
# recall that is 0.15 short and a false-alarm rate of 0.05.
FALSE_ALARM_WEIGHT = 3.0


class LeakDetector(WindowModel):
    """Small network over whitened window statistics; larger score = more leak-like.

    Parameters
    ----------
    options
        Size, regularization and optimization.
    target_far
        Largest false-alarm rate on the validation windows.
    false_alarm_weight
        What a false alarm weighs against a missed leak.

    Attributes
    ----------
    threshold_
        Score from which a window alarms.
    calibration_
        Scale and offset of the logit that make the score the share of leaks.

    Notes
    -----
    Windows that leak in some, but less than half, of their steps are left out of training,
    validation and the threshold's choice: they look like leaks and are labelled as none. Taught
    as none, the model waits until the leak is an hour and a half old. The evaluation counts them.
    The scarcer class is weighted up so that both weigh the same.
    """

    threshold_: float
    calibration_: tuple[float, float]

    def __init__(
        self,
        options: TrainingOptions | None = None,
        *,
        target_far: float = 0.02,
        false_alarm_weight: float = FALSE_ALARM_WEIGHT,
    ) -> None:
        self.options = options
        self.target_far = target_far
        self.false_alarm_weight = false_alarm_weight

    def fit(
        self, train: WindowSet, validation: WindowSet, *, progress: Progress | None = None
    ) -> Self:
        """Train on labelled windows and set the threshold on the validation windows."""
        import torch
        from torch.nn.functional import binary_cross_entropy_with_logits

        from .nets import DetectorNet, deterministic, fit_network

        options = self.options or TrainingOptions()
        train = train.select(~train.is_partial)
        validation = validation.select(~validation.is_partial)
        _check_both_classes(train, "training")
        _check_both_classes(validation, "validation")
        whitening = self._fit_scaling(train)
        leak_weight = torch.tensor(float((~train.is_leak).sum() / train.is_leak.sum()))

        def loss(logit: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return binary_cross_entropy_with_logits(logit, y, pos_weight=leak_weight)

        def labelled(windows: WindowSet) -> tuple[torch.Tensor, torch.Tensor]:
            return self._scaled(windows), torch.from_numpy(windows.is_leak.astype(np.float32))

        with deterministic(options.seed, options.threads):
            self.network_ = DetectorNet(whitening, options)
            self.history_, self.best_epoch_ = fit_network(
                self.network_,
                train=labelled(train),
                validation=labelled(validation),
                loss=loss,
                options=options,
                progress=progress,
            )
        # As float32, as the exported network has them.
        scale, offset = platt_scaling(self._outputs(validation).numpy(), validation.is_leak)
        self.calibration_ = (float(np.float32(scale)), float(np.float32(offset)))
        scores = self.predict_proba(validation)
        is_free = ~validation.is_leak
        self.threshold_ = balanced_threshold(
            scores[is_free],
            scores[~is_free],
            self.target_far,
            groups=validation.index["batch"].to_numpy()[is_free],
            weight=self.false_alarm_weight,
        )
        return self

    def exported(self) -> ExportedNetwork:
        """Return the network with its threshold: label and anomaly score."""
        from .nets import DetectorExport

        self.check_fitted()
        return ExportedNetwork(
            DetectorExport(self.network_, self.calibration_, self.threshold_),
            (
                {"name": "label", "dtype": "int64", "shape": ["batch"]},
                {"name": "anomaly_score", "dtype": "float32", "shape": ["batch"]},
            ),
            thresholds={"anomaly_score": self.threshold_},
        )

    def predict_proba(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the score of each window, 0 to 1, float32 [n]."""
        self.check_fitted()
        scale, offset = self.calibration_
        return (scale * self._outputs(windows) + offset).sigmoid().numpy()

    def predict(self, windows: WindowSet | NDArray[np.float32]) -> NDArray[np.bool_]:
        """Return which windows alarm, bool [n]."""
        return self.predict_proba(windows) >= self.threshold_


def balanced_threshold(
    leak_free_scores: NDArray[np.floating],
    leak_scores: NDArray[np.floating],
    max_far: float,
    *,
    groups: NDArray[np.object_] | None = None,
    weight: float = FALSE_ALARM_WEIGHT,
) -> float:
    """Return the threshold that balances missed leaks and false alarms.

    Of all thresholds with a false-alarm rate of at most `max_far` in every group, the one with
    the largest `recall - weight * far`; where scores leave a gap, its middle, so
    that a new town whose scores lie a little higher does not alarm at once.

    Parameters
    ----------
    leak_free_scores, leak_scores
        Scores of windows without and with a leak, [n], [m].
    groups
        Town of each leak-free score, [n]. The rate is held in the worst of them: towns differ
        more than windows do, and the next one may be like the worst. Default: one group.
    weight
        Cost of a false alarm in missed leaks; a larger one raises the threshold.
    """
    free = np.asarray(leak_free_scores, dtype=np.float64)
    leaky = np.sort(np.asarray(leak_scores, dtype=np.float64))
    levels = np.unique(np.concatenate([free, leaky, [0.0, 1.0]]))
    thresholds = (levels[1:] + levels[:-1]) / 2
    names = np.zeros(free.size) if groups is None else groups
    rates = np.stack([_rate_above(free[names == name], thresholds) for name in np.unique(names)])
    gain = _rate_above(leaky, thresholds) - weight * _rate_above(free, thresholds)
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
