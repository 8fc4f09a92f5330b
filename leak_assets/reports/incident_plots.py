"""The pictures that Dagster shows of incidents: the signal with its detections, the map."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas import TABLES

from .figures import current_state, map_figure, signal_figure

# More would be too fine to see a window.
SHOWN_DAYS = 14


def incident_plots(
    warehouse: Warehouse, site: NetworkSite, days: Sequence[date]
) -> dict[str, bytes]:
    """Return pictures of the last of some days, as PNG by name.

    Returns
    -------
    dict
        `signal` where windows were scored, `network` where there is an incident.
    """
    shown = sorted(days)[-SHOWN_DAYS:]
    scores, residuals, events, candidates = (
        _rows(warehouse, table, site, shown)
        for table in (
            "detection.window_scores",
            "features.residuals",
            "incidents.incident_events",
            "incidents.candidates",
        )
    )
    plots = {}
    if not scores.is_empty():
        plots["signal"] = signal_figure(scores=scores, residuals=residuals, events=events)
    if not events.is_empty():
        newest = current_state(events).tail(1)
        plots["network"] = map_figure(
            nodes=nodes_frame(site.network),
            links=links_frame(site.network),
            sensors=sensors_frame(site.network, site.layout),
            candidates=candidates.join(newest, on=["incident_id", "revision"], how="semi"),
            title=f"Candidate pipes of {newest['incident_id'][0]}",
        )
    return plots


def _rows(
    warehouse: Warehouse, table: str, site: NetworkSite, days: Sequence[date]
) -> pl.DataFrame:
    partitions = ({"date": day.isoformat(), "network": site.name} for day in days)
    frames = [f for p in partitions if (f := warehouse.read(table, p)) is not None]
    return pl.concat([TABLES[table].empty(), *frames])
