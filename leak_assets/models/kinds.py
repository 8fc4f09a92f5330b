"""The kinds of models there are: how each is fitted, and what says how good it is.

A further kind is its configuration (`config`), its network in a module of its own, and an entry
here; training, evaluation, export and registry ask for nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .config import DETECTOR, PINPOINTER, DetectorConfig, ModelConfig, PinpointerConfig
from .dataset import WindowSet
from .metrics import Metrics, detector_metrics, pinpointer_metrics
from .options import Progress, TrainingOptions
from .pipes import CandidatePipes

if TYPE_CHECKING:
    from .estimator import WindowModel


@dataclass(frozen=True)
class Kind:
    """A kind of model.

    Parameters
    ----------
    fit
        From configuration, options, training and validation windows, pipes and progress to a
        fitted model. It brings torch along.
    learnable
        Windows of people's judgements that it can learn from.
    measured
        Windows that it is measured on.
    metrics
        From these windows, its outputs of them, threshold, leak truth (None: no metrics of
        events) and pipes to metrics by name.
    """

    fit: Callable[..., "WindowModel"]
    learnable: Callable[[WindowSet], WindowSet]
    measured: Callable[[WindowSet], WindowSet]
    metrics: Callable[
        [WindowSet, NDArray[Any], float, pl.DataFrame | None, CandidatePipes | None], Metrics
    ]


def options_of(config: ModelConfig) -> TrainingOptions:
    """Return the options of training that a configuration has."""
    return TrainingOptions(
        **config.architecture.model_dump(), **config.training.model_dump(), seed=config.seed
    )


def _fit_detector(
    config: DetectorConfig,
    train: WindowSet,
    validation: WindowSet,
    _pipes: CandidatePipes | None,
    progress: Progress | None,
) -> "WindowModel":
    from .detector import LeakDetector

    detector = LeakDetector(
        options_of(config),
        target_far=config.target_far,
        false_alarm_weight=config.costs.false_alarm_weight,
    )
    return detector.fit(train, validation, progress=progress)


def _fit_pinpointer(
    config: PinpointerConfig,
    train: WindowSet,
    validation: WindowSet,
    pipes: CandidatePipes | None,
    progress: Progress | None,
) -> "WindowModel":
    from .pinpointer import LeakPinpointer

    if pipes is None:
        message = "the pinpointer needs the candidate pipes"
        raise ValueError(message)
    pinpointer = LeakPinpointer(options_of(config), distance_scale_m=config.distance_scale_m)
    return pinpointer.fit(train, validation, pipes, progress=progress)


def _rank(
    windows: WindowSet,
    outputs: NDArray[np.floating],
    _threshold: float,
    _truth: pl.DataFrame | None,
    pipes: CandidatePipes | None,
) -> Metrics:
    assert pipes is not None  # noqa: S101 - for the type checker; fitting asked for them
    return pinpointer_metrics(windows, outputs, pipes)


def _alarm(
    windows: WindowSet,
    outputs: NDArray[np.floating],
    threshold: float,
    truth: pl.DataFrame | None,
    _pipes: CandidatePipes | None,
) -> Metrics:
    return detector_metrics(windows, outputs, threshold, truth)


KINDS: Mapping[str, Kind] = {
    DETECTOR: Kind(
        _fit_detector,
        learnable=lambda windows: windows,
        measured=lambda windows: windows,
        metrics=_alarm,
    ),
    PINPOINTER: Kind(
        _fit_pinpointer,
        learnable=lambda windows: windows.select(windows.is_leak & windows.has_pipe),
        measured=lambda windows: windows.select(windows.is_leak & windows.has_pipe),
        metrics=_rank,
    ),
}
