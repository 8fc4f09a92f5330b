"""What must hold of incident rows, whatever detection says: told one line for each that breaks it.

Pure reading of the tables of a few days; who runs it and what a broken line blocks is `defs`'.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from leak_assets.exchange.battledim.names import LEAK_FLOWS
from leak_assets.exchange.battledim.truth import read_truth
from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.sites.distance import PipeDistance
from leak_assets.sites.site import NetworkSite, Site
from leak_assets.warehouse.schemas import TABLES

DAYS, EVENTS = "incidents.incident_days", "incidents.incident_events"
HYPOTHESES = "detection.hypotheses"
MOST_VOLUME_ERROR = 0.10
# A leak of less is within what the inflow's forecast does not know.
SMALLEST_KNOWN_M3 = 100.0
NEAR_M = 300.0
STEPS_PER_H = 12


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
        A line for each loss that is off by more than a tenth, and how many could be compared: an
        incident whose first pipe lies within 300 m of a known leak. Nothing is compared where no
        truth lies in `var/truth/<network>/` (or in the demo's folder).
    """
    folder = truth_folder(ctx, site)
    if folder is None:
        return [], 0
    truth = read_truth(folder)
    rows = _rows(ctx, DAYS, site, days, ("leak_start", "top_link_id", "volume_lost_m3"))
    distance = PipeDistance(site.network) if rows.height else None
    lines, compared = [], 0
    for row in rows.iter_rows(named=True):
        near = [
            leak
            for leak in truth.leaks
            if distance is not None
            and distance(leak.link_id, row["top_link_id"]) <= NEAR_M
            and leak.start_at.date() <= row["day"]
        ]
        if not near:
            continue
        begin = truth.step(max(near[0].start_at, truth.start_at))
        end = truth.step(datetime.combine(row["day"] + timedelta(days=1), time(), UTC))
        true = max(float(leak.flow_m3_per_h[begin:end].sum()) for leak in near) / STEPS_PER_H
        if true < SMALLEST_KNOWN_M3:
            continue
        compared += 1
        error = row["volume_lost_m3"] / true - 1
        if abs(error) > MOST_VOLUME_ERROR:
            lines.append(
                f"{row['incident_id']} on {row['day']}: {row['volume_lost_m3']:,.0f} m3 for"
                f" {true:,.0f} m3 ({error:+.0%})"
            )
    return lines, compared


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
