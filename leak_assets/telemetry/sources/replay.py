"""The raw log once more: a stored range as deliveries, in the order of the device clock.

The durable raw log is what a replay rests on (no broker has to keep anything). Files go through
the landing zone like any other; who takes them from there is not known here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from leak_assets.pipeline.context import day_partition
from leak_assets.telemetry.raw import DELIVERY_ORDER
from leak_assets.warehouse import Warehouse

from .deliver import Delivered, deliver

_RAW = "telemetry.raw_readings"
# Long telemetry, as the Parquet reader takes it.
_COLUMNS = ("ts_utc", "sensor_id", "quantity", "value", "unit")


@dataclass(frozen=True)
class Batch:
    """Readings that are emitted together: what came to be up to `until` by the device clock."""

    until: datetime
    readings: pl.DataFrame


def batches(
    warehouse: Warehouse, site: str, first: date, last: date, every: timedelta
) -> Iterator[Batch]:
    """Yield the raw readings of a range of days, a span of the device clock at a time.

    A corrected reading is followed by its correction within its batch, so that the same value
    counts as did in the end.

    Parameters
    ----------
    first, last
        Days (UTC), both included.
    every
        Length of a batch; batches begin with the day.
    """
    day = first
    while day <= last:
        raw = warehouse.read(_RAW, day_partition(day, site))
        begin = datetime.combine(day, time(), UTC)
        day += timedelta(days=1)
        if raw is None:
            continue
        rows = raw.sort("ts_utc", "sensor_id", "quantity", *DELIVERY_ORDER)
        since = (rows["ts_utc"] - begin).dt.total_microseconds()
        numbered = rows.with_columns(number=since // (every // timedelta(microseconds=1)))
        for part in numbered.partition_by("number", maintain_order=True):
            until = begin + (part.item(0, "number") + 1) * every
            yield Batch(until, part.select(_COLUMNS))


def emit(batch: Batch, landing_dir: Path, site: str) -> Delivered:
    """Bring a batch into the landing zone of a site, in one atomic step."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"replay_{batch.until:%Y%m%dT%H%M%S}.parquet"
        batch.readings.write_parquet(file)
        (delivered,) = deliver([file], landing_dir, site)
    return delivered
