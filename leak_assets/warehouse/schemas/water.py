"""Tables of the water balance: what district metered areas take by day, and at night."""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table, View

_ZONE = Column(
    "zone_id",
    pl.String,
    "district metered area; of a network with a model the number in `balance/<zone>` of"
    " `features.channels_30m`",
)
_DAY_TYPE = Column("day_type", pl.String, "`workday`, `saturday`, `sunday` or `holiday`")

MINIMUM_NIGHT_FLOW = Table(
    "water",
    "minimum_night_flow",
    "One night of a district metered area: the lowest hour between 02:00 and 04:00 local time.",
    ("date", "network"),
    ("network", "zone_id", "night"),
    (
        NETWORK,
        _ZONE,
        Column("night", pl.Date, "local date"),
        _DAY_TYPE,
        Column("hour_starts_at", UTC_US, "begin of the lowest hour", True),
        Column(
            "mnf_m3_per_h",
            pl.Float64,
            "net inflow of that hour, tanks taken off; null where no hour was measured",
            True,
        ),
        Column("coverage", pl.Float64, "share of the night's steps that were measured"),
        Column("pressure_m", pl.Float64, "mean pressure in that hour, where measured", True),
        Column(
            "night_use_m3_per_h",
            pl.Float64,
            "what customers use at night, as estimated or given; null where nothing is known",
            True,
        ),
        Column("net_night_flow_m3_per_h", pl.Float64, "minimum night flow less that use", True),
    ),
)

DMA_BALANCE_DAILY = Table(
    "water",
    "dma_balance_daily",
    "One local day of a district metered area: what came in, what went out, what is lost."
    " Volumes are null where less than three quarters of the day were measured.",
    ("date", "network"),
    ("network", "zone_id", "local_date"),
    (
        NETWORK,
        _ZONE,
        Column("local_date", pl.Date, "day by the local clock of the site"),
        Column("starts_at", UTC_US, "its begin"),
        Column("hours", pl.Float64, "its length: 23 or 25 where clocks change"),
        _DAY_TYPE,
        Column("holiday", pl.String, "name of the public holiday", True),
        Column("season", pl.String, "`winter`, `spring`, `summer` or `autumn`"),
        Column("temperature_c", pl.Float64, "mean air temperature, where delivered", True),
        Column("rain_mm", pl.Float64, "rain, where delivered", True),
        Column("coverage", pl.Float64, "share of the day's steps at which all meters have a value"),
        Column("inflow_m3", pl.Float64, "volume in through all meters", True),
        Column("outflow_m3", pl.Float64, "volume out through all meters", True),
        Column("stored_m3", pl.Float64, "what tanks hold more at the end; 0 without tanks", True),
        Column(
            "net_inflow_m3",
            pl.Float64,
            "inflow - outflow - stored: system input volume of the area",
            True,
        ),
        Column(
            "used_m3", pl.Float64, "by the customers' meters, where (almost) all have one", True
        ),
        Column("non_revenue_m3", pl.Float64, "net inflow - used, where that is measured", True),
        Column("pressure_m", pl.Float64, "mean pressure, measured or as the area's figure", True),
        Column("mnf_m3_per_h", pl.Float64, "minimum night flow of the day's night", True),
        Column("net_night_flow_m3_per_h", pl.Float64, "minimum night flow less night use", True),
        Column("losses_m3", pl.Float64, "real losses of the day by its net night flow", True),
        Column("unavoidable_m3", pl.Float64, "unavoidable real losses of the day (UARL)", True),
        Column("ili", pl.Float64, "infrastructure leakage index: losses / unavoidable", True),
    ),
)

ZONE_SENSORS = Table(
    "water",
    "zone_sensors",
    "A sensor that says something of a district metered area: a meter at its border, or a tank, a"
    " pressure or a customer's meter inside.",
    ("date", "network"),
    ("network", "zone_id", "quantity", "sensor_id", "day"),
    (
        NETWORK,
        _ZONE,
        Column("day", pl.Date, "day (UTC) whose balance it was part of"),
        Column(
            "quantity",
            pl.String,
            "`flow` of a meter at the border, `level`, `pressure` or `demand`",
        ),
        Column("sensor_id", pl.String, "name of the instrumented element"),
    ),
)

ZONE_FRESHNESS = View(
    "water",
    "zone_freshness",
    "How old the newest usable readings of a district metered area are now. It is fresh where all"
    " meters at its border are: without one of them nothing can be said of what it takes.",
    """
    WITH newest AS (
        SELECT network, zone_id, quantity, sensor_id FROM water.zone_sensors
        QUALIFY day = max(day) OVER (PARTITION BY network)
    )
    SELECT z.network, z.zone_id, max(f.last_reading_at) AS last_reading_at,
        max(f.age_s) FILTER (z.quantity = 'flow') AS oldest_meter_age_s,
        count(*) AS tags, count(*) FILTER (NOT coalesce(f.is_fresh, false)) AS stale_tags,
        bool_and(coalesce(f.is_fresh, false)) FILTER (z.quantity = 'flow') AS is_fresh
    FROM newest AS z LEFT JOIN telemetry.freshness AS f USING (network, sensor_id, quantity)
    GROUP BY z.network, z.zone_id ORDER BY z.network, z.zone_id
    """,
    {
        "oldest_meter_age_s": "seconds from the newest reading of its stalest meter to now",
        "stale_tags": "sensors of the area whose newest reading is older than allowed, or missing",
        "is_fresh": "whether all meters at its border are fresh",
    },
)

# Nights of the same kind (before a workday, or not) that teach the band of a night; all before it,
# so nothing of the future counts.
BAND_NIGHTS, LEAST_NIGHTS = 20, 8

NIGHT_FLOW_BANDS = View(
    "water",
    "night_flow_bands",
    f"A measured night beside the band of the {BAND_NIGHTS} measured nights of its kind before it:"
    " workdays, or weekends and holidays. An indication of a leak, not an incident; it fades as"
    " the band learns.",
    f"""
    WITH measured AS (
        SELECT network, zone_id, night, mnf_m3_per_h,
            count(*) OVER before AS nights,
            quantile_cont(mnf_m3_per_h, 0.5) OVER before AS middle,
            quantile_cont(mnf_m3_per_h, 0.75) OVER before
                - quantile_cont(mnf_m3_per_h, 0.25) OVER before AS spread
        FROM water.minimum_night_flow
        WHERE mnf_m3_per_h IS NOT NULL
        WINDOW before AS (
            PARTITION BY network, zone_id, day_type = 'workday' ORDER BY night
            ROWS BETWEEN {BAND_NIGHTS} PRECEDING AND 1 PRECEDING
        )
    ), banded AS (
        SELECT network, zone_id, night, mnf_m3_per_h,
            CASE WHEN nights >= {LEAST_NIGHTS} THEN middle END AS usual_m3_per_h,
            CASE WHEN nights >= {LEAST_NIGHTS}
                THEN middle + 3 * greatest(spread / 1.349, 0.02 * abs(middle))
            END AS upper_m3_per_h,
            mnf_m3_per_h > upper_m3_per_h AS is_above
        FROM measured
    ), runs AS (
        SELECT *, count(*) FILTER (NOT is_above) OVER (
            PARTITION BY network, zone_id ORDER BY night
        ) AS run
        FROM banded
    )
    SELECT network, zone_id, night, mnf_m3_per_h, usual_m3_per_h, upper_m3_per_h,
        mnf_m3_per_h - usual_m3_per_h AS excess_m3_per_h, coalesce(is_above, false) AS is_above,
        CASE WHEN is_above THEN count(*) FILTER (is_above) OVER (
            PARTITION BY network, zone_id, run ORDER BY night
        ) ELSE 0 END AS nights_above,
        nights_above >= 3 AS is_indication
    FROM runs
    """,
    {
        "usual_m3_per_h": f"median of those nights; null before {LEAST_NIGHTS} were measured",
        "upper_m3_per_h": "median + 3 standard deviations (by quartiles; at least 2 % of it)",
        "excess_m3_per_h": "night flow above the median",
        "nights_above": "nights above the band in a row, of those that have one; with this one",
        "is_indication": "three nights in a row or more",
    },
)

TABLES = (MINIMUM_NIGHT_FLOW, DMA_BALANCE_DAILY, ZONE_SENSORS)
VIEWS = (NIGHT_FLOW_BANDS, ZONE_FRESHNESS)
