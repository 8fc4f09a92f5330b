"""Pictures of the newest days of a network: its signal with incidents, its map with candidates."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame
from leak_assets.warehouse.schemas import TABLES

from .figures import current_state, map_figure, signal_figure

# Days that a picture shows: more would be too fine to see a window.
SHOWN_DAYS = 14
_INCIDENTS = ("incidents.incident_events", "incidents.candidates")


def incident_plots(ctx: StepContext, site: NetworkSite, days: Sequence[date]) -> dict[str, bytes]:
    """Return pictures of the last days: scored windows with incidents, the newest incident's map.

    What there is nothing of is left out.
    """
    partitions = [day_partition(day, site.name) for day in sorted(days)[-SHOWN_DAYS:]]
    scores, residuals, events, candidates = (
        _concat(ctx, table, partitions)
        for table in ("detection.window_scores", "features.residuals", *_INCIDENTS)
    )
    plots = {}
    if not scores.is_empty():
        plots["signal"] = signal_figure(scores=scores, residuals=residuals, events=events)
    if not events.is_empty():
        newest = current_state(events).tail(1)
        entry = site.network
        plots["network"] = map_figure(
            nodes=nodes_frame(entry),
            links=links_frame(entry),
            sensors=sensors_frame(entry, site.layout),
            candidates=candidates.join(newest, on=["incident_id", "revision"], how="semi"),
            title=f"Candidate pipes of {newest['incident_id'][0]}",
        )
    return plots


def _concat(ctx: StepContext, table: str, partitions: Sequence[dict[str, str]]) -> pl.DataFrame:
    frames = [f for p in partitions if (f := ctx.warehouse.read(table, p)) is not None]
    return pl.concat(frames) if frames else TABLES[table].empty()
