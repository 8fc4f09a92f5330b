"""Evaluation of the models on scenarios they have never seen, and the table of it."""

from collections.abc import Mapping

import polars as pl

from leak_assets.warehouse.schemas.models import EVALUATIONS

from .config import GateLimit
from .dataset import WindowSet
from .detector import LeakDetector
from .gates import check_gates
from .metrics import Metrics, event_metrics, localisation_metrics, window_metrics
from .pinpointer import LeakPinpointer

GATED_SPLIT = "test"


def evaluate_detector(model: LeakDetector, windows: WindowSet, leak_truth: pl.DataFrame) -> Metrics:
    """Return window and event metrics of a detector on a set.

    Windows that leak in some, but less than half, of their steps are neither: an alarm there is
    early, not false, and silence is no miss. They are left out of the window metrics as they are
    out of training; `far_as_labelled` is the rate with all of them counted as leak-free.
    """
    score = model.predict_proba(windows)
    alarm = score >= model.threshold_
    clear = ~windows.is_partial
    as_labelled = alarm[~windows.is_leak]
    return (
        window_metrics(windows.is_leak[clear], score[clear], model.threshold_)
        | {"far_as_labelled": float(as_labelled.mean()) if as_labelled.size else None}
        | event_metrics(windows.index, alarm, leak_truth)
        | {"threshold": model.threshold_}
    )


def evaluate_pinpointer(model: LeakPinpointer, windows: WindowSet) -> Metrics:
    """Return localisation metrics of a pinpointer on the leak windows of a set."""
    leaky = windows.select(windows.is_leak)
    if len(leaky) == 0:
        return {}
    true_pipe = model.pipes_.positions(leaky.index["link_id"])
    return localisation_metrics(model.predict_proba(leaky), true_pipe, model.pipes_)


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
