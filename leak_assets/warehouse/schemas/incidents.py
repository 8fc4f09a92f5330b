"""Tables of the incidents that runs derive; people's words are in `incident_people`.

The state of both together is a view: `incident_views`.
"""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table
from .written import WRITTEN

_ID = Column("incident_id", pl.String, "stable name, from network and hypothesis")
_REVISION = Column("revision", pl.Int64, "number of the incident's state, from 1")
_HYPOTHESIS = Column("hypothesis_id", pl.String, "hypothesis that it follows")
_METHOD = Column("method", pl.String, "detection method that raised it")
_SEVERITY = Column("severity", pl.String, "`low`, `medium` or `high`, by flow")
_LEAK_START = Column("leak_start", UTC_US, "estimated start of the leak")
_DETECTED_AT = Column("detected_at", UTC_US, "when the method reported the leak")
_LAST_SEEN_AT = Column("last_seen_at", UTC_US, "end of the data that its figures rest on")
_VALUE_EUR = Column("value_eur", pl.Float64, "loss at the price of water")
_TOP_LINK_ID = Column("top_link_id", pl.String, "best candidate pipe")

INCIDENT_EVENTS = Table(
    "incidents",
    "incident_events",
    "One state of an incident: what was known at `event_at`. Append only by day.",
    ("date", "network"),
    ("incident_id", "revision"),
    (
        NETWORK,
        _ID,
        _REVISION,
        Column("event_at", UTC_US, "end of the data that led to this state"),
        Column("event", pl.String, "`opened`, `updated`, `relocated`, `closed` or `reopened`"),
        Column("incident_type", pl.String, "`leak`"),
        Column("status", pl.String, "`new`, `open` or `closed`"),
        _SEVERITY,
        Column("zone", pl.String, "metered zone of the best candidate pipe", True),
        _LEAK_START,
        _DETECTED_AT,
        _LAST_SEEN_AT,
        Column("leak_end", UTC_US, "estimated end of the leak once closed", True),
        Column("confidence", pl.Float64, "probability that the leak is within 300 m, 0 to 1"),
        Column("score", pl.Float64, "the method's own statistic"),
        Column("estimated_flow_m3_per_h", pl.Float64, "leak flow; when closed, its last"),
        Column("volume_lost_m3", pl.Float64, "estimated loss from start to `event_at`"),
        _VALUE_EUR,
        _TOP_LINK_ID,
        _HYPOTHESIS,
        _METHOD,
        Column("method_version", pl.String, "version of the method"),
        Column("contract_sha256", pl.String, "hash of the telemetry contract"),
        Column("run_id", pl.String, "run that wrote the row"),
    ),
    history="all",
)

INCIDENT_DAYS = Table(
    "incidents",
    "incident_days",
    "One incident at the end of a day, from the day it opened to the day it closed: its flow and "
    "loss over time. A day without news of it repeats the day before.",
    ("date", "network"),
    ("incident_id", "day"),
    (
        NETWORK,
        _ID,
        Column("day", pl.Date, "day (UTC)"),
        Column("revision", pl.Int64, "newest state by then"),
        Column("revised_at", UTC_US, "`event_at` of that state"),
        Column("revised_flow_m3_per_h", pl.Float64, "flow of that state"),
        Column("status", pl.String, "`open` or `closed`"),
        _SEVERITY,
        _LEAK_START,
        _DETECTED_AT,
        _LAST_SEEN_AT,
        Column("flow_m3_per_h", pl.Float64, "estimated leak flow"),
        Column("volume_lost_m3", pl.Float64, "estimated loss so far"),
        Column("volume_before_m3", pl.Float64, "of it before the incident was reopened"),
        Column("openings", pl.Int64, "how often it was opened"),
        _VALUE_EUR,
        Column("confidence", pl.Float64, "probability that the leak is within 300 m, 0 to 1"),
        _TOP_LINK_ID,
        _HYPOTHESIS,
        _METHOD,
    ),
    history="all",
)

CANDIDATES = Table(
    "incidents",
    "candidates",
    "One candidate pipe of an incident revision.",
    ("date", "network"),
    ("incident_id", "revision", "rank"),
    (
        NETWORK,
        _ID,
        _REVISION,
        Column("rank", pl.Int64, "1 = dig here first"),
        Column("link_id", pl.String, "pipe"),
        Column("probability", pl.Float64, "share of the probability over all pipes"),
        Column("cumulative_probability", pl.Float64, "of this pipe and all before it"),
        Column("length_m", pl.Float64, "length of the pipe"),
    ),
    history="all",
)

EVIDENCE = Table(
    "incidents",
    "evidence",
    "One sensor's part in an incident revision.",
    ("date", "network"),
    ("incident_id", "revision", "sensor_id", "quantity"),
    (
        NETWORK,
        _ID,
        _REVISION,
        Column("rank", pl.Int64, "1 = strongest"),
        Column("sensor_id", pl.String, "sensor; a zone's number for its balance"),
        Column("quantity", pl.String, "`pressure`, `flow` or `balance`"),
        Column("contribution", pl.Float64, "signed, in standard deviations"),
        Column("residual_si", pl.Float64, "measured minus expected (m or m3/s)", True),
    ),
    history="all",
)

SUMMARIES = Table(
    "incidents",
    "summaries",
    "The text of an incident revision.",
    ("date", "network"),
    ("incident_id", "revision"),
    (
        NETWORK,
        _ID,
        _REVISION,
        *WRITTEN,
    ),
    history="all",
)

DAILY_DIGESTS = Table(
    "incidents",
    "daily_digests",
    "One day of a network's incidents in words, and the numbers behind them.",
    ("date", "network"),
    ("network", "day"),
    (
        NETWORK,
        Column("day", pl.Date, "day (UTC)"),
        Column("opened", pl.Int64, "incidents that were opened in it"),
        Column("closed", pl.Int64, "incidents that ended in it"),
        Column("running", pl.Int64, "incidents that are open at its end"),
        Column("flow_m3_per_h", pl.Float64, "what leaks at its end, estimate"),
        Column("volume_lost_m3", pl.Float64, "what was lost in it, estimate"),
        Column("value_eur", pl.Float64, "of that, at the price of water"),
        *WRITTEN,
    ),
)

WEEKLY_DIGESTS = Table(
    "incidents",
    "weekly_digests",
    "One week of a network's incidents in numbers, and the page that tells it.",
    ("week", "network"),
    ("network", "week"),
    (
        NETWORK,
        Column("week", pl.Date, "its Monday (UTC)"),
        Column("opened", pl.Int64, "incidents that were opened in it"),
        Column("closed", pl.Int64, "incidents that ended in it"),
        Column("running", pl.Int64, "incidents that are open at its end"),
        Column("flow_m3_per_h", pl.Float64, "what leaks at its end, estimate"),
        Column("volume_lost_m3", pl.Float64, "what was lost in it, estimate"),
        Column("value_eur", pl.Float64, "of that, at the price of water"),
        Column("page", pl.String, "HTML page, below the home"),
    ),
)

TABLES = (
    INCIDENT_EVENTS,
    INCIDENT_DAYS,
    CANDIDATES,
    EVIDENCE,
    SUMMARIES,
    DAILY_DIGESTS,
    WEEKLY_DIGESTS,
)
