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

EVENT_TRUTH = Table(
    "simulation",
    "event_truth",
    "One event of a scenario that is no leak.",
    ("batch", "network"),
    ("scenario_id", "event_id"),
    (
        NETWORK,
        _BATCH,
        _SCENARIO,
        Column("event_id", pl.Int64, "number within the scenario, from 0"),
        Column(
            "kind",
            pl.String,
            "`fire_flow`, `flushing`, `large_customer`, `pump_trip`, `tank_fill`,"
            " `prv_set_point`, `valve_operation`, `boundary_valve` or `meter_swap`",
        ),
        Column("element_id", pl.String, "junction, pump, valve, pipe or flow meter"),
        Column("is_leak", pl.Boolean, "always false: what a detector must not call a leak"),
        Column("event_start", UTC_US, "first step in use"),
        Column("event_end", UTC_US, "first step after it"),
        Column("size", pl.Float64, "in its unit; 0 where the kind has no size"),
        Column("size_unit", pl.String, "`m3/h` wanted, `m` of set-point, `factor` of the meter"),
        Column("volume_m3", pl.Float64, "water drawn; 0 where nothing is drawn"),
    ),
)

SENSOR_FAULT_LABELS = Table(
    "simulation",
    "sensor_fault_labels",
    "One fault of a sensor in a scenario.",
    ("batch", "network"),
    ("scenario_id", "fault_id"),
    (
        NETWORK,
        _BATCH,
        _SCENARIO,
        Column("fault_id", pl.Int64, "number within the scenario, from 0"),
        Column("sensor_id", pl.String, "sensor whose values are wrong"),
        Column("quantity", pl.String, "`pressure`, `flow`, `level` or `demand`"),
        Column(
            "kind",
            pl.String,
            "`constant`, `drift`, `gaussian`, `percentage`, `stuck_zero`, `stuck_last`, `spike`,"
            " `dropout`, `outage`, `clock_shift`, `unit_change` or `replay`",
        ),
        Column("fault_start", UTC_US, "first step with a wrong value"),
        Column("fault_end", UTC_US, "first step after it"),
        Column("size", pl.Float64, "in its unit; 0 where the kind has no size"),
        Column(
            "size_unit", pl.String, "`si` (m or m3/s), `share`, `factor` or `s`; empty without size"
        ),
    ),
)

LEAK_SIGNATURES = Table(
    "simulation",
    "leak_signatures",
    "What a leak at a pipe does to a sensor, at one hour and leak size, on the nominal model.",
    ("network",),
    ("network", "link_id", "hour", "leak_m3_per_s", "quantity", "sensor_id"),
    (
        NETWORK,
        Column("link_id", pl.String, "pipe; half of the leak is taken at each of its ends"),
        Column("hour", pl.Int8, "clock hour on the first day of the model's time patterns"),
        Column("leak_m3_per_s", pl.Float64, "leak size: 2, 4 and 8 % of the mean demand"),
        Column("quantity", pl.String, "`pressure` m or `flow` m3/s"),
        Column("sensor_id", pl.String, "instrumented node or link"),
        Column("change_si", pl.Float32, "leaking minus leak-free, in the quantity's SI unit"),
        Column(
            "residual_si",
            pl.Float32,
            "what the twin's residual sees of it: the change less that of the twin, which spreads"
            " the inflow of a metered zone over its junctions",
        ),
    ),
)

SENSOR_PLACEMENT = Table(
    "simulation",
    "sensor_placement",
    "One chosen junction for a pressure sensor; the first k rows are the placement of k sensors.",
    ("network",),
    ("network", "rank"),
    (
        NETWORK,
        Column("rank", pl.Int64, "order of choice, from 1"),
        Column("node_id", pl.String, "junction"),
        Column("x", pl.Float64, "coordinate of the EPANET file"),
        Column("y", pl.Float64, "coordinate of the EPANET file"),
        Column(
            "seen_share",
            pl.Float64,
            "share of leaks beyond three sd of noise at the sensors up to this one; leaks of"
            " sizes and hours that took no part in the choice",
        ),
        Column("top1_hit", pl.Float64, "share seen and with the nearest signature"),
        Column("top5_hit", pl.Float64, "share seen and among the 5 nearest signatures"),
        Column("random_seen_share", pl.Float64, "`seen_share` of as many random junctions"),
        Column("random_top1_hit", pl.Float64, "`top1_hit` of as many random junctions"),
        Column("random_top5_hit", pl.Float64, "`top5_hit` of as many random junctions"),
        Column("noise_m", pl.Float64, "standard deviation of a daily mean residual"),
        Column("seed", pl.Int64, "seed of drawn leaks and noise"),
    ),
)

TABLES = (
    SCENARIOS,
    TELEMETRY,
    LEAK_TRUTH,
    EVENT_TRUTH,
    SENSOR_FAULT_LABELS,
    LEAK_SIGNATURES,
    SENSOR_PLACEMENT,
)
