"""Endpoints of treatment plants, with the fields that plant monitors are asked for."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Response

from .access import Caller, Viewer
from .context import Serving
from .plant_answers import (
    Anomaly,
    Metrics,
    Status,
    SummaryAnswer,
    metrics,
    newest_anomalies,
    status,
    summary_answer,
)

MOST = 1000
_Site = Annotated[str | None, Query(description="Plant; default: all plants.", max_length=100)]
_Limit = Annotated[int, Query(ge=1, le=MOST, description="How many, newest first.")]


def plant_router(serving: Serving) -> APIRouter:
    """Return the plant's endpoints over a warehouse."""
    router = APIRouter(tags=["plant"])
    settings, rows = serving.settings, serving.rows

    @router.get("/anomalies")
    def anomalies(caller: Viewer, limit: _Limit = 100, site: _Site = None) -> list[Anomaly]:
        """Return the newest anomalies."""
        return newest_anomalies(rows, _plants(serving, caller, site), limit)

    @router.get("/summary")
    def summary(caller: Viewer, site: _Site = None) -> SummaryAnswer:
        """Return the newest summary, and all of them."""
        return summary_answer(rows, _plants(serving, caller, site))

    @router.get("/status")
    def state(caller: Viewer, site: _Site = None) -> Status:
        """Return whether readings come and the parts do their work; never an error."""
        return status(rows, _plants(serving, caller, site), settings, datetime.now(UTC))

    @router.get("/metrics")
    def counts(caller: Viewer, site: _Site = None) -> Metrics:
        """Return counts of the newest anomalies."""
        return metrics(rows, _plants(serving, caller, site))

    @router.get("/metrics/prometheus", response_class=Response)
    def prometheus(caller: Viewer, site: _Site = None) -> Response:
        """Return the same counts and the age of the newest reading as Prometheus text."""
        plants = _plants(serving, caller, site)
        return _exposition(metrics(rows, plants), status(rows, plants, settings, datetime.now(UTC)))

    return router


def _plants(serving: Serving, caller: Caller, name: str | None) -> list[str]:
    found = caller.seen(serving.sites.names(("plant",)))
    if name is None:
        return found
    if name not in found:
        raise HTTPException(404, f"there is no plant {name!r}")
    return [name]


def _exposition(counts: Metrics, state: Status) -> Response:
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()

    def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"leak_assets_plant_{name}", text, labels, registry=registry)

    of_type = gauge("recent_anomalies", "Newest anomalies by type.", ("type",))
    for kind, number in counts.anomalies_by_type.items():
        of_type.labels(kind).set(number)
    of_parameter = gauge(
        "recent_anomalies_of_parameter", "Newest anomalies by parameter.", ("parameter",)
    )
    for parameter, number in counts.anomalies_by_parameter.items():
        of_parameter.labels(parameter).set(number)
    gauge("anomalies_24h", "Anomalies of the last 24 hours.").set(state.anomaly_count_24h)
    gauge("data_stream_healthy", "1 where readings came within 60 s.").set(
        state.data_stream.healthy
    )
    if state.last_reading_time is not None:
        gauge("last_reading_timestamp_seconds", "Time of the newest reading.").set(
            state.last_reading_time.timestamp()
        )
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
