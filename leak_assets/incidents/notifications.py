"""What others are told: the states of incidents, escalations, runs that failed.

How it reaches the sinks, and that nothing is lost on the way, is the matter of `outbox`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leak_assets.pipeline.context import StepContext
from leak_assets.system.locks import locks

from .outbox import LOCK, Outbox
from .people import now, record
from .sinks import Sink, sinks
from .transitions import ESCALATION_RULE, IllegalTransitionError, Transition

LONGEST_PROBLEM = 500
WITHOUT_SITE = "every-site"
"""Site of the notifications of runs that belong to none."""

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
        outbox = Outbox(ctx, at)
        news = _incidents(ctx, at)
        escalated = _escalate(ctx, outbox, news, at)
        if escalated:
            news = _incidents(ctx, at)
        queued = sum(_queue(outbox, sink, row) for row in news for sink in targets)
        return _served(outbox, targets, queued=queued, escalated=escalated)


def tell_failed_run(
    ctx: StepContext,
    run_id: str,
    *,
    job: str,
    site: str | None,
    partition: str | None,
    problem: str,
    targets: Sequence[Sink] | None = None,
    at: datetime | None = None,
) -> Passed:
    """Queue that a run has failed, once for each sink, and serve the sinks.

    What a sink does not take now is sent with the next pass of `notify`.
    """
    targets = sinks(ctx.settings) if targets is None else targets
    if not targets:
        return Passed()
    told = {
        "failed_run": {
            "run_id": run_id,
            "job": job,
            "site": site,
            "partition": partition,
            "problem": problem[:LONGEST_PROBLEM],
        }
    }
    with locks(ctx.settings).hold(LOCK):
        outbox = Outbox(ctx, at or now())
        queued = sum(
            outbox.queue(
                sink.name,
                network=site or WITHOUT_SITE,
                incident_id=None,
                about=run_id,
                state="failed_run",
                told=told,
            )
            for sink in targets
        )
        return _served(outbox, targets, queued=queued)


def _served(outbox: Outbox, targets: Sequence[Sink], *, queued: int, escalated: int = 0) -> Passed:
    served = [outbox.serve(sink) for sink in targets]
    return Passed(
        escalated=escalated,
        queued=queued,
        sent=sum(sent for sent, _, _ in served),
        failed=sum(failed for _, failed, _ in served),
        waiting=len(outbox.waiting({sink.name for sink in targets})),
        problems=tuple(problem for _, _, problem in served if problem),
    )


def _queue(outbox: Outbox, sink: Sink, row: Mapping[str, Any]) -> bool:
    """Queue an incident's state for a sink where that has not been done yet."""
    incident_id, state = row["incident_id"], state_of(row)
    # Nobody waits to hear the end of what they never heard of.
    if row["status"] == "closed" and (sink.name, incident_id) not in outbox.told:
        return False
    told = {name: row[name] for name in _TOLD}
    told["is_escalated"] = "/escalated/" in state
    return outbox.queue(
        sink.name,
        network=row["network"],
        incident_id=incident_id,
        about=incident_id,
        state=state,
        told={"incident": told},
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


def _incidents(ctx: StepContext, at: datetime) -> list[dict[str, Any]]:
    """Return the incidents that may be told of now: all but those that are snoozed."""
    rows = ctx.warehouse.sql("SELECT * FROM incidents.incidents ORDER BY detected_at, incident_id")
    return [r for r in rows.to_dicts() if r["snoozed_until"] is None or r["snoozed_until"] <= at]


def _escalate(
    ctx: StepContext, outbox: Outbox, incidents: Sequence[Mapping[str, Any]], at: datetime
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
