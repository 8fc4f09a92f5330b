"""A home that a server can be asked about: rows of every table that an endpoint reads, by hand."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.sites.described import register_site
from leak_assets.warehouse.schemas import TABLES
from leak_assets_tests.hypotheses import story
from leak_assets_tests.unit.incidents.lake import NET, lake

DAYS = (date(2019, 1, 15), date(2019, 1, 16))
PLANT = """
name: works
kind: plant
cadence_s: 2
sensors:
  - {quantity: temperature, unit: °C, ids: [wtf-pipe-1]}
"""
HOME = """
name: villa
kind: household
sensors:
  - {quantity: flow, unit: L/min, ids: [main]}
"""
METERS = """
name: estate
kind: meters
timezone: Europe/Berlin
cadence_s: 3600
sensors: [{quantity: volume, unit: m3, ids: [m0001, m0002]}]
"""
_DEFAULTS: dict[Any, Any] = {
    pl.String: "x", pl.Float64: 1.0, pl.Int64: 1, pl.Int8: 1, pl.Boolean: False, pl.Binary: b"",
}  # fmt: skip


def rows(table: str, count: int = 1, **columns: Any) -> pl.DataFrame:
    """Return rows of a table: what is not given is a value of the column's type."""
    schema = TABLES[table].polars_schema
    made = {}
    for name, dtype in schema.items():
        value = columns.get(name)
        if value is None and name not in columns:
            value = _DEFAULTS.get(dtype.base_type())
            if isinstance(dtype, pl.Datetime):
                value = midnight(DAYS[-1])
            elif dtype == pl.Date:
                value = DAYS[-1]
        made[name] = value if isinstance(value, list) else [value] * count
    return pl.DataFrame(made, schema=schema)


def midnight(day: date) -> datetime:
    """Return the begin of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def steps(day: date, every: timedelta) -> list[datetime]:
    """Return the steps of a day."""
    count = timedelta(days=1) // every
    return [midnight(day) + n * every for n in range(count)]


def make_home(home: Path) -> StepContext:
    """Return a context over a home with a network, a plant and a household."""
    leaks = (
        story("first", "rrre......", pipes="p1", flow_m3_per_h=5.0)
        + story("second", "....rrrrrr", pipes="p3", flow_m3_per_h=30.0)
        + story("third", "......rrrr", pipes="p4", flow_m3_per_h=12.0)
    )
    ctx = lake(home, leaks)
    for text in (PLANT, HOME, METERS):
        file = home / "site.yaml"
        file.write_text(text)
        register_site(file, ctx.settings)
    write_network_days(ctx)
    write_home_days(ctx)
    write_meter_readings(ctx)
    write = ctx.warehouse.write
    write("network.sensors", {"network": NET}, rows(
        "network.sensors", 2, network=NET, sensor_id=["n1", "n2"], quantity="pressure",
        element_type="node", unit="m", x=[0.0, 100.0],
    ))  # fmt: skip
    version = {"version": "leak_detector-1", "network": NET}
    which = {"network": NET, "model": "leak_detector", "version": "1"}
    write("models.training_runs", version, rows("models.training_runs", **which))
    write("models.evaluations", version, rows(
        "models.evaluations", 2, **which, split="test", metric=["auc", "ece"],
        value=[0.98, float("nan")], gate=[0.9, None], passed=[True, None],
    ))  # fmt: skip
    write("models.registry_events", {"event": "e1", "network": NET}, rows(
        "models.registry_events", **which, status="champion", event_id="e1"
    ))  # fmt: skip
    return ctx


def write_network_days(ctx: StepContext, value: float = 20.0) -> None:
    """Write the days of a network's readings, channels, scores, quality and water."""
    for day in DAYS:
        partition = {"date": day.isoformat(), "network": NET}
        write = ctx.warehouse.write
        at = steps(day, timedelta(minutes=5))
        values = [value + (5.0 if n == 100 else 0.0) for n in range(len(at))]
        write("telemetry.readings", partition, rows(
            "telemetry.readings", len(at), network=NET, sensor_id="n1", quantity="pressure",
            ts_utc=at, value_si=values, quality="good", mask=[0 if n == 7 else 1
            for n in range(len(at))],
        ))  # fmt: skip
        half_hours = steps(day, timedelta(minutes=30))
        write("features.channels_30m", partition, rows(
            "features.channels_30m", len(half_hours), network=NET, ts_utc=half_hours,
            channel="pressure/n1", measured=value, expected=value + 1, residual=-1.0,
        ))  # fmt: skip
        write("features.calibrations", partition, rows(
            "features.calibrations", network=NET, date=day, sensor_id="n1", quantity="pressure",
            std_si=0.5,
        ))  # fmt: skip
        write("detection.window_scores", partition, rows(
            "detection.window_scores", len(half_hours), network=NET, method="windows",
            window_start=half_hours, window_end=[t + timedelta(hours=3) for t in half_hours],
            anomaly_score=[0.9 if n == 5 else 0.1 for n in range(48)], threshold=0.8,
            is_alarm=[n == 5 for n in range(48)], state="scored",
        ))  # fmt: skip
        write("telemetry.sensor_quality_daily", partition, rows(
            "telemetry.sensor_quality_daily", 2, network=NET, day=day, sensor_id=["n1", "n2"],
            quantity="pressure", last_reading_at=midnight(day) + timedelta(hours=23),
            max_age_s=900.0, is_silent=[False, True],
        ))  # fmt: skip
        write("water.dma_balance_daily", partition, rows(
            "water.dma_balance_daily", network=NET, zone_id="0", local_date=day, ili=[None],
        ))  # fmt: skip
        write("water.minimum_night_flow", partition, rows(
            "water.minimum_night_flow", network=NET, zone_id="0", night=day
        ))  # fmt: skip


def write_meter_readings(ctx: StepContext) -> None:
    """Write a day of a meter's counter, sent in liters."""
    at = steps(DAYS[-1], timedelta(hours=1))
    ctx.warehouse.write(
        "telemetry.raw_readings",
        {"date": DAYS[-1].isoformat(), "network": "estate"},
        rows("telemetry.raw_readings", len(at), network="estate", sensor_id="m0001",
             quantity="volume", unit="L", ts_utc=at, value=[1000.0 + n for n in range(len(at))],
             message_id=[str(n) for n in range(len(at))]),
    )  # fmt: skip


def write_home_days(ctx: StepContext) -> None:
    """Write the days of a household, with an alarm."""
    for day in DAYS:
        partition = {"date": day.isoformat(), "site": "villa"}
        write = ctx.warehouse.write
        at = steps(day, timedelta(minutes=10))
        write("household.readings", partition, rows(
            "household.readings", len(at), site="villa", ts_utc=at, problem=[None] * len(at),
            message_id=[str(n) for n in range(len(at))],
        ))  # fmt: skip
        write("household.engine_status", partition, rows(
            "household.engine_status", site="villa", day=day, status="ok", is_on=True
        ))  # fmt: skip
        write("household.daily_summaries", partition, rows(
            "household.daily_summaries", site="villa", day=day
        ))  # fmt: skip
        write("household.alerts", partition, rows(
            "household.alerts", site="villa", ts_utc=midnight(day), event="on",
            attributes_json='{"risk": 1.2, "status": "ok"}',
        ))  # fmt: skip
