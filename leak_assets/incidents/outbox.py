"""The outbox: what is to be told as event rows, from which each sink is served in order.

At least once, and never again for a state that arrived: only a machine that dies between a sink's
answer and the row that keeps it sends twice, under the same idempotency key. What is news is
`notifications`' business.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext
from leak_assets.system.documents import plain
from leak_assets.system.files import sync_folder
from leak_assets.warehouse.schemas.incident_people import NOTIFICATION_EVENTS

from .sinks import Sink

TABLE = NOTIFICATION_EVENTS.full_name
LOCK = "incident-notifications"
FIRST_WAIT_S = 30.0
LONGEST_WAIT_S = 3600.0
MOST_PER_PASS = 200
"""A sensor's turn must end; what is left waits for the next."""

_REFUSED = "refused: "


def idempotency_key(about: str, state: str) -> str:
    """Return the key of a state of something: the same on every machine and at every attempt.

    Examples
    --------
    >>> idempotency_key("i1", "new/-/high/supported/normal/0.0")
    'd8a4d1be5b3c41de4fb4a3ea07f3a1e9'
    """
    return hashlib.sha256(f"{about}|{state}".encode()).hexdigest()[:32]


def wait_s(attempts: int, retry_after_s: float = 0.0) -> float:
    """Return how long to wait after so many attempts failed; doubled each time, an hour at most.

    Examples
    --------
    >>> [wait_s(n) for n in (1, 2, 3, 20)], wait_s(1, retry_after_s=120)
    ([30.0, 60.0, 120.0, 3600.0], 120.0)
    """
    own = FIRST_WAIT_S * 2.0 ** min(attempts - 1, 20)
    return min(LONGEST_WAIT_S, max(own, retry_after_s))


class Outbox:
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

    def queue(
        self,
        sink: str,
        *,
        network: str,
        incident_id: str | None,
        about: str,
        state: str,
        told: Mapping[str, Any],
    ) -> bool:
        """Queue a state for a sink where that has not been done yet.

        Parameters
        ----------
        network
            Site that it belongs to.
        incident_id
            Incident that it is the state of; None of what is no incident.
        about
            Name of what has the state, unique among all that is told.
        told
            Sent along with key, state and time.
        """
        key = idempotency_key(about, state)
        notification_id = f"{sink}-{key}"
        if notification_id in self.current:
            return False
        body = {"idempotency_key": key, "state": state, "told_at": self.at, **told}
        self._append(
            {
                "network": network,
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
            key=lambda r: (
                self.queued_at[r["notification_id"]],
                r["incident_id"] or "",
                r["state"],
            ),
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
