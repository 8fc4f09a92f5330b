"""Evaluation of exported models on scenarios they have never seen, and the tables of it.

What is measured is the network that would be used, in onnxruntime with its scaler and threshold.
The formulas belong in `metrics`, `breakdown` and `calibration`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.warehouse.schemas.models import BREAKDOWNS, EVALUATIONS, RELIABILITY

from .artefact import Artefact
from .breakdown import breakdown, classes
from .calibration import reliability
from .config import DETECTOR, PINPOINTER, GateLimit
from .dataset import WindowSet
from .gates import check_gates
from .kinds import KINDS
from .metrics import Metrics
from .pipes import CandidatePipes
from .session import ExportedModel
from .split import Split

GATED_SPLIT, FROZEN = "test", "frozen"
HELD_OUT = ("validation", GATED_SPLIT)
CROSS_VALIDATION = "cross_validation"
_BEST_PIPES = 5


@dataclass(frozen=True)
class Evaluation:
    """What a model reaches.

    Attributes
    ----------
    metrics
        Metrics by split and name.
    breakdown
        Of the test split, by dimension and class.
    reliability
        Of the test split, by tenth of the scores; empty for models without one score.
    """

    metrics: dict[str, Metrics]
    breakdown: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    reliability: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the content of `metrics.json`."""
        return {**self.metrics, "breakdown": self.breakdown, "reliability": self.reliability}


def evaluate_artefact(
    artefact: Artefact,
    windows: WindowSet,
    leak_truth: pl.DataFrame,
    pipes: CandidatePipes,
    *,
    frozen: WindowSet | None = None,
    zones: Mapping[str, str] | None = None,
) -> Evaluation:
    """Run an exported model on the held-out windows and return what it reaches.

    Parameters
    ----------
    artefact
        Verified model folder; its manifest names the scenarios of each split.
    windows
        Windows of all scenario batches that it was trained from; those of the held-out
        scenarios are looked at.
    leak_truth
        Rows of `simulation.leak_truth` of those batches.
    pipes
        Candidate pipes of the network.
    frozen
        Windows of the test set that never changes.
    zones
        District metered area of each pipe.

    Raises
    ------
    InputError
        If the windows hold no scenario of a split, or the model ranks other pipes.
    """
    kind = KINDS[artefact.model]
    if artefact.model == PINPOINTER and artefact.link_ids != pipes.link_ids:
        raise InputError(
            f"{artefact.model} {artefact.version} ranks other pipes than the network has now",
            remedy=f"Train again: `leak-assets train --network {artefact.network}`",
        )
    windows = windows.of(artefact.statistics, artefact.channels)
    split = Split(**artefact.manifest["split"])
    model = ExportedModel(artefact)
    found: dict[str, Metrics] = {}
    tested: tuple[WindowSet, NDArray[Any]] | None = None
    for name in HELD_OUT:
        held_out = kind.measured(windows.select(split.rows(name, windows.index["scenario_id"])))
        if len(held_out) == 0:
            raise InputError(
                f"{artefact.model} {artefact.version}: the training windows hold no scenario of"
                f" its {name} split",
                remedy=f"Train again: `leak-assets train --network {artefact.network}`",
            )
        tested = held_out, model.run(held_out.values)
        found[name] = kind.metrics(*tested, artefact.alarm_threshold, leak_truth, pipes)
    found[GATED_SPLIT] |= model.latency_ms(np.zeros((1, *windows.values.shape[1:]), np.float32))
    if frozen is not None and len(frozen):
        found[FROZEN] = frozen_metrics(artefact, frozen, pipes)
    assert tested is not None  # noqa: S101 - for the type checker
    return Evaluation(found, *_in_classes(artefact, *tested, zones or {}))


def frozen_metrics(artefact: Artefact, frozen: WindowSet, pipes: CandidatePipes) -> Metrics:
    """Return what a model reaches on the test set that never changes; no metrics of events."""
    kind = KINDS[artefact.model]
    windows = kind.measured(frozen.of(artefact.statistics, artefact.channels))
    outputs = ExportedModel(artefact).run(windows.values)
    return kind.metrics(windows, outputs, artefact.alarm_threshold, None, pipes)


def _in_classes(
    artefact: Artefact, windows: WindowSet, outputs: NDArray[Any], zones: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return breakdown and reliability of the test windows."""
    by_class = classes(windows.index, zones)
    if artefact.model == DETECTOR:
        alarm = outputs >= np.float32(artefact.alarm_threshold)
        clear = ~windows.is_partial
        bins = reliability(outputs[clear], windows.is_leak[clear])
        return breakdown(by_class, windows.is_leak, alarm, alarm), bins
    place = {name: position for position, name in enumerate(artefact.link_ids)}
    true = np.array([place[name] for name in windows.index["link_id"]], dtype=np.int64)
    own = outputs[np.arange(true.size), true]
    hit = (outputs > own[:, None]).sum(axis=1) < _BEST_PIPES
    return breakdown(by_class, windows.is_leak, np.zeros(true.size, dtype=bool), hit), []


def evaluations_frame(
    metrics: Mapping[str, Metrics],
    gates: Mapping[str, GateLimit],
    *,
    network: str,
    model: str,
    version: str,
    shown: tuple[str, ...] = (),
) -> pl.DataFrame:
    """Return rows of `models.evaluations`; gates are judged on the test split.

    Parameters
    ----------
    metrics
        Metrics by split and name.
    gates
        Limits by metric. A gate whose metric was not measured has a row with a null value; of a
        gate with two limits the one that fails is told, else the lower.
    shown
        Metrics that are kept; none named: all.
    """
    results = {
        r.metric: r
        for r in sorted(check_gates(metrics[GATED_SPLIT], gates), key=lambda r: not r.passed)
    }
    rows = []
    for split, values in metrics.items():
        gated = results if split == GATED_SPLIT else {}
        kept = [name for name in values if not shown or name.removesuffix("_std") in shown]
        names = [*kept, *(name for name in gated if name not in kept)]
        for name in names:
            result = gated.get(name)
            rows.append(
                {
                    "network": network,
                    "model": model,
                    "version": version,
                    "split": split,
                    "metric": name,
                    "value": values.get(name),
                    "gate": None if result is None else result.limit,
                    "passed": None if result is None else result.passed,
                }
            )
    return pl.DataFrame(rows, schema=EVALUATIONS.polars_schema)


def class_frames(evaluation: Evaluation, **identity: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return rows of `models.breakdowns` and of `models.reliability`.

    Parameters
    ----------
    identity
        network, model and version.
    """
    rows = [
        {**identity, "dimension": dimension, "class": name, **counts}
        for dimension, members in evaluation.breakdown.items()
        for name, counts in members.items()
    ]
    bins = [{**identity, **row} for row in evaluation.reliability]
    return (
        pl.DataFrame(rows, schema=BREAKDOWNS.polars_schema),
        pl.DataFrame(bins, schema=RELIABILITY.polars_schema),
    )
