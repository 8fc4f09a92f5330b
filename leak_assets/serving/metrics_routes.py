"""Monitoring's endpoint: what the platform knows of itself as Prometheus text.

Only what the caller may see is told; the counts of requests are those of this instance.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from .access import Caller, Viewer
from .context import Serving
from .network_answers import network_counts
from .plant_answers import Metrics, Status, metrics, status
from .plant_routes import SiteOption, plants_of
from .plant_watches import Watches, watch_rows
from .replies import NOT_FOUND
from .requests_seen import Requests

_FAILED_RUNS = "SELECT job, site, count(*) FROM audit.failed_runs GROUP BY ALL ORDER BY ALL"


def metrics_router(serving: Serving, requests: Requests) -> APIRouter:
    """Return the endpoint over a home."""
    router = APIRouter(tags=["platform"])

    @router.get(
        "/metrics/prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **NOT_FOUND},
    )
    def prometheus(caller: Viewer, site: SiteOption = None) -> Response:
        """Return plants, networks and this instance's requests as Prometheus text.

        Anomalies, live watches, open incidents and their flow, silent and stale sensors, broken
        days, the time of the newest readings, failed runs, requests and how long they took.
        """
        now = datetime.now(UTC)
        registry = CollectorRegistry()
        plants = plants_of(serving, caller, site)
        state = status(serving.rows, plants, serving.settings, now)
        _tell_plants(registry, metrics(serving.rows, plants), state)
        registry.register(Watches(watch_rows(serving.rows, plants), now))
        if site is None:
            watched = [s.name for s in serving.sites.all() if s.kind in ("network", "zones")]
            _tell_networks(registry, serving, caller.seen(watched), now)
            _tell_failed_runs(registry, serving, caller)
        text = generate_latest(registry)
        if caller.is_at_least("admin"):
            # Of everybody's requests.
            text += generate_latest(requests.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)

    return router


def _tell_plants(registry: CollectorRegistry, counts: Metrics, state: Status) -> None:
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


def _tell_failed_runs(registry: CollectorRegistry, serving: Serving, caller: Caller) -> None:
    failed = Gauge(
        "leak_assets_failed_runs", "Runs of the daemon that failed.", ("job", "site"),
        registry=registry,
    )  # fmt: skip
    for job, site, count in serving.store.ask(_FAILED_RUNS).iter_rows():
        if caller.may_see(site) if site else caller.is_at_least("admin"):
            failed.labels(job, site or "").set(count)


def _tell_networks(
    registry: CollectorRegistry, serving: Serving, networks: Iterable[str], now: datetime
) -> None:
    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"leak_assets_{name}", text, ("network", *labels), registry=registry)

    opened = gauge("open_incidents", "Incidents that are not closed.", "severity")
    plain = {
        "leak_flow_m3_per_h": gauge("leak_flow_m3_per_h", "Flow of the open incidents."),
        "sensors": gauge("sensors", "Sensors with readings."),
        "fresh_sensors": gauge("fresh_sensors", "Sensors whose newest reading is fresh."),
        "silent_sensors": gauge("silent_sensors", "Sensors silent at the end of the newest day."),
        "broken_days": gauge("broken_days", "Days that break their contract: nothing is made."),
        "refused_values": gauge("refused_values", "Values in quarantine."),
    }
    newest = gauge("last_reading_timestamp_seconds", "Time of the newest usable reading.")
    for network in networks:
        counts = network_counts(serving.store, network, now)
        for severity in ("low", "medium", "high"):
            opened.labels(network, severity).set(counts["open_incidents"].get(severity, 0))
        for name, one in plain.items():
            one.labels(network).set(counts[name])
        if counts["last_reading_at"] is not None:
            newest.labels(network).set(counts["last_reading_at"].timestamp())
