"""Grouped cross-validation: the same training on each fold in turn, measured on what it left out.

How steady a model is belongs here; the model itself is trained once more on its own split.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from .config import DetectorConfig, PinpointerConfig
from .dataset import WindowSet
from .detector import LeakDetector
from .kinds import KINDS
from .metrics import Metrics
from .pipes import CandidatePipes
from .split import grouped_folds


def cross_validate(
    config: DetectorConfig | PinpointerConfig,
    windows: WindowSet,
    leak_truth: pl.DataFrame,
    pipes: CandidatePipes | None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Metrics:
    """Return mean and standard deviation (`<name>_std`) of each metric over the folds.

    Each fold is tested on in turn, the next one stops the training, the others are learned from.

    Parameters
    ----------
    windows
        Labelled windows of all scenario batches.

    Raises
    ------
    ValueError
        There are fewer groups than folds.
    """
    windows = windows.of(config.statistics)
    kind = KINDS[config.model]
    ids = windows.index["scenario_id"]
    folds = grouped_folds(
        windows.index.select("scenario_id", "batch", "is_leak"),
        folds=config.split.folds,
        seed=config.seed,
    )
    members = [ids.is_in(list(fold)).to_numpy() for fold in folds]
    found: dict[str, list[float]] = {}
    for number, test in enumerate(members):
        validation = members[(number + 1) % len(members)]
        model = kind.fit(
            config,
            windows.select(~test & ~validation),
            windows.select(validation),
            pipes,
            None,
        )
        held_out = kind.measured(windows.select(test))
        threshold = model.threshold_ if isinstance(model, LeakDetector) else 1.0
        outputs = model.predict_proba(held_out)
        for name, value in kind.metrics(held_out, outputs, threshold, leak_truth, pipes).items():
            if value is not None:
                found.setdefault(name, []).append(value)
        if progress is not None:
            progress(f"{config.model}: fold {number + 1} of {len(members)}")
    means: Metrics = {name: float(np.mean(values)) for name, values in found.items()}
    return means | {f"{name}_std": float(np.std(values)) for name, values in found.items()}
