"""What is no leak: each kind of event is scored, and hydrants of a city raise no alarm.

How often the others alarm is measured by `benchmarks/bench_events.py`.
"""

from dataclasses import replace

import polars as pl

from leak_assets.detection.windows.scoring import Scorer
from leak_assets.features.windows import window_features
from leak_assets.hydraulics.plan.plan import ScenarioPlan
from leak_assets.models.config import DETECTOR
from leak_assets.models.in_use import champions
from leak_assets_tests.towns import batch_residuals

EVENTS = ScenarioPlan(
    batches=1,
    scenarios_per_batch=13,
    leak_share=0.0,
    event_share=1.0,
    record_all=False,
    seed=77,
)
# 20 to 192 m3/h in a city that uses 19,940 m3/h on average.
HYDRANTS = ("fire_flow", "flushing")


def test_hydrants_of_a_city_are_no_leak(ctx) -> None:
    """No window during fire flow or flushing alarms; a leak of 10 % in the same town does."""
    scorer = Scorer(champions(ctx, ctx.network("hanoi"))[DETECTOR])
    residuals, tables = batch_residuals(ctx.network("hanoi"), "b000", EVENTS)
    assert set(tables.event_truth["kind"]) >= {*HYDRANTS, "large_customer", "valve_operation"}
    assert not tables.event_truth["is_leak"].any()
    assert tables.leak_truth.is_empty()
    alarms = _alarms(scorer, residuals)
    during = tables.event_truth.join(alarms, on="scenario_id").filter(
        pl.col("window_end").is_between("event_start", "event_end")
    )
    assert set(during["kind"]) == set(tables.event_truth["kind"]), "each kind is scored"
    assert during.filter(pl.col("kind").is_in(HYDRANTS))["is_alarm"].sum() == 0

    leaky = replace(EVENTS, leak_share=1.0, event_share=0.0, incipient_share=0.0)
    residuals, tables = batch_residuals(ctx.network("hanoi"), "b000", leaky)
    hit = tables.leak_truth.join(_alarms(scorer, residuals), on="scenario_id").filter(
        pl.col("window_start") >= pl.col("leak_start")
    )
    assert hit["is_alarm"].mean() > 0.8


def _alarms(scorer: Scorer, residuals: pl.DataFrame) -> pl.DataFrame:
    """Return scenario_id, window_start, window_end, is_alarm of all scenarios."""
    parts = []
    for (scenario,), frame in residuals.partition_by("scenario_id", as_dict=True).items():
        scores, _ = scorer.score_windows(window_features(frame))
        parts.append(
            scores.select("window_start", "window_end", "is_alarm").with_columns(
                scenario_id=pl.lit(scenario)
            )
        )
    return pl.concat(parts)
