"""What must hold of incident rows, whatever detection says: told one line for each that breaks it.

Pure reading of the tables of a few days; who runs it and what a broken line blocks is `defs`'.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from leak_assets.exchange.battledim.names import LEAK_FLOWS
from leak_assets.exchange.battledim.truth import read_truth
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.site import NetworkSite, Site
from leak_assets.warehouse.schemas import TABLES

from .known_leaks import beside_known_leaks

DAYS, EVENTS = "incidents.incident_days", "incidents.incident_events"
HYPOTHESES = "detection.hypotheses"
MOST_VOLUME_ERROR = 0.10
# A leak of less is within what the inflow's forecast does not know.
SMALLEST_KNOWN_M3 = 100.0


def negative_amounts(ctx: StepContext, site: Site, days: Sequence[date]) -> list[str]:
    """Return a line for each incident with a negative flow, loss or value, or a shrinking loss."""
    rows = _rows(ctx, DAYS, site, days, ("flow_m3_per_h", "volume_lost_m3", "value_eur"))
    found = [
        f"{row['incident_id']} on {row['day']}: {name} {row[name]:g}"
        for row in rows.iter_rows(named=True)
        for name in ("flow_m3_per_h", "volume_lost_m3", "value_eur")
        if row[name] < 0
    ]
    falling = rows.sort("day").with_columns(
        before=pl.col("volume_lost_m3").shift(1).over("incident_id")
    )
    found += [
        f"{row['incident_id']} on {row['day']}: the loss fell from {row['before']:g} to"
        f" {row['volume_lost_m3']:g} m3"
        for row in falling.filter(pl.col("volume_lost_m3") < pl.col("before")).iter_rows(named=True)
    ]
    return found


def without_detection(ctx: StepContext, site: Site, days: Sequence[date]) -> list[str]:
    """Return a line for each revision whose hypothesis is not among the day's rows."""
    found = []
    for day in days:
        events = ctx.warehouse.read(EVENTS, day_partition(day, site.name))
        if events is None or events.is_empty():
            continue
        held = ctx.warehouse.read(HYPOTHESES, day_partition(day, site.name))
        known = TABLES[HYPOTHESES].empty() if held is None else held
        alone = events.join(known, on=["network", "method", "hypothesis_id"], how="anti")
        found += [
            f"{row['incident_id']} revision {row['revision']} of {day}: no row of hypothesis"
            f" {row['hypothesis_id']} of {row['method']}"
            for row in alone.iter_rows(named=True)
        ]
    return found


def volume_errors(
    ctx: StepContext, site: NetworkSite, days: Sequence[date]
) -> tuple[list[str], int]:
    """Compare what incidents lost by the end of days with simulated leaks that are known.

    Returns
    -------
    tuple
        A line for each loss that is off by more than a tenth, and how many could be compared: of
        incidents that are about a known leak (`known_leaks`). Nothing is compared where no
        truth lies in `var/truth/<network>/` (or in the demo's folder).
    """
    folder = truth_folder(ctx, site)
    if folder is None:
        return [], 0
    columns = ("leak_start", "top_link_id", "flow_m3_per_h", "volume_lost_m3")
    rows = _rows(ctx, DAYS, site, days, columns)
    beside = beside_known_leaks(rows, read_truth(folder), site.network).filter(
        pl.col("true_volume_m3") >= SMALLEST_KNOWN_M3
    )
    error = pl.col("volume_m3") / pl.col("true_volume_m3") - 1
    off = beside.with_columns(error=error).filter(pl.col("error").abs() > MOST_VOLUME_ERROR)
    lines = [
        f"{row['incident_id']} on {row['day']}: {row['volume_m3']:,.0f} m3 for"
        f" {row['true_volume_m3']:,.0f} m3 ({row['error']:+.0%})"
        for row in off.iter_rows(named=True)
    ]
    return lines, beside.height


def truth_folder(ctx: StepContext, site: Site) -> Path | None:
    """Return where the known leaks of a simulated site lie, if they do."""
    var = ctx.settings.home.resolve() / "var"
    places = (var / "truth" / site.name, var / "demo" / site.name / "truth")
    return next((place for place in places if (place / LEAK_FLOWS).is_file()), None)


def _rows(
    ctx: StepContext, table: str, site: Site, days: Sequence[date], columns: Sequence[str]
) -> pl.DataFrame:
    names = ["incident_id", "day", *columns]
    frames = [TABLES[table].empty().select(names)]
    for day in days:
        found = ctx.warehouse.read(table, day_partition(day, site.name))
        frames += [] if found is None else [found.select(names)]
    return pl.concat(frames)
