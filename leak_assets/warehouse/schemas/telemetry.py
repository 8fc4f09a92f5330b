"""Tables of the telemetry: as delivered, as validated, what could not be used, what came when."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_SENSOR = Column("sensor_id", pl.String, "name of the instrumented element")
_QUANTITY = Column(
    "quantity",
    pl.String,
    "`pressure`, `flow`, `level`, `demand`, `temperature`, `volume` or `rain`",
)
_SOURCE = Column("source", pl.String, "kind of source: `file`; streams have names of their own")
_MESSAGE = Column(
    "message_id",
    pl.String,
    "what the source calls the message: of a line of a file `<SHA-256 of the file>:<line>`",
)
_TS = Column("ts_utc", UTC_US, "device clock")

_DELIVER_AGAIN = "deliver the exports of that day again: leak-assets ingest"

RAW_READINGS = Table(
    "telemetry",
    "raw_readings",
    "One delivered value as it was written. The durable, replayable log of all telemetry.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "ts_utc", "source", "message_id"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        _TS,
        Column("received_at", UTC_US, "when its delivery came to the platform"),
        _SOURCE,
        _MESSAGE,
        Column(
            "sequence",
            pl.Int64,
            "order within its delivery: line of a file (header = 1), place in a stream",
        ),
        Column("raw_text", pl.String, "the value as delivered"),
        Column("value", pl.Float64, "the value in `unit`"),
        Column("unit", pl.String, "declared unit, e.g. `m`, `m3/h`, `L/h`"),
    ),
    if_lost=_DELIVER_AGAIN,
    known_at="received_at",
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
        Column("quality", pl.String, "`good`, `suspect`, `bad`, `estimated` or `missing`"),
        Column(
            "flags",
            pl.Int64,
            "reasons, added up: 1 outlier, 2 interpolated, 4 gap, 8 range, 16 rate_of_change,"
            " 32 flat_line, 64 duplicate_time, 128 time_inconsistent, 256 reverse_flow,"
            " 512 counter_rollover, 1024 unit_suspect",
        ),
        Column("mask", pl.Int8, "1 = usable by models, 0 = not (bad, estimated, missing)"),
        Column("estimator", pl.String, "how an estimate was made: `linear`", True),
        Column("offset_s", pl.Int64, "from its own time stamp to the step, s", True),
        Column("received_at", UTC_US, "when its delivery came to the platform", True),
        Column("source", pl.String, "source of its raw row, null where there is none", True),
        Column("message_id", pl.String, "message of its raw row, null where there is none", True),
    ),
    history="revisions",
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
    is_interim=True,
)

_UNUSABLE = (
    NETWORK,
    Column("file_path", pl.String, "delivery: file below the landing zone, name of a stream"),
    _SOURCE,
    Column(
        "message_id",
        pl.String,
        "as in `raw_readings`: `<SHA-256 of the file>:<line>`, line 0 = the whole file",
    ),
    Column("file_row", pl.Int64, "line of the file, header = 1; 0 = the whole file"),
    Column("column_name", pl.String, "column, empty = the whole line"),
    Column("ts_utc", UTC_US, "device clock where it could be read", True),
    Column("raw_text", pl.String, "the offending text (at most 200 characters)"),
    Column("reason", pl.String, "short code, e.g. `unknown_sensor`, `not_a_number`"),
    Column("message", pl.String, "the reason in words with the remedy"),
    Column("received_at", UTC_US, "when its delivery came to the platform"),
)
_UNUSABLE_KEY = ("network", "file_path", "source", "message_id", "column_name", "reason")

QUARANTINE = Table(
    "telemetry",
    "quarantine",
    "One value or line of a delivery that could not be read, with the reason and where it stood."
    " Partitions are days of receipt.",
    ("date", "network"),
    _UNUSABLE_KEY,
    _UNUSABLE,
    if_lost=_DELIVER_AGAIN,
    known_at="received_at",
)

UNUSABLE_READINGS = Table(
    "telemetry",
    "unusable_readings",
    "One raw reading that validation could not use, with the reason: the layout or the contract"
    " that it was delivered under does not hold any more.",
    ("date", "network"),
    _UNUSABLE_KEY,
    _UNUSABLE,
    is_interim=True,
)

INGEST_LEDGER = Table(
    "telemetry",
    "ingest_ledger",
    "One delivery: that it has arrived, its content hash, and what became of its readings."
    " Partitions are days of receipt.",
    ("date", "network"),
    ("network", "source", "file_path", "file_sha256", "received_at"),
    (
        NETWORK,
        _SOURCE,
        Column("file_path", pl.String, "file below the landing zone; name of a stream"),
        Column("file_sha256", pl.String, "content hash; `message_id` of its raw rows begins so"),
        Column("received_at", UTC_US, "when it came to the platform"),
        Column("fingerprint", pl.String, "what changes with the file: size, times of change"),
        Column("size_bytes", pl.Int64, "size"),
        Column("format", pl.String, "`csv`, `csv.gz` or `parquet`"),
        Column("first_ts_utc", UTC_US, "earliest reading", True),
        Column("last_ts_utc", UTC_US, "latest reading", True),
        Column(
            "days",
            pl.String,
            "UTC days with accepted readings, e.g. `2019-03-04..2019-03-06 2019-03-08`",
        ),
        Column("readings", pl.Int64, "values in the delivery"),
        Column("accepted", pl.Int64, "values that are in `raw_readings`"),
        Column("quarantined", pl.Int64, "values that are not"),
        Column("duplicates", pl.Int64, "accepted values that were there already"),
        Column("status", pl.String, "`ingested`, or `rejected` where no value could be used"),
        Column("ingested_at", UTC_US, "when it was entered here, after all its readings"),
        Column("run_id", pl.String, "run that took it"),
    ),
    if_lost=_DELIVER_AGAIN,
    known_at="ingested_at",
)

TABLES = (RAW_READINGS, READINGS, GAPS, UNUSABLE_READINGS, QUARANTINE, INGEST_LEDGER)
