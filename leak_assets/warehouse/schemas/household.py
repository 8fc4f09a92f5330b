"""Tables of homes: measured time, sessions, habits, alerts and the engine's state."""

import polars as pl

from .table import SITE, UTC_US, Column, Table

_BY_DAY = ("date", "site")
_FOR_DAY = "the partition's day: learned from sessions of earlier days only"
_LEVELS = "longest holding (s) of 0, 1, 2, 3, 4.5, 6, 8, … L/min or above, with commas"

READINGS = Table(
    "household",
    "readings",
    "One reading of a home's main meter as measured time: mean flow up to `ts_utc`. A reading that"
    " cannot be believed keeps its reason and measures nothing.",
    _BY_DAY,
    ("site", "ts_utc", "message_id"),
    (
        SITE,
        Column("ts_utc", UTC_US, "device clock, end of the measured time"),
        Column("seconds", pl.Float64, "measured time; 0 where nothing was measured"),
        Column("flow_l_per_min", pl.Float64, "mean flow", True),
        Column("hot_l_per_min", pl.Float64, "mean flow of hot water, where it is metered", True),
        Column("occupancy", pl.String, "who is at home, in the words of the home"),
        Column("people", pl.Int64, "number of people at home"),
        Column("problem", pl.String, "what was wrong with it, e.g. `negative_flow`", True),
        Column("received_at", UTC_US, "when its delivery came to the platform"),
        Column("source", pl.String, "source of its raw row"),
        Column("message_id", pl.String, "message of its raw row"),
    ),
)

SESSIONS = Table(
    "household",
    "sessions",
    "One session that ended on the day: water that ran without a longer pause.",
    _BY_DAY,
    ("site", "start_at"),
    (
        SITE,
        Column("start_at", UTC_US, "first water"),
        Column("ended_at", UTC_US, "last water"),
        Column("hour", pl.Int64, "local hour of the start, 0 to 23"),
        Column("day_type", pl.String, "`weekday` or `weekend`"),
        Column("weekday", pl.Int64, "local weekday of the start, Monday 0"),
        Column("minute_of_day", pl.Float64, "local start, minutes after midnight"),
        Column("occupancy_raw", pl.String, "word of occupancy at the start"),
        Column("occupancy_class", pl.String, "`home`, `away`, `vacation` or `night`"),
        Column("people_bin", pl.String, "`0`, `1`, `2-3` or `4+`"),
        Column("duration_s", pl.Float64, "first to last water, s"),
        Column("avg_flow_l_per_min", pl.Float64, "volume over duration"),
        Column("volume_l", pl.Float64, "volume, L"),
        Column("hot_pct", pl.Float64, "share of hot water, percent, where it is metered", True),
        Column("longest_s", pl.String, _LEVELS),
        Column("longest_low_s", pl.Float64, "longest trickle, s"),
        Column("ended_by", pl.String, "`no_flow`, or `missing` where readings were missing"),
        Column("explained_s", pl.Float64, "seconds that a recurring use explained"),
        Column("unusual", pl.Boolean, "it had an alarm or ran in a pause: it teaches no limits"),
    ),
)

HOURLY_STATS = Table(
    "household",
    "hourly_stats",
    "One hour of a home.",
    _BY_DAY,
    ("site", "hour_utc"),
    (
        SITE,
        Column("hour_utc", UTC_US, "beginning of the hour"),
        Column("volume_l", pl.Float64, "volume, L"),
        Column("min_flow_l_per_min", pl.Float64, "least flow of a step"),
        Column("max_flow_l_per_min", pl.Float64, "largest flow of a step"),
        Column("wet_s", pl.Float64, "measured time with water, s"),
        Column("measured_s", pl.Float64, "measured time, s"),
    ),
)

DAILY_SUMMARIES = Table(
    "household",
    "daily_summaries",
    "One day (UTC) of a home.",
    _BY_DAY,
    ("site", "day"),
    (
        SITE,
        Column("day", pl.Date, "the day"),
        Column("volume_l", pl.Float64, "volume, L"),
        Column("sessions", pl.Int64, "sessions that ended"),
        Column("longest_session_s", pl.Float64, "longest of them, s"),
        Column("max_flow_l_per_min", pl.Float64, "largest flow of a step"),
        Column("least_hourly_min_flow_l_per_min", pl.Float64, "0 unless the flow never rests"),
        Column("measured_s", pl.Float64, "measured time, s"),
        Column("alarms", pl.Int64, "alarms that began"),
        Column("unusable_readings", pl.Int64, "readings that could not be believed"),
    ),
)

BASELINES = Table(
    "household",
    "baselines",
    f"One bucket of the ladder as it is on the day ({_FOR_DAY}).",
    _BY_DAY,
    ("site", "rung", "hour", "day_type", "occupancy_raw", "occupancy_class", "people_bin"),
    (
        SITE,
        Column("rung", pl.Int64, "1 (narrowest) to 6 (all sessions)"),
        Column("hour", pl.Int64, "local hour; -1 where the rung has none"),
        Column("day_type", pl.String, "`weekday`, `weekend`; empty where the rung has none"),
        Column("occupancy_raw", pl.String, "word of occupancy; empty where the rung has none"),
        Column("occupancy_class", pl.String, "class; empty where the rung has none"),
        Column("people_bin", pl.String, "bin of people; empty where the rung has none"),
        Column("sessions", pl.Int64, "sessions within the horizon"),
        Column("weight", pl.Float64, "their weight: one half at the age of the half-life"),
        Column("duration_p50_s", pl.Float64, "weighted percentile of the duration, s"),
        Column("duration_p90_s", pl.Float64, "weighted percentile of the duration, s"),
        Column("duration_p95_s", pl.Float64, "weighted percentile of the duration, s"),
        Column("duration_p99_s", pl.Float64, "weighted percentile of the duration, s"),
        Column("flow_p50_l_per_min", pl.Float64, "weighted percentile of the mean flow"),
        Column("flow_p90_l_per_min", pl.Float64, "weighted percentile of the mean flow"),
        Column("flow_p95_l_per_min", pl.Float64, "weighted percentile of the mean flow"),
        Column("flow_p99_l_per_min", pl.Float64, "weighted percentile of the mean flow"),
    ),
)

PROTOTYPES = Table(
    "household",
    "prototypes",
    f"One recurring use as it is known on the day ({_FOR_DAY}).",
    _BY_DAY,
    ("site", "prototype_id"),
    (
        SITE,
        Column("prototype_id", pl.String, "e.g. `tue-0610-20min-15l`"),
        Column("weekday", pl.Int64, "Monday 0; null of a use of any day", True),
        Column("start_minute", pl.Float64, "usual start, minutes of the local day"),
        Column("duration_s", pl.Float64, "usual duration, s"),
        Column("avg_flow_l_per_min", pl.Float64, "usual mean flow"),
        Column("hot_pct", pl.Float64, "usual share of hot water, percent", True),
        Column("occurrences", pl.Int64, "days on which it was seen"),
        Column("first_seen", pl.Date, "first of them"),
        Column("last_seen", pl.Date, "last of them"),
        Column("confidence", pl.Float64, "min(1, occurrences/5) times 0.5^(days since/half-life)"),
        Column("longest_s", pl.String, _LEVELS),
    ),
)

ALERTS = Table(
    "household",
    "alerts",
    "One event of the leak monitor: an alarm on or off, a pause begun or ended.",
    _BY_DAY,
    ("site", "ts_utc", "event"),
    (
        SITE,
        Column("ts_utc", UTC_US, "when it happened, by the meter's clock"),
        Column("event", pl.String, "`on`, `off`, `pause_began` or `pause_ended`"),
        Column("kinds", pl.String, "what alarmed: `risk`, `vacation`, `low_flow` …, with commas"),
        Column("reasons", pl.String, "why, in words; one reason a line"),
        Column("risk_score", pl.Float64, "risk; 1 is as long as this home's percentile"),
        Column("elapsed_s", pl.Float64, "how long the session had run, s"),
        Column("flow_now_l_per_min", pl.Float64, "flow at that moment"),
        Column("attributes_json", pl.String, "all sixteen attributes of the binary sensor"),
    ),
)

ENGINE_STATUS = Table(
    "household",
    "engine_status",
    "State of a home's engine at the end of the day: the next day goes on from it.",
    _BY_DAY,
    ("site",),
    (
        SITE,
        Column("day", pl.Date, "the day that its habits were learned for"),
        Column("status", pl.String, "`ok`, `learning` or `paused` at the end of the day"),
        Column("is_on", pl.Boolean, "whether the alarm is on"),
        Column("last_measured_at", UTC_US, "end of the last measured time", True),
        Column("days_learned", pl.Int64, "days with sessions within the horizon"),
        Column("ready_buckets", pl.Int64, "buckets with enough sessions"),
        Column("prototypes", pl.Int64, "recurring uses known with high confidence"),
        Column("holdings_json", pl.String, "longest holding of each level of flow, by occupancy"),
        Column("state_json", pl.String, "the engine's whole state"),
    ),
)

TABLES = (
    READINGS,
    SESSIONS,
    HOURLY_STATS,
    DAILY_SUMMARIES,
    BASELINES,
    PROTOTYPES,
    ALERTS,
    ENGINE_STATUS,
)
