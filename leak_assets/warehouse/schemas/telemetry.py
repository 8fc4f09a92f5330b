"""Tables of the telemetry: as delivered, as validated, what could not be used, what came when."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_SENSOR = Column("sensor_id", pl.String, "name of the instrumented element")
_QUANTITY = Column("quantity", pl.String, "`pressure`, `flow`, `level` or `demand`")
_TS = Column("ts_utc", UTC_US, "device clock")

_DELIVER_AGAIN = "deliver the exports of that day again: leak-assets ingest"

RAW_READINGS = Table(
    "telemetry",
    "raw_readings",
    "One delivered value as it was written. The durable, replayable log of all telemetry.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "ts_utc", "file_sha256", "file_row"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        _TS,
        Column("received_at", UTC_US, "when the platform took the file"),
        Column("source", pl.String, "`file`; later `redis`, `mqtt`"),
        Column("file_sha256", pl.String, "content hash of the file it came in"),
        Column("file_row", pl.Int64, "line of the file, header = 1"),
        Column("raw_text", pl.String, "the value as delivered"),
        Column("value", pl.Float64, "the value in `unit`"),
        Column("unit", pl.String, "declared unit, e.g. `m`, `m3/h`, `L/h`"),
    ),
    if_lost=_DELIVER_AGAIN,
)

READINGS = Table(
    "telemetry",
    "readings",
    "One validated value per sensor, quantity and step; estimates are marked as such.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "ts_utc"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        _TS,
        Column("value_si", pl.Float64, "m for pressure and level, m3/s for flow and demand", True),
        Column("quality", pl.String, "`good`, `suspect`, `estimated` or `missing`"),
        Column("flags", pl.Int64, "bit mask: 1 outlier (3 sigma), 2 interpolated, 4 gap"),
        Column("mask", pl.Int8, "1 = usable by models, 0 = not"),
        Column("received_at", UTC_US, "when the platform took the file", True),
        Column("file_sha256", pl.String, "content hash of the raw file", True),
    ),
)

GAPS = Table(
    "telemetry",
    "gaps",
    "One run of missing steps of a sensor within a day.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "gap_start"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        Column("gap_start", UTC_US, "first missing step"),
        Column("gap_end", UTC_US, "last missing step"),
        Column("steps", pl.Int64, "number of missing steps"),
        Column("treatment", pl.String, "`interpolated` or `masked`"),
    ),
)

QUARANTINE = Table(
    "telemetry",
    "quarantine",
    "One value or line that could not be used, with the reason and where it stood.",
    ("part", "network"),
    ("network", "file_path", "file_row", "column_name", "reason"),
    (
        NETWORK,
        Column("file_path", pl.String, "file, relative to the landing zone"),
        Column("file_sha256", pl.String, "content hash of the file", True),
        Column("file_row", pl.Int64, "line of the file, header = 1; 0 = the whole file"),
        Column("column_name", pl.String, "column, empty = the whole line"),
        Column("ts_utc", UTC_US, "device clock where it could be read", True),
        Column("raw_text", pl.String, "the offending text (at most 200 characters)"),
        Column("reason", pl.String, "short code, e.g. `unknown_sensor`, `not_a_number`"),
        Column("message", pl.String, "the reason in words with the remedy"),
        Column("received_at", UTC_US, "when the platform took the file"),
    ),
    if_lost=_DELIVER_AGAIN,
)

INGEST_LEDGER = Table(
    "telemetry",
    "ingest_ledger",
    "One delivery of one file: its content hash and what became of its readings.",
    ("file", "network"),
    ("network", "file_path", "file_sha256"),
    (
        NETWORK,
        Column("file_path", pl.String, "file, relative to the landing zone"),
        Column("file_sha256", pl.String, "content hash"),
        Column("size_bytes", pl.Int64, "size"),
        Column("mtime_ns", pl.Int64, "time of its last change, nanoseconds since 1970"),
        Column("format", pl.String, "`csv`, `csv.gz` or `parquet`"),
        Column("first_ts_utc", UTC_US, "earliest reading", True),
        Column("last_ts_utc", UTC_US, "latest reading", True),
        Column("readings", pl.Int64, "values in the file"),
        Column("accepted", pl.Int64, "values that entered `raw_readings`"),
        Column("quarantined", pl.Int64, "values that did not"),
        Column("duplicates", pl.Int64, "accepted values that were there already"),
        Column("status", pl.String, "`ingested`, `partial` (some days left) or `rejected`"),
        Column("ingested_at", UTC_US, "when"),
        Column("run_id", pl.String, "run that took it"),
    ),
    if_lost=_DELIVER_AGAIN,
)

TABLES = (RAW_READINGS, READINGS, GAPS, QUARANTINE, INGEST_LEDGER)
