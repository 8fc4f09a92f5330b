"""The incidents room's step: what the raising method believes of days becomes incident rows.

A day goes on from `incidents.incident_days` of the day before it that has one, and of the few days
on which an incident may have closed that comes back; that is all it takes from the past. Where a
late day changes what was open at its end, the next days' input has another version and they are
made again, and so on until a day ends as it did before.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import polars as pl

from leak_assets.errors import MissingInputError
from leak_assets.pipeline.context import day_partition
from leak_assets.pipeline.given import CONTRACT
from leak_assets.pipeline.step import Frames, Given, Partition, Read, Step
from leak_assets.pipeline.work import Work, day_of
from leak_assets.warehouse import Input, Warehouse
from leak_assets.warehouse.schemas import TABLES

from .policy import TrackerPolicy, raising_method
from .tracker import Tracked, track

EVENTS = "incidents.incident_events"
DAYS = "incidents.incident_days"
CANDIDATES = "incidents.candidates"
EVIDENCE = "incidents.evidence"
ZONES = "network.zones"
POLICY = TrackerPolicy()


def incident_frames(
    work: Work, partitions: Sequence[Partition]
) -> Iterator[tuple[Partition, Frames]]:
    """Yield the incident rows of each day."""
    method = raising_method(work.settings)
    links = _links(work)
    zones = zone_of_links(work.read(ZONES, {"network": work.site.name}))
    for partition in partitions:
        day = day_of(partition)
        tracked = track(
            network=work.site.name,
            first_day=day,
            last_day=day,
            hypotheses=_rows(work, "detection.hypotheses", partition),
            candidates=_rows(work, "detection.leak_candidates", partition),
            evidence=_rows(work, "detection.evidence", partition),
            previous_days=work.read_days(DAYS, _days_before(work, day)),
            method=method,
            policy=POLICY,
            price_eur_per_m3=work.settings.water_price_eur_per_m3,
            contract_sha256=work.site.contract.sha256,
            run_id=work.warehouse.run_id,
            links=links,
            zones=zones,
        )
        yield partition, _frames(tracked, work.read(EVENTS, partition))


def _frames(tracked: Tracked, events_before: pl.DataFrame | None) -> Frames:
    return {
        EVENTS: with_first_run(tracked.incident_events, events_before),
        DAYS: tracked.incident_days,
        CANDIDATES: tracked.candidates,
        EVIDENCE: tracked.evidence,
    }


def with_first_run(events: pl.DataFrame, before: pl.DataFrame | None) -> pl.DataFrame:
    """Keep the run that first wrote the same row, so that repeating a day changes nothing.

    Parameters
    ----------
    events, before
        Rows of `incidents.incident_events` of a day: of this run, and as they are in the lake.
    """
    # Rows of an older version have other columns: they are not the same rows.
    if before is None or before.schema != events.schema:
        return events
    same = [column for column in events.columns if column != "run_id"]
    first = before.rename({"run_id": "first_run_id"})
    return (
        events.join(first, on=same, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(run_id=pl.coalesce("first_run_id", "run_id"))
        .select(events.columns)
    )


def days_gone_on_from(warehouse: Warehouse, network: str, day: date) -> list[date]:
    """Return the days that a day goes on from, in order.

    The newest one that has incident rows, and those on which an incident may have closed that
    comes back now.
    """
    recent = [day - timedelta(days=back) for back in range(POLICY.reopen_looks_back_days, 0, -1)]
    found = [one for one in recent if warehouse.path(DAYS, day_partition(one, network)).exists()]
    if found:
        return found
    known = (
        date.fromisoformat(partition["date"])
        for partition in warehouse.partitions(DAYS, network=network)
    )
    newest = max((known_day for known_day in known if known_day < day), default=None)
    return [] if newest is None else [newest]


def _days_before(work: Work, day: date) -> list[date]:
    return days_gone_on_from(work.warehouse, work.site.name, day)


def _rows(work: Work, table: str, partition: Partition) -> pl.DataFrame:
    rows = work.read(table, partition)
    return TABLES[table].empty() if rows is None else rows


def _links(work: Work) -> pl.DataFrame:
    links = work.read("network.links", {"network": work.site.name})
    if links is None:
        raise MissingInputError(
            f"the pipes of {work.site.name} are not in the warehouse",
            remedy="materialize network/links of it first",
        )
    return links


def zone_of_links(zones: pl.DataFrame | None) -> Mapping[str, str]:
    """Return the zone of each link that has one, of rows of `network.zones`."""
    return {} if zones is None else dict(zones.select("link_id", "zone").iter_rows())


def _settings(work: Work) -> tuple[Input, ...]:
    price = str(work.settings.water_price_eur_per_m3)
    return (
        Input("setting", "water_price_eur_per_m3", "", price),
        Input("setting", "incident_method", "", raising_method(work.settings)),
    )


INCIDENTS_STEP = Step(
    name="incidents",
    partition="day",
    writes=(EVENTS, DAYS, CANDIDATES, EVIDENCE),
    reads=(
        Read("detection.hypotheses", required=True),
        Read("detection.leak_candidates"),
        Read("detection.evidence"),
        Read(DAYS, days=_days_before),
        Read("network.links"),
        Read(ZONES),
    ),
    given=(CONTRACT, Given("setting", _settings)),
    description="The leaks of the raising method as incidents: where, since when, how much.",
    compute=incident_frames,
)
