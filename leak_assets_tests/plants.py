"""A plant in a home, and spooled batches of what its devices send, for tests and benchmarks."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.plant.messages import FIELDS, VALUES
from leak_assets.settings import FIRST_DAY, Settings
from leak_assets.sites.described import register_site
from leak_assets.telemetry.readers.messages import Message, Names, decode, frame_of, readings
from leak_assets.telemetry.readers.read_file import MAX_AHEAD_S
from leak_assets.telemetry.readers.times import TimeRange
from leak_assets.telemetry.sources.collect import by_days
from leak_assets.telemetry.sources.spool import Spool
from leak_assets.telemetry.sources.stream import content_id

NAMES = Names(FIELDS, {name: value.as_field for name, value in VALUES.items()})


def plant_home(
    home: Path, *, sensors: int = 1, name: str = "works", **settings: Any
) -> StepContext:
    """Return the context of a home with a plant of sensors `wtf-pipe-1`, `wtf-pipe-2`, …."""
    ids = ", ".join(f"wtf-pipe-{number}" for number in range(1, sensors + 1))
    home.mkdir(parents=True, exist_ok=True)
    (home / "plant.yaml").write_text(
        f"name: {name}\nkind: plant\ncadence_s: 2\nsensors:\n"
        f"  - {{quantity: temperature, unit: °C, ids: [{ids}]}}\n"
        f"  - {{quantity: pressure, unit: bar, ids: [{ids}]}}\n"
        f"  - {{quantity: flow, unit: L/min, ids: [{ids}]}}\n"
    )
    made = Settings(LEAK_ASSETS_HOME=home, **settings)
    register_site(home / "plant.yaml", made)
    return StepContext.local(made)


def said(
    at: datetime,
    sensor: str = "wtf-pipe-1",
    *,
    temperature: Any = 20.0,
    pressure: Any = 2.0,
    flow: Any = 60.0,
) -> dict[str, Any]:
    """Return a message as a device sends it; by default of a plant in order."""
    return {
        "timestamp": at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "sensor_id": sensor,
        "temperature": temperature,
        "pressure": pressure,
        "flow": flow,
    }  # fmt: skip


def spool(
    settings: Settings,
    sent: Sequence[dict[str, Any]],
    received_at: datetime,
    *,
    site: str = "works",
    source: str = "devices",
) -> None:
    """Put messages into the spool, as the collector does that received them at some time."""
    payloads = [json.dumps(one).encode() for one in sent]
    taken = [Message("plant", content_id("plant", p), p) for p in payloads]
    found = [(one, tuple(readings(decode(one), NAMES, {}))) for one in taken]
    rows = frame_of(found, TimeRange(FIRST_DAY, received_at, MAX_AHEAD_S), "UTC")
    for days, part in by_days(rows, received_at):
        Spool(source, settings).write(site, part, days, received_at)


def steady(first: datetime, last: datetime, **values: Any) -> list[dict[str, Any]]:
    """Return a message every two seconds, both ends included."""
    count = int((last - first).total_seconds() // 2) + 1
    return [said(first + timedelta(seconds=2 * n), **values) for n in range(count)]


def current_anomalies(ctx: StepContext) -> pl.DataFrame:
    """Return what the API and SQL show, in one order."""
    return ctx.warehouse.sql("SELECT * FROM plant.current_anomalies ORDER BY anomaly_id")
