"""Tables of what people say of incidents, and of what was told to them: event rows, append only.

No run of the graph writes or removes them. What the detectors derive is in `incidents`; the state
that both make together is in `incident_views`.
"""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_FROM_BACKUP = "restore it from a backup: nothing else knows what people said"
_ACTOR = Column("actor", pl.String, "who: a person, or the rule that did it")
_RECORDED_AT = Column(
    "recorded_at", UTC_US, "clock of the machine when it was written; orders nothing"
)

TRANSITIONS = Table(
    "incidents",
    "transitions",
    "One word of a person, or of the escalation rule, about an incident, with the state after it. "
    "Append only; ordered by `revision`, whatever the clocks say.",
    ("transition", "network"),
    ("incident_id", "revision"),
    (
        NETWORK,
        Column("incident_id", pl.String, "incident that it is about"),
        Column("revision", pl.Int64, "number of the word about this incident, from 1"),
        Column(
            "action",
            pl.String,
            "`acknowledge`, `investigate`, `dispatch`, `close`, `reopen`, `assign`, `snooze`,"
            " `note` or `escalate`",
        ),
        Column("from_status", pl.String, "status that it was said in"),
        Column(
            "to_status",
            pl.String,
            "status after it: `new`, `open`, `under_investigation`, `field_work` or `closed`",
        ),
        Column(
            "reason",
            pl.String,
            "why it is closed: `confirmed_leak`, `false_positive`, `planned_work`,"
            " `sensor_fault`, `demand_change`, `fire_flow` or `duplicate`",
            True,
        ),
        _ACTOR,
        Column("happened_at", UTC_US, "when it happened, as the person says"),
        _RECORDED_AT,
        Column("note", pl.String, "what the person wrote", True),
        Column("assignee", pl.String, "who works on it after this word", True),
        Column("snoozed_until", UTC_US, "until when nobody is told of it", True),
        Column("duplicate_of", pl.String, "incident of the same cause, of a duplicate", True),
        Column("found_link_id", pl.String, "pipe on which the leak was found", True),
        Column("found_x", pl.Float64, "where it was found, coordinate of the model", True),
        Column("found_y", pl.Float64, "where it was found, coordinate of the model", True),
        Column("repaired_at", UTC_US, "when the leak stopped, as the person says", True),
        Column("seen_revision", pl.Int64, "detectors' revision that the person saw; 0: none"),
        Column("seen_turns", pl.Int64, "how often the detectors had closed or reopened it"),
        Column("seen_severity", pl.String, "severity that the person saw", True),
        Column("seen_zone", pl.String, "metered zone", True),
        Column("seen_leak_start", UTC_US, "estimated start then", True),
        Column("seen_detected_at", UTC_US, "detection then", True),
        Column("seen_last_seen_at", UTC_US, "end of the data then", True),
        Column("seen_flow_m3_per_h", pl.Float64, "leak flow then", True),
        Column("seen_volume_m3", pl.Float64, "loss then", True),
        Column("seen_value_eur", pl.Float64, "its value then", True),
        Column("seen_top_link_id", pl.String, "best candidate pipe then", True),
        Column("seen_hypothesis_id", pl.String, "hypothesis that it followed", True),
        Column("seen_method", pl.String, "detection method that raised it", True),
        Column("seen_method_version", pl.String, "version of the method", True),
    ),
    if_lost=_FROM_BACKUP,
    known_at="recorded_at",
)

CALENDAR_EVENTS = Table(
    "incidents",
    "calendar_events",
    "One change of the maintenance calendar: an entry added or removed. Append only.",
    ("entry", "network"),
    ("entry_id", "revision"),
    (
        NETWORK,
        Column("entry_id", pl.String, "name of the entry"),
        Column("revision", pl.Int64, "1: added, 2: removed"),
        Column("event", pl.String, "`added` or `removed`"),
        Column(
            "kind",
            pl.String,
            "`maintenance`, `flushing`, `irrigation`, `fire_flow`, `other` or `meter_change`",
        ),
        Column("zone", pl.String, "metered zone; null: the whole site", True),
        Column("sensor_id", pl.String, "sensor that was changed; of `meter_change` only", True),
        Column("begin_at", UTC_US, "begin of the work"),
        Column("end_at", UTC_US, "end of the work"),
        _ACTOR,
        _RECORDED_AT,
        Column("note", pl.String, "what the person wrote", True),
    ),
    if_lost=_FROM_BACKUP,
    known_at="recorded_at",
)

NOTIFICATION_EVENTS = Table(
    "incidents",
    "notification_events",
    "One step of a notification's way to a sink: queued, failed or sent. Append only.",
    ("notification", "network"),
    ("notification_id", "revision"),
    (
        NETWORK,
        Column("notification_id", pl.String, "sink and idempotency key"),
        Column("revision", pl.Int64, "number of the step, from 1"),
        Column("event", pl.String, "`queued`, `failed` or `sent`"),
        Column("idempotency_key", pl.String, "of incident, or run, and state; sent along"),
        Column("sink", pl.String, "`webhook` or `file`"),
        Column("incident_id", pl.String, "incident that it tells of; null: of a failed run", True),
        Column(
            "state",
            pl.String,
            "state that it tells: status, reason, severity, turns; or `failed_run`",
        ),
        Column("body", pl.String, "what is sent, JSON"),
        Column("attempts", pl.Int64, "times that it was tried"),
        Column("problem", pl.String, "why it failed; never an address or a secret", True),
        Column("retry_at", UTC_US, "when it is tried next", True),
        _RECORDED_AT,
    ),
    if_lost=_FROM_BACKUP,
    known_at="recorded_at",
)

TABLES = (TRANSITIONS, CALENDAR_EVENTS, NOTIFICATION_EVENTS)
