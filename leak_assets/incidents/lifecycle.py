"""The state of an incident and what a new row of its hypothesis makes of it: pure decisions.

Table rows are the tracker's business, numbers stand in the policy.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .policy import TrackerPolicy
from .value import severity

_DECIMALS = 9
"""Figures are rounded so that the order of a parallel sum never changes a content hash."""


@dataclass(frozen=True, kw_only=True)
class Incident:
    """An incident as far as it is known; a row of `incidents.incident_days` holds all of it.

    Parameters
    ----------
    incident_id, hypothesis_id
        Its own name and that of the hypothesis that it follows.
    revision, revised_at, revised_flow_m3_per_h
        Newest state that was told, when, and the flow told then.
    status
        `open` or `closed`.
    severity, top_link_id
        As told last; a change of either is told at once.
    leak_start, detected_at, last_seen_at
        Estimated start, when the method reported it, end of the data that all this rests on.
    flow_m3_per_h, volume_m3, confidence
        Newest estimates.
    openings, volume_before_m3
        How often it was opened, and what was lost before the newest opening.
    """

    incident_id: str
    hypothesis_id: str
    revision: int
    revised_at: datetime
    revised_flow_m3_per_h: float
    status: str
    severity: str
    leak_start: datetime
    detected_at: datetime
    last_seen_at: datetime
    flow_m3_per_h: float
    volume_m3: float
    confidence: float
    top_link_id: str
    openings: int = 1
    volume_before_m3: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the leak still runs."""
        return self.status != "closed"

    @classmethod
    def opened(cls, incident_id: str, row: dict[str, Any]) -> "Incident":
        """Return the incident that a reported hypothesis opens.

        Parameters
        ----------
        incident_id
            Its name.
        row
            Row of `detection.hypotheses`.
        """
        flow = _figure(row["flow_m3_per_h"], 0.0)
        return cls(
            incident_id=incident_id,
            hypothesis_id=row["hypothesis_id"],
            revision=1,
            revised_at=row["at"],
            revised_flow_m3_per_h=flow,
            status="open",
            severity=severity(flow),
            leak_start=row["onset_at"],
            detected_at=row["reported_at"] or row["at"],
            last_seen_at=row["at"],
            flow_m3_per_h=flow,
            volume_m3=_figure(row["volume_m3"], 0.0),
            confidence=round(row["probability"], _DECIMALS),
            top_link_id=row["element_id"],
        )

    def reopened(self, row: dict[str, Any]) -> "Incident":
        """Return the incident as it goes on with a new hypothesis of the same leak.

        Start and detection stay those of the first; what was lost before is added to what the
        new hypothesis says (`volume_before_m3`).
        """
        flow = _figure(row["flow_m3_per_h"], self.flow_m3_per_h)
        return replace(
            self,
            hypothesis_id=row["hypothesis_id"],
            openings=self.openings + 1,
            volume_before_m3=self.volume_m3,
            volume_m3=round(self.volume_m3 + _figure(row["volume_m3"], 0.0), _DECIMALS),
            last_seen_at=row["at"],
            flow_m3_per_h=flow,
            severity=severity(flow, self.severity),
            confidence=round(row["probability"], _DECIMALS),
            top_link_id=row["element_id"],
        )._revised("open")

    def seen(self, row: dict[str, Any], policy: TrackerPolicy) -> tuple["Incident", str | None]:
        """Return the incident after a newer row of its hypothesis, and the event that this is.

        An end keeps flow and severity of the leak while it ran. None where there is no news.
        """
        newer = replace(
            self,
            leak_start=row["onset_at"] if self.openings == 1 else self.leak_start,
            last_seen_at=row["at"],
            volume_m3=self._volume(row),
            confidence=round(row["probability"], _DECIMALS),
            top_link_id=row["element_id"],
        )
        if row["status"] == "ended":
            return newer._revised("closed"), "closed"
        flow = _figure(row["flow_m3_per_h"], self.flow_m3_per_h)
        newer = replace(newer, flow_m3_per_h=flow, severity=severity(flow, self.severity))
        event = self._news(newer, policy)
        return (newer, None) if event is None else (newer._revised("open"), event)

    def _volume(self, row: dict[str, Any]) -> float:
        """Return the loss over all openings, or what it was where the method gives none."""
        own = _figure(row["volume_m3"], self.volume_m3 - self.volume_before_m3)
        return round(self.volume_before_m3 + own, _DECIMALS)

    def _news(self, newer: "Incident", policy: TrackerPolicy) -> str | None:
        if newer.top_link_id != self.top_link_id:
            return "relocated"
        change = abs(newer.flow_m3_per_h - self.revised_flow_m3_per_h)
        flow_changed = (
            change > policy.flow_change_share * self.revised_flow_m3_per_h
            and change > policy.flow_change_m3_per_h
        )
        due = newer.last_seen_at - self.revised_at >= timedelta(days=policy.update_every_days)
        if newer.severity != self.severity or flow_changed or due:
            return "updated"
        return None

    def _revised(self, status: str) -> "Incident":
        return replace(
            self,
            revision=self.revision + 1,
            revised_at=self.last_seen_at,
            revised_flow_m3_per_h=self.flow_m3_per_h,
            status=status,
        )


def _figure(value: float | None, otherwise: float) -> float:
    """Return a figure of a hypothesis, or what it was where the method gives none."""
    return otherwise if value is None else round(value, _DECIMALS)
