"""Tables of treatment plants: readings in the units of their limits, anomalies, rule states."""

import polars as pl

from .table import SITE, UTC_US, Column, Table, View
from .written import WRITTEN

_PARAMETER = "`temperature` (°C), `pressure` (bar) or `flow` (L/min)"

READINGS = Table(
    "plant",
    "readings",
    "One reading of a parameter of a sensor, in the unit of its limits.",
    ("date", "site"),
    ("site", "parameter", "sensor_id", "ts_utc"),
    (
        SITE,
        Column("parameter", pl.String, _PARAMETER),
        Column("sensor_id", pl.String, "name of the sensor, e.g. `wtf-pipe-1`"),
        Column("ts_utc", UTC_US, "device clock"),
        Column("value", pl.Float64, "the reading"),
        Column("received_at", UTC_US, "when its delivery came to the platform"),
        Column("source", pl.String, "source of its raw row"),
        Column("message_id", pl.String, "message of its raw row"),
    ),
)

ANOMALIES = Table(
    "plant",
    "anomalies",
    "One spike, drift or dropout, in the day in which it was noticed. A dropout that lasts over"
    " midnight comes again when it ends; `plant.current_anomalies` has each once.",
    ("date", "site"),
    ("site", "anomaly_id"),
    (
        SITE,
        Column("anomaly_id", pl.String, "`type:sensor:parameter:time`"),
        Column("type", pl.String, "`spike`, `drift` or `dropout`"),
        Column(
            "ts_utc",
            UTC_US,
            "reading that broke the rule; of a dropout, when the silence grew too long",
        ),
        Column("sensor_id", pl.String, "name of the sensor"),
        Column("parameter", pl.String, f"{_PARAMETER}; null for a dropout", True),
        Column(
            "value", pl.Float64, "the reading; of a dropout that ended, seconds of silence", True
        ),
        Column("started_at", UTC_US, "first reading beyond the limits; last one before a silence"),
        Column("duration_s", pl.Float64, "of a drift when noticed, of a dropout that ended", True),
        Column("message", pl.String, "in words"),
    ),
)

RULE_STATES = Table(
    "plant",
    "rule_states",
    "What the rules remember at the end of a day: the next day goes on from it.",
    ("date", "site"),
    ("site",),
    (
        SITE,
        Column("clock", UTC_US, "end of the day"),
        Column("received_at", UTC_US, "receipt of the last of its readings that was judged", True),
        Column("state", pl.String, "series, last readings and lasting silences, as JSON"),
    ),
)

CURRENT_ANOMALIES = View(
    "plant",
    "current_anomalies",
    "One anomaly as it is known last, newest first: what the runs of the days judged, and what the"
    " live watch noticed since.",
    """SELECT * FROM (
        SELECT * FROM plant.anomalies
        UNION ALL
        SELECT l.* EXCLUDE (noticed_at) FROM plant.live_anomalies AS l
        WHERE NOT EXISTS (
            FROM plant.rule_states AS s
            WHERE s.site = l.site AND s.clock > l.ts_utc
            AND s.received_at > l.noticed_at + INTERVAL 2 MINUTE
        )
    )
    QUALIFY row_number() OVER (PARTITION BY site, anomaly_id ORDER BY duration_s IS NULL) = 1
    ORDER BY ts_utc DESC, anomaly_id""",
)

SUMMARIES = Table(
    "plant",
    "summaries",
    "The text of the anomalies of an interval of a plant (`SUMMARY_INTERVAL`, 60 s).",
    ("date", "site"),
    ("site", "first_at"),
    (
        SITE,
        Column("first_at", UTC_US, "first of its anomalies"),
        Column("last_at", UTC_US, "last of its anomalies"),
        Column("anomalies", pl.Int64, "how many there were"),
        *WRITTEN,
    ),
)

TABLES = (READINGS, ANOMALIES, RULE_STATES, SUMMARIES)
VIEWS = (CURRENT_ANOMALIES,)
