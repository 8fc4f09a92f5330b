"""What the endpoints of sites and homes answer: what is watched and how it stands.

Plain data from tables; routes and status codes are in `site_routes`.
"""

import json
from typing import Any

import polars as pl

from .access import Caller
from .known_sites import KnownSite
from .series_answers import READINGS
from .store import Store

SHOWN_DAYS, SHOWN_EVENTS = 30, 50


def site_list(sites: list[KnownSite], store: Store, caller: Caller) -> dict[str, Any]:
    """Return the sites that a caller sees, with the days that they have readings of."""
    rows = [site_row(site, store) for site in sites if caller.may_see(site.name)]
    return {"sites": rows, "count": len(rows)}


def site_row(site: KnownSite, store: Store) -> dict[str, Any]:
    """Return a site as lists have it."""
    days = store.days(READINGS[site.kind].table, site.name)
    return {
        "name": site.name,
        "kind": site.kind,
        "title": site.title,
        "timezone": site.timezone,
        "first_day": days[0] if days else None,
        "last_day": days[-1] if days else None,
        "days": len(days),
    }


def site_detail(site: KnownSite, store: Store) -> dict[str, Any]:
    """Return a site with the sensors of its newest day and their newest reading."""
    of = READINGS[site.kind]
    which = "sensor_id, quantity"
    if site.kind == "plant":
        which = "sensor_id, parameter AS quantity"
    elif site.kind == "household":
        which = "'' AS sensor_id, 'flow' AS quantity"
    sensors = store.ask_days(
        f"SELECT {which}, max(ts_utc) FILTER ({of.usable}) AS last_reading_at, count(*) AS readings"
        " FROM {days} GROUP BY ALL ORDER BY quantity, sensor_id",
        of.table,
        site.name,
        newest=1,
    )
    return {**site_row(site, store), "sensors": sensors.to_dicts()}


def household_state(site: KnownSite, store: Store) -> dict[str, Any]:
    """Return how a home stands: status, habits known, last days, newest alarms.

    `attributes` are those of the newest alarm's sensor.
    """
    status = store.ask_days(
        "SELECT day, status, is_on, last_measured_at, days_learned, ready_buckets, prototypes"
        " FROM {days} ORDER BY day DESC LIMIT 1",
        "household.engine_status",
        site.name,
        newest=1,
    )
    days = store.ask_days(
        "SELECT * EXCLUDE (site) FROM {days} ORDER BY day",
        "household.daily_summaries",
        site.name,
        newest=SHOWN_DAYS,
    )
    alerts = store.ask_days(
        f"SELECT * EXCLUDE (site) FROM {{days}} ORDER BY ts_utc DESC LIMIT {SHOWN_EVENTS}",
        "household.alerts",
        site.name,
        newest=SHOWN_DAYS,
    )
    newest = None if status.is_empty() else status.row(0, named=True)
    return {
        "name": site.name,
        "title": site.title,
        "timezone": site.timezone,
        "status": "no_data" if newest is None else newest["status"],
        "is_on": False if newest is None else newest["is_on"],
        "last_measured_at": None if newest is None else newest["last_measured_at"],
        "days_learned": 0 if newest is None else newest["days_learned"],
        "ready_buckets": 0 if newest is None else newest["ready_buckets"],
        "prototypes": 0 if newest is None else newest["prototypes"],
        "attributes": _attributes(alerts),
        "alerts": alerts.drop("attributes_json").to_dicts(),
        "days": days.to_dicts(),
    }


def _attributes(alerts: pl.DataFrame) -> dict[str, Any]:
    if alerts.is_empty():
        return {}
    found: dict[str, Any] = json.loads(alerts["attributes_json"][0])
    return found
