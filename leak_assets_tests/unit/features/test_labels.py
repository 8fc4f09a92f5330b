"""Window labels: the half rule, several leaks, SQL."""

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import polars as pl
import pytest

from leak_assets.features.grid import WindowSpec
from leak_assets.features.labels import label_windows

DAY = datetime(2019, 3, 4, tzinfo=UTC)
SPEC = WindowSpec()


def _windows(scenarios: int, count: int = 43) -> pl.DataFrame:
    starts = [DAY + timedelta(minutes=30 * k) for k in range(count)]
    frame = pl.DataFrame(
        {
            "scenario_id": [f"s{s}" for s in range(scenarios) for _ in starts],
            "window_start": starts * scenarios,
        }
    ).with_columns(pl.col("window_start").cast(pl.Datetime("us", "UTC")))
    return frame.with_columns(
        (pl.col("window_start") + timedelta(hours=2, minutes=55)).alias("window_end")
    )


def _leak(scenario: str, start_min: float, end_min: float, **more: object) -> dict[str, object]:
    start, end = DAY + timedelta(minutes=start_min), DAY + timedelta(minutes=end_min)
    base = {
        "scenario_id": scenario,
        "leak_id": 0,
        "link_id": "p1",
        "leak_type": "abrupt",
        "leak_start": start,
        "leak_peak": start,
        "leak_end": end,
        "max_flow_m3_per_h": 10.0,
    }
    return base | more


def _truth(*leaks: dict[str, object]) -> pl.DataFrame:
    utc = pl.Datetime("us", "UTC")
    return pl.DataFrame(list(leaks)).with_columns(
        pl.col("leak_start", "leak_peak", "leak_end").cast(utc)
    )


def test_half_of_the_window_is_a_leak_and_less_is_not() -> None:
    """18 active steps of 36 label the window, 17 do not; both have leak flow."""
    one = _windows(1, 1)
    half = label_windows(one, _truth(_leak("s0", 90, 600)), spec=SPEC).row(0, named=True)
    less = label_windows(one, _truth(_leak("s0", 95, 600)), spec=SPEC).row(0, named=True)
    assert (half["is_leak"], half["link_id"], half["leak_type"]) == (True, "p1", "abrupt")
    assert half["leak_flow_m3_per_h"] == pytest.approx(5.0)
    assert (less["is_leak"], less["link_id"], less["leak_type"]) == (False, None, None)
    assert less["leak_flow_m3_per_h"] == pytest.approx(10.0 * 17 / 36)


def test_the_share_is_a_parameter() -> None:
    """One active step is enough at a share of 1/36."""
    truth = _truth(_leak("s0", 175, 600))
    found = label_windows(_windows(1, 1), truth, spec=SPEC, min_active_share=1 / 36)
    assert found["is_leak"].to_list() == [True]


def test_the_larger_leak_names_the_pipe_and_flows_add_up() -> None:
    """Two leaks in one window."""
    truth = _truth(
        _leak("s0", 0, 600),
        _leak("s0", 0, 600, leak_id=1, link_id="p2", max_flow_m3_per_h=30.0),
    )
    row = label_windows(_windows(1, 1), truth, spec=SPEC).row(0, named=True)
    assert (row["link_id"], row["leak_flow_m3_per_h"]) == ("p2", pytest.approx(40.0))


def test_incipient_flow_rises_to_its_peak() -> None:
    """Mean flow grows window by window and reaches the maximum after the peak."""
    peak = DAY + timedelta(minutes=600)
    truth = _truth(_leak("s0", 0, 1440, leak_type="incipient", leak_peak=peak))
    flow = label_windows(_windows(1), truth, spec=SPEC)["leak_flow_m3_per_h"].to_numpy()
    assert (np.diff(flow[:20]) > 0).all()
    assert flow[0] > 0
    assert flow[30] == pytest.approx(10.0)


def test_leak_free_scenarios_stay_leak_free() -> None:
    """No leak row, no label, no flow; other columns and the order stay."""
    found = label_windows(
        _windows(2).with_columns(pl.lit(1).alias("kept")), _truth(_leak("s1", 0, 1440)), spec=SPEC
    )
    assert not found.filter(pl.col("scenario_id") == "s0")["is_leak"].any()
    assert found.filter(pl.col("scenario_id") == "s0")["leak_flow_m3_per_h"].sum() == 0
    assert found.select(_windows(2).columns).equals(_windows(2))
    assert "kept" in found.columns


def test_sql_on_the_metadata_gives_the_same_labels() -> None:
    """FEA2: the query of the docstring reproduces every label."""
    rng = np.random.default_rng(0)
    scenarios = 30
    truth = _truth(
        *(
            _leak(f"s{s}", float(a), float(a + b), leak_id=i, link_id=f"p{i}")
            for s in range(scenarios)
            for i in range(2)
            for a, b in [(rng.uniform(-100, 1400), rng.uniform(10, 700))]
        )
    )
    windows = _windows(scenarios)
    labels = label_windows(windows, truth, spec=SPEC)
    with duckdb.connect() as con:
        con.register("windows", windows.to_arrow())
        con.register("leak_truth", truth.to_arrow())
        found = con.sql(
            """
            WITH active AS (
                SELECT w.scenario_id, w.window_start, t.leak_id, count(*) AS steps
                FROM windows w
                JOIN leak_truth t USING (scenario_id),
                     unnest(range(w.window_start, w.window_end + INTERVAL 300 SECOND,
                                  INTERVAL 300 SECOND)) AS step(ts)
                WHERE t.leak_start <= step.ts AND step.ts < t.leak_end
                GROUP BY ALL
            )
            SELECT w.scenario_id, w.window_start,
                   coalesce(max(a.steps) >= 0.5 * 36, false) AS is_leak
            FROM windows w LEFT JOIN active a USING (scenario_id, window_start)
            GROUP BY ALL ORDER BY ALL
            """
        ).pl()
    assert found["is_leak"].to_list() == (
        labels.sort("scenario_id", "window_start")["is_leak"].to_list()
    )
    assert 0 < found["is_leak"].sum() < found.height
