"""What the endpoints and pages of networks and metered zones answer: map, data, water, models.

Plain data from tables; routes and status codes are in `network_routes`.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from .access import Caller
from .known_sites import KnownSite
from .store import Store

QUALITY = "telemetry.sensor_quality_daily"
NEWEST_QUALITY = """
    SELECT * FROM {days}
    QUALIFY row_number() OVER (PARTITION BY sensor_id, quantity ORDER BY day DESC) = 1
    ORDER BY quantity, sensor_id
"""
SHOWN_DAYS = 60
"""Days of data quality; a sensor without any since then is not in the layout any more."""
CHANNELS = "features.channels_30m"
_QUALITY = (
    "sensor_id", "quantity", "day", "health", "reason_names", "evidence", "is_silent",
    "last_reading_at", "max_age_s", "steps", "usable", "good", "suspect", "bad", "estimated",
    "missing",
)  # fmt: skip
_FLAGS = (
    "outlier", "interpolated", "gap", "range", "rate_of_change", "flat_line", "duplicate_time",
    "time_inconsistent", "reverse_flow", "counter_rollover", "unit_suspect",
)  # fmt: skip


def network_frames(store: Store, network: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of `network.nodes` and `network.links` of a network."""
    nodes, links = (
        store.ask(f"SELECT * FROM network.{table} WHERE network = ? ORDER BY ALL", [network])
        for table in ("nodes", "links")
    )
    return nodes, links


def network_list(sites: list[KnownSite], store: Store, caller: Caller) -> dict[str, Any]:
    """Return the networks and metered zones that a caller sees, with their size and news."""
    counts = store.ask(
        "SELECT network, count(*) FILTER (link_type = 'pipe') AS pipes,"
        " sum(length_m) / 1000 AS length_km FROM network.links GROUP BY network"
    )
    sensors = store.ask("SELECT network, count(*) AS sensors FROM network.sensors GROUP BY ALL")
    running = store.ask(
        "SELECT network, count(*) AS open_incidents FROM incidents.incidents"
        " WHERE status <> 'closed' GROUP BY network"
    )
    rows = []
    for site in sites:
        if site.kind in ("network", "zones") and caller.may_see(site.name):
            found: dict[str, Any] = {"open_incidents": 0}
            for frame in (counts, sensors, running):
                found |= next(frame.filter(network=site.name).iter_rows(named=True), {})
            rows.append(
                {"name": site.name, "kind": site.kind, "title": site.title,
                 "timezone": site.timezone, "pipes": found.get("pipes", 0),
                 "length_km": found.get("length_km", 0.0), "sensors": found.get("sensors", 0),
                 "open_incidents": found["open_incidents"],
                 "last_reading_at": last_reading_at(store, site.name)}
            )  # fmt: skip
    return {"networks": rows, "count": len(rows)}


def last_reading_at(store: Store, network: str) -> datetime | None:
    """Return the time of a network's newest usable reading, or None."""
    newest = store.ask_days(
        "SELECT max(last_reading_at) AS at FROM {days}", QUALITY, network, newest=1
    )
    found: datetime | None = newest["at"][0]
    return found


def network_geojson(store: Store, network: str) -> dict[str, Any]:
    """Return a network as a GeoJSON FeatureCollection: links, sources and tanks, sensors.

    Coordinates are the model's own: most models are in meters of a local grid, and nothing in an
    EPANET file says of which.
    """
    nodes, links = network_frames(store, network)
    zones = dict(
        store.ask(
            "SELECT link_id, zone FROM network.zones WHERE network = ?", [network]
        ).iter_rows()
    )
    sensors = store.ask(
        "SELECT * FROM network.sensors WHERE network = ? ORDER BY quantity, sensor_id", [network]
    )
    place = {name: [x, y] for name, x, y in nodes.select("node_id", "x", "y").iter_rows()}
    features = [
        _feature(
            f"link/{row['link_id']}",
            "LineString",
            [place[row["start_node"]], place[row["end_node"]]],
            {"kind": row["link_type"], "name": row["link_id"], "length_m": row["length_m"],
             "diameter_m": row["diameter_m"], "zone": zones.get(row["link_id"])},
        )
        for row in links.iter_rows(named=True)
        if row["start_node"] in place and row["end_node"] in place
    ]  # fmt: skip
    features += [
        _feature(
            f"node/{row['node_id']}", "Point", [row["x"], row["y"]],
            {"kind": row["node_type"], "name": row["node_id"], "elevation_m": row["elevation_m"]},
        )
        for row in nodes.iter_rows(named=True)
        if row["node_type"] != "junction"
    ]  # fmt: skip
    features += [
        _feature(
            f"sensor/{row['quantity']}/{row['sensor_id']}", "Point", [row["x"], row["y"]],
            {"kind": "sensor", "name": row["sensor_id"], "quantity": row["quantity"]},
        )
        for row in sensors.iter_rows(named=True)
    ]  # fmt: skip
    return {
        "type": "FeatureCollection",
        "name": network,
        "coordinates": "as in the network model",
        "features": features,
    }


def newest_residuals(store: Store, network: str) -> dict[str, Any]:
    """Return the newest half-hour of each channel: measured, expected, and how far apart.

    `deviation` is the residual in standard deviations of the last seven days before; null where
    fewer than a day of them are known.
    """
    rows = store.ask_days(
        """
        WITH newest AS (
            SELECT max(ts_utc) AS at FROM {days} WHERE mask = 1
        ), recent AS (
            SELECT c.* FROM {days} AS c, newest
            WHERE c.mask = 1 AND c.ts_utc > newest.at - INTERVAL 7 DAY
        )
        SELECT channel, arg_max(ts_utc, ts_utc) AS ts_utc, arg_max(measured, ts_utc) AS measured,
            arg_max(expected, ts_utc) AS expected, arg_max(residual, ts_utc) AS residual,
            CASE WHEN count(*) > 48 THEN arg_max(residual, ts_utc) / nullif(stddev(residual), 0) END
                AS deviation
        FROM recent GROUP BY channel ORDER BY channel
        """,
        CHANNELS,
        network,
        newest=8,
    )
    return {"network": network, "channels": rows.to_dicts()}


def quality_answer(store: Store, network: str, now: datetime) -> dict[str, Any]:
    """Return the state of the data of a network: sensors, flags, incidents of data, broken days.

    A sensor is fresh where its newest usable reading is not older than its contract allows.
    """
    newest = store.ask_days(NEWEST_QUALITY, QUALITY, network, newest=SHOWN_DAYS)
    sensors = []
    for row in newest.iter_rows(named=True):
        last = row["last_reading_at"]
        age = None if last is None else (now - last.astimezone(UTC)).total_seconds()
        sensors.append(
            {name: row[name] for name in _QUALITY}
            | {
                "is_fresh": age is not None and age <= row["max_age_s"],
                "flags": {name: row[name] for name in _FLAGS if row[name]},
            }
        )
    wrong = store.ask(
        "SELECT data_incident_id, sensor_id, quantity, reason, status, opened_on, last_seen_on,"
        " ended_on, days_seen, evidence, raised_by FROM incidents.data_incidents"
        " WHERE network = ? ORDER BY status DESC, opened_on DESC, data_incident_id",
        [network],
    )
    breaks = store.ask(
        'SELECT day, "check", message, found_at FROM telemetry.contract_breaks'
        ' WHERE network = ? ORDER BY day DESC, "check"',
        [network],
    )
    refused = store.ask(
        "SELECT reason, count(*) AS count, max(received_at) AS last_received_at"
        " FROM telemetry.quarantine WHERE network = ? GROUP BY reason ORDER BY count DESC, reason",
        [network],
    )
    days = store.ask_days(
        "SELECT day, avg(health) AS health, sum(usable) / nullif(sum(steps), 0) AS usable_share,"
        " sum(missing) AS missing, sum(bad) AS bad, sum(suspect) AS suspect,"
        " sum(estimated) AS estimated"
        " FROM {days} GROUP BY day ORDER BY day",
        QUALITY,
        network,
        newest=SHOWN_DAYS,
    )
    return {
        "network": network,
        "fresh_sensors": sum(sensor["is_fresh"] for sensor in sensors),
        "silent_sensors": sum(bool(sensor["is_silent"]) for sensor in sensors),
        "sensors": sensors,
        "days": days.to_dicts(),
        "data_incidents": wrong.to_dicts(),
        "broken_days": breaks.to_dicts(),
        "quarantine": refused.to_dicts(),
    }


def network_counts(store: Store, network: str, now: datetime) -> dict[str, Any]:
    """Return a network in numbers, for monitoring: incidents, sensors, broken days, refusals."""
    incidents = store.ask(
        "SELECT severity, count(*) AS incidents, sum(estimated_flow_m3_per_h) AS flow"
        " FROM incidents.incidents WHERE network = ? AND status <> 'closed' GROUP BY ALL",
        [network],
    )
    quality = quality_answer(store, network, now)
    newest = last_reading_at(store, network)
    return {
        "open_incidents": dict(incidents.select("severity", "incidents").iter_rows()),
        "leak_flow_m3_per_h": sum(flow or 0.0 for flow in incidents["flow"]),
        "sensors": len(quality["sensors"]),
        "fresh_sensors": quality["fresh_sensors"],
        "silent_sensors": quality["silent_sensors"],
        "broken_days": len({row["day"] for row in quality["broken_days"]}),
        "refused_values": sum(row["count"] for row in quality["quarantine"]),
        "last_reading_at": newest,
    }


def water_balance(
    store: Store, network: str, *, zone: str | None, first: date | None, last: date | None
) -> dict[str, Any]:
    """Return the balance of metered areas by local day, and their nights beside their bands."""
    balance = _days(
        store.ask(
            "SELECT * EXCLUDE (network) FROM water.dma_balance_daily WHERE network = ?"
            " ORDER BY local_date, zone_id",
            [network],
        ),
        "local_date", zone, first, last,
    )  # fmt: skip
    nights = _days(
        store.ask(
            "SELECT * EXCLUDE (network) FROM water.night_flow_bands WHERE network = ?"
            " ORDER BY night, zone_id",
            [network],
        ),
        "night", zone, first, last,
    )  # fmt: skip
    sums = ("net_inflow_m3", "used_m3", "non_revenue_m3", "losses_m3", "unavoidable_m3")
    totals = balance.group_by("zone_id", maintain_order=True).agg(
        pl.len().alias("days"),
        *(pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in sums),
        pl.col("ili").median().alias("median_ili"),
    )
    return {
        "network": network,
        "zones": totals.sort("zone_id").to_dicts(),
        "days": balance.to_dicts(),
        "nights": nights.to_dicts(),
    }


def models_answer(store: Store, network: str) -> dict[str, Any]:
    """Return the versions of the trained models of a network with their metrics and gates."""
    versions = store.ask(
        "SELECT * EXCLUDE (network, event_id, artefact_path) FROM models.registry"
        " WHERE network = ? ORDER BY model, event_at DESC, version",
        [network],
    )
    metrics = store.ask(
        "SELECT * EXCLUDE (network) FROM models.evaluations WHERE network = ?"
        " ORDER BY model, version, split, metric",
        [network],
    )
    trained = store.ask(
        "SELECT model, version, max(trained_at) AS trained_at, count(*) AS epochs"
        " FROM models.training_runs WHERE network = ? GROUP BY ALL",
        [network],
    )
    precision = store.ask(
        "SELECT * EXCLUDE (network) FROM incidents.precision WHERE network = ?"
        " ORDER BY month, method, method_version",
        [network],
    )
    return {
        "network": network,
        "models": [_model(row, metrics, trained) for row in versions.iter_rows(named=True)],
        "precision": precision.to_dicts(),
    }


def _model(row: Mapping[str, Any], metrics: pl.DataFrame, trained: pl.DataFrame) -> dict[str, Any]:
    which = {"model": row["model"], "version": row["version"]}
    run = next(trained.filter(**which).iter_rows(named=True), None)
    return {
        **row,
        "trained_at": None if run is None else run["trained_at"],
        "epochs": None if run is None else run["epochs"],
        "metrics": metrics.filter(**which).drop("model", "version").to_dicts(),
    }


def _days(
    frame: pl.DataFrame, column: str, zone: str | None, first: date | None, last: date | None
) -> pl.DataFrame:
    if zone is not None:
        frame = frame.filter(pl.col("zone_id") == zone)
    if first is not None:
        frame = frame.filter(pl.col(column) >= first)
    if last is not None:
        frame = frame.filter(pl.col(column) <= last)
    return frame


def _feature(
    name: str, geometry: str, coordinates: Any, properties: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": name,
        "geometry": {"type": geometry, "coordinates": coordinates},
        "properties": properties,
    }
