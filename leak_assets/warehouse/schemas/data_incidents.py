"""Data incidents: sensors that are wrong, beside the incidents of leaks."""

import polars as pl

from .table import NETWORK, Column, Table, View

DATA_INCIDENT_DAYS = Table(
    "incidents",
    "data_incident_days",
    "One data incident on a day: a sensor that is wrong, from the day it opened to the day it"
    " closed. No leak follows from it.",
    ("date", "network"),
    ("data_incident_id", "day"),
    (
        NETWORK,
        Column("data_incident_id", pl.String, "stable name, from sensor, reason and first day"),
        Column("day", pl.Date, "day (UTC)"),
        Column("sensor_id", pl.String, "sensor; a zone's number for quantity `balance`"),
        Column("quantity", pl.String, "its quantity"),
        Column("reason", pl.String, "a flag's name, or `implausible` where detection says so"),
        Column("status", pl.String, "`open` or `closed`"),
        Column("opened_on", pl.Date, "first day on which it was seen"),
        Column("last_seen_on", pl.Date, "newest day on which it was seen"),
        Column("ended_on", pl.Date, "day on which it closed, after three clear days", True),
        Column("days_seen", pl.Int64, "days on which it was seen"),
        Column("evidence", pl.String, "what shows it"),
        Column("raised_by", pl.String, "`quality`, or the method of detection"),
    ),
    history="all",
)

DATA_INCIDENTS = View(
    "incidents",
    "data_incidents",
    "Current state of each data incident: which sensor is wrong, since when, what shows it.",
    """
    SELECT * FROM incidents.data_incident_days
    QUALIFY row_number() OVER (PARTITION BY network, data_incident_id ORDER BY day DESC) = 1
    """,
)

TABLES = (DATA_INCIDENT_DAYS,)
VIEWS = (DATA_INCIDENTS,)
