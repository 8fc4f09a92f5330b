"""The ingest ledger: one row for each delivery of a file.

Building the row belongs here; when it is written (last, after the readings) is the step's affair.
"""

from datetime import datetime

import polars as pl

from leak_assets.telemetry.readers.parsed_file import ParsedFile
from leak_assets.warehouse.schemas.telemetry import INGEST_LEDGER


def ledger_row(
    parsed: ParsedFile,
    *,
    network: str,
    file_path: str,
    size_bytes: int,
    mtime_ns: int,
    duplicates: int,
    left: int,
    ingested_at: datetime,
    run_id: str,
) -> pl.DataFrame:
    """Return the row of `telemetry.ingest_ledger` of one file.

    `readings` counts the values that the file held (empty fields are none), `accepted` those
    that are in the raw log now, including the `duplicates` that were there before. `left` good
    readings are of days that no run was asked for yet: with any of them the file is `partial`.
    """
    is_rejected = parsed.accepted == 0
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
        "accepted": parsed.accepted - left,
        "quarantined": parsed.quarantined,
        "duplicates": duplicates,
        "status": "rejected" if is_rejected else "partial" if left else "ingested",
        "ingested_at": ingested_at,
        "run_id": run_id,
    }
    return pl.DataFrame([row], schema=INGEST_LEDGER.polars_schema)
