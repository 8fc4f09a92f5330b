"""The report of one incident: what a crew, a manager and an authority ask, on one page.

From tables alone, readable on paper. What it was made from in full is the audit's page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from leak_assets.audit.trace import Trace, ledger_rows, trace_incident
from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame
from leak_assets.units import SECONDS_PER_HOUR
from leak_assets.warehouse import Warehouse

from .charts import Chart, Series, draw_chart
from .network_map import NetworkMap, draw_map
from .page import shared_css, templates

DAYS = "incidents.incident_days"
_HALF_DAY = timedelta(hours=12)


@dataclass(frozen=True)
class IncidentReport:
    """What the page of an incident shows: rows of tables, nothing computed anew."""

    incident: Mapping[str, Any]
    revisions: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any] | None
    candidates: Sequence[Mapping[str, Any]]
    evidence: Sequence[Mapping[str, Any]]
    days: pl.DataFrame = field(repr=False)
    transitions: Sequence[Mapping[str, Any]]
    deliveries: Sequence[Mapping[str, Any]]
    map: NetworkMap = field(repr=False)


def incident_report(warehouse: Warehouse, site: NetworkSite, incident_id: str) -> IncidentReport:
    """Gather what the page of an incident shows.

    Raises
    ------
    InputError
        There is no such incident.
    """
    trace = trace_incident(warehouse, incident_id)
    where = "WHERE incident_id = ? ORDER BY"
    revisions = warehouse.sql(
        f"SELECT * FROM incidents.incident_events {where} revision", [incident_id]
    ).to_dicts()
    state = warehouse.sql("SELECT * FROM incidents.incidents WHERE incident_id = ?", [incident_id])
    summaries = warehouse.sql(f"SELECT * FROM incidents.summaries {where} revision", [incident_id])
    candidates = _newest(warehouse, "incidents.candidates", incident_id)
    transitions = warehouse.sql(
        f"SELECT * FROM incidents.transitions {where} revision", [incident_id]
    ).to_dicts()
    return IncidentReport(
        {**revisions[-1], **state.row(0, named=True)},
        revisions,
        None if summaries.is_empty() else summaries.row(-1, named=True),
        candidates.to_dicts(),
        _newest(warehouse, "incidents.evidence", incident_id).to_dicts(),
        _days(warehouse, trace),
        transitions,
        ledger_rows(warehouse, trace).to_dicts(),
        draw_map(
            nodes_frame(site.network),
            links_frame(site.network),
            sensors_frame(site.network, site.layout),
            candidates={incident_id: candidates.to_dicts()},
        ),
    )


def incident_page(report: IncidentReport, *, made_at: datetime | None = None) -> str:
    """Return the page: one HTML document without any external asset."""
    folder = Path(__file__).parent / "incident_page"
    return (
        templates(folder)
        .get_template("page.html.j2")
        .render(
            css=shared_css(),
            r=report,
            i=report.incident,
            tiles=_tiles(report),
            charts=day_charts(report.days, "UTC"),
            hours=(report.incident["detected_at"] - report.incident["leak_start"]).total_seconds()
            / 3600,
            per_hour=SECONDS_PER_HOUR,
            made_at=f"{made_at or datetime.now(UTC):%Y-%m-%d %H:%M}",
        )
    )


def day_charts(days: pl.DataFrame, zone: str) -> list[Chart]:
    """Return estimated flow and loss of an incident by day; none for fewer than two days.

    Parameters
    ----------
    days
        Rows of `incidents.incident_days` with `day`, `flow_m3_per_h`, `volume_lost_m3`.
    zone
        IANA zone of the labels.
    """
    if days.height < 2:
        return []
    times = [datetime.combine(day, time(12), UTC) for day in days["day"]]
    span = (times[0] - _HALF_DAY, times[-1] + _HALF_DAY)
    return [
        draw_chart(
            title, unit, [Series(name="", times=times, values=days[column].to_list(), tone=tone)],
            zone=zone, span=span, from_zero=True, decimals=1,
        )
        for title, unit, column, tone in (
            ("Estimated leak flow by day", "m³/h", "flow_m3_per_h", "measured"),
            ("Lost since it began", "m³", "volume_lost_m3", "second"),
        )
    ]  # fmt: skip


def _newest(warehouse: Warehouse, table: str, incident_id: str) -> pl.DataFrame:
    """Return the rows of the newest revision that has any: one that has ended names no sensor."""
    return warehouse.sql(
        f"SELECT * FROM {table} WHERE incident_id = $id AND revision ="
        f" (SELECT max(revision) FROM {table} WHERE incident_id = $id) ORDER BY rank",
        {"id": incident_id},
    )


def _days(warehouse: Warehouse, trace: Trace) -> pl.DataFrame:
    names = ["day", "flow_m3_per_h", "volume_lost_m3"]
    return warehouse.sql(
        f"SELECT {', '.join(names)} FROM {DAYS} WHERE incident_id = ? ORDER BY day",
        [trace.incident["incident_id"]],
    )


def _tiles(report: IncidentReport) -> list[tuple[str, str, str]]:
    row = report.incident
    flow = float(row["estimated_flow_m3_per_h"])
    price = row["value_eur"] / row["volume_lost_m3"] if row["volume_lost_m3"] else 0.0
    a_day = flow * 24
    tiles = [
        (f"{flow:,.1f} m³/h", "estimated flow", f"severity {row['severity']}"),
        (f"{row['volume_lost_m3']:,.0f} m³", "water lost", "since the leak began"),
        (f"€ {row['value_eur']:,.0f}", "value of the water", f"at € {price:.2f} per m³"),
    ]
    if row["status"] != "closed" and a_day:
        tiles.append(
            (
                f"€ {a_day * price:,.0f} a day",
                "if it is not repaired",
                f"€ {a_day * price * 30:,.0f} a month, € {a_day * price * 365:,.0f} a year",
            )
        )
    return tiles
