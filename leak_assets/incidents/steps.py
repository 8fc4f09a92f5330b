"""The incidents room's step: alarms of days become incident rows.

Days are taken in order: a day goes on from what the days before it left, so a change of one day
makes all later days of the network worth another look.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.given import CONTRACT, NETWORK
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame
from leak_assets.warehouse import Input
from leak_assets.warehouse.schemas import TABLES as SCHEMAS

from .policy import TrackerPolicy
from .tracker import track_day

TABLES = ("incidents.incident_events", "incidents.candidates", "incidents.evidence")
POLICY = TrackerPolicy()
# Days that a picture shows: more would be too fine to see a window.
SHOWN_DAYS = 14
_SOURCES = ("detection.window_scores", "detection.window_candidates", "features.residuals")


def incident_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the incident rows of each day that was scored."""
    site = work.network
    links = links_frame(site.network)
    events = work.warehouse.read_all(TABLES[0], network=site.name)
    for partition in partitions:
        day = day_of(partition)
        scores, candidates, residuals = (
            work.read_around(table, day, POLICY.context_days) for table in _SOURCES
        )
        result = track_day(
            network=site.name,
            day=day,
            scores=scores,
            candidates=candidates,
            residuals=residuals,
            previous_events=events,
            policy=POLICY,
            price_eur_per_m3=work.settings.water_price_eur_per_m3,
            contract_sha256=site.contract.sha256,
            run_id=work.warehouse.run_id,
            links=links,
        )
        rows = _with_first_run(result.events, work.read(TABLES[0], partition))
        frames = (rows, result.candidates, result.evidence)
        yield partition, dict(zip(TABLES, frames, strict=True))
        others = events.filter(pl.col("event_at").dt.date() != day)
        events = pl.concat([others, result.events])


def _days_gone_on_from(work: Work, day: date) -> list[date]:
    """Return the days of the rows that the tracker resumes from: the last, and the last closing.

    Which they are is part of what a day was made from: an incident that appears on a late day
    between them and `day` changes the list.
    """
    events = work.warehouse.read_all(TABLES[0], network=work.site.name)
    before = events.filter(pl.col("event_at") < datetime(day.year, day.month, day.day, tzinfo=UTC))
    before = before.sort("event_at", "revision")
    rows = pl.concat([before.filter(pl.col("status") == "closed").tail(1), before.tail(1)])
    return rows["event_at"].dt.date().unique().sort().to_list()


def _price(work: Work) -> tuple[Input, ...]:
    price = str(work.settings.water_price_eur_per_m3)
    return (Input("setting", "water_price_eur_per_m3", "", price),)


def _with_first_run(events: pl.DataFrame, former: pl.DataFrame | None) -> pl.DataFrame:
    """Keep the run that first wrote the same rows, so that repeating a day changes nothing."""
    if former is not None and events.drop("run_id").equals(former.drop("run_id")):
        return former
    return events


INCIDENTS_STEP = Step(
    name="incidents",
    partition="day",
    writes=TABLES,
    reads=(
        Read("detection.window_scores", first_day=-POLICY.context_days, required=True),
        Read("detection.window_candidates", first_day=-POLICY.context_days),
        Read("features.residuals", first_day=-POLICY.context_days),
        Read(TABLES[0], days=_days_gone_on_from),
    ),
    given=(NETWORK, CONTRACT, Given("setting", _price)),
    compute=incident_frames,
    goes_on=True,
    description="Consecutive alarms as one incident: where, since when, how much.",
)


def incident_plots(ctx: StepContext, site: NetworkSite, days: Sequence[date]) -> dict[str, bytes]:
    """Return pictures of the last days: the signal with its detections, the map with candidates.

    Empty where nothing was scored.
    """
    from leak_assets.reports.figures import current_state, map_figure, signal_figure

    partitions = [day_partition(day, site.name) for day in sorted(days)[-SHOWN_DAYS:]]
    scores, residuals, events, candidates = (
        _concat(ctx, table, partitions)
        for table in ("detection.window_scores", "features.residuals", TABLES[0], TABLES[1])
    )
    if scores.is_empty():
        return {}
    plots = {"signal": signal_figure(scores=scores, residuals=residuals, events=events)}
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
    return pl.concat(frames) if frames else SCHEMAS[table].empty()
