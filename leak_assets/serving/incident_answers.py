"""What the incidents' endpoints and pages answer: plain data from tables. Nothing is written here.

Routes and status codes are in `incident_routes`, shapes in `incident_shapes`.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from leak_assets.incidents import people, places
from leak_assets.incidents.transitions import legal_actions
from leak_assets.system.clock import parse_utc

from .access import Caller
from .network_answers import network_frames
from .store import Store

_ALL = "SELECT * FROM incidents.all_incidents ORDER BY detected_at DESC, incident_id"
LISTED = (
    "incident_id", "network", "incident_type", "status", "reason", "severity", "zone",
    "leak_start", "detected_at", "last_seen_at", "leak_end", "closed_at", "confidence",
    "estimated_flow_m3_per_h", "flow_low_m3_per_h", "flow_high_m3_per_h", "peak_flow_m3_per_h",
    "volume_lost_m3", "value_eur", "top_link_id", "method", "method_version", "hypothesis_id",
    "assignee", "snoozed_until", "acknowledged_at", "escalated_at", "duplicate_of",
    "is_supported", "revision", "people_revision", "summary", "generated_by",
)  # fmt: skip
"""Columns of an incident as lists have them, of `incidents.all_incidents`."""


@dataclass(frozen=True, kw_only=True)
class IncidentFilter:
    """Which incidents; None or empty: whatever they are.

    Parameters
    ----------
    network, zone, incident_type
        Of the incident.
    status, severity
        Any of these.
    since, until
        Reported at or after, and before (UTC).
    """

    network: str | None = None
    zone: str | None = None
    incident_type: str | None = None
    status: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


def incident_list(
    store: Store,
    caller: Caller,
    wanted: IncidentFilter,
    *,
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> dict[str, Any]:
    """Return a page of incidents, newest report first, and where the next page begins.

    Pages are cut between incidents, not at numbers: one that is reported meanwhile moves none.

    Parameters
    ----------
    after
        Report and name of the last incident of the page before.
    """
    frame = _seen(store, caller).filter(pl.col("suppressed_by").is_null())
    for column, value in (
        ("network", wanted.network),
        ("zone", wanted.zone),
        ("incident_type", wanted.incident_type),
    ):
        if value is not None:
            frame = frame.filter(pl.col(column) == value)
    for column, values in (("status", wanted.status), ("severity", wanted.severity)):
        if values:
            frame = frame.filter(pl.col(column).is_in(values))
    if wanted.since is not None:
        frame = frame.filter(pl.col("detected_at") >= wanted.since)
    if wanted.until is not None:
        frame = frame.filter(pl.col("detected_at") < wanted.until)
    total = frame.height
    if after is not None:
        at, name = after
        frame = frame.filter(
            (pl.col("detected_at") < at)
            | ((pl.col("detected_at") == at) & (pl.col("incident_id") > name))
        )
    page = frame.head(limit).select(LISTED)
    is_last = frame.height <= limit
    return {
        "incidents": page.to_dicts(),
        "count": page.height,
        "total": total,
        "next": None if is_last else cursor_of(page.row(-1, named=True)),
    }


def cursor_of(row: Mapping[str, Any]) -> str:
    """Return where the page after an incident begins, as clients hand it back."""
    said = json.dumps([row["detected_at"].isoformat(), row["incident_id"]])
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[datetime, str]:
    """Return what `cursor_of` wrote.

    Raises
    ------
    ValueError
        It is none.
    """
    try:
        said = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        at, name = said
        return parse_utc(str(at)), str(name)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise ValueError("not the `next` of a list of incidents") from error


def incident_row(store: Store, caller: Caller, incident_id: str) -> dict[str, Any] | None:
    """Return the row of `incidents.all_incidents` of an incident that the caller may see."""
    found = _seen(store, caller).filter(pl.col("incident_id") == incident_id)
    return None if found.is_empty() else found.row(0, named=True)


def incident_detail(store: Store, caller: Caller, incident_id: str) -> dict[str, Any] | None:
    """Return all that is known of an incident; None where the caller sees no such incident.

    Its row with what may be done now, where to search, which sensors say so, flow and loss day by
    day, what it costs if nobody mends it, and how long awareness, location and repair took.
    """
    row = incident_row(store, caller, incident_id)
    if row is None:
        return None
    said = _said(store, incident_id)
    # Asked for all at once: the state behind both views is what takes the time.
    forecast, times = (
        store.ask(f"SELECT * EXCLUDE (network) FROM incidents.{view}").filter(
            incident_id=incident_id
        )
        for view in ("forecast", "alr_times")
    )
    days = store.ask(
        "SELECT day, status, flow_m3_per_h, volume_lost_m3, value_eur, confidence, top_link_id"
        " FROM incidents.incident_days WHERE incident_id = ? ORDER BY day",
        [incident_id],
    )
    return {
        **{name: row[name] for name in LISTED},
        "suppressed_by": row["suppressed_by"],
        "possible_actions": legal_actions(people.state_of(row, said)),
        "successors": [] if row["is_supported"] else _successors(store, caller, row),
        "candidates": search_order(store, row).to_dicts(),
        "evidence": evidence(store, row).to_dicts(),
        "days": days.to_dicts(),
        "forecast": next(forecast.iter_rows(named=True), None),
        "alr_times": next(times.iter_rows(named=True), None),
    }


def incident_history(store: Store, caller: Caller, incident_id: str) -> dict[str, Any] | None:
    """Return what the detectors derived and what people said of an incident, in order of each."""
    if incident_row(store, caller, incident_id) is None:
        return None
    derived = store.ask(
        "SELECT revision, event_at, event, status, severity, estimated_flow_m3_per_h,"
        " volume_lost_m3, value_eur, top_link_id, confidence, method, method_version, run_id"
        " FROM incidents.incident_events WHERE incident_id = ? ORDER BY revision",
        [incident_id],
    )
    said = _said(store, incident_id).select(
        "revision", "action", "from_status", "to_status", "reason", "actor", "happened_at",
        "recorded_at", "note", "assignee", "snoozed_until", "duplicate_of", "found_link_id",
        "found_x", "found_y", "repaired_at",
    )  # fmt: skip
    return {
        "incident_id": incident_id,
        "derived": derived.to_dicts(),
        "said": said.to_dicts(),
    }


def candidates_geojson(store: Store, caller: Caller, incident_id: str) -> dict[str, Any] | None:
    """Return where to search as GeoJSON, in coordinates of the network model."""
    row = incident_row(store, caller, incident_id)
    if row is None:
        return None
    found: dict[str, Any] = places.geojson(row, search_order(store, row), _lines(store, row))
    return found


def search_order(store: Store, row: Mapping[str, Any]) -> pl.DataFrame:
    """Return the candidate pipes of an incident in the order of a search."""
    return places.search_order(_of_revision(store, "candidates", row))


def evidence(store: Store, row: Mapping[str, Any]) -> pl.DataFrame:
    """Return which sensors speak for an incident, strongest first."""
    return _of_revision(store, "evidence", row).select(
        "rank", "sensor_id", "quantity", "contribution", "residual_si"
    )


def incident_flows(store: Store, caller: Caller) -> dict[str, list[float]]:
    """Return the flow of each incident day by day (m3/h), for small graphs beside a list."""
    rows = store.ask(
        "SELECT network, incident_id, list(flow_m3_per_h ORDER BY day) AS flows"
        " FROM incidents.incident_days GROUP BY ALL"
    )
    return {name: flows for network, name, flows in rows.iter_rows() if caller.may_see(network)}


def _seen(store: Store, caller: Caller) -> pl.DataFrame:
    frame = store.ask(_ALL)
    if caller.sites is None:
        return frame
    return frame.filter(pl.col("network").is_in(sorted(caller.sites)))


def _said(store: Store, incident_id: str) -> pl.DataFrame:
    return store.ask(
        "SELECT * FROM incidents.transitions WHERE incident_id = ? ORDER BY revision",
        [incident_id],
    )


def _of_revision(store: Store, table: str, row: Mapping[str, Any]) -> pl.DataFrame:
    """Return the newest rows of candidates or evidence."""
    query = places.NEWEST_ROWS.format(table=f"incidents.{table}")
    return store.ask(query, [row["incident_id"], row["revision"]])


def _successors(store: Store, caller: Caller, row: Mapping[str, Any]) -> list[str]:
    """Return incidents that may be the same leak under another name after data were corrected."""
    seconds = (pl.col("detected_at") - row["detected_at"]).dt.total_seconds().abs()
    near = _seen(store, caller).filter(
        pl.col("is_supported"), pl.col("network") == row["network"], seconds <= 7 * 86_400
    )
    return near.sort(seconds)["incident_id"].to_list()


def _lines(store: Store, row: Mapping[str, Any]) -> dict[str, places.Line]:
    nodes, links = network_frames(store, row["network"])
    return places.pipe_lines(nodes, links)
