"""The ingest ledger: one row for each delivery, and thereby the fact that it has arrived.

Building rows and asking the ledger belong here; when rows are written (last, after the readings)
is the step's affair.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import polars as pl

from leak_assets.telemetry.sources.source import DeliveredReadings, Delivery
from leak_assets.warehouse import Warehouse
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER

LEDGER = INGEST_LEDGER.full_name
_RANGE = ".."


def ledger_row(
    delivery: Delivery,
    parsed: DeliveredReadings,
    *,
    duplicates: int,
    ingested_at: datetime,
    run_id: str,
) -> pl.DataFrame:
    """Return the row of `telemetry.ingest_ledger` of one delivery.

    `readings` counts the values that it held (empty fields are none), `accepted` those that are
    in the raw log now, including the `duplicates` that were there before.
    """
    row = {
        "network": delivery.network,
        "source": delivery.source,
        "file_path": delivery.name,
        "file_sha256": parsed.sha256,
        "received_at": delivery.received_at,
        "fingerprint": delivery.fingerprint,
        "size_bytes": parsed.size_bytes,
        "format": parsed.format,
        "first_ts_utc": parsed.first_ts,
        "last_ts_utc": parsed.last_ts,
        "days": days_as_text(parsed.days),
        "readings": parsed.accepted + parsed.quarantined,
        "accepted": parsed.accepted,
        "quarantined": parsed.quarantined,
        "duplicates": duplicates,
        "status": "ingested" if parsed.accepted else "rejected",
        "ingested_at": ingested_at,
        "run_id": run_id,
    }
    return pl.DataFrame([row], schema=INGEST_LEDGER.polars_schema)


def names_in_ledger(
    warehouse: Warehouse, network: str, hashes: Sequence[str]
) -> set[tuple[str, str]]:
    """Return name and content hash of the deliveries with some hashes that have arrived."""
    rows = warehouse.scan(LEDGER, network=network).select("file_path", "file_sha256")
    return set(rows.filter(pl.col("file_sha256").is_in(hashes)).collect().iter_rows())


def days_as_text(days: Sequence[date]) -> str:
    """Return days in order as text: `2019-03-04..2019-03-06 2019-03-08`."""
    ranges: list[tuple[date, date]] = []
    for day in days:
        if ranges and day == ranges[-1][1] + timedelta(days=1):
            ranges[-1] = ranges[-1][0], day
        else:
            ranges.append((day, day))
    return " ".join(
        f"{first}" if first == last else f"{first}{_RANGE}{last}" for first, last in ranges
    )


def days_from_text(text: str) -> Iterable[date]:
    """Yield the days of what `days_as_text` wrote."""
    for part in text.split():
        first, _, last = part.partition(_RANGE)
        day, end = date.fromisoformat(first), date.fromisoformat(last or first)
        while day <= end:
            yield day
            day += timedelta(days=1)
