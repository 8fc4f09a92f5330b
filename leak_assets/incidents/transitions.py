"""What people may do with an incident: states, reasons, legal transitions. Pure decisions.

Storing a word is `people`'s business; how it is joined with what the detectors derive stands in
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
class Standing:
    """What an incident's current state is, as far as a word about it needs it.

    Parameters
    ----------
    incident_id, network
        Which one.
    status, reason
        Now, of detectors and people together.
    revision
        Number of people's newest word; 0 where nobody has spoken.
    assignee, snoozed_until, duplicate_of
        As said last.
    last_word
        Who said the newest word, what and when, for whoever comes too late.
    turns
        How often the detectors have closed or reopened it.
    seen
        Columns `seen_*` of a word: what the detectors derive now.
    """

    incident_id: str
    network: str
    status: str
    reason: str | None
    revision: int
    assignee: str | None = None
    snoozed_until: datetime | None = None
    duplicate_of: str | None = None
    last_word: str = ""
    turns: int = 0
    seen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Word:
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


def legal_actions(standing: Standing) -> list[str]:
    """Return what may be done with an incident now."""
    return [action for action in LEGAL if _after(standing, action) is not None]


def said(standing: Standing, word: Word) -> dict[str, Any]:
    """Return the row of `incidents.transitions` that a word is.

    Raises
    ------
    ConflictError
        The incident has another revision than the person saw.
    IllegalTransitionError
        Its status does not allow the action; the remedy lists what it allows.
    InputError
        What the word says cannot be used.
    """
    if word.expected_revision not in (None, standing.revision):
        raise ConflictError(
            f"{standing.incident_id} has revision {standing.revision}, not"
            f" {word.expected_revision}{standing.last_word and ': ' + standing.last_word}",
            remedy=f"Look at it again, then repeat with --revision {standing.revision}",
        )
    to_status = _after(standing, word.action)
    if to_status is None:
        raise IllegalTransitionError(
            f"{standing.incident_id} is {_described(standing)}: `{word.action}` is not possible",
            remedy=f"Possible now: {', '.join(legal_actions(standing))}",
        )
    _check(standing, word)
    closes = word.action == "close"
    goes_on = word.action in ("note", "assign", "snooze", "escalate")
    return {
        "network": standing.network,
        "incident_id": standing.incident_id,
        "revision": standing.revision + 1,
        "action": word.action,
        "from_status": standing.status,
        "to_status": to_status,
        "reason": word.reason if closes else standing.reason if goes_on else None,
        "actor": word.actor.strip(),
        "happened_at": word.happened_at,
        "recorded_at": word.recorded_at,
        "note": (word.note or "").strip() or None,
        "assignee": (word.assignee or "").strip() or standing.assignee,
        "snoozed_until": word.snooze_until if word.action == "snooze"
        else standing.snoozed_until if word.action in ("note", "assign") else None,
        "duplicate_of": word.duplicate_of if closes else standing.duplicate_of if goes_on else None,
        "found_link_id": word.found_link_id,
        "found_x": word.found_x,
        "found_y": word.found_y,
        "repaired_at": word.repaired_at,
        "seen_turns": standing.turns,
        **standing.seen,
    }  # fmt: skip


def _after(standing: Standing, action: str) -> str | None:
    """Return the status after an action, or None where it is not legal.

    What the symptoms' end closed has no reason yet: a person may still give one.
    """
    if action == "close" and standing.status == "closed" and standing.reason is None:
        return "closed"
    return LEGAL.get(action, {}).get(standing.status)


def _check(standing: Standing, word: Word) -> None:
    """Refuse what a word says where it cannot be used."""
    _check_text("name", word.actor, LONGEST_NAME, needed=True)
    _check_text("note", word.note or "", LONGEST_NOTE, needed=word.action == "note")
    if word.action == "assign":
        _check_text("assignee", word.assignee or "", LONGEST_NAME, needed=True)
    for what, time in (("happened", word.happened_at), ("repaired", word.repaired_at)):
        if time is not None and time > word.recorded_at:
            raise InputError(
                f"{time:%Y-%m-%d %H:%M} UTC, when it was {what}, is not over yet",
                remedy="Give a time that has passed, in UTC",
            )
    if word.action == "snooze" and (
        word.snooze_until is None or word.snooze_until <= word.recorded_at
    ):
        raise InputError("a snooze must end in the future", remedy="Give --until or --hours")
    if word.action == "close":
        _check_closing(standing, word)
    elif word.reason or word.duplicate_of or word.found_link_id:
        raise InputError(
            f"`{word.action}` takes neither a reason nor a place", remedy="Give them with `close`"
        )


def _check_closing(standing: Standing, word: Word) -> None:
    if word.reason not in REASONS:
        raise InputError(
            f"{word.reason!r} is no reason to close an incident",
            remedy=f"Reasons are: {', '.join(REASONS)}",
        )
    if (word.reason == "duplicate") != (word.duplicate_of is not None):
        raise InputError(
            "a duplicate, and only that, names the incident that it repeats",
            remedy="Give --reason duplicate together with --of INCIDENT",
        )
    if word.duplicate_of == standing.incident_id:
        raise InputError(
            f"{word.duplicate_of} cannot be a duplicate of itself", remedy="Name the other incident"
        )
    if word.found_link_id is not None and word.reason != "confirmed_leak":
        raise InputError(
            f"a place was found, and the reason is {word.reason}",
            remedy="Close with --reason confirmed_leak, or leave the place out",
        )


def _check_text(what: str, text: str, longest: int, *, needed: bool) -> None:
    if needed and not text.strip():
        raise InputError(f"the {what} is empty", remedy=f"Give a {what}")
    if len(text) > longest:
        raise InputError(
            f"the {what} has {len(text)} characters", remedy=f"{longest} fit; shorten it"
        )


def _described(standing: Standing) -> str:
    return f"{standing.status} ({standing.reason})" if standing.reason else standing.status
