"""What people may do with an incident: states, reasons, legal transitions. Pure decisions.

Storing one is `people`'s business; how it is joined with what the detectors derive stands in
`warehouse.schemas.incident_views`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leak_assets.errors import InputError

STATUSES = ("new", "open", "under_investigation", "field_work", "closed")
REASONS = (
    "confirmed_leak",
    "false_positive",
    "planned_work",
    "sensor_fault",
    "demand_change",
    "fire_flow",
    "duplicate",
)
ESCALATION_RULE = "escalation rule"
LONGEST_NOTE = 2000
LONGEST_NAME = 100

_NOT_CLOSED = STATUSES[:-1]
_STAY = {status: status for status in STATUSES}
LEGAL: Mapping[str, Mapping[str, str]] = {
    "acknowledge": {"new": "open"},
    "investigate": dict.fromkeys(("new", "open", "field_work"), "under_investigation"),
    "dispatch": dict.fromkeys(("new", "open", "under_investigation"), "field_work"),
    "close": dict.fromkeys(_NOT_CLOSED, "closed"),
    "reopen": {"closed": "open"},
    "assign": {status: status for status in _NOT_CLOSED},
    "snooze": {status: status for status in _NOT_CLOSED},
    "escalate": {"new": "new"},
    "note": _STAY,
}
"""Status after each action, by the status that it is done in; what is not there is refused."""


class IllegalTransitionError(InputError):
    """An action that the incident's status does not allow."""


class ConflictError(InputError):
    """Somebody else spoke about the incident first."""


@dataclass(frozen=True, kw_only=True)
class IncidentState:
    """What an incident's current state is, as far as a transition about it needs it.

    Parameters
    ----------
    incident_id, network
        Which one.
    status, reason
        Now, of detectors and people together.
    revision
        Number of people's newest transition; 0 where nobody has spoken.
    assignee, snoozed_until, duplicate_of
        As said last.
    last_transition
        Who said the newest transition, what and when, for whoever comes too late.
    turns
        How often the detectors have closed or reopened it.
    seen
        Columns `seen_*` of a transition: what the detectors derive now.
    """

    incident_id: str
    network: str
    status: str
    reason: str | None
    revision: int
    assignee: str | None = None
    snoozed_until: datetime | None = None
    duplicate_of: str | None = None
    last_transition: str = ""
    turns: int = 0
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What a person says of an incident.

    Parameters
    ----------
    action
        One of `LEGAL`.
    actor
        Who.
    happened_at, recorded_at
        When it happened, and the clock now (UTC).
    expected_revision
        People's revision that the person saw; None: whatever it is now.
    note, reason, assignee, snooze_until, duplicate_of, repaired_at
        What the action takes.
    found_link_id, found_x, found_y
        Where the leak was found.
    """

    action: str
    actor: str
    happened_at: datetime
    recorded_at: datetime
    expected_revision: int | None = None
    note: str | None = None
    reason: str | None = None
    assignee: str | None = None
    snooze_until: datetime | None = None
    duplicate_of: str | None = None
    repaired_at: datetime | None = None
    found_link_id: str | None = None
    found_x: float | None = None
    found_y: float | None = None


def legal_actions(state: IncidentState) -> list[str]:
    """Return what may be done with an incident now."""
    return [action for action in LEGAL if _after(state, action) is not None]


def transition_row(state: IncidentState, transition: Transition) -> dict[str, Any]:
    """Return the row of `incidents.transitions` that a transition is.

    Raises
    ------
    ConflictError
        The incident has another revision than the person saw.
    IllegalTransitionError
        Its status does not allow the action; the remedy lists what it allows.
    InputError
        What the transition says cannot be used.
    """
    if transition.expected_revision not in (None, state.revision):
        who = state.last_transition and f": {state.last_transition}"
        raise ConflictError(
            f"{state.incident_id} has revision {state.revision}, not"
            f" {transition.expected_revision}{who}",
            remedy=f"Look at it again, then repeat with --revision {state.revision}",
        )
    to_status = _after(state, transition.action)
    if to_status is None:
        raise IllegalTransitionError(
            f"{state.incident_id} is {_described(state)}: `{transition.action}` is not possible",
            remedy=f"Possible now: {', '.join(legal_actions(state))}",
        )
    _check(state, transition)
    closes = transition.action == "close"
    goes_on = transition.action in ("note", "assign", "snooze", "escalate")
    return {
        "network": state.network,
        "incident_id": state.incident_id,
        "revision": state.revision + 1,
        "action": transition.action,
        "from_status": state.status,
        "to_status": to_status,
        "reason": transition.reason if closes else state.reason if goes_on else None,
        "actor": transition.actor.strip(),
        "happened_at": transition.happened_at,
        "recorded_at": transition.recorded_at,
        "note": (transition.note or "").strip() or None,
        "assignee": (transition.assignee or "").strip() or state.assignee,
        "snoozed_until": transition.snooze_until if transition.action == "snooze"
        else state.snoozed_until if transition.action in ("note", "assign") else None,
        "duplicate_of": transition.duplicate_of
        if closes
        else state.duplicate_of if goes_on else None,
        "found_link_id": transition.found_link_id,
        "found_x": transition.found_x,
        "found_y": transition.found_y,
        "repaired_at": transition.repaired_at,
        "seen_turns": state.turns,
        **state.seen,
    }  # fmt: skip


def _after(state: IncidentState, action: str) -> str | None:
    """Return the status after an action, or None where it is not legal.

    What the symptoms' end closed has no reason yet: a person may still give one.
    """
    if action == "close" and state.status == "closed" and state.reason is None:
        return "closed"
    return LEGAL.get(action, {}).get(state.status)


def _check(state: IncidentState, transition: Transition) -> None:
    """Refuse what a transition says where it cannot be used."""
    _check_text("name", transition.actor, LONGEST_NAME, needed=True)
    _check_text("note", transition.note or "", LONGEST_NOTE, needed=transition.action == "note")
    if transition.action == "assign":
        _check_text("assignee", transition.assignee or "", LONGEST_NAME, needed=True)
    for what, time in (("happened", transition.happened_at), ("repaired", transition.repaired_at)):
        if time is not None and time > transition.recorded_at:
            raise InputError(
                f"{time:%Y-%m-%d %H:%M} UTC, when it was {what}, is not over yet",
                remedy="Give a time that has passed, in UTC",
            )
    if transition.action == "snooze" and (
        transition.snooze_until is None or transition.snooze_until <= transition.recorded_at
    ):
        raise InputError("a snooze must end in the future", remedy="Give --until or --hours")
    if transition.action == "close":
        _check_closing(state, transition)
    elif transition.reason or transition.duplicate_of or transition.found_link_id:
        raise InputError(
            f"`{transition.action}` takes neither a reason nor a place",
            remedy="Give them with `close`",
        )


def _check_closing(state: IncidentState, transition: Transition) -> None:
    if transition.reason not in REASONS:
        raise InputError(
            "no reason to close the incident is given"
            if transition.reason is None
            else f"{transition.reason!r} is no reason to close an incident",
            remedy=f"Reasons are: {', '.join(REASONS)}",
        )
    if (transition.reason == "duplicate") != (transition.duplicate_of is not None):
        raise InputError(
            "a duplicate, and only that, names the incident that it repeats",
            remedy="Give --reason duplicate together with --of INCIDENT",
        )
    if transition.duplicate_of == state.incident_id:
        raise InputError(
            f"{transition.duplicate_of} cannot be a duplicate of itself",
            remedy="Name the other incident",
        )
    if transition.found_link_id is not None and transition.reason != "confirmed_leak":
        raise InputError(
            f"a place was found, and the reason is {transition.reason}",
            remedy="Close with --reason confirmed_leak, or leave the place out",
        )


def _check_text(what: str, text: str, longest: int, *, needed: bool) -> None:
    if needed and not text.strip():
        raise InputError(f"the {what} is empty", remedy=f"Give a {what}")
    if len(text) > longest:
        raise InputError(
            f"the {what} has {len(text)} characters", remedy=f"{longest} fit; shorten it"
        )


def _described(state: IncidentState) -> str:
    return f"{state.status} ({state.reason})" if state.reason else state.status
