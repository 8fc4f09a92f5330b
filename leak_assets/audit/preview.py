"""What a changed threshold would have raised in the last days, beside what was raised.

Nothing is written. The detection is `rescore`'s; how good a method is against a truth is the
benchmark's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import polars as pl

from leak_assets.errors import InputError, MissingInputError
from leak_assets.pipeline.context import StepContext
from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas import TABLES

from .replay import open_before, raised
from .rescore import Rescored, Variant, rescore

MOST_DAYS = 400


@dataclass(frozen=True)
class Preview:
    """What a variant would have raised.

    Parameters
    ----------
    variant, first_day, last_day
        What was tried, over which days.
    alerts
        Incidents that would have been opened, by their newest state.
    now_alerts
        Incidents that the same method opens as it is.
    per_day
        `day`, `alerts`, `now` (with the method as it is), `m3`, `eur`: those opened on each day,
        and the loss of the variant's until the last day.
    """

    variant: Variant
    first_day: date
    last_day: date
    alerts: pl.DataFrame = field(repr=False)
    now_alerts: pl.DataFrame = field(repr=False)
    per_day: pl.DataFrame = field(repr=False)


def preview(ctx: StepContext, site: NetworkSite, variant: Variant, days: int) -> Preview:
    """Return what a variant would have raised in the last days of a network.

    Parameters
    ----------
    days
        How many, up to the newest day that has readings.

    Raises
    ------
    InputError
        Too many days, an unknown method or setting, or a model that is gone.
    MissingInputError
        The network has no days to look at.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InputError(
            f"{days} days cannot be previewed", remedy=f"Give 1 to {MOST_DAYS} with --last"
        )
    looked_at = last_days(ctx, site, days)
    before = open_before(ctx.warehouse, site.name, looked_at[0])
    # Only what the method itself had open is gone on from.
    mine = before.filter(method=variant.method)
    tried = rescore(ctx, site, variant, looked_at, previous_days=mine)
    now = tried
    if variant.is_changed:
        now = rescore(ctx, site, Variant(method=variant.method), looked_at, previous_days=mine)
    return Preview(
        variant,
        looked_at[0],
        looked_at[-1],
        _alerts(tried, looked_at[0]),
        _alerts(now, looked_at[0]),
        _per_day(looked_at, tried, now),
    )


def last_days(ctx: StepContext, site: NetworkSite, days: int) -> list[date]:
    """Return the last days of a network, up to the newest that has readings, in order."""
    known = [
        date.fromisoformat(partition["date"])
        for partition in ctx.warehouse.partitions("telemetry.readings", network=site.name)
    ]
    if not known:
        raise MissingInputError(
            f"{site.name} has no readings",
            remedy=f"`leak-assets ingest PATH --network {site.name}` brings them",
        )
    newest = max(known)
    first = max(newest - timedelta(days=days - 1), min(known))
    return [first + timedelta(days=n) for n in range((newest - first).days + 1)]


def _alerts(rescored: Rescored, first: date) -> pl.DataFrame:
    """Return what was reported on these days; what a method knew before them is no alert."""
    return raised(rescored).filter(_day_of("detected_at") >= first)


def _per_day(days: Sequence[date], tried: Rescored, now: Rescored) -> pl.DataFrame:
    counts = [_opened(one.tracked.incident_events) for one in (tried, now)]
    newest = raised(tried).select("incident_id", "volume_lost_m3", "value_eur")
    events = tried.tracked.incident_events.filter(pl.col("event") == "opened")
    value = (
        events.select("incident_id", day=_day_of("detected_at"))
        .join(newest, on="incident_id", how="left")
        .group_by("day")
        .agg(m3=pl.col("volume_lost_m3").sum(), eur=pl.col("value_eur").sum())
    )
    return (
        pl.DataFrame({"day": list(days)}, schema={"day": pl.Date})
        .join(counts[0].rename({"opened": "alerts"}), on="day", how="left")
        .join(counts[1].rename({"opened": "now"}), on="day", how="left")
        .join(value, on="day", how="left")
        .fill_null(0)
        .sort("day")
    )


def _opened(events: pl.DataFrame) -> pl.DataFrame:
    found = TABLES["incidents.incident_events"].empty() if events.is_empty() else events
    return (
        found.filter(pl.col("event") == "opened")
        .group_by(day=_day_of("detected_at"))
        .agg(opened=pl.len().cast(pl.Int64))
    )


def _day_of(column: str) -> pl.Expr:
    """Return the day whose data led to a row: midnight is the end of the day before."""
    return (pl.col(column) - pl.duration(microseconds=1)).dt.date()
