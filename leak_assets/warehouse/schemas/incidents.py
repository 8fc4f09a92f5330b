"""Tables of the incidents: what a crew acts on. State is a view over event rows."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table, View

_ID = Column("incident_id", pl.String, "stable name, from network and first alarm")
_REVISION = Column("revision", pl.Int64, "number of the incident's state, from 1")

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
        Column("event_at", UTC_US, "end of the window that led to this state"),
        Column("event", pl.String, "`opened`, `updated` or `closed`"),
        Column("incident_type", pl.String, "`leak`"),
        Column("status", pl.String, "`new`, `open` or `closed`"),
        Column("severity", pl.String, "`low`, `medium` or `high`, by estimated flow"),
        Column("leak_start", UTC_US, "estimated start of the leak"),
        Column("detected_at", UTC_US, "end of the window that confirmed it"),
        Column("last_alarm_at", UTC_US, "end of the last alarmed window"),
        Column("leak_end", UTC_US, "end of the last alarmed window once closed", True),
        Column("alarms", pl.Int64, "alarmed windows so far"),
        Column("quiet_windows", pl.Int64, "windows without alarm since the last one"),
        Column("peak_score", pl.Float64, "largest anomaly score"),
        Column("confidence", pl.Float64, "mean anomaly score of its alarms, 0 to 1"),
        Column("estimated_flow_m3_per_h", pl.Float64, "leak flow over the last alarms"),
        Column("volume_lost_m3", pl.Float64, "estimated loss from start to `event_at`"),
        Column("value_eur", pl.Float64, "loss at the price of water"),
        Column("top_link_id", pl.String, "best candidate pipe", True),
        Column("detector_version", pl.String, "detector version"),
        Column("pinpointer_version", pl.String, "pinpointer version", True),
        Column("contract_sha256", pl.String, "hash of the telemetry contract"),
        Column("run_id", pl.String, "run that wrote the row"),
    ),
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
        Column("length_m", pl.Float64, "length of the pipe"),
    ),
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
        Column("sensor_id", pl.String, "sensor"),
        Column("quantity", pl.String, "`pressure` or `flow`"),
        Column("contribution", pl.Float64, "signed mean z-score over the incident's alarms"),
        Column("residual_si", pl.Float64, "mean residual (m or m3/s)", True),
    ),
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
        Column("summary", pl.String, "the text"),
        Column("generated_by", pl.String, "`llm_summarizer` or `template`"),
        Column("model_name", pl.String, "language model, null for the template", True),
        Column("temperature", pl.Float64, "sampling temperature, null for the template", True),
        Column("prompt_sha256", pl.String, "hash of the prompt"),
        Column("prompt_tokens", pl.Int64, "tokens in, where the server tells", True),
        Column("completion_tokens", pl.Int64, "tokens out, where the server tells", True),
        Column("latency_s", pl.Float64, "time taken"),
        Column("fallback_reason", pl.String, "why the template wrote it", True),
        Column("created_at", UTC_US, "when"),
    ),
)

INCIDENTS = View(
    "incidents",
    "incidents",
    "Current state of each incident, with its newest summary.",
    """
    SELECT e.*, s.summary, s.generated_by
    FROM (
        SELECT * FROM incidents.incident_events
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
    ) AS e
    LEFT JOIN (
        SELECT incident_id, summary, generated_by FROM incidents.summaries
        QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY revision DESC) = 1
    ) AS s USING (incident_id)
    """,
)

TABLES = (INCIDENT_EVENTS, CANDIDATES, EVIDENCE, SUMMARIES)
VIEWS = (INCIDENTS,)
