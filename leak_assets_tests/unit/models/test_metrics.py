"""Metrics: identities and hand-computed cases."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from leak_assets.models.confirmation import incident_openings
from leak_assets.models.metrics import (
    event_metrics,
    flow_metrics,
    localisation_metrics,
    window_metrics,
)

T0 = datetime(2019, 3, 4, tzinfo=UTC)


def test_window_metrics_equal_the_definitions() -> None:
    """Precision and recall by counting; AUC and MCC as scikit-learn has them, with ties."""
    rng = np.random.default_rng(0)
    is_leak = rng.random(400) < 0.4
    score = np.round(rng.random(400) * 0.6 + is_leak * 0.3, 2)
    found = window_metrics(is_leak, score, 0.5)
    alarm = score >= 0.5
    assert found["auc"] == pytest.approx(roc_auc_score(is_leak, score))
    assert found["mcc"] == pytest.approx(matthews_corrcoef(is_leak, alarm))
    assert found["recall"] == pytest.approx(alarm[is_leak].mean())
    assert found["precision"] == pytest.approx(is_leak[alarm].mean())


def test_ratios_without_a_denominator_are_none() -> None:
    """No leak, no alarm: nothing to divide by."""
    found = window_metrics(np.zeros(3, bool), np.zeros(3), 0.5)
    assert {found[name] for name in ("auc", "precision", "recall", "f1", "mcc")} == {None}


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


def test_incidents_open_at_three_of_four_and_close_after_eight_quiet() -> None:
    """Two alarms are none; seven quiet windows leave it open, eight let the next one open."""
    assert incident_openings([True, True, False, False, True]) == []
    first = [True, False, True, True]
    assert incident_openings([*first, *[False] * 7, True, True, True]) == [3]
    assert incident_openings([*first, *[False] * 8, True, True, True]) == [3, 14]


def test_events_are_incidents_and_leaks_count_once() -> None:
    """One leak found, one missed, one false incident; a repeat during the leak is ignored."""
    index = _index(40, ("a", "b")).with_columns(leak_flow_m3_per_h=pl.lit(0.0))
    leak_start = T0 + timedelta(hours=8)
    index = index.with_columns(
        pl.when(pl.col("window_end") >= leak_start)
        .then(5.0)
        .otherwise("leak_flow_m3_per_h")
        .alias("leak_flow_m3_per_h")
    )
    truth = pl.DataFrame(
        {
            "scenario_id": ["a", "b"],
            "leak_id": [0, 0],
            "leak_start": [leak_start] * 2,
            "leak_end": [T0 + timedelta(hours=48)] * 2,
        },
        schema_overrides={
            "leak_start": pl.Datetime("us", "UTC"),
            "leak_end": pl.Datetime("us", "UTC"),
        },
    )
    alarm = np.zeros(80, bool)
    alarm[0:3] = True  # a, opens at 03:55, before the leak: false
    alarm[12:15] = True  # a, opens with the window that ends at 09:55
    alarm[30:33] = True  # a, a repeat
    alarm[45] = True  # b, one window alone opens nothing
    found = event_metrics(index, alarm, truth)
    assert found["event_recall"] == 0.5
    assert found["event_precision"] == 0.5
    assert found["events_undetected"] == 1.0
    assert found["false_incidents"] == 1.0
    # 11 windows in each scenario end before the leak, each stands for half an hour.
    assert found["leak_free_weeks"] == pytest.approx(2 * 11 * 0.5 / 168)
    assert found["false_incidents_per_leak_free_week"] == pytest.approx(168 / 11)
    assert found["time_to_detection_s_p50"] == 115 * 60
    alarm[:] = False
    assert event_metrics(index, alarm, truth)["time_to_detection_s_p50"] is None


def test_an_incident_that_was_open_before_the_leak_does_not_find_it() -> None:
    """It is false, and the leak that starts meanwhile stays undetected."""
    index = _index(20, ("a",)).with_columns(leak_flow_m3_per_h=pl.lit(0.0))
    start = T0 + timedelta(hours=6)
    truth = pl.DataFrame(
        {
            "scenario_id": ["a"],
            "leak_id": [0],
            "leak_start": [start],
            "leak_end": [T0 + timedelta(hours=20)],
        },
        schema_overrides={
            "leak_start": pl.Datetime("us", "UTC"),
            "leak_end": pl.Datetime("us", "UTC"),
        },
    )
    found = event_metrics(index, np.ones(20, bool), truth)
    assert (found["event_recall"], found["false_incidents"]) == (0.0, 1.0)


def test_leaks_are_found_from_the_flow_on_that_no_larger_class_is_missed() -> None:
    """A hundred windows of 1 to 100 m3/h: all from 41 on alarm, and a lucky small one."""
    flow = np.arange(1.0, 101.0)
    alarm = flow > 40
    alarm[:10] = True
    found = flow_metrics(flow, alarm)
    assert found["found_from_m3_per_h"] == 41.0
    assert (found["leak_flow_m3_per_h_min"], found["leak_flow_m3_per_h_max"]) == (1.0, 100.0)
    assert flow_metrics(flow, np.zeros(100, bool))["found_from_m3_per_h"] is None


def test_a_ranking_that_knows_nothing_is_no_better_than_the_middle(pipes) -> None:
    """The median distance of the most central pipe is what knowing nothing gives."""
    truth = np.arange(12)
    flat = np.full((12, 12), 1 / 12)
    flat[:, pipes.most_central] += 1e-3
    found = localisation_metrics(flat, truth, pipes)
    assert found["distance_vs_fixed_guess"] == pytest.approx(1.0)
    assert localisation_metrics(np.eye(12), truth, pipes)["distance_vs_fixed_guess"] == 0.0
    assert localisation_metrics(np.eye(12), truth, pipes)["near_hit"] == 1.0


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
