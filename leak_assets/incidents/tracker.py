"""From scored windows to incident rows, one day or a range of days at a time.

Causal: a row rests on windows and residuals up to its `event_at`. Idempotent: same inputs, same
rows; day by day gives the rows of the whole range in one go. This version keeps at most one
open incident per network: a second leak that starts meanwhile is part of the open one.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from leak_assets.warehouse.schemas.incidents import CANDIDATES, EVIDENCE, INCIDENT_EVENTS

from .evidence import pooled_candidates, sensor_evidence
from .lifecycle import OpenIncident, RecentWindows, stride_of
from .onset import leak_start
from .policy import TrackerPolicy
from .value import inflow_residual, leak_flow_m3_per_h, severity, value_eur, volume_between_m3

_DECIMALS = 9
"""Rows are rounded so that the order of a parallel sum never changes their content hash."""


@dataclass(frozen=True)
class DayResult:
    """What the days added: rows of `incidents.incident_events`, `.candidates`, `.evidence`."""

    events: pl.DataFrame
    candidates: pl.DataFrame
    evidence: pl.DataFrame


def incident_id(network: str, first_alarm: datetime) -> str:
    """Return the stable name of the incident whose first alarmed window ended at `first_alarm`.

    Examples
    --------
    >>> incident_id("l-town", datetime(2019, 1, 7, 5, 30, tzinfo=UTC))
    'l-town-20190107T0530-1db1'
    """
    digest = hashlib.sha256(f"{network}|{first_alarm.isoformat()}".encode()).hexdigest()[:4]
    return f"{network}-{first_alarm:%Y%m%dT%H%M}-{digest}"


def track_day(
    *,
    network: str,
    day: date,
    scores: pl.DataFrame,
    candidates: pl.DataFrame,
    residuals: pl.DataFrame,
    previous_events: pl.DataFrame,
    policy: TrackerPolicy,
    price_eur_per_m3: float,
    contract_sha256: str,
    run_id: str,
    links: pl.DataFrame,
) -> DayResult:
    """Return the incident rows of one day (UTC); see `track_range`."""
    return track_range(
        network=network,
        first_day=day,
        last_day=day,
        scores=scores,
        candidates=candidates,
        residuals=residuals,
        previous_events=previous_events,
        policy=policy,
        price_eur_per_m3=price_eur_per_m3,
        contract_sha256=contract_sha256,
        run_id=run_id,
        links=links,
    )


def track_range(
    *,
    network: str,
    first_day: date,
    last_day: date,
    scores: pl.DataFrame,
    candidates: pl.DataFrame,
    residuals: pl.DataFrame,
    previous_events: pl.DataFrame,
    policy: TrackerPolicy,
    price_eur_per_m3: float,
    contract_sha256: str,
    run_id: str,
    links: pl.DataFrame,
) -> DayResult:
    """Return the incident rows whose windows end in a range of days.

    Parameters
    ----------
    network
        Name of the network; rows of others are ignored.
    first_day, last_day
        Days in UTC, both included.
    scores, candidates, residuals
        Rows of `detection.window_scores`, `detection.window_candidates` and `features.residuals`
        of the days and of `policy.context_days` days before them. Later rows are not looked at.
    previous_events
        All rows of `incidents.incident_events` before `first_day`; rows of the range itself are
        ignored, so it does no harm to hand over what an earlier run wrote.
    policy
        When incidents open, are told again and close.
    price_eur_per_m3
        Price of water.
    contract_sha256, run_id
        Noted in each row.
    links
        Rows of `network.links`.

    Raises
    ------
    InputError
        If a candidate is no pipe of the network.
    """
    begin = datetime.combine(first_day, time(), UTC)
    end = datetime.combine(last_day, time(), UTC) + timedelta(days=1)
    here = pl.col("network") == network
    windows = (
        scores.filter(here & (pl.col("window_end") < end))
        .unique("window_start")
        .sort("window_end", "window_start")
    )
    run = _Tracking(
        network=network,
        windows=windows,
        candidates=candidates.filter(here),
        residuals=residuals.filter(here & (pl.col("ts_utc") < end)),
        policy=policy,
        price_eur_per_m3=price_eur_per_m3,
        contract_sha256=contract_sha256,
        run_id=run_id,
        links=links.filter(here),
        stride=stride_of(windows["window_end"]),
    )
    run.resume(previous_events.filter(here & (pl.col("event_at") < begin)))
    for window in windows.iter_rows(named=True):
        run.see(window, is_new=window["window_end"] >= begin)
    return DayResult(
        pl.DataFrame(run.event_rows, schema=INCIDENT_EVENTS.polars_schema),
        pl.DataFrame(run.candidate_rows, schema=CANDIDATES.polars_schema),
        pl.DataFrame(run.evidence_rows, schema=EVIDENCE.polars_schema),
    )


@dataclass(frozen=True)
class _Findings:
    flow_m3_per_h: float
    candidates: pl.DataFrame
    alarmed: pl.DataFrame
    top_link_id: str | None
    pinpointer_version: str | None


@dataclass
class _Tracking:
    network: str
    windows: pl.DataFrame
    candidates: pl.DataFrame
    residuals: pl.DataFrame
    policy: TrackerPolicy
    price_eur_per_m3: float
    contract_sha256: str
    run_id: str
    links: pl.DataFrame
    stride: timedelta
    event_rows: list[dict[str, Any]] = field(default_factory=list)
    candidate_rows: list[dict[str, Any]] = field(default_factory=list)
    evidence_rows: list[dict[str, Any]] = field(default_factory=list)
    incident: OpenIncident | None = None
    closed_at: datetime | None = None
    leak_free_from: datetime | None = None

    def __post_init__(self) -> None:
        self.recent = RecentWindows(self.policy, self.stride)
        self.inflow = inflow_residual(self.residuals)

    def resume(self, events: pl.DataFrame) -> None:
        """Go on from the last row of the days before."""
        if events.is_empty():
            return
        for row in events.sort("event_at", "revision").iter_rows(named=True):
            self._continue_from(row)

    def _continue_from(self, row: dict[str, Any]) -> None:
        if row["status"] == "closed":
            self.incident = None
            self.closed_at, self.leak_free_from = row["event_at"], row["leak_end"]
        else:
            self.incident = OpenIncident.from_row(row)

    def see(self, window: dict[str, Any], *, is_new: bool) -> None:
        """Take in one window; write rows only where it is new."""
        at: datetime = window["window_end"]
        if self.incident is not None:
            if at > self.incident.revised_at:
                self.incident.count(window)
                if is_new:
                    self._revise(self.incident, at)
            return
        if self.closed_at is not None and at <= self.closed_at:
            return
        self.recent.add(window)
        if is_new and self.recent.confirm_a_leak:
            self._open(at)

    def _open(self, at: datetime) -> None:
        alarms = self.recent.alarms
        start = leak_start(
            self.residuals,
            first_alarm_start=alarms[0]["window_start"],
            detected_at=at,
            lookback=timedelta(hours=self.policy.onset_lookback_h),
            not_before=self.leak_free_from,
        )
        scores = [w["anomaly_score"] for w in alarms]
        incident = OpenIncident(
            incident_id=incident_id(self.network, alarms[0]["window_end"]),
            revision=0,
            revised_at=start,
            revised_alarms=0,
            revised_quiet_windows=0,
            leak_start=start,
            detected_at=at,
            last_alarm_at=alarms[-1]["window_end"],
            alarms=len(alarms),
            quiet_windows=0,
            peak_score=max(scores),
            score_sum=sum(scores),
            severity="low",
            flow_m3_per_h=0.0,
            volume_m3=0.0,
            top_link_id=None,
            detector_version=alarms[-1]["method_version"],
            pinpointer_version=None,
        )
        self.recent.clear()
        self._write("opened", incident, at, self._estimate(incident, at))

    def _revise(self, incident: OpenIncident, at: datetime) -> None:
        if incident.quiet_windows >= self.policy.close_after_quiet_windows:
            self._write("closed", incident, at, self._estimate(incident, at))
            return
        due = incident.is_due(at, self.stride, self.policy)
        if not due and not incident.may_have_news(at, self.policy):
            return
        found = self._estimate(incident, at)
        told = (incident.top_link_id, incident.severity)
        if due or (found.top_link_id, severity(found.flow_m3_per_h)) != told:
            self._write("updated", incident, at, found)

    def _estimate(self, incident: OpenIncident, at: datetime) -> _Findings:
        since = incident.last_alarm_at - timedelta(hours=self.policy.evidence_lookback_h)
        since = max(
            since,
            incident.detected_at - self.stride * self.policy.confirm_windows,
            at - timedelta(hours=self.policy.oldest_window_h),
        )
        if self.closed_at is not None:
            since = max(since, self.closed_at)
        alarmed = self.windows.filter(
            pl.col("is_alarm") & (pl.col("window_end") > since) & (pl.col("window_end") <= at)
        )
        if alarmed["leak_flow_m3_per_h"].is_finite().any():
            flow = leak_flow_m3_per_h(alarmed, incident.leak_start)
        else:
            flow = incident.flow_m3_per_h
        lists = self.candidates.join(alarmed, on="window_start", how="semi").sort("window_start")
        pool = pooled_candidates(lists, alarmed, self.links)
        return _Findings(
            flow_m3_per_h=flow,
            candidates=pool,
            alarmed=alarmed,
            top_link_id=pool["link_id"][0] if pool.height else incident.top_link_id,
            pinpointer_version=(
                lists["method_version"][-1] if lists.height else incident.pinpointer_version
            ),
        )

    def _write(self, event: str, incident: OpenIncident, at: datetime, found: _Findings) -> None:
        flow = found.flow_m3_per_h
        added = volume_between_m3(
            self.inflow, incident.revised_at, at, flow_if_missing_m3_per_h=flow
        )
        volume = round(max(0.0, incident.volume_m3 + added), _DECIMALS)
        name = {
            "network": self.network,
            "incident_id": incident.incident_id,
            "revision": incident.revision + 1,
        }
        row = name | {
            "event_at": at,
            "event": event,
            "incident_type": "leak",
            "status": {"opened": "new", "updated": "open", "closed": "closed"}[event],
            "severity": severity(flow),
            "leak_start": incident.leak_start,
            "detected_at": incident.detected_at,
            "last_alarm_at": incident.last_alarm_at,
            "leak_end": incident.last_alarm_at if event == "closed" else None,
            "alarms": incident.alarms,
            "quiet_windows": incident.quiet_windows,
            "peak_score": incident.peak_score,
            "confidence": round(incident.confidence, _DECIMALS),
            "estimated_flow_m3_per_h": round(flow, _DECIMALS),
            "volume_lost_m3": volume,
            "value_eur": round(value_eur(volume, self.price_eur_per_m3), _DECIMALS),
            "top_link_id": found.top_link_id,
            "detector_version": incident.detector_version,
            "pinpointer_version": found.pinpointer_version,
            "contract_sha256": self.contract_sha256,
            "run_id": self.run_id,
        }
        self.event_rows.append(row)
        pool = found.candidates.with_columns(pl.col("probability").round(_DECIMALS))
        self.candidate_rows += [name | c for c in pool.to_dicts()]
        evidence = sensor_evidence(self.residuals, found.alarmed).with_columns(
            pl.col("contribution", "residual_si").round(_DECIMALS)
        )
        self.evidence_rows += [name | e for e in evidence.to_dicts()]
        self._continue_from(row)
