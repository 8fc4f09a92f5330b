"""One training run: split, fit, evaluate, and what identifies the result.

Writing the artefact belongs in `export`, what is in use in `registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl

from leak_assets.errors import InputError
from leak_assets.sites.provenance import Provenance
from leak_assets.system.code import commit
from leak_assets.warehouse.schemas.models import SPLITS, TRAINING_RUNS

from .config import DetectorConfig, PinpointerConfig, sha256_of
from .dataset import WindowSet
from .detector import LeakDetector
from .estimator import WindowModel
from .evaluation import HELD_OUT
from .kinds import KINDS
from .metrics import Metrics
from .options import Progress
from .pipes import CandidatePipes
from .split import Split, grouped_split, split_frame
from .versions import model_version

_MORE = "Simulate more scenarios (`leak-assets train --batches`), or hold out less (`split`)"


@dataclass(frozen=True)
class TrainingResult:
    """A trained model with everything that identifies it.

    Attributes
    ----------
    history
        Rows of `models.training_runs`.
    members
        Rows of `models.splits`.
    metrics
        Metrics by split (`validation`, `test`) and name.
    data_versions
        Data version of each training partition, by name.
    provenance
        The network trained for; None outside of a warehouse.
    """

    config: DetectorConfig | PinpointerConfig
    network: str
    version: str
    model: WindowModel
    history: pl.DataFrame
    members: pl.DataFrame
    split: Split
    metrics: dict[str, Metrics]
    data_versions: dict[str, str]
    contract_sha256: str
    trained_at: datetime
    provenance: Provenance | None


def train(
    config: DetectorConfig | PinpointerConfig,
    windows: WindowSet,
    *,
    network: str,
    leak_truth: pl.DataFrame,
    data_versions: Mapping[str, str],
    contract_sha256: str,
    trained_at: datetime,
    provenance: Provenance | None = None,
    pipes: CandidatePipes | None = None,
    progress: Progress | None = None,
    judged: WindowSet | None = None,
    frozen: frozenset[str] = frozenset(),
) -> TrainingResult:
    """Train and evaluate the model that a configuration describes.

    Parameters
    ----------
    config
        `DetectorConfig` or `PinpointerConfig`.
    windows
        Labelled windows of all scenario batches, leak-free ones too, with the statistics of the
        configuration.
    leak_truth
        Rows of `simulation.leak_truth` of those batches, for metrics of events.
    data_versions
        Data version of each training partition.
    provenance
        The network trained for. A model without is refused in operation.
    pipes
        Candidate pipes; needed for the pinpointer.
    progress
        Called after each epoch with epoch, epochs, training loss, validation loss.
    judged
        Windows of operation that people judged: learned from, never held out.
    frozen
        Scenarios that are always tested on.

    Raises
    ------
    InputError
        A value that no model can learn from: an infinite feature, one class only, no window.

    Returns
    -------
    TrainingResult
        The same configuration, data and network give the same version and, on the same kind of
        machine, the same weights.
    """
    kind = KINDS[config.model]
    windows = windows.of(config.statistics)
    _check_features(windows)
    scenarios = windows.index.select("scenario_id", "batch", "is_leak")
    try:
        split = grouped_split(
            scenarios,
            validation=config.split.validation,
            test=config.split.test,
            seed=config.seed,
            frozen=frozen,
        )
    except ValueError as error:
        raise InputError(str(error), remedy=_MORE) from error
    sets = {
        name: windows.select(split.rows(name, windows.index["scenario_id"])) for name in split.sets
    }
    if judged is not None and config.data.judged_windows:
        judged = judged.of(config.statistics, windows.channels)
        sets["train"] = sets["train"].plus(kind.learnable(judged))
    _check_classes(sets)
    model = kind.fit(config, sets["train"], sets["validation"], pipes, progress)
    threshold = model.threshold_ if isinstance(model, LeakDetector) else 1.0
    held_out = {name: kind.measured(sets[name]) for name in HELD_OUT}
    metrics = {
        name: kind.metrics(part, model.predict_proba(part), threshold, leak_truth, pipes)
        for name, part in held_out.items()
    }
    version = model_version(config, data_versions, provenance)
    identity = {"network": network, "model": config.model, "version": version}
    history = pl.DataFrame(
        [
            row
            | identity
            | {
                "is_best": row["epoch"] == model.best_epoch_,
                "seed": config.seed,
                "config_sha256": config.sha256,
                "contract_sha256": contract_sha256,
                "data_sha256": sha256_of(dict(data_versions)),
                "trained_at": trained_at,
                "git_sha": commit(),
                "change_request": config.change_request,
            }
            for row in model.history_
        ],
        schema=TRAINING_RUNS.polars_schema,
    )
    members = split_frame(
        split, scenarios, folds=config.split.folds, seed=config.seed, frozen=frozen
    )
    named = members.with_columns(pl.lit(value).alias(name) for name, value in identity.items())
    return TrainingResult(
        config,
        network,
        version,
        model,
        history,
        named.select(SPLITS.polars_schema.names()),
        split,
        metrics,
        dict(data_versions),
        contract_sha256,
        trained_at,
        provenance,
    )


def _check_features(windows: WindowSet) -> None:
    """Refuse what would teach nonsense. NaN means missing, and a channel may be missing."""
    if not len(windows):
        raise InputError("there is no window to learn from", remedy=_MORE)
    infinite = np.isinf(windows.values)
    if infinite.any():
        row, statistic, channel = (int(found[0]) for found in np.nonzero(infinite))
        raise InputError(
            f"{windows.statistics[statistic]} of {windows.channels[channel]} is infinite in a"
            f" window of {windows.index['scenario_id'][row]}",
            remedy="Make the features again: `leak-assets featurize`",
        )
    if np.isnan(windows.values).all():
        raise InputError(
            "every value of every window is missing",
            remedy="Look at the sensors of the scenarios; then `leak-assets featurize`",
        )


def _check_classes(sets: Mapping[str, WindowSet]) -> None:
    for name, windows in sets.items():
        clear = windows.select(~windows.is_partial)
        if not len(clear):
            raise InputError(f"the {name} split is empty", remedy=_MORE)
        if not 0 < clear.is_leak.sum() < len(clear):
            only = "leaks" if clear.is_leak.any() else "no leaks"
            raise InputError(
                f"the {name} split holds one class only: {only} in all of its {len(clear)} windows",
                remedy=_MORE,
            )
