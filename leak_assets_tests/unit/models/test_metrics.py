"""Metrics: identities and hand-computed cases."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from leak_assets.models.metrics import auc, event_metrics, localisation_metrics, window_metrics

T0 = datetime(2019, 3, 4, tzinfo=UTC)


def test_window_metrics_equal_the_definitions() -> None:
    """FAR = FP / (FP + TN); AUC and MCC as scikit-learn has them, with ties."""
    rng = np.random.default_rng(0)
    is_leak = rng.random(400) < 0.4
    score = np.round(rng.random(400) * 0.6 + is_leak * 0.3, 2)
    found = window_metrics(is_leak, score, 0.5)
    alarm = score >= 0.5
    assert found["auc"] == pytest.approx(roc_auc_score(is_leak, score))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(is_leak, alarm))
    assert found["far"] == pytest.approx((alarm & ~is_leak).sum() / (~is_leak).sum())
    assert found["recall"] == pytest.approx(alarm[is_leak].mean())
    assert found["precision"] == pytest.approx(is_leak[alarm].mean())
    assert found["far"] + found["tnr"] == pytest.approx(1.0)


def test_ratios_without_a_denominator_are_none() -> None:
    """No leak, no alarm: nothing to divide by."""
    found = window_metrics(np.zeros(3, bool), np.zeros(3), 0.5)
    assert (found["precision"], found["recall"], found["mcc"]) == (None, None, None)
    assert auc(np.zeros(3, bool), np.zeros(3)) is None


def _index(windows: int, scenarios: tuple[str, ...]) -> pl.DataFrame:
    starts = [T0 + timedelta(minutes=30 * k) for k in range(windows)]
    utc = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "scenario_id": [s for s in scenarios for _ in starts],
            "window_start": starts * len(scenarios),
        },
        schema_overrides={"window_start": utc},
    ).with_columns((pl.col("window_start") + timedelta(hours=2, minutes=55)).alias("window_end"))


def test_events_are_runs_of_alarms_and_leaks_count_once() -> None:
    """One leak found after an hour, one missed, one false event; a repeat is ignored."""
    index = _index(20, ("a", "b"))
    truth = pl.DataFrame(
        {
            "scenario_id": ["a", "b"],
            "leak_id": [0, 0],
            "leak_start": [T0 + timedelta(hours=4)] * 2,
            "leak_end": [T0 + timedelta(hours=20)] * 2,
        },
        schema_overrides={
            "leak_start": pl.Datetime("us", "UTC"),
            "leak_end": pl.Datetime("us", "UTC"),
        },
    )
    alarm = np.zeros(40, bool)
    alarm[0:2] = True  # a, windows end at 02:55 and 03:25: before the leak, false
    alarm[5:7] = True  # a, ends at 05:25: detected 1 h 25 min after the start
    alarm[10] = True  # a, a repeat
    found = event_metrics(index, alarm, truth)
    assert found["event_recall"] == 0.5
    assert found["event_precision"] == 0.5
    assert found["events_undetected"] == 1.0
    assert found["time_to_detection_s_p50"] == 85 * 60
    alarm[:] = False
    assert event_metrics(index, alarm, truth)["time_to_detection_s_p50"] is None


def test_localisation_of_a_perfect_and_a_shifted_ranking(pipes) -> None:
    """All probability on the pipe: 0 m and 0 hops; three pipes off: 300 m, 2 and 3 or 4 hops."""
    truth = np.array([2, 5])
    perfect = np.eye(12)[truth]
    found = localisation_metrics(perfect, truth, pipes)
    assert (found["top1_hit"], found["atd"], found["localisation_distance_m_mean"]) == (1, 0, 0)
    assert found["atd_far_end"] == 1.0
    shifted = localisation_metrics(np.eye(12)[truth + 3], truth, pipes)
    assert shifted["top1_hit"] == 0
    assert shifted["localisation_distance_m_median"] == 300
    assert shifted["atd"] == 2.0


def test_node_probability_is_half_of_each_pipe(pipes) -> None:
    """Rows keep their sum; an inner node joins two pipes."""
    probability = np.full((1, 12), 1 / 12)
    nodes = pipes.node_probability(probability)
    assert nodes.sum() == pytest.approx(1.0)
    assert nodes[0, 0] == pytest.approx(1 / 24)
    assert nodes[0, 5] == pytest.approx(1 / 12)


def test_unknown_pipes_are_named(pipes) -> None:
    """A pipe that is no candidate."""
    with pytest.raises(ValueError, match="p99"):
        pipes.positions(pl.Series(["p00", "p99"]))
