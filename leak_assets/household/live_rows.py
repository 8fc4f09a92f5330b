"""The live engine's rows: one state per home, replaced, and its events, never replaced."""

import json
from collections.abc import Sequence
from datetime import datetime

import polars as pl

from leak_assets.warehouse.schemas.household_live import LIVE_EVENTS, LIVE_STATES

from .engine import Event, attributes
from .history import utc
from .live import LiveHome
from .memory import state_from_json, state_to_json

STATES, EVENTS = LIVE_STATES.full_name, LIVE_EVENTS.full_name
_NAME = "%Y%m%dT%H%M%S.%f"


def save(live: LiveHome, events: Sequence[Event], now: datetime) -> None:
    """Write what a home's engine holds, after the events that it told."""
    warehouse, site = live.warehouse, live.home.name
    for event in events:
        at = utc(event.at_s)
        partition = {"event": f"{at:{_NAME}}Z-{event.event}", "site": site}
        # After a crash the same messages come again, and say the same.
        if warehouse.path(EVENTS, partition).exists():
            continue
        row = {
            "site": site,
            "ts_utc": at,
            "event": event.event,
            "kinds": ",".join(event.kinds),
            "reasons": "\n".join(event.attributes["reasons"]),
            "attributes_json": json.dumps(event.attributes, sort_keys=True),
            "told_at": now,
        }
        warehouse.write(EVENTS, partition, pl.DataFrame([row], schema=LIVE_EVENTS.polars_schema))
    state, settings = live.state, live.home.settings
    row = {
        "site": site,
        "updated_at": now,
        "status": live.status(now.timestamp()),
        "is_on": state.is_on,
        "last_measured_at": None if state.last_s is None else utc(state.last_s),
        "flow_now_l_per_min": live.flow_now_l_per_min,
        "volume_today_l": live.volume_today_l,
        "local_day": live.local_day,
        "risk_score": live.judgement.risk,
        "attributes_json": json.dumps(attributes(state, live.judgement), sort_keys=True),
        "learned_for": live.learned.day,
        "days_learned": live.learned.days,
        "ready_buckets": live.learned.ready_buckets(settings),
        "prototypes": live.learned.sure_prototypes(settings),
        "newest_control": live.newest_control,
        "state_json": state_to_json(state),
    }
    warehouse.write(STATES, {"site": site}, pl.DataFrame([row], schema=LIVE_STATES.polars_schema))


def load(live: LiveHome) -> bool:
    """Go on from the row of a home; whether there is one that knows more than the runs do."""
    found = live.warehouse.read(STATES, {"site": live.home.name})
    if found is None or found.is_empty():
        return False
    row = found.row(0, named=True)
    state = state_from_json(row["state_json"])
    if state.last_s is None or (live.state.last_s or 0.0) > state.last_s:
        return False
    live.state = state
    live.newest_control = row["newest_control"]
    live.local_day, live.volume_today_l = row["local_day"], row["volume_today_l"]
    return True
