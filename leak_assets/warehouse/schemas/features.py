"""Tables of the features: the twin's calibration, residuals, half-hour channels, windows.

A channel is one residual series: a pressure sensor (measured minus the twin's value) or the
system inflow (measured minus the twin's demand forecast; sensor_id `inflow`, quantity `flow`).
"""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_SENSOR = Column("sensor_id", pl.String, "sensor of the channel; `inflow` for the system inflow")
_QUANTITY = Column("quantity", pl.String, "`pressure` (m) or `flow` (m3/s)")

CALIBRATIONS = Table(
    "features",
    "calibrations",
    "The twin's correction of one channel as it was in use on a day.",
    ("date", "network"),
    ("network", "sensor_id", "quantity"),
    (
        NETWORK,
        Column("date", pl.Date, "day on which this correction is in use"),
        _SENSOR,
        _QUANTITY,
        Column("coefficients", pl.String, "JSON list of the correction's coefficients"),
        Column("mean_si", pl.Float64, "mean of the corrected residual on the reference days"),
        Column("std_si", pl.Float64, "standard deviation on the reference days"),
        Column("reference_first_day", pl.Date, "first leak-free reference day"),
        Column("reference_last_day", pl.Date, "last leak-free reference day; before `date`"),
    ),
)

RESIDUALS = Table(
    "features",
    "residuals",
    "One channel at one step: measured, expected, and the z-score of the difference.",
    ("date", "network"),
    ("network", "sensor_id", "quantity", "ts_utc"),
    (
        NETWORK,
        _SENSOR,
        _QUANTITY,
        Column("ts_utc", UTC_US, "step"),
        Column("observed_si", pl.Float64, "measured value", True),
        Column("expected_si", pl.Float64, "twin's value with correction", True),
        Column("residual_si", pl.Float64, "measured minus expected", True),
        Column("residual_z", pl.Float64, "z-score against the reference days", True),
        Column("mask", pl.Int8, "1 = usable, 0 = missing or estimated"),
    ),
    is_interim=True,
)

CHANNELS_30M = Table(
    "features",
    "channels_30m",
    "One channel in one half-hour: measured, expected, and the corrected difference.",
    ("date", "network"),
    ("network", "ts_utc", "channel"),
    (
        NETWORK,
        Column("ts_utc", UTC_US, "begin of the half-hour"),
        Column(
            "channel",
            pl.String,
            "`pressure/<sensor>` (m), `balance/<zone>` or `transfer/<meter between zones>` (m3/h)",
        ),
        Column("measured", pl.Float64, "mean pressure, what the zone takes, flow", True),
        Column(
            "expected", pl.Float64, "twin's pressure with correction, usual demand; no flow", True
        ),
        Column("residual", pl.Float64, "measured minus expected", True),
        Column("mask", pl.Int8, "1 = usable, 0 = missing"),
    ),
)

CHANNEL_REFERENCES = Table(
    "features",
    "channel_references",
    "How one half-hour channel scatters without a leak, as it was known on a day.",
    ("date", "network"),
    ("network", "channel"),
    (
        NETWORK,
        Column("channel", pl.String, "`pressure/<sensor>` (m) or `balance/<zone>` (m3/h)"),
        Column("is_metered", pl.Boolean, "a balance against AMR meters, not a demand forecast"),
        Column("factor", pl.Float64, "of a balance: consumption in parts of its estimate", True),
        Column("usual", pl.Float64, "mean of the measured values on the reference days", True),
        Column("covariance", pl.String, "JSON: covariances with the pressures, in their order"),
        Column("reference_days", pl.String, "JSON: the leak-free reference days"),
        Column("daily", pl.String, "JSON: mean residual of each reference day, null unusable"),
    ),
)

WINDOW_FEATURES = (
    Column("points", pl.Int64, "usable points in the window; with fewer than half no statistics"),
    Column("mean", pl.Float64, "mean of the residual z-scores", True),
    Column("slope_per_h", pl.Float64, "their least-squares slope per hour", True),
    Column("std", pl.Float64, "their standard deviation (population)", True),
    Column("mean_si", pl.Float64, "mean of the residuals, m or m3/s", True),
)

WINDOWS = Table(
    "features",
    "windows",
    "One channel in one window of telemetry, as the models read it; it belongs to the day it ends.",
    ("date", "network"),
    ("network", "window_start", "sensor_id", "quantity"),
    (
        NETWORK,
        Column("window_start", UTC_US, "first step of the window"),
        Column("window_end", UTC_US, "last step of the window; nothing later enters"),
        _SENSOR,
        _QUANTITY,
        *WINDOW_FEATURES,
    ),
    is_interim=True,
)

TRAINING_WINDOWS = Table(
    "features",
    "training_windows",
    "One channel in one window of a scenario run, as the models learn from it, with its label.",
    ("batch", "network"),
    ("scenario_id", "window_start", "sensor_id", "quantity"),
    (
        NETWORK,
        Column("batch", pl.String, "scenario batch (town)"),
        Column("scenario_id", pl.String, "scenario"),
        Column("window_start", UTC_US, "first step of the window"),
        Column("window_end", UTC_US, "last step of the window"),
        _SENSOR,
        _QUANTITY,
        *WINDOW_FEATURES,
        Column("is_leak", pl.Boolean, "a leak is active in at least half of the window"),
        Column("link_id", pl.String, "leaking pipe where `is_leak`", True),
        Column("leak_type", pl.String, "`abrupt` or `incipient` where `is_leak`", True),
        Column("leak_flow_m3_per_h", pl.Float64, "mean leak flow in the window"),
    ),
)

TRAINING_READINGS = Table(
    "features",
    "training_readings",
    "What one sensor of a scenario batch delivered, held against the contract of readings, before "
    "models learn from it.",
    ("batch", "network"),
    ("sensor_id", "quantity"),
    (
        NETWORK,
        Column("batch", pl.String, "scenario batch (town)"),
        Column("sensor_id", pl.String, "sensor"),
        Column("quantity", pl.String, "`pressure`, `flow`, `level` or `demand`"),
        Column("readings", pl.Int64, "values delivered in all scenarios"),
        Column("missing", pl.Int64, "steps without a value; masked, never filled"),
        Column("out_of_range", pl.Int64, "values outside the contract's range"),
        Column(
            "outliers", pl.Int64, "values over 3 standard deviations off the leak-free reference"
        ),
        Column("reference_mean_si", pl.Float64, "mean of the leak-free reference run", True),
        Column("reference_std_si", pl.Float64, "its standard deviation", True),
        Column("contract_sha256", pl.String, "hash of the contract of readings"),
    ),
)

TABLES = (
    CALIBRATIONS,
    CHANNEL_REFERENCES,
    RESIDUALS,
    CHANNELS_30M,
    WINDOWS,
    TRAINING_READINGS,
    TRAINING_WINDOWS,
)
