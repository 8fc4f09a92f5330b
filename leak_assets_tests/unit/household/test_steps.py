"""A home as a site: files through the landing zone to sessions, habits and alarms, day by day."""

import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError
from leak_assets.household.export import export_history
from leak_assets.household.home import home_of
from leak_assets.household.memory import state_from_json
from leak_assets.household.past import replay_day
from leak_assets.household.simulator.faults import Fault
from leak_assets.household.simulator.habits import Household
from leak_assets.household.simulator.simulator import simulate_history
from leak_assets.pipeline.context import StepContext
from leak_assets.runs.daemonless import process_landing_zone
from leak_assets.runs.freshness import stale_days
from leak_assets.settings import Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.sources.deliver import deliver
from leak_assets.telemetry.sources.landing import SETTLE_S

HOME = """
name: meadow-7
kind: household
timezone: Europe/Berlin
cadence_s: 60
sensors:
  - {quantity: flow, unit: L/min, ids: [main, hot]}
  - {quantity: people, ids: [people]}
  - {quantity: occupancy, ids: [occupancy]}
details:
  settings: {learning_days: 3, min_count: 10}
"""
DAYS = 6
FIRST = date(2019, 3, 1)


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> StepContext:
    """Six days of a home; on the last a pipe bursts."""
    folder = tmp_path_factory.mktemp("home")
    settings = Settings(LEAK_ASSETS_HOME=folder / "home")
    (folder / "home.yaml").write_text(HOME)
    register_site(folder / "home.yaml", settings)
    burst = Fault(
        "burst", datetime(2019, 3, 6, 12, tzinfo=UTC), datetime(2019, 3, 6, 14, tzinfo=UTC)
    )
    history = simulate_history(DAYS, 3, household=Household(people=2), step_s=60, faults=[burst])
    export_history(history, 60, folder / "home.parquet")
    deliver([folder / "home.parquet"], settings.landing_dir, "meadow-7")
    ctx = StepContext.local(settings)
    time.sleep(SETTLE_S + 0.1)
    process_landing_zone(ctx, ctx.site("meadow-7"))
    return ctx


def rows(ctx: StepContext, table: str) -> pl.DataFrame:
    return ctx.warehouse.read_all(f"household.{table}", site="meadow-7")


def test_a_home_has_all_its_tables(lived: StepContext) -> None:
    """HOU14: sessions, hours, days, buckets, prototypes, alerts, status; nothing is stale."""
    assert stale_days(lived, lived.site("meadow-7")) == []
    sessions = rows(lived, "sessions")
    assert sessions.height > 100
    hours = rows(lived, "hourly_stats")
    assert hours["volume_l"].sum() == pytest.approx(
        rows(lived, "daily_summaries")["volume_l"].sum()
    )
    assert rows(lived, "baselines").filter(rung=6).height == DAYS - 1
    status = rows(lived, "engine_status").sort("day")
    assert status["days_learned"].is_sorted()
    assert status["status"].to_list()[-1] == "ok"
    assert state_from_json(status["state_json"][0]).last_s is not None


def test_a_burst_alarms_once_with_its_attributes(lived: StepContext) -> None:
    """HOU13: all sixteen by SQL, with reasons; off when the water rests."""
    alerts = rows(lived, "alerts").sort("ts_utc")
    burst = alerts.filter(pl.col("ts_utc") >= datetime(2019, 3, 6, 12, tzinfo=UTC))
    assert burst["event"].to_list()[:2] == ["on", "off"]
    on = burst.row(0, named=True)
    assert on["ts_utc"] <= datetime(2019, 3, 6, 12, 40, tzinfo=UTC)
    assert on["reasons"]
    assert len(json.loads(on["attributes_json"])) == 16


def test_replaying_a_day_gives_the_same_alarms(lived: StepContext) -> None:
    """HOU19: from the tables of the days before, the identical sequence."""
    for day in (FIRST + timedelta(days=number) for number in range(DAYS)):
        stored, again = replay_day(lived.warehouse, lived.site("meadow-7"), day)
        assert_frame_equal(stored, again)


def test_bad_readings_keep_their_reason(lived: StepContext, tmp_path: Path) -> None:
    """A negative flow and a jump measure nothing; the day goes on."""
    at = datetime(2019, 3, 8, 10, tzinfo=UTC)
    values = [5.0, -3.0, 1e5, 4.0]
    frame = pl.DataFrame(
        {
            "ts_utc": [at + timedelta(minutes=n) for n in range(4)],
            "sensor_id": ["main"] * 4,
            "quantity": ["flow"] * 4,
            "value": values,
            "unit": ["L/min"] * 4,
        },
        schema_overrides={"ts_utc": pl.Datetime("us", "UTC")},
    )
    frame.write_parquet(tmp_path / "bad.parquet")
    deliver([tmp_path / "bad.parquet"], lived.settings.landing_dir, "meadow-7")
    time.sleep(SETTLE_S + 0.1)
    process_landing_zone(lived, lived.site("meadow-7"))
    found = rows(lived, "readings").filter(pl.col("ts_utc") >= at).sort("ts_utc")
    assert found["problem"].to_list() == [None, "negative_flow", "implausible_flow", None]
    assert found["seconds"].to_list() == [60.0, 0.0, 0.0, 60.0]


def test_a_home_without_a_meter_is_refused(lived: StepContext, tmp_path: Path) -> None:
    """One line with the remedy; unknown settings as well."""
    text = HOME.replace("learning_days", "learning_weeks").replace("meadow-7", "meadow-8")
    (tmp_path / "odd.yaml").write_text(text)
    register_site(tmp_path / "odd.yaml", lived.settings)
    with pytest.raises(InputError, match="learning_weeks"):
        home_of(lived.site("meadow-8"))
    with pytest.raises(InputError, match="not a household"):
        home_of(lived.site("hanoi"))
