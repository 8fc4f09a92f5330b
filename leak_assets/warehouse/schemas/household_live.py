"""Tables of homes that no run of the graph makes: what people said, what the live engine holds.

What a run makes of the same readings is in `household`.
"""

import polars as pl

from .table import SITE, UTC_US, Column, Table, View

CONTROLS = Table(
    "household",
    "controls",
    "One word of a person to the monitor of a home: a pause, guests, learning only, or the end of"
    " one. Append only.",
    ("control", "site"),
    ("site", "at_utc", "action"),
    (
        SITE,
        Column("at_utc", UTC_US, "from when on it counts, by the meter's clock"),
        Column(
            "action",
            pl.String,
            "`pause`, `guests` or `learn`; `resume`, `guests_left` or `watch` end these",
        ),
        Column("until_utc", UTC_US, "its end; null of what ends another", True),
        Column("reason", pl.String, "why, e.g. that a pool is filled"),
        Column("actor", pl.String, "who said it: a person, `home assistant`"),
        Column("recorded_at", UTC_US, "clock of the machine when it was written"),
    ),
    if_lost="restore it from a backup: nothing else knows what people said",
    known_at="recorded_at",
)

LIVE_STATES = Table(
    "household",
    "live_states",
    "What the live engine holds of a home since its newest reading; a restart goes on from it.",
    ("site",),
    ("site",),
    (
        SITE,
        Column("updated_at", UTC_US, "clock of the machine when it was written"),
        Column("status", pl.String, "`ok`, `learning`, `paused` or `stale`"),
        Column("is_on", pl.Boolean, "whether the alarm is on"),
        Column("last_measured_at", UTC_US, "end of the last measured time", True),
        Column("flow_now_l_per_min", pl.Float64, "flow of the last reading"),
        Column("volume_today_l", pl.Float64, "water since local midnight"),
        Column("local_day", pl.Date, "the day that `volume_today_l` is of", True),
        Column("risk_score", pl.Float64, "risk now; 1 is as long as this home's percentile"),
        Column("attributes_json", pl.String, "all sixteen attributes of the binary sensor"),
        Column("learned_for", pl.Date, "the day whose habits it judges by", True),
        Column("days_learned", pl.Int64, "days with sessions within the horizon"),
        Column("ready_buckets", pl.Int64, "buckets with enough sessions"),
        Column("prototypes", pl.Int64, "recurring uses known with high confidence"),
        Column("newest_control", pl.String, "newest of `household.controls` that it has heard"),
        Column("state_json", pl.String, "the engine's whole state"),
    ),
    if_lost="`leak-assets household watch` goes on from `household.engine_status`",
)

LIVE_EVENTS = Table(
    "household",
    "live_events",
    "One event that the live engine told: an alarm on or off, what people said. Append only; what"
    " a run makes of the same day is in `household.alerts`.",
    ("event", "site"),
    ("site", "ts_utc", "event"),
    (
        SITE,
        Column("ts_utc", UTC_US, "when it happened, by the meter's clock"),
        Column("event", pl.String, "`on`, `off`, or what was said, as in `household.alerts`"),
        Column("kinds", pl.String, "what alarmed, with commas"),
        Column("reasons", pl.String, "why, in words; one reason a line"),
        Column("attributes_json", pl.String, "all sixteen attributes of the binary sensor"),
        Column("told_at", UTC_US, "clock of the machine when it was told"),
    ),
    if_lost="nothing makes them again; `household.alerts` has the same events of each day",
    known_at="told_at",
)

CURRENT_CONTROLS = View(
    "household",
    "current_controls",
    "What counts now of what people said to the monitor of a home.",
    """
    SELECT site, begins AS action, at_utc, until_utc, reason, actor FROM (
        SELECT *, CASE action WHEN 'resume' THEN 'pause' WHEN 'guests_left' THEN 'guests'
            WHEN 'watch' THEN 'learn' ELSE action END AS begins
        FROM household.controls
    )
    QUALIFY row_number() OVER (PARTITION BY site, begins ORDER BY at_utc DESC, recorded_at DESC) = 1
        AND action = begins AND until_utc > now()
    """,
)

TABLES = (CONTROLS, LIVE_STATES, LIVE_EVENTS)
VIEWS = (CURRENT_CONTROLS,)
