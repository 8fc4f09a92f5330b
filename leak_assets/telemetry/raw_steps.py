"""The step from waiting deliveries to the raw log, the quarantine and the ledger.

Only the order of reading, merging and writing belongs here. Each partition is read, added to and
written under the network's lock; killed at any point and repeated, it ends the same.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from threading import Lock
from typing import Any

import polars as pl

from leak_assets.pipeline.context import StepContext, day_partition
from leak_assets.pipeline.contracts import hold_contract
from leak_assets.sites.site import Site
from leak_assets.system.locks import locks
from leak_assets.system.processes import worker_count
from leak_assets.warehouse import Input, Written
from leak_assets.warehouse.schemas import TABLES

from .ledger import LEDGER, days_as_text, ledger_row, names_in_ledger
from .raw import distinct_readings, merge_raw, without_own
from .readers.parsed_file import ParsedFile, distinct_day
from .sources.every import EverySource
from .sources.source import DeliveredReadings, Delivery, DeliveryLeftError, Source

RAW = "telemetry.raw_readings"
QUARANTINE = "telemetry.quarantine"
RAW_TABLES = (RAW, QUARANTINE, LEDGER)
# Delivered rows do not depend on code: they are kept as they came.
RAW_CODE_VERSION = "2"


@dataclass
class _Arrival:
    """A delivery that was read, and what of it the raw log had already."""

    delivery: Delivery
    parsed: DeliveredReadings
    # Rows that were not added: equal to what was there. Of them, those that were there under
    # another message; the others are its own, from an earlier run or an earlier delivery.
    repeated: int = 0
    repeated_of_others: int = 0
    _counting: Lock = field(default_factory=Lock, repr=False)

    def count(self, repeated: int, of_others: int) -> None:
        """Add rows of a day that were there already; days are counted at the same time."""
        with self._counting:
            self.repeated += repeated
            self.repeated_of_others += of_others

    @property
    def as_input(self) -> Input:
        return Input(self.delivery.source, self.delivery.name, "", self.parsed.sha256)

    @property
    def content(self) -> tuple[str, str]:
        return self.delivery.name, self.parsed.sha256


def take_deliveries(
    ctx: StepContext,
    site: Site,
    days: Sequence[date],
    *,
    source: Source[Any] | None = None,
) -> list[Written]:
    """Take the waiting deliveries of a network that have no readings outside of `days`.

    A delivery is taken as a whole or not at all: one with other days waits for a run of them. It
    enters the ledger after all its readings are published, and is acknowledged after that. One
    that the ledger has, and that brings nothing that the raw log does not have, leaves no trace.

    Parameters
    ----------
    days
        Days of the run, in any order.
    source
        Where deliveries come from; by default every source that there is.

    Returns
    -------
    list of Written
        Partitions of `telemetry.raw_readings` (days of the readings), `telemetry.quarantine` and
        `telemetry.ingest_ledger` (days of receipt) that changed.
    """
    origin = source or EverySource(ctx.settings, ctx.warehouse)
    # Merging reads, adds and writes a day: two processes must not do that at the same time.
    with locks(ctx.settings).hold(site.name):
        arrivals = list(_read_waiting(ctx, site, set(days), origin))
        written: list[Written] = []
        found = sorted({day for arrival in arrivals for day in arrival.parsed.days})
        # Days have nothing of each other; polars and the disk leave Python alone. Twice as many as
        # cores: half of them wait until the disk has what they wrote.
        with ThreadPoolExecutor(2 * worker_count()) as pool:
            for merged in pool.map(partial(_merge_day, ctx, site.name, arrivals), found):
                written += merged
        written += _record(ctx, site.name, arrivals)
        for arrival in arrivals:
            origin.acknowledge(arrival.delivery)
    return written


def _read_waiting(
    ctx: StepContext, site: Site, days: set[date], source: Source[Any]
) -> Iterator[_Arrival]:
    own = [delivery for delivery in source.waiting() if delivery.network == site.name]
    # As days below: a file is text to zlib and polars nearly all of the time.
    with ThreadPoolExecutor(worker_count()) as pool:
        spans = list(pool.map(lambda delivery: delivery.days(), own))
    wanted = []
    for delivery, (first, last) in zip(own, spans, strict=True):
        if not {first, last} <= days:
            # Its own run has all its days: a sensor, or the next `leak-assets ingest`, sees to it.
            ctx.progress(f"{delivery.name} has days from {first} to {last} and waits for their run")
            continue
        wanted.append(delivery)

    def read(delivery: Delivery) -> DeliveredReadings | DeliveryLeftError:
        ctx.progress(f"reading {delivery.name}")
        try:
            return source.read(delivery, site)
        except DeliveryLeftError as error:
            return error

    with ThreadPoolExecutor(worker_count()) as pool:
        for delivery, parsed in zip(wanted, pool.map(read, wanted), strict=True):
            if isinstance(parsed, DeliveryLeftError):
                ctx.progress(str(parsed))
            elif others := sorted(set(parsed.days) - days):
                ctx.progress(
                    f"{delivery.name} has readings of {days_as_text(others)} and waits for a run of"
                    " those days"
                )
            else:
                yield _Arrival(delivery, parsed)


def _merge_day(
    ctx: StepContext, network: str, arrivals: Sequence[_Arrival], day: date
) -> list[Written]:
    """Merge the readings of a day; its partition is written where there is something new."""
    partition = day_partition(day, network)
    before = ctx.warehouse.read(RAW, partition)
    record = ctx.warehouse.record(RAW, partition)
    inputs = list(record.inputs) if record else []
    frame = TABLES[RAW].empty() if before is None else before
    present = [arrival for arrival in arrivals if day in arrival.parsed.days]
    if before is None and (first := _of_files(present, day)) is not None:
        inputs += dict.fromkeys(arrival.as_input for arrival in present)
        return [_published(ctx, partition, first, inputs)]
    brought = [(arrival, arrival.parsed.readings_of(day)) for arrival in arrivals]
    brought = [(arrival, new) for arrival, new in brought if not new.is_empty()]
    distinct = distinct_readings([frame, *(new for _, new in brought)])
    for arrival, new in brought:
        repeated = 0
        if distinct is None:
            merged, repeated = merge_raw(frame, new)
            if repeated:
                arrival.count(repeated, without_own(new, frame, merged))
            frame = merged
        if repeated < new.height and arrival.as_input not in inputs:
            inputs.append(arrival.as_input)
    frame = frame if distinct is None else distinct
    if before is not None and frame.equals(before):
        return []
    return [_published(ctx, partition, frame, inputs)]


def _of_files(arrivals: Sequence[_Arrival], day: date) -> pl.DataFrame | None:
    """Return a day that only files bring, and nothing of it twice; else None."""
    files = [arrival.parsed for arrival in arrivals if isinstance(arrival.parsed, ParsedFile)]
    return distinct_day(files, day) if len(files) == len(arrivals) else None


def _published(
    ctx: StepContext, partition: dict[str, str], frame: pl.DataFrame, inputs: Sequence[Input]
) -> Written:
    hold_contract(ctx.progress, RAW, partition, frame)
    return ctx.warehouse.write(RAW, partition, frame, inputs=inputs, code_version=RAW_CODE_VERSION)


def _record(ctx: StepContext, network: str, arrivals: Sequence[_Arrival]) -> list[Written]:
    """Write quarantine, then ledger: the last thing that makes a delivery one that has arrived."""
    # Only what may have come before is looked up: the ledger is as long as the history.
    again = [a.parsed.sha256 for a in arrivals if a.repeated == a.parsed.accepted]
    known = names_in_ledger(ctx.warehouse, network, again) if again else set()
    hashes = {sha256 for _, sha256 in known}
    new = [a for a in arrivals if a.content not in known or a.repeated < a.parsed.accepted]
    now = datetime.now(UTC)
    rows = [
        ledger_row(
            a.delivery,
            a.parsed,
            duplicates=a.repeated if a.parsed.sha256 in hashes else a.repeated_of_others,
            ingested_at=now,
            run_id=ctx.warehouse.run_id,
        )
        for a in new
    ]
    order = ["received_at", "file_path", "file_row", "column_name", "reason"]
    return [
        *_add(ctx, QUARANTINE, network, new, [a.parsed.quarantine for a in new], order),
        *_add(ctx, LEDGER, network, new, rows, order[:2]),
    ]


def _add(
    ctx: StepContext,
    table: str,
    network: str,
    arrivals: Sequence[_Arrival],
    frames: Sequence[pl.DataFrame],
    order: Sequence[str],
) -> list[Written]:
    """Add each arrival's rows to the page of its day of receipt; rows that are there stay."""
    written = []
    for day in sorted({arrival.delivery.received_at.date() for arrival in arrivals}):
        today = [
            (arrival, frame)
            for arrival, frame in zip(arrivals, frames, strict=True)
            if arrival.delivery.received_at.date() == day and not frame.is_empty()
        ]
        partition = day_partition(day, network)
        before = ctx.warehouse.read(table, partition)
        old = TABLES[table].empty() if before is None else before
        page = pl.concat([old, *(frame for _, frame in today)])
        page = page.unique(TABLES[table].key, keep="first", maintain_order=True).sort(
            order, maintain_order=True
        )
        if today and not page.equals(old):
            written.append(
                ctx.warehouse.write(
                    table,
                    partition,
                    page,
                    inputs=[arrival.as_input for arrival, _ in today],
                    code_version=RAW_CODE_VERSION,
                )
            )
    return written
