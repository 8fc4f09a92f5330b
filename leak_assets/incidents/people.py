"""The durable record of what people say of incidents: read the current state, append a transition.

Words are files of their own, written under a lock and never replaced, so several processes may
speak at once and none is lost. What may be said is `transitions`' business.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from leak_assets.errors import InputError
from leak_assets.pipeline.context import StepContext
from leak_assets.system.files import sync_folder
from leak_assets.system.locks import locks
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.incident_people import TRANSITIONS

from .transitions import IncidentState, Transition, transition_row

TABLE = TRANSITIONS.full_name
LOCK = "incident-transitions"
# What of an incident's state is kept with each transition, by the column it is kept in.
_SEEN = {
    "seen_revision": "revision",
    "seen_severity": "severity",
    "seen_zone": "zone",
    "seen_leak_start": "leak_start",
    "seen_detected_at": "detected_at",
    "seen_last_seen_at": "last_seen_at",
    "seen_flow_m3_per_h": "estimated_flow_m3_per_h",
    "seen_volume_m3": "volume_lost_m3",
    "seen_value_eur": "value_eur",
    "seen_top_link_id": "top_link_id",
    "seen_hypothesis_id": "hypothesis_id",
    "seen_method": "method",
    "seen_method_version": "method_version",
}


def incident(warehouse: Warehouse, incident_id: str) -> dict[str, Any]:
    """Return the current state of an incident: its row of `incidents.all_incidents`.

    Raises
    ------
    InputError
        There is none of that name.
    """
    found = warehouse.sql(
        "SELECT * FROM incidents.all_incidents WHERE incident_id = ?", [incident_id]
    )
    if found.is_empty():
        raise InputError(
            f"there is no incident {incident_id!r}",
            remedy="`leak-assets incidents list` names them",
        )
    return found.row(0, named=True)


def history(warehouse: Warehouse, incident_id: str) -> pl.DataFrame:
    """Return what people said of an incident, oldest first; no row where nobody spoke."""
    begin = f"{incident_id}.r"
    parts = [
        frame
        for partition in warehouse.partitions(TABLE)
        if partition["transition"].startswith(begin)
        and (frame := warehouse.read(TABLE, partition)) is not None
    ]
    return pl.concat(parts).sort("revision") if parts else TRANSITIONS.empty()


def state_of(row: Mapping[str, Any], transitions: pl.DataFrame) -> IncidentState:
    """Return an incident's state.

    Parameters
    ----------
    row
        Of `incidents.all_incidents`.
    transitions
        What people said of it; the newest is named to whoever comes too late.
    """
    told = ""
    if transitions.height:
        last = transitions.row(-1, named=True)
        told = f"{last['actor']} said `{last['action']}` at {last['recorded_at']:%Y-%m-%d %H:%M}"
    return IncidentState(
        incident_id=row["incident_id"],
        network=row["network"],
        status=row["status"],
        reason=row["reason"],
        revision=row["people_revision"],
        assignee=row["assignee"],
        snoozed_until=row["snoozed_until"],
        duplicate_of=row["duplicate_of"],
        last_transition=told,
        turns=row["turns"],
        seen={column: row[source] for column, source in _SEEN.items()},
    )


def record(ctx: StepContext, incident_id: str, transition: Transition) -> dict[str, Any]:
    """Append a transition about an incident and return its row.

    Raises
    ------
    ConflictError, IllegalTransitionError, InputError
        As `transition_row`; or the incident, or the one that it repeats, does not exist.
    """
    with locks(ctx.settings).hold(LOCK):
        row = incident(ctx.warehouse, incident_id)
        if transition.duplicate_of is not None:
            incident(ctx.warehouse, transition.duplicate_of)
        new = transition_row(state_of(row, history(ctx.warehouse, incident_id)), transition)
        append(ctx.warehouse, new)
    return new


def append(warehouse: Warehouse, row: Mapping[str, Any]) -> None:
    """Write a transition as a file that is there for good.

    Raises
    ------
    ValueError
        The incident has a transition of that number already.
    """
    name = f"{row['incident_id']}.r{row['revision']:06d}"
    partition = {"transition": name, "network": str(row["network"])}
    path = warehouse.path(TABLE, partition)
    if path.exists():
        raise ValueError(f"{path} would be replaced")
    warehouse.write(TABLE, partition, pl.DataFrame([row], schema=TRANSITIONS.polars_schema))
    sync_folder(path.parent)


def now() -> datetime:
    """Return the clock, UTC."""
    return datetime.now(UTC)
