"""Evaluation of exported models on scenarios they have never seen, and the table of it.

What is measured is the artefact that would be used: its network in onnxruntime with its scaler
and threshold. The formulas belong in `metrics`.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.warehouse.schemas.models import EVALUATIONS

from .artefact import Artefact
from .config import DETECTOR, GateLimit
from .dataset import WindowSet
from .gates import check_gates
from .metrics import (
    Metrics,
    event_metrics,
    flow_metrics,
    localisation_metrics,
    share,
    window_metrics,
)
from .pipes import CandidatePipes
from .session import ExportedModel
from .split import Split

GATED_SPLIT = "test"
SPLITS = ("validation", GATED_SPLIT)


def evaluate_artefact(
    artefact: Artefact, windows: WindowSet, leak_truth: pl.DataFrame, pipes: CandidatePipes
) -> dict[str, Metrics]:
    """Run an exported model on the held-out windows and return its metrics by split.

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

    Raises
    ------
    InputError
        If the windows hold no scenario of a split.
    """
    windows = windows.of(artefact.statistics, artefact.channels)
    split = Split(**artefact.manifest["split"])
    model = ExportedModel(artefact)
    found: dict[str, Metrics] = {}
    for name in SPLITS:
        held_out = windows.select(split.rows(name, windows.index["scenario_id"]))
        if len(held_out) == 0:
            raise InputError(
                f"{artefact.model} {artefact.version}: the training windows hold no scenario of"
                f" its {name} split",
                remedy=f"Train again: `leak-assets train --network {artefact.network}`",
            )
        found[name] = _metrics(artefact, model, held_out, leak_truth, pipes)
    one = np.zeros((1, *windows.values.shape[1:]), dtype=np.float32)
    found[GATED_SPLIT]["latency_ms_p95"] = model.latency_ms_p95(one)
    return found


def _metrics(
    artefact: Artefact,
    model: ExportedModel,
    windows: WindowSet,
    leak_truth: pl.DataFrame,
    pipes: CandidatePipes,
) -> Metrics:
    if artefact.model == DETECTOR:
        score = model.run(windows.values)
        return detector_metrics(windows, score, artefact.alarm_threshold, leak_truth)
    leaky = windows.select(windows.is_leak)
    if artefact.link_ids != pipes.link_ids:
        raise InputError(
            f"{artefact.model} {artefact.version} ranks other pipes than the network has now",
            remedy=f"Train again: `leak-assets train --network {artefact.network}`",
        )
    return pinpointer_metrics(leaky, model.run(leaky.values), pipes)


def detector_metrics(
    windows: WindowSet, score: NDArray[np.floating], threshold: float, leak_truth: pl.DataFrame
) -> Metrics:
    """Return the metrics of a detector's scores of a split.

    Windows that leak in some, but less than half, of their steps are labelled as leak-free, yet
    an alarm there is early, not false. They are left out of AUC, precision and recall as they are
    out of training; the false-alarm rate is there twice: `far_without_leak` of windows in which
    no water leaks, `far_as_labelled` of all windows labelled as leak-free.
    """
    alarm = score >= np.float32(threshold)
    clear = ~windows.is_partial
    return (
        window_metrics(windows.is_leak[clear], score[clear], threshold)
        | {
            "far_without_leak": share(alarm[windows.leak_flow_m3_per_h == 0]),
            "far_as_labelled": share(alarm[~windows.is_leak]),
        }
        | event_metrics(windows.index, alarm, leak_truth)
        | flow_metrics(windows.leak_flow_m3_per_h[windows.is_leak], alarm[windows.is_leak])
        | {"threshold": threshold}
    )


def pinpointer_metrics(
    leaky: WindowSet, probability: NDArray[np.floating], pipes: CandidatePipes
) -> Metrics:
    """Return the metrics of a pinpointer's ranking of leak windows."""
    true_pipe = pipes.positions(leaky.index["link_id"])
    return localisation_metrics(probability, true_pipe, pipes)


def evaluations_frame(
    metrics: Mapping[str, Metrics],
    gates: Mapping[str, GateLimit],
    *,
    network: str,
    model: str,
    version: str,
) -> pl.DataFrame:
    """Return rows of `models.evaluations`; gates are judged on the test split.

    Parameters
    ----------
    metrics
        Metrics by split and name.
    gates
        Limits by metric. A gate whose metric was not measured has a row with a null value.
    """
    results = {r.metric: r for r in check_gates(metrics[GATED_SPLIT], gates)}
    rows = []
    for split, values in metrics.items():
        gated = results if split == GATED_SPLIT else {}
        names = [*values, *(name for name in gated if name not in values)]
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
