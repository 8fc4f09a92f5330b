"""What the demo found, beside what was hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leak_assets.exchange.battledim.names import STEP
from leak_assets.exchange.battledim.truth import Truth
from leak_assets.pipeline.context import StepContext
from leak_assets.reports.report_data import KnownLeak
from leak_assets.sites import PipeDistance

STEP_H = STEP.total_seconds() / 3600
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Outcome:
    """One line of the final table: a hidden leak, an incident, or both where they belong together.

    Times are UTC; flow in m3/h at the peak, volumes in m3 over the demo's days, distance in m
    along pipes between the leaking pipe and the incident's first candidate.
    """

    leak: str
    leak_start: datetime | None
    leak_m3_per_h: float | None
    leak_m3: float | None
    incident: str | None
    incident_start: datetime | None
    detected_at: datetime | None
    status: str
    estimated_m3_per_h: float | None
    estimated_m3: float | None
    eur: float | None
    first_pipe: str
    distance_m: float | None


def incidents_beside_truth(ctx: StepContext, network: str, truth: Truth) -> list[Outcome]:
    """Pair each hidden leak with the nearest incident that was detected while it ran.

    A method that looks at whole days reports at the midnight after them, so a leak counts as
    running until a day after its end. Leaks without an incident and incidents without a leak
    (false alarms) have lines of their own.
    """
    incidents = ctx.warehouse.sql(
        "SELECT * FROM incidents.incidents WHERE network = ?"
        " AND detected_at BETWEEN ? AND ? ORDER BY detected_at",
        [network, truth.start_at, truth.end_at + ONE_DAY],
    ).to_dicts()
    distance = PipeDistance(ctx.network(network).network)
    outcomes = []
    for leak in truth.leaks:
        until = leak.end_at + ONE_DAY
        running = [i for i in incidents if leak.start_at <= i["detected_at"] <= until]
        away = [distance(leak.link_id, i["top_link_id"]) for i in running]
        found = running[away.index(min(away))] if running else None
        if found is not None:
            incidents.remove(found)
        outcomes.append(
            _outcome(
                found,
                leak=leak.link_id,
                leak_start=leak.start_at,
                leak_m3_per_h=float(leak.flow_m3_per_h.max()),
                leak_m3=float(leak.flow_m3_per_h.sum() * STEP_H),
                distance_m=min(away, default=None),
            )
        )
    return outcomes + [_outcome(incident) for incident in incidents]


def known_leaks(truth: Truth, outcomes: Sequence[Outcome]) -> list[KnownLeak]:
    """Return the hidden leaks as the report sets them beside the incidents."""
    found = {outcome.leak: outcome for outcome in outcomes}
    return [
        KnownLeak(
            link_id=leak.link_id,
            leak_start=leak.start_at,
            leak_end=leak.end_at,
            max_flow_m3_per_h=float(leak.flow_m3_per_h.max()),
            volume_m3=float(leak.flow_m3_per_h.sum()) * STEP_H,
            incident_id=found[leak.link_id].incident,
            distance_m=found[leak.link_id].distance_m,
        )
        for leak in truth.leaks
    ]


def _outcome(incident: Mapping[str, Any] | None, **truth: Any) -> Outcome:
    blank = {
        "leak": "none (false alarm)",
        "leak_start": None,
        "leak_m3_per_h": None,
        "leak_m3": None,
        "distance_m": None,
    }
    found = {name: incident[column] if incident else None for name, column in _FOUND.items()}
    found["status"] = found["status"] or "missed"
    found["first_pipe"] = found["first_pipe"] or ""
    return Outcome(**{**blank, **truth, **found})


_FOUND = {
    "incident": "incident_id",
    "incident_start": "leak_start",
    "detected_at": "detected_at",
    "status": "status",
    "estimated_m3_per_h": "estimated_flow_m3_per_h",
    "estimated_m3": "volume_lost_m3",
    "eur": "value_eur",
    "first_pipe": "top_link_id",
}
