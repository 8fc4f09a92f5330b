"""A home for the dashboard's tests: what the endpoints' home has, with names that want to run."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leak_assets.incidents import people
from leak_assets.incidents.transitions import Transition
from leak_assets.pipeline.context import StepContext
from leak_assets.settings import Settings
from leak_assets_tests.unit.incidents.lake import NET
from leak_assets_tests.unit.serving.served import DAYS, midnight, rows

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
PAGES = (
    "/", "/view/quality", "/view/water", "/view/models", "/view/plant", "/view/household",
    "/view/meters",
)  # fmt: skip


def make_dashboard_home(served: StepContext, home: Path) -> StepContext:
    """Return a context over a copy of the endpoints' home, hostile in whatever people may name."""
    shutil.copytree(served.settings.home, home)
    ctx = StepContext.local(Settings(LEAK_ASSETS_HOME=home, LEAK_ASSETS_USER="ann"))
    write_sensors(ctx)
    write_plant(ctx)
    write_models(ctx)
    write_meters(ctx)
    day = DAYS[-1]
    ctx.warehouse.write(
        "household.engine_status",
        {"date": day.isoformat(), "site": "villa"},
        rows("household.engine_status", site="villa", day=day, status="ok", is_on=True,
             holdings_json="{}"),
    )  # fmt: skip
    ctx.warehouse.write(
        "household.alerts",
        {"date": day.isoformat(), "site": "villa"},
        rows("household.alerts", site="villa", ts_utc=midnight(day), event="on", kinds="risk",
             reasons=HOSTILE, attributes_json="{}"),
    )  # fmt: skip
    now = datetime.now(UTC)
    newest = incident_ids(ctx)[0]
    word = Transition(action="note", actor=HOSTILE, happened_at=now, recorded_at=now, note=HOSTILE)
    people.record(ctx, newest, word)
    return ctx


def write_sensors(ctx: StepContext, health: float = 0.4) -> None:
    """Write sensors of which one has a hostile name, on the map and among the data."""
    write = ctx.warehouse.write
    write("network.sensors", {"network": NET}, rows(
        "network.sensors", 3, network=NET, sensor_id=["n1", "n2", HOSTILE], quantity="pressure",
        element_type="node", unit="m", x=[0.0, 100.0, 200.0], y=0.0,
    ))  # fmt: skip
    day = DAYS[-1]
    write("telemetry.sensor_quality_daily", {"date": day.isoformat(), "network": NET}, rows(
        "telemetry.sensor_quality_daily", 3, network=NET, day=day, sensor_id=["n1", "n2", HOSTILE],
        quantity="pressure", last_reading_at=midnight(day) + timedelta(hours=23), max_age_s=900.0,
        is_silent=[False, True, False], reason_names=["", "", "flat_line"], reasons=[0, 0, 1],
        health=[1.0, 0.8, health], evidence=HOSTILE, steps=288, usable=[288, 200, 100],
    ))  # fmt: skip


def write_meters(ctx: StepContext) -> None:
    """Write two days of three meters, of which two never rest and one has a hostile name."""
    for day in DAYS:
        partition = {"date": day.isoformat(), "site": "estate"}
        ctx.warehouse.write("household.meter_days", partition, rows(
            "household.meter_days", 3, site="estate", day=day, meter=["m1", "m2", HOSTILE],
            measured_h=[24.0, 0.0, 24.0],
        ))  # fmt: skip
        ctx.warehouse.write("household.continuous_flow", partition, rows(
            "household.continuous_flow", 2, site="estate", day=day, meter=["m1", HOSTILE],
            rank=[1, 2], rank_by_flow=[2, 1], leak_l_per_h=[5.0, 40.0], lost_m3=[9.0, 2.0],
        ))  # fmt: skip


def write_models(ctx: StepContext) -> None:
    """Write two days of drift of a hostile sensor's feature, and a challenger in shadow mode."""
    which = {"network": NET, "model": "leak_detector"}
    for day in DAYS:
        partition = {"date": day.isoformat(), "network": NET}
        ctx.warehouse.write("models.drift", partition, rows(
            "models.drift", 2, **which, version="1", date=day, kind=["feature", "all"],
            subject=[f"mean/pressure/{HOSTILE}", "all"], psi=0.4, ks=0.3, bias_z=[None, None],
            bias_se=None, is_drift=True,
        ))  # fmt: skip
    beside = {"version": "leak_detector-2", "network": NET}
    ctx.warehouse.write("models.shadow_report", beside, rows(
        "models.shadow_report", **which, version="2", champion_version="1", reason="too few days",
        may_be_promoted=False,
    ))  # fmt: skip


def write_plant(ctx: StepContext, value: float = 45.2) -> None:
    """Write a plant's last minutes with an anomaly of a hostile sensor."""
    now = datetime.now(UTC).replace(microsecond=0)
    partition = {"date": now.date().isoformat(), "site": "works"}
    times = [now - timedelta(seconds=2 * n) for n in range(100)][::-1]
    ctx.warehouse.write("plant.readings", partition, rows(
        "plant.readings", 100, site="works", sensor_id=HOSTILE, parameter="temperature",
        ts_utc=times, value=[20.0] * 99 + [value], received_at=now,
        message_id=[str(n) for n in range(100)],
    ))  # fmt: skip
    ctx.warehouse.write("plant.anomalies", partition, rows(
        "plant.anomalies", site="works", anomaly_id=f"spike:{value}", type="spike", ts_utc=now,
        sensor_id=HOSTILE, parameter="temperature", value=value, started_at=now,
        message=f"Temperature spike detected: {value} exceeds threshold 40.0",
    ))  # fmt: skip


def incident_ids(ctx: StepContext) -> list[str]:
    """Return the incidents, the newest report first."""
    frame = ctx.warehouse.sql(
        "SELECT incident_id FROM incidents.incidents ORDER BY detected_at DESC, incident_id"
    )
    return list(frame["incident_id"])
