"""The maintenance calendar: work that explains detections. Entries are event rows.

What an entry explains is decided in `warehouse.schemas.incident_views`, so that an entry counts at
once and its removal too; no run makes anything again for it. A changed meter explains no leak:
`quality.meter_changes` forgets what was usual of it, and the runs after make its days again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.quality.meter_changes import METER_CHANGE
from leak_assets.system.files import sync_folder
from leak_assets.system.locks import locks
from leak_assets.warehouse.schemas.incident_people import CALENDAR_EVENTS

KINDS = ("maintenance", "flushing", "irrigation", "fire_flow", "other", METER_CHANGE)
TABLE = CALENDAR_EVENTS.full_name
LOCK = "incident-calendar"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Work that is planned, or was done.

    Parameters
    ----------
    network
        Site.
    kind
        One of `KINDS`.
    zone
        Metered zone; None: the whole site.
    begin_at, end_at
        Of the work, UTC.
    note
        What should be remembered.
    sensor_id
        Sensor that was exchanged, repaired or set anew; of kind `meter_change`, and only of that.
    """

    network: str
    kind: str
    zone: str | None
    begin_at: datetime
    end_at: datetime
    note: str | None
    sensor_id: str | None = None


def add(ctx: StepContext, entry: Entry, *, actor: str, at: datetime) -> dict[str, Any]:
    """Put an entry into the calendar and return its row; the same entry again is the same row.

    Raises
    ------
    InputError
        It ends before it begins, is of no kind, names a zone that the site does not have, or a
        sensor where its kind has none.
    """
    if entry.kind not in KINDS:
        raise InputError(
            f"{entry.kind!r} is no kind of work", remedy=f"Kinds are: {', '.join(KINDS)}"
        )
    if (entry.kind == METER_CHANGE) != (entry.sensor_id is not None):
        raise InputError(
            f"work of kind `{entry.kind}` with sensor `{entry.sensor_id or ''}`",
            remedy=f"Give --sensor with --kind {METER_CHANGE}, and only with it",
        )
    if entry.end_at <= entry.begin_at:
        raise InputError(
            f"the work ends at {entry.end_at:%Y-%m-%d %H:%M} UTC, not after it begins"
            f" ({entry.begin_at:%Y-%m-%d %H:%M} UTC)",
            remedy="Correct --from or --to",
        )
    zones = ctx.warehouse.read_all("network.zones", network=entry.network)["zone"]
    known = sorted(zones.unique(), key=lambda name: (len(name), name))
    if entry.zone is not None and entry.zone not in known:
        raise InputError(
            f"{entry.network} has no zone {entry.zone!r}",
            remedy=f"Zones are: {', '.join(known) or 'none known yet'}; see network.zones",
        )
    what = (entry.network, entry.kind, entry.zone or "", *filter(None, [entry.sensor_id]))
    text = "|".join((*what, str(entry.begin_at)))
    digest = hashlib.sha256(f"{text}|{entry.end_at}|{at}".encode()).hexdigest()[:6]
    row = {
        "network": entry.network,
        "entry_id": f"{entry.network}-{entry.begin_at:%Y%m%dT%H%M}-{digest}",
        "revision": 1,
        "event": "added",
        "kind": entry.kind,
        "zone": entry.zone,
        "sensor_id": entry.sensor_id,
        "begin_at": entry.begin_at,
        "end_at": entry.end_at,
        "actor": actor,
        "recorded_at": at,
        "note": entry.note,
    }
    with locks(ctx.settings).hold(LOCK):
        _append(ctx, row)
    return row


def remove(
    ctx: StepContext, entry_id: str, *, actor: str, at: datetime, note: str | None
) -> dict[str, Any]:
    """Take an entry out of the calendar and return the row that says so.

    Raises
    ------
    InputError
        There is no such entry in force.
    """
    with locks(ctx.settings).hold(LOCK):
        found = ctx.warehouse.sql("SELECT * FROM incidents.calendar WHERE entry_id = ?", [entry_id])
        if found.is_empty():
            raise InputError(
                f"the calendar has no entry {entry_id!r}",
                remedy="`leak-assets calendar list` names them",
            )
        row = found.row(0, named=True) | {
            "revision": 2,
            "event": "removed",
            "actor": actor,
            "recorded_at": at,
            "note": note,
        }
        _append(ctx, row)
    return row


def _append(ctx: StepContext, row: Mapping[str, Any]) -> None:
    entry = f"{row['entry_id']}.r{row['revision']}"
    partition = {"entry": entry, "network": str(row["network"])}
    frame = pl.DataFrame([row], schema=CALENDAR_EVENTS.polars_schema)
    ctx.warehouse.write(TABLE, partition, frame)
    sync_folder(ctx.warehouse.path(TABLE, partition).parent)
