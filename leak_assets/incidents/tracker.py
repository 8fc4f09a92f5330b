"""From hypotheses to incidents: a pure function of frames, the same each time it is called.

An incident follows one hypothesis of kind `leak` from its report to its end; several may be open
in a network at once. Days may be handed over one by one or as a range, with the same rows as
result. No row rests on anything later than its own time, and an input that comes twice changes
nothing. A day that has no row of a hypothesis neither closes nor revises its incident.

A hypothesis ends once: a method that believes in a leak again makes a new hypothesis of it. Where
that is seen first within a day after the old one ended, and the old place is among its candidates,
the incident is reopened under its name and follows the new hypothesis. Two hypotheses that live at
once are two incidents, wherever they are.

The flow of an incident over time is `incidents.incident_days`; what its method said in full:

    SELECT h.* FROM detection.hypotheses AS h
    JOIN incidents.incidents AS i USING (network, method, hypothesis_id) ORDER BY h.at
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from leak_assets.warehouse.schemas.incidents import (
    CANDIDATES,
    EVIDENCE,
    INCIDENT_DAYS,
    INCIDENT_EVENTS,
)

from .evidence import candidate_pipes, sensors, unknown_pipe
from .lifecycle import Incident
from .policy import TrackerPolicy
from .value import value_eur

_DECIMALS = 9
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tracked:
    """What the days added: rows of the tables of `incidents` that bear the fields' names."""

    incident_events: pl.DataFrame
    incident_days: pl.DataFrame
    candidates: pl.DataFrame
    evidence: pl.DataFrame


def incident_id(network: str, first_seen_at: datetime, hypothesis_id: str) -> str:
    """Return the stable name of the incident that follows a hypothesis.

    Examples
    --------
    >>> incident_id("l-town", datetime(2019, 1, 7, 5, 30, tzinfo=UTC), "h1")
    'l-town-20190107T0530-ada855'
    """
    digest = hashlib.sha256(f"{network}|{hypothesis_id}".encode()).hexdigest()[:6]
    return f"{network}-{first_seen_at:%Y%m%dT%H%M}-{digest}"


def track(
    *,
    network: str,
    first_day: date,
    last_day: date,
    hypotheses: pl.DataFrame,
    candidates: pl.DataFrame,
    evidence: pl.DataFrame,
    previous_days: pl.DataFrame,
    method: str,
    policy: TrackerPolicy,
    price_eur_per_m3: float,
    contract_sha256: str,
    run_id: str,
    links: pl.DataFrame,
    zones: Mapping[str, str],
) -> Tracked:
    """Return the incident rows of a range of days.

    A row of a hypothesis belongs to the day whose data end with it: midnight belongs to the day
    before.

    Parameters
    ----------
    network
        Name of the network; rows of others are ignored.
    first_day, last_day
        Days in UTC, both included.
    hypotheses, candidates, evidence
        Rows of `detection.hypotheses`, `detection.leak_candidates` and `detection.evidence` of
        the days; other rows are not looked at.
    previous_days
        Rows of `incidents.incident_days` before `first_day`: what was open on the newest day is
        gone on from, what closed lately may come back; rows of the range itself are ignored.
    method
        Method that raises incidents; the others only speak beside.
    policy
        What is news of an open incident.
    price_eur_per_m3
        Price of water.
    contract_sha256, run_id
        Noted in each event.
    links
        Rows of `network.links`.
    zones
        Metered zone by link.

    Raises
    ------
    InputError
        If a hypothesis or a candidate is about no pipe of the network.
    """
    here = (pl.col("network") == network) & (pl.col("method") == method)
    begin, end = _midnight(first_day), _midnight(last_day) + _ONE_DAY
    within = here & (pl.col("at") > begin) & (pl.col("at") <= end)
    links = links.filter((pl.col("network") == network) & (pl.col("link_type") == "pipe"))
    run = _Tracking(
        network=network,
        method=method,
        candidates=candidates.filter(within),
        evidence=evidence.filter(within),
        policy=policy,
        price_eur_per_m3=price_eur_per_m3,
        contract_sha256=contract_sha256,
        run_id=run_id,
        links=links,
        pipes=frozenset(links["link_id"]),
        zones=zones,
    )
    run.resume(previous_days.filter(here & (pl.col("day") < first_day)))
    rows = (
        hypotheses.filter(within & (pl.col("kind") == "leak") & (pl.col("status") != "watched"))
        .sort("at", "first_seen_at", "hypothesis_id")
        .with_columns(day=(pl.col("at") - pl.duration(microseconds=1)).dt.date())
        .partition_by("day", as_dict=True, include_key=False)
    )
    day = first_day
    while day <= last_day:
        run.take_day(day, rows.get((day,)))
        day += _ONE_DAY
    return Tracked(
        pl.DataFrame(run.event_rows, schema=INCIDENT_EVENTS.polars_schema),
        pl.DataFrame(run.day_rows, schema=INCIDENT_DAYS.polars_schema),
        pl.DataFrame(run.candidate_rows, schema=CANDIDATES.polars_schema),
        pl.DataFrame(run.evidence_rows, schema=EVIDENCE.polars_schema),
    )


@dataclass
class _Tracking:
    network: str
    method: str
    candidates: pl.DataFrame
    evidence: pl.DataFrame
    policy: TrackerPolicy
    price_eur_per_m3: float
    contract_sha256: str
    run_id: str
    links: pl.DataFrame
    pipes: frozenset[str]
    zones: Mapping[str, str]
    incidents: dict[str, Incident] = field(default_factory=dict)
    closed: dict[str, Incident] = field(default_factory=dict)
    event_rows: list[dict[str, Any]] = field(default_factory=list)
    day_rows: list[dict[str, Any]] = field(default_factory=list)
    candidate_rows: list[dict[str, Any]] = field(default_factory=list)
    evidence_rows: list[dict[str, Any]] = field(default_factory=list)

    def resume(self, days: pl.DataFrame) -> None:
        """Go on from what was open at the end of the newest day, and what closed lately."""
        newest = days["day"].max()
        for row in days.sort("day", "incident_id").iter_rows(named=True):
            incident = _from_row(row)
            if not incident.is_open:
                self.closed[incident.incident_id] = incident
            elif row["day"] == newest:
                self.closed.pop(incident.incident_id, None)
                self.incidents[incident.hypothesis_id] = incident

    def take_day(self, day: date, rows: pl.DataFrame | None) -> None:
        """Take in one day's rows of hypotheses, in order of time."""
        if rows is not None:
            for row in rows.iter_rows(named=True):
                self._see(row, _midnight(day))
        for incident in sorted(self.incidents.values(), key=lambda i: i.incident_id):
            self.day_rows.append(self._day_row(day, incident))
            if not incident.is_open:
                del self.incidents[incident.hypothesis_id]
                self.closed[incident.incident_id] = incident

    def _see(self, row: dict[str, Any], day_begin: datetime) -> None:
        if row["element_id"] not in self.pipes:
            raise unknown_pipe(row["element_id"])
        known = self.incidents.get(row["hypothesis_id"])
        if known is None:
            if row["status"] == "ended" and not _is_reported_after(day_begin, row):
                return
            known = self._relapsed(row)
            if known is None:
                name = incident_id(self.network, row["first_seen_at"], row["hypothesis_id"])
                known = Incident.opened(name, row)
                self._write("opened", known, row)
            else:
                self._write("reopened", known, row)
            if row["status"] != "ended":
                return
        elif not known.is_open or row["at"] <= known.last_seen_at:
            return
        newer, event = known.seen(row, self.policy)
        self.incidents[newer.hypothesis_id] = newer
        if event is not None:
            self._write(event, newer, row)

    def _relapsed(self, row: dict[str, Any]) -> Incident | None:
        """Return the incident that a new hypothesis is the return of, or None."""
        within = timedelta(hours=self.policy.reopen_within_hours)
        oldest = row["at"] - timedelta(days=self.policy.reopen_looks_back_days)
        here = (pl.col("hypothesis_id") == row["hypothesis_id"]) & (pl.col("at") == row["at"])
        places = {row["element_id"], *self.candidates.filter(here)["link_id"]}
        found = [
            incident
            for incident in self.closed.values()
            if incident.top_link_id in places
            and timedelta(0) <= row["first_seen_at"] - incident.last_seen_at <= within
            and incident.last_seen_at >= oldest
        ]
        if not found:
            return None
        last = max(found, key=lambda incident: (incident.last_seen_at, incident.incident_id))
        del self.closed[last.incident_id]
        return last.reopened(row)

    def _write(self, event: str, incident: Incident, row: dict[str, Any]) -> None:
        self.incidents[incident.hypothesis_id] = incident
        name = {
            "network": self.network,
            "incident_id": incident.incident_id,
            "revision": incident.revision,
        }
        self.event_rows.append(
            name
            | {
                "event_at": incident.revised_at,
                "event": event,
                "incident_type": "leak",
                "status": "new" if event == "opened" else incident.status,
                "severity": incident.severity,
                "zone": self.zones.get(incident.top_link_id),
                "leak_start": incident.leak_start,
                "detected_at": incident.detected_at,
                "last_seen_at": incident.last_seen_at,
                "leak_end": row["ended_at"] or row["at"] if event == "closed" else None,
                "confidence": incident.confidence,
                "score": round(row["score"], _DECIMALS),
                "estimated_flow_m3_per_h": incident.flow_m3_per_h,
                "volume_lost_m3": incident.volume_m3,
                "value_eur": self._value_eur(incident),
                "top_link_id": incident.top_link_id,
                "hypothesis_id": incident.hypothesis_id,
                "method": self.method,
                "method_version": row["method_version"],
                "contract_sha256": self.contract_sha256,
                "run_id": self.run_id,
            }
        )
        here = (pl.col("hypothesis_id") == incident.hypothesis_id) & (pl.col("at") == row["at"])
        pipes = candidate_pipes(self.candidates.filter(here), self.links)
        self.candidate_rows += [name | pipe for pipe in pipes.to_dicts()]
        channels = sensors(self.evidence.filter(here))
        self.evidence_rows += [name | channel for channel in channels.to_dicts()]

    def _day_row(self, day: date, incident: Incident) -> dict[str, Any]:
        row = asdict(incident)
        return row | {
            "network": self.network,
            "day": day,
            "method": self.method,
            "volume_lost_m3": row.pop("volume_m3"),
            "value_eur": self._value_eur(incident),
        }

    def _value_eur(self, incident: Incident) -> float:
        return round(value_eur(incident.volume_m3, self.price_eur_per_m3), _DECIMALS)


def _from_row(row: dict[str, Any]) -> Incident:
    """Return the incident of a row of `incidents.incident_days`."""
    names = set(Incident.__dataclass_fields__) - {"volume_m3"}
    return Incident(volume_m3=row["volume_lost_m3"], **{name: row[name] for name in names})


def _is_reported_after(day_begin: datetime, row: dict[str, Any]) -> bool:
    """Whether a hypothesis that ended was reported on the same day.

    Otherwise it was reported on an earlier day, and either its incident is closed already, or
    that report never was a row: an end alone is no news for a crew.
    """
    return row["reported_at"] is not None and row["reported_at"] > day_begin


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
