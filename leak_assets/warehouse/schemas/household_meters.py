"""Tables of a utility's smart meters: days, and meters whose water never rests."""

import polars as pl

from .table import SITE, UTC_US, Column, Table

_METER = Column("meter", pl.String, "meter, as its site names the sensor")
_SINCE = "end of the last measured hour of rest"

METER_DAYS = Table(
    "household",
    "meter_days",
    "One day (UTC) of a smart meter, with how long its water has not rested at the day's end.",
    ("date", "site"),
    ("site", "meter"),
    (
        SITE,
        _METER,
        Column("day", pl.Date, "the day"),
        Column("volume_l", pl.Float64, "volume, L"),
        Column("measured_h", pl.Float64, "measured time, h"),
        Column("least_l_per_h", pl.Float64, "least flow of an interval, L/h", True),
        Column("unusable_readings", pl.Int64, "readings that could not be believed"),
        Column("unrested_h", pl.Float64, "measured hours since the last rest"),
        Column("unrested_l_per_h", pl.Float64, "least flow since then, L/h", True),
        Column("unrested_since", UTC_US, _SINCE, True),
    ),
)

CONTINUOUS_FLOW = Table(
    "household",
    "continuous_flow",
    "One smart meter whose water has not rested for a day or longer, as of the day's end.",
    ("date", "site"),
    ("site", "meter"),
    (
        SITE,
        _METER,
        Column("day", pl.Date, "the day"),
        Column("rank", pl.Int64, "1 has lost most water, and money, so far"),
        Column("rank_by_flow", pl.Int64, "1 loses most from now on"),
        Column("since", UTC_US, _SINCE),
        Column("hours", pl.Float64, "measured hours since then"),
        Column("leak_l_per_h", pl.Float64, "least hourly flow since then: what is lost, L/h"),
        Column("lost_m3", pl.Float64, "lost since then, m3"),
        Column("lost_eur", pl.Float64, "its price, `WATER_PRICE_EUR_PER_M3`"),
        Column("m3_per_year", pl.Float64, "what a year of it is, m3"),
        Column("eur_per_year", pl.Float64, "its price"),
    ),
)

TABLES = (METER_DAYS, CONTINUOUS_FLOW)
