"""The ingest ledger: one row for each delivery of a file.

Building the row belongs here; when it is written (last, after the readings) is the step's affair.
"""

from datetime import datetime
from typing import Literal

import polars as pl

from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER

from .parsed import ParsedFile


def ledger_row(
    parsed: ParsedFile,
    *,
    network: str,
    file_path: str,
    size_bytes: int,
    mtime_ns: int,
    duplicates: int,
    status: Literal["ingested", "partial", "rejected"],
    ingested_at: datetime,
    run_id: str,
) -> pl.DataFrame:
    """Return the row of `telemetry.ingest_ledger` of one file.

    `readings` counts the values that the file held (empty fields are none), `accepted` those
    that are in the raw log now, including the `duplicates` that were there before.
    """
    row = {
        "network": network,
        "file_path": file_path,
        "file_sha256": parsed.sha256,
        "size_bytes": size_bytes,
        "mtime_ns": mtime_ns,
        "format": parsed.format,
        "first_ts_utc": parsed.first_ts,
        "last_ts_utc": parsed.last_ts,
        "readings": parsed.accepted + parsed.quarantined,
        "accepted": parsed.accepted,
        "quarantined": parsed.quarantined,
        "duplicates": duplicates,
        "status": status,
        "ingested_at": ingested_at,
        "run_id": run_id,
    }
    return pl.DataFrame([row], schema=INGEST_LEDGER.polars_schema)
