"""What every source must hold, as a check that authors of sources can run in their own tests.

Give it a source with at least two waiting deliveries of one network; it takes the first one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import polars as pl

from leak_assets.sites.site import NetworkSite
from leak_assets.warehouse.schemas.telemetry import RAW_READINGS
from leak_assets.warehouse.validation import validate

from .source import D, DeliveredReadings, Source


def violations(source: Source[D], site: NetworkSite) -> list[str]:
    """Return a line for each promise of `Source` that a source does not keep; empty if none."""
    return list(_violations(source, site))


def _violations(source: Source[D], site: NetworkSite) -> Iterator[str]:
    waiting = [d for d in source.waiting() if d.network == site.name]
    if len(waiting) < 2:
        yield f"{len(waiting)} deliveries of {site.name} wait; the check needs two"
        return
    seen = [(d.name, d.fingerprint, d.received_at) for d in waiting]
    again = [d for d in source.waiting() if d.network == site.name]
    if seen != [(d.name, d.fingerprint, d.received_at) for d in again]:
        yield "a second look gives other deliveries, fingerprints or times of receipt"
    times = [d.received_at for d in waiting]
    if times != sorted(times):
        yield "deliveries do not come in the order of their receipt"
    if max(times) > datetime.now(UTC):
        yield "a delivery was received in the future"
    if any(d.source != source.name for d in waiting):
        yield f"a delivery's source is not {source.name!r}"
    first, *others = waiting
    parsed = source.read(first, site)
    rows = _rows(parsed)
    yield from _wrong_rows(rows, source.name, first.received_at)
    if not rows.equals(_rows(source.read(first, site))):
        yield "a delivery that is read again has other rows"
    low, high = first.days()
    if parsed.days and not low <= parsed.days[0] <= parsed.days[-1] <= high:
        yield f"readings of {parsed.days[0]} to {parsed.days[-1]} outside of {low} to {high}"
    source.acknowledge(first)
    source.acknowledge(first)
    left = [d.name for d in source.waiting() if d.network == site.name]
    if left != [d.name for d in others]:
        yield f"after {first.name} was acknowledged, {left} wait"


def _rows(parsed: DeliveredReadings) -> pl.DataFrame:
    frames = [parsed.readings_of(day) for day in parsed.days]
    return pl.concat([RAW_READINGS.empty(), *frames])


def _wrong_rows(rows: pl.DataFrame, name: str, received_at: datetime) -> Iterator[str]:
    if rows.is_empty():
        yield "the first delivery has no readings; the check needs some"
        return
    try:
        validate(rows, RAW_READINGS)
    except ValueError as error:
        yield str(error)
    if rows.select(pl.struct("sensor_id", "quantity", "message_id").is_duplicated().any()).item():
        yield "a message has two readings of one sensor: no reading would find its raw row"
    if rows["source"].unique().to_list() != [name]:
        yield f"rows of sources {rows['source'].unique().to_list()}, not {name!r}"
    if rows["received_at"].unique().to_list() != [received_at]:
        yield "rows with other times of receipt than their delivery's"
