"""Metrics of scores, incidents and rankings, by their names in `terms-and-metrics`.

Pure functions of arrays and windows; which windows are scored is decided in `evaluation`.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .calibration import expected_calibration_error, reliability
from .confirmation import incident_openings
from .dataset import WindowSet
from .pipes import CandidatePipes

TOP_K = (1, 3, 5, 10)
NEAR_M = 300.0
Metrics = dict[str, float | None]

_HOURS_PER_WEEK = 168.0
# Classes of equally many leak windows by flow, and the recall from which a class counts as found.
_FLOW_CLASSES = 10
_FOUND_RECALL = 0.8
_ZONE = 0.9


def detector_metrics(
    windows: WindowSet,
    score: NDArray[np.floating],
    threshold: float,
    leak_truth: pl.DataFrame | None,
) -> Metrics:
    """Return the metrics of a detector's scores of a split.

    Windows that leak in some, but less than half, of their steps are labelled as leak-free, yet
    an alarm there is early, not false. They are left out of AUC, precision and recall as they are
    out of training; the false-alarm rate is there twice: `far_without_leak` of windows in which
    no water leaks, `far_as_labelled` of all windows labelled as leak-free. `ece` is the expected
    calibration error of the windows without those.

    Parameters
    ----------
    leak_truth
        Rows of `simulation.leak_truth`; None: no metrics of events.
    """
    alarm = score >= np.float32(threshold)
    clear = ~windows.is_partial
    bins = reliability(score[clear], windows.is_leak[clear])
    return (
        window_metrics(windows.is_leak[clear], score[clear], threshold)
        | {
            "far_without_leak": share(alarm[windows.leak_flow_m3_per_h == 0]),
            "far_as_labelled": share(alarm[~windows.is_leak]),
            "ece": expected_calibration_error(bins),
        }
        | ({} if leak_truth is None else event_metrics(windows.index, alarm, leak_truth))
        | flow_metrics(windows.leak_flow_m3_per_h[windows.is_leak], alarm[windows.is_leak])
        | {"threshold": threshold}
    )


def pinpointer_metrics(
    leaky: WindowSet, probability: NDArray[np.floating], pipes: CandidatePipes
) -> Metrics:
    """Return the metrics of a pinpointer's ranking of leak windows."""
    true_pipe = pipes.positions(leaky.index["link_id"])
    return localisation_metrics(probability, true_pipe, pipes)


def window_metrics(
    is_leak: NDArray[np.bool_], score: NDArray[np.floating], threshold: float
) -> Metrics:
    """Return auc, precision, recall, f1, mcc and counts at a threshold.

    A ratio without a denominator, and AUC and MCC of one class, are None.
    """
    from sklearn.metrics import f1_score, matthews_corrcoef, roc_auc_score

    alarm = score >= threshold
    hits, leaks = int((alarm & is_leak).sum()), int(is_leak.sum())
    both = 0 < leaks < is_leak.size
    some = both and alarm.any() and not alarm.all()
    return {
        "auc": float(roc_auc_score(is_leak, score)) if both else None,
        "precision": _ratio(hits, int(alarm.sum())),
        "recall": _ratio(hits, leaks),
        "f1": float(f1_score(is_leak, alarm)) if leaks or alarm.any() else None,
        "mcc": float(matthews_corrcoef(is_leak, alarm)) if some else None,
        "windows": float(is_leak.size),
        "leak_windows": float(leaks),
    }


def share(alarm: NDArray[np.bool_]) -> float | None:
    """Return the share of windows that alarm, None of no windows."""
    return float(alarm.mean()) if alarm.size else None


def event_metrics(index: pl.DataFrame, alarm: NDArray[np.bool_], truth: pl.DataFrame) -> Metrics:
    """Return how good the incidents are that the alarms lead to.

    Parameters
    ----------
    index
        scenario_id, window_start, window_end and leak_flow_m3_per_h of each window.
    alarm
        Which windows alarm, bool [n].
    truth
        Rows of `simulation.leak_truth`; leaks of scenarios without windows are left out.

    Returns
    -------
    dict
        An event is an incident: three of four windows alarmed, over after eight quiet ones. A
        leak is detected by the incident that opens between its start and end; each leak counts
        once, further incidents during a leak are ignored, one that opens outside all leaks is
        false. `false_incidents_per_leak_free_week` relates those to the time of all windows
        without leak flow. `time_to_detection_s_p50` (from the leak's start to the incident's
        opening) counts undetected leaks as infinite (None where they are the half); their number
        is `events_undetected`.
    """
    windows = index.with_columns(pl.Series("alarm", alarm)).sort("scenario_id", "window_start")
    leaks = truth.join(windows.select("scenario_id").unique(), on="scenario_id", how="semi")
    opened = [
        run.row(position, named=True)
        for run in windows.partition_by("scenario_id", maintain_order=True)
        for position in incident_openings(run["alarm"])
    ]
    delays: list[float] = []
    during: set[int] = set()
    for leak in leaks.iter_rows(named=True):
        own = [
            (i, (incident["window_end"] - leak["leak_start"]).total_seconds())
            for i, incident in enumerate(opened)
            if incident["scenario_id"] == leak["scenario_id"]
            and leak["leak_start"] <= incident["window_end"] <= leak["leak_end"]
        ]
        during.update(i for i, _ in own)
        delays.append(min((delay for _, delay in own), default=np.inf))
    detected, false = int(np.isfinite(delays).sum()), len(opened) - len(during)
    median = float(np.sort(delays)[(len(delays) - 1) // 2]) if delays else np.inf
    leak_free_h = _hours(windows.filter(pl.col("leak_flow_m3_per_h") == 0))
    return {
        "event_precision": _ratio(detected, detected + false),
        "event_recall": _ratio(detected, leaks.height),
        "events_undetected": float(leaks.height - detected),
        "false_incidents": float(false),
        "leak_free_weeks": leak_free_h / _HOURS_PER_WEEK,
        "false_incidents_per_leak_free_week": _ratio(false, leak_free_h / _HOURS_PER_WEEK),
        "time_to_detection_s_p50": median if np.isfinite(median) else None,
    }


def _hours(windows: pl.DataFrame) -> float:
    """Return the time that windows stand for: each one its stride."""
    stride = windows["window_start"].unique().sort().diff().drop_nulls().min()
    return windows.height * stride.total_seconds() / 3600.0 if stride is not None else 0.0  # type: ignore[union-attr]


def flow_metrics(flow_m3_per_h: NDArray[np.floating], alarm: NDArray[np.bool_]) -> Metrics:
    """Return which leaks were tried and from which flow on they are found.

    Parameters
    ----------
    flow_m3_per_h, alarm
        Mean leak flow of leak windows, and whether they alarmed, [n].

    Returns
    -------
    dict
        `leak_flow_m3_per_h_min` and `_max`: the flows tried. `found_from_m3_per_h`: ten classes
        of equally many windows; the least flow from which on every class has a recall of 0.8.
        None if not even the largest has.
    """
    if flow_m3_per_h.size == 0:
        return {}
    order = np.argsort(flow_m3_per_h, kind="stable")
    found = None
    for rows in reversed(np.array_split(order, min(_FLOW_CLASSES, order.size))):
        if alarm[rows].mean() < _FOUND_RECALL:
            break
        found = float(flow_m3_per_h[rows[0]])
    return {
        "leak_flow_m3_per_h_min": float(flow_m3_per_h.min()),
        "leak_flow_m3_per_h_max": float(flow_m3_per_h.max()),
        "found_from_m3_per_h": found,
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

        `hit_300m`: the most likely pipe is within 300 m. `near_hit`: it is, or an end node of
        the pipe is among the five most likely nodes (in a small network 300 m is no pipe's
        length). `fixed_guess_distance_m_median`: what knowing nothing gives, the answer being
        always the most central pipe; `distance_vs_fixed_guess`: the model's median distance as
        a share of that, None where both are 0.

        `coverage_90`: how often the pipe is in the 90 % zone, the fewest pipes with 0.9 of the
        probability; `zone_90_pipes_median`: how many those are.
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
    order = np.argsort(-probability, axis=1, kind="stable")
    held = np.cumsum(np.take_along_axis(probability, order, axis=1), axis=1)
    in_zone = 1 + (held < _ZONE).sum(axis=1)
    place = (order == true_pipe[:, None]).argmax(axis=1)
    median = float(np.median(distance))
    fixed = float(np.median(pipes.distance_m[pipes.most_central, true_pipe]))
    return (
        {f"top{k}_hit": float((rank < k).mean()) for k in TOP_K}
        | {f"node_top{k}_hit": float((node_rank < k).mean()) for k in TOP_K}
        | {
            "hit_300m": float((distance <= NEAR_M).mean()),
            "near_hit": float(((distance <= NEAR_M) | (node_rank < 5)).mean()),
            "atd": _mean(hops.min(axis=1)),
            "atd_far_end": _mean(hops.max(axis=1)),
            "atd_m": _mean(finite),
            "localisation_distance_m_mean": _mean(finite),
            "localisation_distance_m_median": _finite(median),
            "fixed_guess_distance_m_median": _finite(fixed),
            "distance_vs_fixed_guess": _finite(median / fixed) if fixed > 0 else None,
            "coverage_90": float((place < in_zone).mean()),
            "zone_90_pipes_median": float(np.median(np.minimum(in_zone, probability.shape[1]))),
            "leak_windows": float(n),
        }
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _mean(values: NDArray[np.floating]) -> float | None:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else None
