"""The first page: what is open, where, how much, and how far sensors are from what is expected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.incidents.transitions import STATUSES
from leak_assets.reports.charts import draw_sparkline
from leak_assets.reports.network_map import NetworkMap, draw_map
from leak_assets.serving.access import Caller
from leak_assets.serving.context import Serving
from leak_assets.serving.incident_answers import IncidentFilter, incident_flows, incident_list
from leak_assets.serving.known_sites import KnownSite

from .quality import is_well
from .signals import inflow_charts

LOOKED_BACK = timedelta(hours=24)
# A candidate of less than this share of the first is no place to go first.
_SHOWN_SHARE = 0.01
_SEVERITIES = ("high", "medium", "low")

_MOST_INCIDENTS = 300
# More would be no list to look at, and candidates on the map make the page large.
_MOST_OPEN, _MOST_CLOSED = 40, 20
_CANDIDATES = """
    SELECT c.incident_id, c.rank, c.link_id, c.probability, c.length_m
    FROM incidents.candidates AS c JOIN incidents.incidents AS i USING (incident_id)
    WHERE i.network = ? AND c.revision <= i.revision
    QUALIFY c.revision = max(c.revision) OVER (PARTITION BY c.incident_id)
    ORDER BY c.incident_id, c.rank
"""
_SPREAD = (
    "SELECT sensor_id, quantity, std_si FROM features.calibrations WHERE network = ?"
    " QUALIFY date = max(date) OVER ()"
)


def overview(
    serving: Serving, caller: Caller, site: KnownSite, *, chosen: str | None
) -> dict[str, Any]:
    """Return what the first page shows of a network.

    Parameters
    ----------
    chosen
        Incident whose candidates are on the map; None: the worst open one.
    """
    incidents = listed_incidents(serving, caller, site.name)
    is_open = [i for i in incidents if i["status"] != "closed"]
    on_map = next((i["incident_id"] for i in incidents if i["incident_id"] == chosen), None)
    if on_map is None and incidents:
        on_map = (is_open or incidents)[0]["incident_id"]
    residuals, until = residuals_of_sensors(serving, site.name)
    is_closed = [i for i in incidents if i["status"] == "closed"]
    shown = [*is_open[:_MOST_OPEN], *is_closed[:_MOST_CLOSED]]
    return {
        "elsewhere": open_elsewhere(serving, caller, site.name),
        "open_incidents": is_open,
        "closed_incidents": is_closed,
        "most_open": _MOST_OPEN,
        "most_closed": _MOST_CLOSED,
        "chosen": on_map,
        "map": network_map(
            serving, site.name, residuals, only=[*(i["incident_id"] for i in shown), on_map or ""]
        ),
        "residuals": [
            {"sensor_id": sensor, "text": text, "z": z}
            for (sensor, _), (text, z) in sorted(residuals.items())
        ],
        "residuals_until": until,
        "inflow": inflow_charts(serving, site.name, incidents, site.timezone),
        "leaking_m3_per_h": sum(i["estimated_flow_m3_per_h"] or 0.0 for i in is_open),
        "lost_m3": sum(i["volume_lost_m3"] or 0.0 for i in is_open),
        "value_eur": sum(i["value_eur"] or 0.0 for i in is_open),
        "sensors": sensor_counts(serving, site.name),
    }


def listed_incidents(serving: Serving, caller: Caller, site: str) -> list[dict[str, Any]]:
    """Return a site's incidents with their mini-graphs: open before closed, worst first."""
    wanted = IncidentFilter(network=site)
    found = incident_list(serving.store, caller, wanted, limit=_MOST_INCIDENTS)["incidents"]
    flows = incident_flows(serving.store, caller)
    for incident in found:
        incident["spark"] = draw_sparkline(flows.get(incident["incident_id"], []))

    def rank(incident: dict[str, Any]) -> tuple[bool, int]:
        severity = incident["severity"]
        place = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
        return incident["status"] == "closed", place

    return sorted(found, key=rank)


def open_elsewhere(serving: Serving, caller: Caller, site: str) -> list[tuple[KnownSite, int]]:
    """Return the other networks that have open incidents, with how many."""
    wanted = IncidentFilter(status=tuple(status for status in STATUSES if status != "closed"))
    found = incident_list(serving.store, caller, wanted, limit=_MOST_INCIDENTS)["incidents"]
    counts = Counter(incident["network"] for incident in found)
    return [
        (other, counts[other.name])
        for other in serving.sites.all()
        if other.name != site and counts[other.name]
    ]


def network_map(
    serving: Serving,
    site: str,
    residuals: Mapping[tuple[str, str], tuple[str, float | None]] | None = None,
    only: Sequence[str] | None = None,
) -> NetworkMap | None:
    """Return the map of a network with the candidates of its incidents; None before its tables.

    Parameters
    ----------
    residuals
        As `draw_map`.
    only
        Incidents whose candidates are on it; None: all.
    """
    nodes, links, sensors = (
        serving.store.ask(f"SELECT * FROM network.{table} WHERE network = ?", [site])
        for table in ("nodes", "links", "sensors")
    )
    if nodes.is_empty():
        return None
    pipes: dict[str, list[dict[str, Any]]] = {}
    for row in serving.store.ask(_CANDIDATES, [site]).iter_rows(named=True):
        mine = pipes.setdefault(row["incident_id"], [])
        if not mine or row["probability"] >= _SHOWN_SHARE * mine[0]["probability"]:
            mine.append(row)
    if only is not None:
        pipes = {name: rows for name, rows in pipes.items() if name in only}
    return draw_map(nodes, links, sensors, candidates=pipes, residuals=residuals or None)


def residuals_of_sensors(
    serving: Serving, site: str
) -> tuple[dict[tuple[str, str], tuple[str, float | None]], datetime | None]:
    """Return how far each pressure sensor was from expectation in its last 24 hours.

    Returns
    -------
    dict
        Text and z-score (against the spread of the reference days) by sensor and quantity.
    datetime or None
        Until when there are data.
    """
    table = "features.channels_30m"
    days = serving.rows.days(table, [site])[:2]
    frame = pl.concat([pl.DataFrame(), *(serving.rows.rows(table, *one) for one in days)],
                      how="diagonal")  # fmt: skip
    if frame.is_empty():
        return {}, None
    until = frame["ts_utc"].max()
    assert isinstance(until, datetime)  # noqa: S101 - for the type checker
    means = (
        frame.filter(
            pl.col("channel").str.starts_with("pressure/")
            & (pl.col("mask") == 1)
            & (pl.col("ts_utc") > until - LOOKED_BACK)
        )
        .group_by("channel")
        .agg(pl.col("residual").mean(), pl.col("measured").mean())
        .drop_nulls()
    )
    spread = {
        (sensor, quantity): std
        for sensor, quantity, std in serving.store.ask(_SPREAD, [site]).iter_rows()
    }
    found = {}
    for channel, residual, measured in means.iter_rows():
        key = (channel.removeprefix("pressure/"), "pressure")
        std = spread.get(key)
        text = f"{measured:,.1f} m, {residual:+,.2f} m against expectation".replace("-", "−")
        found[key] = (text, residual / std if std else None)
    return found, until + timedelta(minutes=30)


def sensor_counts(serving: Serving, site: str) -> dict[str, Any]:
    """Return how many sensors there are, how many are well, and until when they have told."""
    table = "telemetry.sensor_quality_daily"
    newest = serving.rows.days(table, [site])[:1]
    rows = serving.rows.rows(table, *newest[0]) if newest else pl.DataFrame()
    if rows.is_empty():
        return {"all": 0, "well": 0, "last_reading_at": None, "max_age_s": None}
    return {
        "all": rows.height,
        "well": sum(is_well(row) for row in rows.iter_rows(named=True)),
        "last_reading_at": rows["last_reading_at"].max(),
        "max_age_s": rows["max_age_s"].max(),
    }
