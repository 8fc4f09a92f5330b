"""Tables of the scores: what the models in force say of each window."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

WINDOW_SCORES = Table(
    "scores",
    "window_scores",
    "One window of a network, scored by the detector in force.",
    ("date", "network"),
    ("network", "window_start"),
    (
        NETWORK,
        Column("window_start", UTC_US, "first step"),
        Column("window_end", UTC_US, "last step"),
        Column("anomaly_score", pl.Float64, "larger = more leak-like, 0 to 1", True),
        Column("threshold", pl.Float64, "alarm at or above it"),
        Column("is_alarm", pl.Boolean, "score at or above the threshold"),
        Column("state", pl.String, "`scored` or `insufficient_data`"),
        Column("channels_used", pl.Int64, "channels with at least half of their points"),
        Column("channels", pl.Int64, "channels of the model"),
        Column("leak_flow_m3_per_h", pl.Float64, "mean residual of the system inflow", True),
        Column("model_version", pl.String, "detector version"),
    ),
)

LEAK_CANDIDATES = Table(
    "scores",
    "leak_candidates",
    "One candidate pipe of an alarmed window; the best ranks only.",
    ("date", "network"),
    ("network", "window_start", "rank"),
    (
        NETWORK,
        Column("window_start", UTC_US, "first step"),
        Column("window_end", UTC_US, "last step"),
        Column("rank", pl.Int64, "1 = most likely"),
        Column("link_id", pl.String, "pipe"),
        Column("probability", pl.Float64, "share of the pinpointer's probability"),
        Column("model_version", pl.String, "pinpointer version"),
    ),
)

TABLES = (WINDOW_SCORES, LEAK_CANDIDATES)
