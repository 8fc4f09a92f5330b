"""Tables of the live watch of a plant: what it noticed that the day's run has not judged yet.

No step of the graph writes them: `plant watch` does. They bridge the time until the day's run; what
that run has judged is removed here.
"""

import polars as pl

from .plant import ANOMALIES
from .table import SITE, UTC_US, Column, Table
from .written import WRITTEN

LIVE_ANOMALIES = Table(
    "plant",
    "live_anomalies",
    "One anomaly that the live watch noticed, in the day of its time; removed once the day's run"
    " has judged what came two minutes later.",
    ("date", "site"),
    ("site", "anomaly_id"),
    (
        *ANOMALIES.columns,
        Column("noticed_at", UTC_US, "when the watch knew it, clock of the machine"),
    ),
)

LIVE_SUMMARIES = Table(
    "plant",
    "live_summaries",
    "The text of an interval of anomalies as it was written live; the day's run takes it over where"
    " it tells of the same anomalies.",
    ("date", "site"),
    ("site", "first_at"),
    (
        SITE,
        Column("first_at", UTC_US, "first of its anomalies"),
        Column("last_at", UTC_US, "last of its anomalies"),
        Column("anomalies", pl.Int64, "how many there were"),
        Column("noticed_at", UTC_US, "when the last of them was noticed"),
        *WRITTEN,
    ),
)

LIVE_VALUES = Table(
    "plant",
    "live_values",
    "The newest reading of a series that the live watch judged.",
    ("site",),
    ("site", "parameter", "sensor_id"),
    (
        SITE,
        Column("parameter", pl.String, "`temperature` (°C), `pressure` (bar) or `flow` (L/min)"),
        Column("sensor_id", pl.String, "name of the sensor"),
        Column("ts_utc", UTC_US, "device clock"),
        Column("value", pl.Float64, "the reading"),
    ),
)

LIVE_MINUTES = Table(
    "plant",
    "live_minutes",
    "The last reading of each ten seconds of a series in the last ten minutes, as the live watch"
    " judged them: for a look at how values went; written every ten seconds.",
    ("site",),
    ("site", "parameter", "sensor_id", "ts_utc"),
    LIVE_VALUES.columns,
)

LIVE_STATES = Table(
    "plant",
    "live_states",
    "How far the live watch of a plant is: it goes on from here after a restart.",
    ("site",),
    ("site",),
    (
        SITE,
        Column(
            "alive_at", UTC_US, "when the watch wrote this; it does so every ten seconds at least"
        ),
        Column("received_at", UTC_US, "receipt of the newest delivery that was judged", True),
        Column("newest_reading_at", UTC_US, "device clock of the newest reading", True),
        Column("judged_readings", pl.Int64, "readings judged since the plant was watched first"),
        Column(
            "not_judged",
            pl.String,
            "readings that were not, by reason, as JSON: `late` (after a later one), `repeated`,"
            " `ahead` of the clock, all of which the day's run judges in their place, or the reason"
            " of their quarantine",
        ),
        Column("state", pl.String, "rules and deliveries that were judged last, as JSON"),
        Column("lag_s", pl.Float64, "how old the newest reading was when it came, s", True),
        Column("began_at", UTC_US, "when the watch was started; it counts from then", True),
        Column("anomalies", pl.Int64, "anomalies noticed, a dropout that ended twice", True),
        Column("untold", pl.Int64, "anomalies that no text tells of yet", True),
        Column("llm_summaries", pl.Int64, "texts that the language model wrote", True),
        Column("template_summaries", pl.Int64, "texts that the template wrote", True),
        Column("failures", pl.Int64, "looks and texts that failed and were repeated", True),
        Column("waiting", pl.Int64, "deliveries that no run has taken yet", True),
        Column("oldest_waiting_at", UTC_US, "receipt of the oldest of them", True),
        Column(
            "redis",
            pl.String,
            "what keeps the Redis of its stream or its lists from answering; empty where it"
            " answers, null where none is used",
            True,
        ),
    ),
)

TABLES = (LIVE_ANOMALIES, LIVE_SUMMARIES, LIVE_VALUES, LIVE_MINUTES, LIVE_STATES)
