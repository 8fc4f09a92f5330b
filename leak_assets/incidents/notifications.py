"""Telling others of incidents: an outbox of event rows, from which each sink is served in order.

At least once, and never again for a state that arrived: only a machine that dies between a sink's
answer and the row that keeps it sends twice, under the same idempotency key.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.system.documents import plain
from leak_assets.system.files import sync_folder
from leak_assets.system.locks import locks
from leak_assets.warehouse.schemas.incident_people import NOTIFICATION_EVENTS

from .people import now, record
from .sinks import Sink, sinks
from .transitions import ESCALATION_RULE, IllegalTransitionError, Transition

TABLE = NOTIFICATION_EVENTS.full_name
LOCK = "incident-notifications"
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0
MOST_PER_PASS = 200
"""A sensor's turn must end; what is left waits for the next."""

_REFUSED = "refused: "
_TOLD = (
    "incident_id",
    "network",
    "status",
    "reason",
    "severity",
    "is_supported",
    "zone",
    "leak_start",
    "detected_at",
    "last_seen_at",
    "leak_end",
    "estimated_flow_m3_per_h",
    "flow_low_m3_per_h",
    "flow_high_m3_per_h",
    "volume_lost_m3",
    "value_eur",
    "top_link_id",
    "assignee",
    "summary",
    "revision",
    "people_revision",
)


@dataclass(frozen=True)
class Passed:
    """What a pass did.

    Parameters
    ----------
    escalated, queued, sent, failed
        Numbers of this pass.
    waiting
        Notifications that have not arrived.
    problems
        A line for each sink that failed.
    """

    escalated: int = 0
    queued: int = 0
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    problems: tuple[str, ...] = ()


def notify(
    ctx: StepContext, targets: Sequence[Sink] | None = None, *, at: datetime | None = None
) -> Passed:
    """Escalate what nobody acknowledged, queue what is news, and serve the sinks.

    Parameters
    ----------
    targets
        Sinks; by default those of the settings. Without any nothing is done.
    at
        The clock; by default this machine's.
    """
    targets = sinks(ctx.settings) if targets is None else targets
    if not targets:
        return Passed()
    at = at or now()
    with locks(ctx.settings).hold(LOCK):
        outbox = _Outbox(ctx, at)
        news = _incidents(ctx, at)
        escalated = _escalate(ctx, outbox, news, at)
        if escalated:
            news = _incidents(ctx, at)
        queued = sum(outbox.queue(sink.name, row) for row in news for sink in targets)
        served = [outbox.serve(sink) for sink in targets]
    return Passed(
        escalated=escalated,
        queued=queued,
        sent=sum(sent for sent, _, _ in served),
        failed=sum(failed for _, failed, _ in served),
        waiting=len(outbox.waiting({sink.name for sink in targets})),
        problems=tuple(problem for _, _, problem in served if problem),
    )


def state_of(row: Mapping[str, Any]) -> str:
    """Return the state of an incident that is told once.

    What changes it: status, reason, severity, support by the data, escalation, and how often the
    incident turned. A flow or a pipe that moves is read in the incident, not told.
    """
    supported = "supported" if row["is_supported"] else "withdrawn"
    urgency = "escalated" if row["escalated_at"] and row["status"] == "new" else "normal"
    turns = f"{row['turns']}.{row['status_changes']}"
    return "/".join(
        (row["status"], row["reason"] or "-", row["severity"], supported, urgency, turns)
    )


def idempotency_key(incident_id: str, state: str) -> str:
    """Return the key of a state: the same on every machine and at every attempt.

    Examples
    --------
    >>> idempotency_key("i1", "new/-/high/supported/normal/0.0")
    'd8a4d1be5b3c41de4fb4a3ea07f3a1e9'
    """
    return hashlib.sha256(f"{incident_id}|{state}".encode()).hexdigest()[:32]


def wait_s(attempts: int, retry_after_s: float = 0.0) -> float:
    """Return how long to wait after so many attempts failed; doubled each time, an hour at most.

    Examples
    --------
    >>> [wait_s(n) for n in (1, 2, 3, 20)], wait_s(1, retry_after_s=120)
    ([30.0, 60.0, 120.0, 3600.0], 120.0)
    """
    own = FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20)
    return min(LONGEST_WAIT_S, max(own, retry_after_s))


class _Outbox:
    """The notifications as they stand, and the way to change them."""

    def __init__(self, ctx: StepContext, at: datetime) -> None:
        self.ctx, self.at = ctx, at
        events = ctx.warehouse.read_all(TABLE).sort("revision")
        self.current = {row["notification_id"]: row for row in events.to_dicts()}
        first = events.filter(pl.col("revision") == 1)
        self.queued_at = dict(first.select("notification_id", "recorded_at").iter_rows())
        self.told = set(first.select("sink", "incident_id").iter_rows())
        by_incident = first.group_by("incident_id").agg(pl.col("recorded_at").min())
        self.first_told = dict(by_incident.iter_rows())

    def queue(self, sink: str, row: Mapping[str, Any]) -> bool:
        """Queue an incident's state for a sink where that has not been done yet."""
        incident_id, state = row["incident_id"], state_of(row)
        # Nobody waits to hear the end of what they never heard of.
        if row["status"] == "closed" and (sink, incident_id) not in self.told:
            return False
        key = idempotency_key(incident_id, state)
        notification_id = f"{sink}-{key}"
        if notification_id in self.current:
            return False
        told = {name: row[name] for name in _TOLD}
        told["is_escalated"] = "/escalated/" in state
        body = {"idempotency_key": key, "state": state, "told_at": self.at, "incident": told}
        self._append(
            {
                "network": row["network"],
                "notification_id": notification_id,
                "revision": 1,
                "event": "queued",
                "idempotency_key": key,
                "sink": sink,
                "incident_id": incident_id,
                "state": state,
                "body": json.dumps(plain(body), ensure_ascii=False),
                "attempts": 0,
                "problem": None,
                "retry_at": None,
                "recorded_at": self.at,
            }
        )
        self.queued_at[notification_id] = self.at
        self.told.add((sink, incident_id))
        return True

    def waiting(self, names: set[str]) -> list[dict[str, Any]]:
        """Return what has not arrived at some sinks, oldest first."""
        rows = [r for r in self.current.values() if r["event"] != "sent" and r["sink"] in names]
        return sorted(
            rows,
            key=lambda r: (self.queued_at[r["notification_id"]], r["incident_id"], r["state"]),
        )

    def serve(self, sink: Sink) -> tuple[int, int, str]:
        """Deliver what is due; return how many arrived, how many failed, and the last problem.

        A sink that is down is left alone until it is due again: one row for each attempt, not
        for each notification.
        """
        sent = failed = 0
        problem = ""
        waiting = self.waiting({sink.name})
        if any(not self._is_due(row) and row["problem"] and not _refused(row) for row in waiting):
            return 0, 0, f"{sink.name}: {waiting[0]['problem'] or 'is left alone for a while'}"
        for row in [row for row in waiting if self._is_due(row)][:MOST_PER_PASS]:
            delivery = sink.deliver(row["idempotency_key"], row["body"])
            attempts = row["attempts"] + 1
            if not delivery.problem:
                self._step(row, "sent", attempts, None, None)
                sent += 1
                continue
            wait = timedelta(seconds=wait_s(attempts, delivery.retry_after_s))
            told = f"{_REFUSED}{delivery.problem}" if delivery.is_refused else delivery.problem
            self._step(row, "failed", attempts, told, self.at + wait)
            failed += 1
            problem = f"{sink.name}: {told}"
            if not delivery.is_refused:
                break
        return sent, failed, problem

    def _is_due(self, row: Mapping[str, Any]) -> bool:
        retry_at = row["retry_at"]
        # A clock that was set back must not make anybody wait for longer than the longest wait.
        return retry_at is None or not (
            self.at < retry_at <= self.at + timedelta(seconds=LONGEST_WAIT_S)
        )

    def _step(
        self,
        row: Mapping[str, Any],
        event: str,
        attempts: int,
        problem: str | None,
        retry_at: datetime | None,
    ) -> None:
        self._append(
            dict(row)
            | {
                "revision": row["revision"] + 1,
                "event": event,
                "attempts": attempts,
                "problem": problem,
                "retry_at": retry_at,
                "recorded_at": self.at,
            }
        )

    def _append(self, row: dict[str, Any]) -> None:
        warehouse = self.ctx.warehouse
        name = f"{row['notification_id']}.r{row['revision']:06d}"
        partition = {"notification": name, "network": row["network"]}
        frame = pl.DataFrame([row], schema=NOTIFICATION_EVENTS.polars_schema)
        warehouse.write(TABLE, partition, frame)
        sync_folder(warehouse.path(TABLE, partition).parent)
        self.current[row["notification_id"]] = row


def _refused(row: Mapping[str, Any]) -> bool:
    return str(row["problem"]).startswith(_REFUSED)


def _incidents(ctx: StepContext, at: datetime) -> list[dict[str, Any]]:
    """Return the incidents that may be told of now: all but those that are snoozed."""
    rows = ctx.warehouse.sql("SELECT * FROM incidents.incidents ORDER BY detected_at, incident_id")
    return [r for r in rows.to_dicts() if r["snoozed_until"] is None or r["snoozed_until"] <= at]


def _escalate(
    ctx: StepContext, outbox: _Outbox, incidents: Sequence[Mapping[str, Any]], at: datetime
) -> int:
    """Say of incidents that were told and that nobody acknowledged in time that it is urgent."""
    hours = ctx.settings.escalate_after_hours
    late = [
        row["incident_id"]
        for row in incidents
        if row["status"] == "new"
        and row["escalated_at"] is None
        and row["incident_id"] in outbox.first_told
        and at - outbox.first_told[row["incident_id"]] >= timedelta(hours=hours)
    ]
    done = 0
    for incident_id in late:
        transition = Transition(
            action="escalate",
            actor=ESCALATION_RULE,
            happened_at=at,
            recorded_at=at,
            note=f"nobody acknowledged it within {hours:g} h",
        )
        try:
            record(ctx, incident_id, transition)
        except IllegalTransitionError:
            # Somebody acknowledged it this very moment.
            continue
        done += 1
    return done
