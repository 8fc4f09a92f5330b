"""One training run: split, fit, evaluate, and what identifies the result.

Writing the artefact belongs in `export`, what is in use in `registry`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from leak_assets.sites.provenance import Provenance
from leak_assets.warehouse.schemas.models import TRAINING_RUNS

from .config import DetectorConfig, PinpointerConfig, sha256_of
from .dataset import WindowSet
from .detector import LeakDetector
from .evaluation import SPLITS, detector_metrics, pinpointer_metrics
from .metrics import Metrics
from .options import Progress, TrainingOptions
from .pinpointer import LeakPinpointer
from .pipes import CandidatePipes
from .split import Split, grouped_split
from .versions import model_version


@dataclass(frozen=True)
class TrainingResult:
    """A trained model with everything that identifies it.

    Attributes
    ----------
    history
        Rows of `models.training_runs`.
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
    model: LeakDetector | LeakPinpointer
    history: pl.DataFrame
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

    Returns
    -------
    TrainingResult
        The same configuration, data and network give the same version and, on the same kind of
        machine, the same weights.
    """
    windows = windows.of(config.statistics)
    split = grouped_split(
        windows.index.select("scenario_id", "batch", "is_leak"),
        validation=config.split.validation,
        test=config.split.test,
        seed=config.seed,
    )
    sets = {
        name: windows.select(split.rows(name, windows.index["scenario_id"])) for name in split.sets
    }
    if judged is not None:
        judged = judged.of(config.statistics, windows.channels)
        if isinstance(config, PinpointerConfig):
            judged = judged.select(judged.is_leak & judged.has_pipe)
        sets["train"] = sets["train"].plus(judged)
    options = TrainingOptions(
        **config.architecture.model_dump(), **config.training.model_dump(), seed=config.seed
    )
    held_out = {name: sets[name] for name in SPLITS}
    model: LeakDetector | LeakPinpointer
    if isinstance(config, DetectorConfig):
        detector = LeakDetector(options, target_far=config.target_far)
        model = detector.fit(sets["train"], sets["validation"], progress=progress)
        metrics = {
            name: detector_metrics(
                part, detector.predict_proba(part), detector.threshold_, leak_truth
            )
            for name, part in held_out.items()
        }
    else:
        if pipes is None:
            message = "the pinpointer needs the candidate pipes"
            raise ValueError(message)
        pinpointer = LeakPinpointer(options, distance_scale_m=config.distance_scale_m)
        model = pinpointer.fit(sets["train"], sets["validation"], pipes, progress=progress)
        leaky = {name: part.select(part.is_leak) for name, part in held_out.items()}
        metrics = {
            name: pinpointer_metrics(part, pinpointer.predict_proba(part), pipes)
            for name, part in leaky.items()
        }
    version = model_version(config, data_versions, provenance)
    history = pl.DataFrame(
        [
            row
            | {
                "network": network,
                "model": config.model,
                "version": version,
                "is_best": row["epoch"] == model.best_epoch_,
                "seed": config.seed,
                "config_sha256": config.sha256,
                "contract_sha256": contract_sha256,
                "data_sha256": sha256_of(dict(data_versions)),
                "trained_at": trained_at,
            }
            for row in model.history_
        ],
        schema=TRAINING_RUNS.polars_schema,
    )
    return TrainingResult(
        config,
        network,
        version,
        model,
        history,
        split,
        metrics,
        dict(data_versions),
        contract_sha256,
        trained_at,
        provenance,
    )
