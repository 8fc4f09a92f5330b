"""Tables of the detection: what each method says of windows and days, and what it goes on from.

All are keyed with the method, so that a challenger writes beside the champion.
"""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_METHOD = Column("method", pl.String, "`likelihood`, `windows` or another registered method")
_METHOD_VERSION = Column("method_version", pl.String, "version of the method that wrote the row")
_HYPOTHESIS = Column("hypothesis_id", pl.String, "stable name over days")
_AT = Column("at", UTC_US, "end of the data that led to the row")

WINDOW_SCORES = Table(
    "detection",
    "window_scores",
    "One window of a network, scored by the trained detector.",
    ("date", "network"),
    ("network", "method", "method_version", "window_start"),
    (
        NETWORK,
        _METHOD,
        Column("method_version", pl.String, "version of the detector model"),
        Column("window_start", UTC_US, "first step"),
        Column("window_end", UTC_US, "last step"),
        Column("anomaly_score", pl.Float64, "larger = more leak-like, 0 to 1", True),
        Column("threshold", pl.Float64, "alarm at or above it"),
        Column("is_alarm", pl.Boolean, "score at or above the threshold"),
        Column("state", pl.String, "`scored` or `insufficient_data`"),
        Column("channels_used", pl.Int64, "channels with at least half of their points"),
        Column("channels", pl.Int64, "channels of the model"),
        Column("leak_flow_m3_per_h", pl.Float64, "mean residual of the system inflow", True),
    ),
    history="revisions",
)

SHADOW_SCORES = Table(
    "detection",
    "shadow_scores",
    "One window of a network, scored by a challenger in shadow mode; no incident follows from it.",
    ("date", "network"),
    ("network", "model", "method_version", "window_start"),
    (
        NETWORK,
        Column("model", pl.String, "`leak_detector` or `leak_pinpointer`"),
        Column("method_version", pl.String, "version of the challenger"),
        Column("window_start", UTC_US, "first step"),
        Column("window_end", UTC_US, "last step"),
        Column("anomaly_score", pl.Float64, "of the detector, 0 to 1", True),
        Column("threshold", pl.Float64, "alarm at or above it"),
        Column("is_alarm", pl.Boolean, "score at or above the threshold"),
        Column("state", pl.String, "`scored` or `insufficient_data`"),
        Column("top_link_id", pl.String, "likeliest pipe of an alarmed window", True),
        Column("top_probability", pl.Float64, "its share of the probability", True),
    ),
)

WINDOW_CANDIDATES = Table(
    "detection",
    "window_candidates",
    "One candidate pipe of an alarmed window; the best ranks only.",
    ("date", "network"),
    ("network", "method", "method_version", "window_start", "rank"),
    (
        NETWORK,
        _METHOD,
        Column("method_version", pl.String, "version of the pinpointer model"),
        Column("window_start", UTC_US, "first step"),
        Column("window_end", UTC_US, "last step"),
        Column("rank", pl.Int64, "1 = most likely"),
        Column("link_id", pl.String, "pipe"),
        Column("probability", pl.Float64, "share of the pinpointer's probability"),
    ),
    history="revisions",
)

HYPOTHESES = Table(
    "detection",
    "hypotheses",
    "What a method holds to be going on in a network, as it was known at a time.",
    ("date", "network"),
    ("network", "method", "method_version", "hypothesis_id", "at"),
    (
        NETWORK,
        _METHOD,
        _METHOD_VERSION,
        _HYPOTHESIS,
        _AT,
        Column("rank", pl.Int64, "1 = most certain of its method at that time"),
        Column("kind", pl.String, "`leak`, `event` or `sensor_fault`"),
        Column("status", pl.String, "`watched` (suspected, not reported), `reported` or `ended`"),
        Column("element_id", pl.String, "best pipe, or sensor such as `pressure/n1`"),
        Column("onset_at", UTC_US, "estimated begin"),
        Column("first_seen_at", UTC_US, "end of the data that first led to it"),
        Column("reported_at", UTC_US, "when it was first reported; null while watched", True),
        Column("ended_at", UTC_US, "estimated end; null while it lasts", True),
        Column("flow_m3_per_h", pl.Float64, "leak flow at that time; null for faults", True),
        Column("volume_m3", pl.Float64, "loss from onset to `at`; null for faults", True),
        Column("probability", pl.Float64, "that the leak is within 300 m of the element"),
        Column("score", pl.Float64, "the method's own statistic"),
        Column("last_updated_at", UTC_US, "last change of element, status or begin"),
    ),
    history="revisions",
)

LEAK_CANDIDATES = Table(
    "detection",
    "leak_candidates",
    "One candidate pipe of a hypothesis; the best ranks only.",
    ("date", "network"),
    ("network", "method", "method_version", "hypothesis_id", "at", "rank"),
    (
        NETWORK,
        _METHOD,
        _METHOD_VERSION,
        _HYPOTHESIS,
        _AT,
        Column("rank", pl.Int64, "1 = most likely"),
        Column("link_id", pl.String, "pipe"),
        Column("probability", pl.Float64, "share of the probability over all pipes"),
    ),
    history="revisions",
)

EVIDENCE = Table(
    "detection",
    "evidence",
    "One sensor's part in a hypothesis.",
    ("date", "network"),
    ("network", "method", "method_version", "hypothesis_id", "at", "rank"),
    (
        NETWORK,
        _METHOD,
        _METHOD_VERSION,
        _HYPOTHESIS,
        _AT,
        Column("rank", pl.Int64, "1 = strongest"),
        Column("sensor_id", pl.String, "sensor; a zone's number for its balance"),
        Column("quantity", pl.String, "`pressure`, `flow` or `balance`"),
        Column("contribution", pl.Float64, "signed, in standard deviations"),
        Column("residual_si", pl.Float64, "measured minus expected, m or m3/s", True),
    ),
    history="revisions",
)

STATES = Table(
    "detection",
    "states",
    "What a method goes on from after a day; full copies at checkpoints, days between replayed.",
    ("date", "network"),
    ("network", "method", "method_version"),
    (
        NETWORK,
        _METHOD,
        _METHOD_VERSION,
        Column("day", pl.Date, "last whole day that the state has seen", True),
        Column("is_checkpoint", pl.Boolean, "whether the state is stored in full"),
        Column("checkpoint_date", pl.Date, "day of the newest full copy; null: none yet", True),
        Column("state", pl.Binary, "serialized state; null between checkpoints", True),
        Column("summary", pl.String, "JSON: what is known, for people"),
    ),
)

BACKTESTS = Table(
    "detection",
    "backtests",
    "What one method is worth on known leaks, in euro. Append only; nothing is made from it but "
    "judgements of methods and models.",
    ("backtest", "network"),
    ("network", "backtest_id", "method", "variant"),
    (
        NETWORK,
        Column("backtest_id", pl.String, "run of the backtest"),
        Column("method", pl.String, "registered method, or `none`: nothing is ever reported"),
        Column("method_version", pl.String, "version of the method; empty for `none`"),
        Column("variant", pl.String, "method with what of it differs from operation"),
        Column("model_version", pl.String, "detector model that scored windows", True),
        Column("source", pl.String, "`generated` town with its seed, or `stored` days"),
        Column("first_day", pl.Date, "first valued day"),
        Column("last_day", pl.Date, "last valued day"),
        Column("leaks", pl.Int64, "known leaks that ran in these days"),
        Column("true_positives", pl.Int64, "reports that find a leak within 300 m"),
        Column("false_positives", pl.Int64, "reports that find none"),
        Column("false_negatives", pl.Int64, "leaks that no report finds"),
        Column("median_delay_h", pl.Float64, "from a leak's start to its report", True),
        Column("value_eur", pl.Float64, "water saved until the last day, at its price"),
        Column("crew_eur", pl.Float64, "crews for false reports, and for the way to true ones"),
        Column("net_eur", pl.Float64, "value less crews: BattLeDIM's economic score"),
        Column("net_share", pl.Float64, "of what finding all leaks at once would bring", True),
        Column("zones", pl.Int64, "metered zones of the network"),
        Column("false_alarms_per_zone_week", pl.Float64, "false reports per zone and week"),
        Column("compared", pl.Int64, "incidents that are about a known leak", True),
        Column("volume_ratio", pl.Float64, "their loss to the leak's, median of last days", True),
        Column("flow_ratio", pl.Float64, "their flow to the leak's, median of whole days", True),
        Column("flow_ratio_low", pl.Float64, "10 % of these days lie below", True),
        Column("flow_ratio_high", pl.Float64, "10 % of these days lie above", True),
        Column("truth_sha256", pl.String, "hash of the known leaks' flows"),
        Column("created_at", UTC_US, "when"),
    ),
)

TABLES = (
    WINDOW_SCORES,
    SHADOW_SCORES,
    WINDOW_CANDIDATES,
    HYPOTHESES,
    LEAK_CANDIDATES,
    EVIDENCE,
    STATES,
    BACKTESTS,
)
