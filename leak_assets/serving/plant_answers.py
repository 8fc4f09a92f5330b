"""What the plant's endpoints answer: shapes of the fields, and how they follow from tables.

Routes and status codes are in `plant_routes`.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import polars as pl
from pydantic import BaseModel, Field

from leak_assets.errors import InputError
from leak_assets.plant.profile import UNITS
from leak_assets.plant.rules import TYPES
from leak_assets.settings import Settings

from .newest import NewestRows
from .plant_rows import (
    is_watched,
    last_reading,
    newest_anomaly_rows,
    newest_summary_rows,
    redis_of_watches,
)

_LOG = logging.getLogger(__name__)
HISTORY = 100
"""Anomalies that `/metrics` counts."""
STALE_S = 60.0
ACTIVE_SUMMARIES = 100


class Anomaly(BaseModel):
    """One spike, drift or dropout; a dropout has no parameter."""

    type: Literal["spike", "drift", "dropout"]
    timestamp: datetime
    sensor_id: str
    parameter: str | None
    value: float | None = Field(description="the reading; of a dropout that ended, its seconds")
    message: str
    started_at: datetime | None = Field(None, description="of drifts and dropouts")
    duration_s: float | None = Field(None, description="of drifts and of dropouts that ended")


class SummaryAnswer(BaseModel):
    """The newest summary, and all of them."""

    summary: str = Field(description="the newest text; empty where there is none")
    timestamp: datetime | None
    generated_by: str | None = Field(description="`llm_summarizer` or `template`")
    summaries: list[str] = Field(description="newest first")
    count: int


class DataStream(BaseModel):
    """Whether readings come."""

    healthy: bool
    last_received: datetime | None
    message: str


class Connection(BaseModel):
    """Whether a store answers."""

    connected: bool
    message: str


class Status(BaseModel):
    """Whether the parts of the platform do their work."""

    data_stream: DataStream
    redis: Connection
    sensor_active: bool
    detector_active: bool
    llm_active: bool
    api_active: bool
    last_reading_time: datetime | None
    anomaly_count_24h: int


class Metrics(BaseModel):
    """Counts of the newest anomalies; dropouts have no parameter."""

    total_anomalies: int
    anomalies_by_type: dict[str, int]
    anomalies_by_parameter: dict[str, int]
    last_update: datetime | None


def newest_anomalies(rows: NewestRows, sites: Sequence[str], limit: int) -> list[Anomaly]:
    """Return the newest anomalies, each as it is known last."""
    ordered = newest_anomaly_rows(rows, sites, limit)
    return [
        Anomaly(
            type=row["type"],
            timestamp=row["ts_utc"],
            sensor_id=row["sensor_id"],
            parameter=row["parameter"],
            value=row["value"],
            message=row["message"],
            started_at=None if row["type"] == "spike" else row["started_at"],
            duration_s=row["duration_s"],
        )
        for row in ordered.iter_rows(named=True)
    ]


def summary_answer(rows: NewestRows, sites: Sequence[str]) -> SummaryAnswer:
    """Return the newest summaries."""
    frame = newest_summary_rows(rows, sites, ACTIVE_SUMMARIES)
    if frame.is_empty():
        return SummaryAnswer(summary="", timestamp=None, generated_by=None, summaries=[], count=0)
    newest = frame.row(0, named=True)
    return SummaryAnswer(
        summary=newest["summary"],
        timestamp=newest["created_at"],
        generated_by=newest["generated_by"],
        summaries=frame.get_column("summary").to_list(),
        count=frame.height,
    )


def metrics(rows: NewestRows, sites: Sequence[str]) -> Metrics:
    """Return counts of the newest anomalies."""
    anomalies = newest_anomalies(rows, sites, HISTORY)
    return Metrics(
        total_anomalies=len(anomalies),
        anomalies_by_type={kind: sum(a.type == kind for a in anomalies) for kind in TYPES},
        anomalies_by_parameter={
            parameter: sum(a.parameter == parameter for a in anomalies) for parameter in UNITS
        },
        last_update=max((a.timestamp for a in anomalies), default=None),
    )


def _redis(of_watches: Mapping[str, str]) -> Connection:
    """Return the state of Redis as the live watches see it; the platform itself needs none."""
    if not of_watches:
        return Connection(
            connected=False, message="Redis is not configured; the warehouse is the store"
        )
    lost = [f"{site}: {said}" for site, said in of_watches.items() if said]
    told = f"Redis answers the watch of {', '.join(of_watches)}; the warehouse is the store"
    return Connection(connected=not lost, message="; ".join(lost) or told)


def status(rows: NewestRows, sites: Sequence[str], settings: Settings, now: datetime) -> Status:
    """Return the state of the parts; of a store that fails, the reason instead of an error."""
    try:
        last = last_reading(rows, sites)
        judged = is_watched(rows, sites, now) or bool(rows.days("plant.rule_states", sites))
        recent = newest_anomalies(rows, sites, 10_000)
        redis = _redis(redis_of_watches(rows, sites, now))
        problem = ""
    except (InputError, OSError, pl.exceptions.PolarsError):
        _LOG.exception("the warehouse cannot be read")
        last, judged, recent = None, False, []
        problem = "the warehouse cannot be read; the log has the reason"
        redis = Connection(connected=False, message=problem)
    healthy = last is not None and (now - last).total_seconds() <= STALE_S
    if problem:
        told = problem
    elif last is None:
        told = "No data received yet"
    elif healthy:
        told = "Data flowing normally"
    else:
        told = f"No data for {(now - last).total_seconds():.0f} s"
    since = now - timedelta(hours=24)
    return Status(
        data_stream=DataStream(healthy=healthy, last_received=last, message=told),
        redis=redis,
        sensor_active=healthy,
        detector_active=judged and healthy,
        llm_active=settings.openai_api_base is not None,
        api_active=True,
        last_reading_time=last,
        anomaly_count_24h=sum(a.timestamp >= since for a in recent),
    )
