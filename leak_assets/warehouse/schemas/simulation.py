"""Tables of the scenario runs: what was simulated, what the sensors saw, where it leaked.

A batch is one town: all its scenarios share the seeded differences from the model, so splits
that are grouped by batch are grouped by scenario and by town.
"""

import polars as pl

from .table import NETWORK, UTC_US, Column, Table

_BATCH = Column("batch", pl.String, "scenario batch, e.g. `b000`; one town per batch")
_SCENARIO = Column("scenario_id", pl.String, "e.g. `l-town/b000/s003`")

SCENARIOS = Table(
    "simulation",
    "scenarios",
    "One scenario of the plan.",
    ("batch", "network"),
    ("scenario_id",),
    (
        NETWORK,
        _BATCH,
        _SCENARIO,
        Column("start_at", UTC_US, "first step"),
        Column("duration_s", pl.Int64, "simulated time; steps = duration / step + 1"),
        Column("step_s", pl.Int64, "hydraulic and reporting step"),
        Column("seed", pl.Int64, "seed of demand and sensor noise of this scenario"),
        Column("town_seed", pl.Int64, "seed of the town's differences from the model"),
        Column("town", pl.String, "JSON of the town: every uncertainty and its bound"),
        Column("is_reference", pl.Boolean, "leak-free run that calibrates the twin of its town"),
        Column("recorded", pl.String, "`instrumented` or `all` (every node and link)"),
        Column("leaks", pl.Int64, "number of leaks"),
        Column("negative_pressures", pl.Int64, "node-steps below zero pressure"),
    ),
)

TELEMETRY = Table(
    "simulation",
    "telemetry",
    "One simulated value: an element, a quantity, a time. With sensor noise where instrumented.",
    ("batch", "network"),
    ("scenario_id", "ts_utc", "element_id", "quantity"),
    (
        NETWORK,
        _BATCH,
        _SCENARIO,
        Column("ts_utc", UTC_US, "time of the step"),
        Column("element_id", pl.String, "node or link; the leaking pipe for `leak_flow`"),
        Column(
            "quantity",
            pl.String,
            "`pressure` m, `head` m, `level` m, `demand` m3/s, `flow` m3/s, `velocity` m/s,"
            " `status` (1 open), `leak_flow` m3/s",
        ),
        Column("value_si", pl.Float64, "value in the SI unit of its quantity"),
    ),
)

LEAK_TRUTH = Table(
    "simulation",
    "leak_truth",
    "One leak of a scenario.",
    ("batch", "network"),
    ("scenario_id", "leak_id"),
    (
        NETWORK,
        _BATCH,
        _SCENARIO,
        Column("leak_id", pl.Int64, "number within the scenario, from 0"),
        Column("link_id", pl.String, "leaking pipe; the hole is at its middle"),
        Column("start_node", pl.String, "one end node of the pipe"),
        Column("end_node", pl.String, "the other end node"),
        Column("leak_type", pl.String, "`abrupt` or `incipient`"),
        Column("leak_start", UTC_US, "first step with leak flow"),
        Column("leak_peak", UTC_US, "full size from here; equals start for an abrupt leak"),
        Column("leak_end", UTC_US, "no leak flow from here (repair, or end of the scenario)"),
        Column("leak_diameter_m", pl.Float64, "diameter of the hole at its peak"),
        Column("leak_area_m2", pl.Float64, "area of the hole at its peak"),
        Column("discharge_coeff", pl.Float64, "Cd of Q = Cd·A·sqrt(2·g·p)"),
        Column("max_flow_m3_per_h", pl.Float64, "largest leak flow"),
        Column("volume_m3", pl.Float64, "water lost"),
    ),
)

TABLES = (SCENARIOS, TELEMETRY, LEAK_TRUTH)
