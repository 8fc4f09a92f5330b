"""Shapes of the answers about incidents, for the API's documents."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from .row_shapes import row_shape

Status = Literal["new", "open", "under_investigation", "field_work", "closed"]
Severity = Literal["low", "medium", "high"]
_Evidence = row_shape(
    "Evidence",
    "incidents.evidence",
    ("rank", "sensor_id", "quantity", "contribution", "residual_si"),
)


class Incident(BaseModel):
    """An incident as it stands: what the detectors derive, with people's words."""

    incident_id: str
    network: str
    incident_type: str
    status: Status
    reason: str | None = Field(description="why a person closed it")
    severity: str
    zone: str | None
    leak_start: datetime
    detected_at: datetime = Field(description="when the method reported it")
    last_seen_at: datetime = Field(description="end of the data that its figures rest on")
    leak_end: datetime | None
    closed_at: datetime | None
    confidence: float | None = Field(description="that the leak is within 300 m, 0 to 1")
    estimated_flow_m3_per_h: float | None
    flow_low_m3_per_h: float | None
    flow_high_m3_per_h: float | None
    peak_flow_m3_per_h: float | None
    volume_lost_m3: float | None
    value_eur: float | None
    top_link_id: str | None = Field(description="best candidate pipe")
    method: str
    method_version: str | None
    hypothesis_id: str | None
    assignee: str | None
    snoozed_until: datetime | None
    acknowledged_at: datetime | None
    escalated_at: datetime | None
    duplicate_of: str | None
    is_supported: bool = Field(description="false: corrected data removed what it rested on")
    revision: int = Field(description="the detectors' newest revision")
    people_revision: int = Field(description="people's newest word; a change is made at it")
    summary: str | None
    generated_by: str | None


class Incidents(BaseModel):
    """A page of incidents."""

    incidents: list[Incident]
    count: int = Field(description="of this page")
    total: int = Field(description="that the filter lets through")
    next: str | None = Field(description="hand it back for the next page; null on the last")


class Candidate(BaseModel):
    """A pipe to search, in the order in which a crew finds the leak soonest."""

    order: int
    link_id: str
    rank: int = Field(description="by probability")
    probability: float
    length_m: float
    probability_per_m: float
    cumulative_probability: float
    cumulative_length_m: float
    in_zone: bool = Field(description="within the 90 % of what the listed pipes hold together")


class IncidentDay(BaseModel):
    """An incident at the end of a day."""

    day: date
    status: str
    flow_m3_per_h: float | None
    volume_lost_m3: float | None
    value_eur: float | None
    confidence: float | None
    top_link_id: str | None


class Detail(Incident):
    """An incident with all that is known of it."""

    suppressed_by: str | None = Field(description="planned work that explains it")
    possible_actions: list[str]
    successors: list[str] = Field(description="that may be the same leak after corrected data")
    candidates: list[Candidate]
    evidence: list[_Evidence]  # type: ignore[valid-type]
    days: list[IncidentDay]
    forecast: dict[str, Any] | None = Field(description="loss by day, month, year, if not mended")
    alr_times: dict[str, Any] | None = Field(description="awareness, location, repair, in hours")


class Derived(BaseModel):
    """A state of an incident as it followed from data."""

    revision: int
    event_at: datetime
    event: str
    status: str
    severity: str
    estimated_flow_m3_per_h: float | None
    volume_lost_m3: float | None
    value_eur: float | None
    top_link_id: str
    confidence: float | None
    method: str
    method_version: str
    run_id: str


class Said(BaseModel):
    """What a person said of an incident, with the status after it."""

    revision: int = Field(description="people's revision from now on")
    action: str
    from_status: str
    to_status: str
    reason: str | None
    actor: str = Field(description="name of the key, or of the person at the command line")
    happened_at: datetime
    recorded_at: datetime
    note: str | None
    assignee: str | None
    snoozed_until: datetime | None
    duplicate_of: str | None
    found_link_id: str | None
    found_x: float | None
    found_y: float | None
    repaired_at: datetime | None


class History(BaseModel):
    """An incident's past: derived from data, and said by people."""

    incident_id: str
    derived: list[Derived]
    said: list[Said]


class LineageRun(BaseModel):
    """A run that wrote what a box holds."""

    run_id: str
    url: str | None = Field(description="in Dagster's interface, where Dagster knows it")


class LineageBox(BaseModel):
    """What one step wrote on the way to the incident, or one thing that it was given."""

    key: str
    kind: str = Field(description="`incident`, `table`, `delivery`, `model`, `setting` …")
    title: str
    lines: list[str]
    stage: int = Field(description="0: from outside; one more than all that it was made from")
    sources: list[str] = Field(description="keys of the boxes that it was made from")
    runs: list[LineageRun]
    queries: list[str] = Field(description="SQL that finds it in the warehouse")


class Lineage(BaseModel):
    """What an incident was made from; with `format=openlineage` a list of OpenLineage events."""

    incident_id: str
    notes: list[str] = Field(default_factory=list, description="what a reader must know first")
    boxes: list[LineageBox] = Field(default_factory=list)
    openlineage: dict[str, Any] | None = None


class Replay(BaseModel):
    """An incident detected again beside what was published."""

    incident_id: str
    variant: str
    first_day: date
    last_day: date
    revisions: int = Field(description="of the incident, within these days")
    all_revisions: int
    identical: bool
    compared_rows: dict[str, int]
    differing_values: int
    differences: list[dict[str, Any]] = Field(description="the first of them")
    raised: list[dict[str, Any]] = Field(description="incidents of the replay")
    notes: list[str]


class ReplayRunning(BaseModel):
    """How far a replay is that takes longer than an answer waits."""

    incident_id: str
    status: Literal["running"]
    running_s: float = Field(description="seconds since it began")
    progress: str = Field(description="what it said last")
