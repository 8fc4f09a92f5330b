"""Tables of the telemetry: as delivered, as validated, what could not be used, what came when."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table, View

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
    "what the source calls the message: of a line of a file `<SHA-256 of the file>:<line>`, of a"
    " reading of a stream `<topic>@<id of the message>:<number in it>`",
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
            "order within its delivery: line of a file (header = 1); of a stream the device's own"
            " number, or the place in the batch",
        ),
        Column("raw_text", pl.String, "the value as delivered"),
        Column("value", pl.Float64, "the value in `unit`"),
        Column(
            "unit",
            pl.String,
            "declared unit, e.g. `bar`, `m3/h`, `L/h`; empty where none was declared: the layout's"
            " counts then",
        ),
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
        Column(
            "value_si",
            pl.Float64,
            "m for pressure and level, m3/s for flow and demand; what is flagged stays as it came,"
            " so read it where mask is 1",
            True,
        ),
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
)

_UNUSABLE = (
    NETWORK,
    Column("file_path", pl.String, "delivery: file below the landing zone, name of a stream"),
    _SOURCE,
    Column(
        "message_id",
        pl.String,
        "as in `raw_readings`; line or number 0 = the whole file or message",
    ),
    Column(
        "file_row",
        pl.Int64,
        "line of the file, header = 1; number in a message; 0 = the whole of it",
    ),
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
    "One value or line of a delivery that could not be read, with the reason and where it stood;"
    " of a plant or a home also values that cannot be true."
    " Partitions are days of receipt; messages of no known site are of `unknown-site`.",
    ("date", "network"),
    _UNUSABLE_KEY,
    _UNUSABLE,
    if_lost=_DELIVER_AGAIN,
    known_at="received_at",
)

UNUSABLE_READINGS = Table(
    "telemetry",
    "unusable_readings",
    "One raw reading that validation could not use, with the reason: its value is outside of the"
    " contract's range (its step in `readings` is flagged `range`), or the layout no longer has its"
    " sensor or unit. The tenth of a sensor and reason in a day and delivery stands for those that"
    " follow. `not_used` has the name of its file.",
    ("date", "network"),
    _UNUSABLE_KEY,
    _UNUSABLE,
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
        Column("format", pl.String, "`csv`, `csv.gz`, `parquet`; `messages` of a stream"),
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

CONTRACT_BREAKS = Table(
    "telemetry",
    "contract_breaks",
    "One way in which a day of readings broke its contract when it was checked last; nothing is"
    " made from that day while it has the same readings and the same contract.",
    ("date", "network"),
    ("network", "day", "check"),
    (
        NETWORK,
        Column("day", pl.Date, "day (UTC)"),
        Column("check", pl.String, "check that failed"),
        Column("message", pl.String, "what is wrong"),
        Column("readings_version", pl.String, "content hash of the day's readings"),
        Column("contract_sha256", pl.String, "hash of the contract"),
        Column("found_at", UTC_US, "when it was found first"),
        Column("run_id", pl.String, "run that found it first"),
    ),
    if_lost="nothing: the day is checked again",
)

_COUNTS = (
    ("steps", "steps of the day so far"),
    ("usable", "readings that models may use"),
    ("good", "readings of this quality"),
    ("suspect", "readings of this quality"),
    ("bad", "readings of this quality"),
    ("estimated", "readings of this quality"),
    ("missing", "steps of this quality"),
    ("outlier", "readings with this flag"),
    ("interpolated", "readings with this flag"),
    ("gap", "steps with this flag"),
    ("range", "steps with this flag"),
    ("rate_of_change", "readings with this flag"),
    ("flat_line", "readings with this flag"),
    ("duplicate_time", "readings with this flag"),
    ("time_inconsistent", "readings with this flag"),
    ("reverse_flow", "readings with this flag"),
    ("counter_rollover", "readings with this flag"),
    ("unit_suspect", "readings with this flag"),
)
_SI = "m or m3/s"

SENSOR_QUALITY_DAILY = Table(
    "telemetry",
    "sensor_quality_daily",
    "One day of a sensor: its readings by quality and flag, its health, and what only days show"
    " (clock, units, balance). The day goes on from the `usual_*` of the day before.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "day"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        Column("day", pl.Date, "day (UTC)"),
        *(Column(name, pl.Int64, text) for name, text in _COUNTS),
        Column(
            "health", pl.Float64, "0 to 1: good readings, suspect ones by half; halved if wrong"
        ),
        Column(
            "reasons",
            pl.Int64,
            "flags of its readings, and of the day: 65536 clock_drift, 131072 timestamp_drift,"
            " 262144 unit_step, 524288 balance, 1048576 silent",
        ),
        Column("reason_names", pl.String, "the reasons by name"),
        Column("evidence", pl.String, "what shows the reasons of the day"),
        Column("is_silent", pl.Boolean, "no usable reading for `max_age_s` at the end of the day"),
        Column("last_reading_at", UTC_US, "newest usable reading, also of days before", True),
        Column("day_end_at", UTC_US, "last step of the day so far"),
        Column("age_s", pl.Float64, "from the newest usable reading to `day_end_at`", True),
        Column("max_age_s", pl.Float64, "age that the contract allows"),
        Column("lag_s", pl.Float64, "how late its clock is against the other sensors", True),
        Column("offset_s", pl.Float64, "mean way from its time stamps to the grid", True),
        Column("low_si", pl.Float64, f"tenth percentile of its usable values, {_SI}", True),
        Column("median_si", pl.Float64, f"median of its usable values, {_SI}", True),
        Column("high_si", pl.Float64, f"ninetieth percentile of its usable values, {_SI}", True),
        Column("gain", pl.Float64, "a meter against the balance of its zone; 1 = agrees", True),
        Column("days_known", pl.Int64, "days with readings until then"),
        Column("usual_lag_s", pl.Float64, "lag of days on which nothing was wrong", True),
        Column("usual_offset_s", pl.Float64, "offset of its first day", True),
        Column("usual_low_si", pl.Float64, f"as `low_si`, until then, {_SI}", True),
        Column("usual_median_si", pl.Float64, f"as `median_si`, until then, {_SI}", True),
        Column("usual_high_si", pl.Float64, f"as `high_si`, until then, {_SI}", True),
        Column("usual_gain", pl.Float64, "as `gain`, until then", True),
        Column("gain_high", pl.Float64, "cumulated part that the meter reads too much", True),
        Column("gain_low", pl.Float64, "cumulated part that the meter reads too little", True),
    ),
)

_NEWEST = """
    SELECT * FROM telemetry.sensor_quality_daily
    QUALIFY row_number() OVER (PARTITION BY network, sensor_id, quantity ORDER BY day DESC) = 1
"""

SILENT_SENSORS = View(
    "telemetry",
    "silent_sensors",
    "Sensors that had no usable reading for too long at the end of their network's newest day.",
    f"""
    SELECT network, sensor_id, quantity, day, last_reading_at, day_end_at, age_s, max_age_s,
        reason_names
    FROM ({_NEWEST}) WHERE is_silent ORDER BY network, quantity, sensor_id
    """,
)

FRESHNESS = View(
    "telemetry",
    "freshness",
    "How old the newest usable reading of each tag is now, against the age that is allowed.",
    f"""
    SELECT network, sensor_id, quantity, last_reading_at, max_age_s,
        epoch(now() - last_reading_at) AS age_s,
        coalesce(epoch(now() - last_reading_at) <= max_age_s, false) AS is_fresh
    FROM ({_NEWEST}) ORDER BY network, quantity, sensor_id
    """,
    {
        "age_s": "seconds from the reading to now",
        "is_fresh": "whether it is not older than allowed",
    },
)

NETWORK_FRESHNESS = View(
    "telemetry",
    "network_freshness",
    "How fresh a network or zone is: its newest reading, and how many of its tags are not fresh.",
    """
    SELECT network, max(last_reading_at) AS last_reading_at, min(age_s) AS age_s,
        count(*) AS tags, count(*) FILTER (NOT is_fresh) AS stale_tags,
        bool_or(is_fresh) AS is_fresh
    FROM telemetry.freshness GROUP BY network ORDER BY network
    """,
)

NOT_USED = View(
    "telemetry",
    "not_used",
    "Every delivered value that nothing uses, by file and line or by message, with the remedy: what"
    " could not be read (`quarantine`), and what was read and cannot be true or belongs to nothing"
    " (`unusable_readings`).",
    """
    SELECT network, file_path, source, message_id, file_row, column_name, ts_utc, raw_text, reason,
        message, received_at
    FROM telemetry.quarantine
    UNION ALL BY NAME
    SELECT u.* REPLACE (
        coalesce(f.name, u.file_path) AS file_path,
        replace(u.message, u.file_path, coalesce(f.name, u.file_path)) AS message
    )
    FROM telemetry.unusable_readings AS u
    LEFT JOIN (
        SELECT network, source, file_sha256, arg_max(file_path, received_at) AS name
        FROM telemetry.ingest_ledger WHERE source = 'file' GROUP BY ALL
    ) AS f ON f.network = u.network AND f.source = u.source
        AND f.file_sha256 = split_part(u.message_id, ':', 1)
    """,
    {"file_path": "delivery: file below the landing zone, name of a stream"},
)

VIEWS = (SILENT_SENSORS, FRESHNESS, NETWORK_FRESHNESS, NOT_USED)
TABLES = (
    SENSOR_QUALITY_DAILY,
    CONTRACT_BREAKS,
    RAW_READINGS,
    READINGS,
    GAPS,
    UNUSABLE_READINGS,
    QUARANTINE,
    INGEST_LEDGER,
)
