"""Metrics of scores, events and rankings, by their names in `terms-and-metrics`.

Pure functions of arrays; which windows are scored is decided in `evaluation`.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .pipes import CandidatePipes

TOP_K = (1, 3, 5, 10)
Metrics = dict[str, float | None]


def auc(is_leak: NDArray[np.bool_], score: NDArray[np.floating]) -> float | None:
    """Return the area under the ROC curve (probability that a leak outranks a non-leak).

    Ties count half (Mann-Whitney); None where one class is absent.
    """
    positive, negative = int(is_leak.sum()), int((~is_leak).sum())
    if positive == 0 or negative == 0:
        return None
    ranks = pl.Series(np.asarray(score, dtype=np.float64)).rank("average").to_numpy()
    return float((ranks[is_leak].sum() - positive * (positive + 1) / 2) / (positive * negative))


def window_metrics(
    is_leak: NDArray[np.bool_], score: NDArray[np.floating], threshold: float
) -> Metrics:
    """Return auc, precision, recall, far, f1, mcc, tnr and counts at a threshold.

    FAR = FP / (FP + TN). A ratio without a denominator is None.
    """
    alarm = score >= threshold
    tp, fp = int((alarm & is_leak).sum()), int((alarm & ~is_leak).sum())
    fn, tn = int((~alarm & is_leak).sum()), int((~alarm & ~is_leak).sum())
    product = float(tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return {
        "auc": auc(is_leak, score),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "far": _ratio(fp, fp + tn),
        "tnr": _ratio(tn, fp + tn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "mcc": None if product == 0 else (float(tp) * tn - float(fp) * fn) / product**0.5,
        "windows": float(is_leak.size),
        "leak_windows": float(is_leak.sum()),
    }


def event_metrics(index: pl.DataFrame, alarm: NDArray[np.bool_], truth: pl.DataFrame) -> Metrics:
    """Return event precision and recall and the time to detection.

    Parameters
    ----------
    index
        scenario_id, window_start and window_end of each window.
    alarm
        Which windows alarm, bool [n].
    truth
        Rows of `simulation.leak_truth`; leaks of scenarios without windows are left out.

    Returns
    -------
    dict
        An event is a run of alarmed windows in a row. A leak is detected by the first alarm
        whose window ends between its start and end; each leak counts once, further events
        during a leak are ignored, an event outside all leaks is false.
        `time_to_detection_s_p50` counts undetected leaks as infinite (None where they are the
        half); their number is `events_undetected`.
    """
    alarms = index.select("scenario_id", "window_start", "window_end").with_columns(
        pl.Series("alarm", alarm)
    )
    leaks = truth.join(alarms.select("scenario_id").unique(), on="scenario_id", how="semi")
    ends = alarms.filter("alarm").select("scenario_id", "window_end")
    found = (
        leaks.select("scenario_id", "leak_id", "leak_start", "leak_end")
        .join(ends, on="scenario_id")
        .filter(pl.col("window_end").is_between("leak_start", "leak_end"))
        .group_by("scenario_id", "leak_id")
        .agg(
            (pl.col("window_end").min() - pl.col("leak_start").first())
            .dt.total_seconds()
            .alias("delay_s")
        )
    )
    events = (
        alarms.sort("scenario_id", "window_start")
        .with_columns(
            (pl.col("alarm") != pl.col("alarm").shift(1).over("scenario_id"))
            .fill_null(value=True)
            .cum_sum()
            .alias("event")
        )
        .filter("alarm")
    )
    total = events["event"].n_unique()
    during = (
        events.join(leaks.select("scenario_id", "leak_start", "leak_end"), on="scenario_id")
        .filter(pl.col("window_end").is_between("leak_start", "leak_end"))["event"]
        .n_unique()
    )
    detected, undetected = found.height, leaks.height - found.height
    delays = np.sort(np.concatenate([found["delay_s"].to_numpy(), np.full(undetected, np.inf)]))
    median = float(delays[(delays.size - 1) // 2]) if delays.size else np.inf
    return {
        "event_precision": _ratio(detected, detected + total - during),
        "event_recall": _ratio(detected, leaks.height),
        "events_undetected": float(undetected),
        "time_to_detection_s_p50": median if np.isfinite(median) else None,
    }


def localisation_metrics(
    probability: NDArray[np.floating], true_pipe: NDArray[np.integer], pipes: CandidatePipes
) -> Metrics:
    """Return hits of the top ranks and distances between predicted and true pipe or node.

    Parameters
    ----------
    probability
        [n, pipes].
    true_pipe
        Position of the leaking pipe, int [n].

    Returns
    -------
    dict
        `topK_hit`: the pipe is among the K most likely. `localisation_distance_m_mean` and
        `_median`: distance of the most likely pipe. Nodes carry half of each of their pipes'
        probability: `node_topK_hit` (an end node of the pipe is among the K most likely nodes),
        `atd` and `atd_m`: hops and pipe distance from the most likely node or pipe, the hops to
        the nearer end node; `atd_far_end`: hops to the farther end node.
    """
    n = true_pipe.size
    if n == 0:
        return {}
    best = probability.argmax(axis=1)
    own = probability[np.arange(n), true_pipe]
    rank = (probability > own[:, None]).sum(axis=1)
    distance = pipes.distance_m[best, true_pipe]
    node_probability = pipes.node_probability(probability)
    ends = pipes.ends[true_pipe]
    end_own = np.take_along_axis(node_probability, ends, axis=1).max(axis=1)
    node_rank = (node_probability > end_own[:, None]).sum(axis=1)
    hops = pipes.hops[node_probability.argmax(axis=1)[:, None], ends]
    finite = np.where(np.isfinite(distance), distance, np.nan)
    return (
        {f"top{k}_hit": float((rank < k).mean()) for k in TOP_K}
        | {f"node_top{k}_hit": float((node_rank < k).mean()) for k in TOP_K}
        | {
            "atd": _mean(hops.min(axis=1)),
            "atd_far_end": _mean(hops.max(axis=1)),
            "atd_m": _mean(finite),
            "localisation_distance_m_mean": _mean(finite),
            "localisation_distance_m_median": float(np.median(distance)),
            "leak_windows": float(n),
        }
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _mean(values: NDArray[np.floating]) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else None
