"""A plant as a site: files through the landing zone to anomalies, day by day."""

import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from leak_assets.pipeline.context import StepContext
from leak_assets.plant.simulator.simulator import simulate_plant
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S

PLANT = """
name: works
kind: plant
cadence_s: 2
sensors:
  - {quantity: temperature, unit: °C, ids: [wtf-pipe-1]}
  - {quantity: pressure, unit: bar, ids: [wtf-pipe-1]}
  - {quantity: flow, unit: L/min, ids: [wtf-pipe-1]}
"""


@pytest.fixture
def ctx(tmp_path: Path) -> StepContext:
    """A home with a plant."""
    settings = Settings(LEAK_ASSETS_HOME=tmp_path / "home")
    (tmp_path / "works.yaml").write_text(PLANT)
    register_site(tmp_path / "works.yaml", settings)
    return StepContext.local(settings)


def exported(rows: pl.DataFrame, path: Path) -> Path:
    """Write readings as a long export."""
    rows.rename({"parameter": "quantity"}).write_parquet(path)
    return path


def test_files_of_a_plant_become_anomalies(ctx: StepContext, tmp_path: Path) -> None:
    """Two days with a night between them: each has its rows, and again changes nothing."""
    start = datetime(2025, 5, 28, 23, 30, tzinfo=UTC)
    run = simulate_plant(3600, 11, start_at=start, anomaly_rate_per_h=20.0)
    file = exported(run.readings, tmp_path / "night.parquet")
    deliver([file], ctx.settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    site = ctx.site("works")
    summary = process_landing_zone(ctx, site)
    assert (summary.days, summary.quarantined) == (2, 0)
    anomalies = ctx.warehouse.sql("SELECT * FROM plant.current_anomalies")
    assert set(anomalies["type"]) == {"spike", "drift", "dropout"}
    assert anomalies["ts_utc"].is_sorted(descending=True)
    days = {row["date"] for row in ctx.warehouse.partitions("plant.anomalies", site="works")}
    assert days == {"2025-05-28", "2025-05-29"}
    assert stale_days(ctx, site) == []


def test_a_drift_over_midnight_is_one_drift(ctx: StepContext, tmp_path: Path) -> None:
    """It began on the day before and is noticed after midnight."""
    start = datetime(2025, 5, 28, 23, 59, 50, tzinfo=UTC)
    rows = pl.DataFrame(
        {
            "ts_utc": [start + timedelta(seconds=2 * n) for n in range(20)],
            "sensor_id": ["wtf-pipe-1"] * 20,
            "parameter": ["pressure"] * 20,
            "value": [0.8] * 20,
            "unit": ["bar"] * 20,
        },
        schema_overrides={"ts_utc": pl.Datetime("us", "UTC")},
    )
    deliver([exported(rows, tmp_path / "night.parquet")], ctx.settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    process_landing_zone(ctx, ctx.site("works"))
    drift = ctx.warehouse.sql("SELECT * FROM plant.anomalies WHERE type = 'drift'")
    assert drift["started_at"].to_list() == [start]
    assert drift["ts_utc"].dt.date().to_list() == [date(2025, 5, 29)]


def test_no_rule_sees_a_value_that_cannot_be_true(ctx: StepContext, tmp_path: Path) -> None:
    """A plant's readings are not validated: what is impossible is told, and no spike of a rule."""
    start = datetime(2025, 5, 28, 12, tzinfo=UTC)
    steady = pl.DataFrame(
        {
            "ts_utc": [start + timedelta(seconds=2 * n) for n in range(30)],
            "sensor_id": "wtf-pipe-1",
            "quantity": "temperature",
            "value": [25.0] * 15 + [9999.0] + [25.0] * 14,
            "unit": "°C",
        }
    )
    steady.write_parquet(tmp_path / "day.parquet")
    deliver([tmp_path / "day.parquet"], ctx.settings.landing_dir, "works")
    time.sleep(SETTLE_S + 0.1)
    summary = process_landing_zone(ctx, ctx.site("works"))
    assert (summary.quarantined, summary.unusable) == (1, 0)
    assert ctx.warehouse.read_all("plant.readings", site="works")["value"].max() == 25.0
    # The day goes on without readings.
    found = ctx.warehouse.sql("SELECT type FROM plant.current_anomalies")
    assert found["type"].to_list() == ["dropout"]
    told = ctx.warehouse.sql("SELECT file_path, file_row, reason FROM telemetry.not_used")
    assert told.rows() == [("works/day.parquet", 17, "out_of_range")]
