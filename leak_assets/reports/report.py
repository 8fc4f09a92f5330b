"""One HTML file that tells a period's incidents: numbers, map, signals, texts, model, audit.

Self-contained: style, script and data are inside, nothing is loaded from anywhere. This module
gathers and publishes; `report_view` turns frames into what the page shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from leak_assets.system.files import publish


@dataclass(frozen=True, kw_only=True)
class TrueLeak:
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
    evaluations
        Rows of `models.evaluations` of the models in force.
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
    evaluations: pl.DataFrame
    audit: Sequence[tuple[str, str]]
    truth: Sequence[TrueLeak] | None = None


def render_report(data: ReportData) -> str:
    """Return the report as one HTML document; everything that comes from data is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from .report_view import report_view

    folder = Path(__file__).parent / "report_page"
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("page.html.j2").render(
        css=(folder / "page.css").read_text(encoding="utf-8"),
        scripts=[
            (folder / name).read_text(encoding="utf-8")
            for name in ("common.js", "map.js", "charts.js", "page.js")
        ],
        **report_view(data),
    )


def write_report(path: Path, data: ReportData) -> None:
    """Write the report; it appears whole or not at all.

    Parameters
    ----------
    path
        HTML file; its folder is made where it is missing.
    data
        What to report.
    """
    publish(path, render_report(data).encode())
