"""What a caller says of an incident, as a transition of `incidents.people`.

What is legal is decided there; here a state that is asked for becomes the action that leads to it.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from leak_assets.errors import InputError
from leak_assets.incidents import people
from leak_assets.incidents.places import nearest_pipe, pipe_lines
from leak_assets.incidents.transitions import (
    LONGEST_NAME,
    LONGEST_NOTE,
    Transition,
)
from leak_assets.pipeline.context import StepContext

from .access import Caller
from .context import Serving
from .incident_answers import incident_row
from .network_answers import network_frames
from .parameters import Utc

Action = Literal[
    "acknowledge", "investigate", "dispatch", "close", "reopen", "assign", "snooze", "note"
]
Target = Literal["open", "under_investigation", "field_work", "closed"]
Reason = Literal[
    "confirmed_leak",
    "false_positive",
    "planned_work",
    "sensor_fault",
    "demand_change",
    "fire_flow",
    "duplicate",
]
_LEADS_TO: dict[str, str] = {
    "under_investigation": "investigate",
    "field_work": "dispatch",
    "closed": "close",
}


class Change(BaseModel):
    """What becomes of an incident: a status, or an action that leads to one or keeps it."""

    model_config = ConfigDict(extra="forbid")

    people_revision: int = Field(
        ge=0, le=10**9, description="as the incident had it when it was looked at"
    )
    status: Target | None = Field(None, description="wanted status; or name an action")
    action: Action | None = None
    reason: Reason | None = Field(None, description="of closing")
    note: str | None = Field(None, max_length=LONGEST_NOTE)
    assignee: str | None = Field(None, max_length=LONGEST_NAME, description="of `assign`")
    happened_at: Utc | None = Field(None, description="UTC; default: now")
    snooze_until: Utc | None = Field(None, description="of `snooze`")
    duplicate_of: str | None = Field(None, max_length=300, description="of reason `duplicate`")
    repaired_at: Utc | None = Field(None, description="of closing: when the leak stopped")
    found_link_id: str | None = Field(
        None, max_length=200, description="of `confirmed_leak`: pipe on which it was"
    )
    found_x: float | None = Field(None, allow_inf_nan=False, description="or where, in the model")
    found_y: float | None = Field(None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Change":
        if (self.status is None) == (self.action is None):
            raise ValueError("give either `status` or `action`")
        if (self.found_x is None) != (self.found_y is None):
            raise ValueError("give `found_x` and `found_y` together")
        return self

    def action_from(self, status: str) -> str:
        """Return the action that leads to what is asked for, from a status."""
        if self.action is not None:
            return self.action
        assert self.status is not None  # noqa: S101 - for the type checker
        if self.status == "open":
            return "reopen" if status == "closed" else "acknowledge"
        return _LEADS_TO[self.status]


def change_incident(
    serving: Serving, caller: Caller, row: dict[str, Any], change: Change
) -> dict[str, Any]:
    """Append what a caller says of an incident, and return the row of `incidents.transitions`.

    Parameters
    ----------
    row
        Of `incidents.all_incidents`, as it was read before.

    Raises
    ------
    ConflictError, IllegalTransitionError, InputError
        As `incidents.people.record`.
    """
    clock = people.now()
    repeated = change.duplicate_of
    if repeated is not None and incident_row(serving.store, caller, repeated) is None:
        # Also one of a site that the caller does not see.
        raise InputError(f"there is no incident {repeated!r}", remedy="`/incidents` lists them")
    transition = Transition(
        action=change.action_from(row["status"]),
        actor=caller.name,
        happened_at=change.happened_at or clock,
        recorded_at=clock,
        expected_revision=change.people_revision,
        note=change.note,
        reason=change.reason,
        assignee=change.assignee,
        snooze_until=change.snooze_until,
        duplicate_of=change.duplicate_of,
        repaired_at=change.repaired_at,
        found_link_id=_pipe(serving, row["network"], change),
        found_x=change.found_x,
        found_y=change.found_y,
    )
    said = people.record(
        StepContext(serving.warehouse, serving.settings), row["incident_id"], transition
    )
    serving.store.forget()
    return said


def _pipe(serving: Serving, network: str, change: Change) -> str | None:
    """Return the pipe on which the leak was, as named or nearest to the place."""
    if change.found_link_id is None and change.found_x is None:
        return None
    lines = pipe_lines(*network_frames(serving.store, network))
    if change.found_link_id is None:
        assert change.found_x is not None  # noqa: S101 - for the type checker
        assert change.found_y is not None  # noqa: S101
        return nearest_pipe(lines, change.found_x, change.found_y)
    if change.found_link_id not in lines:
        raise InputError(
            f"{change.found_link_id!r} is no pipe of {network}",
            remedy=f"`/networks/{network}.geojson` names them",
        )
    return change.found_link_id
