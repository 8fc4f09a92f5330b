"""What a report is made of: rows of the warehouse's tables, all of one network.

Only the data; `network_report` gathers them, `report_view` says what the page shows of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl


@dataclass(frozen=True, kw_only=True)
class KnownLeak:
    """A leak that is known to have been there, and the incident that found it.

    Parameters
    ----------
    link_id
        Leaking pipe.
    leak_start, leak_end
        UTC; no end where it still runs.
    max_flow_m3_per_h, volume_m3
        Largest flow, and water lost in the period.
    incident_id, distance_m
        Incident that belongs to it and the way along pipes from its first candidate, if found.
    """

    link_id: str
    leak_start: datetime
    leak_end: datetime | None
    max_flow_m3_per_h: float
    volume_m3: float
    incident_id: str | None = None
    distance_m: float | None = None


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """What a report is made of: rows of the warehouse's tables, all of one network.

    Parameters
    ----------
    town
        Name in the title.
    network
        Network name.
    period_start, period_end
        What the report covers, UTC.
    generated_at
        When it was made, UTC.
    price_eur_per_m3
        Price of water.
    events, candidates, evidence, summaries
        Rows of the tables of `incidents`.
    nodes, links, sensors
        Rows of the tables of `network`.
    scores, residuals
        Rows of `detection.window_scores` and `features.residuals` of the period.
    models
        Model and version of those in use; none before the first promotion.
    evaluations
        Rows of `models.evaluations` of these.
    audit
        (name, value) pairs: model versions, contract hash, runs, files.
    truth
        Known leaks; None where there is nothing to compare with.
    """

    town: str
    network: str
    period_start: datetime
    period_end: datetime
    generated_at: datetime
    price_eur_per_m3: float
    events: pl.DataFrame
    candidates: pl.DataFrame
    evidence: pl.DataFrame
    summaries: pl.DataFrame
    nodes: pl.DataFrame
    links: pl.DataFrame
    sensors: pl.DataFrame
    scores: pl.DataFrame
    residuals: pl.DataFrame
    models: Sequence[tuple[str, str]]
    evaluations: pl.DataFrame
    audit: Sequence[tuple[str, str]]
    truth: Sequence[KnownLeak] | None = None
