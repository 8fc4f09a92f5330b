"""Tables of the network model: what is in the ground and what is measured."""

import polars as pl

from .table import NETWORK, Column, Table

NODES = Table(
    "network",
    "nodes",
    "One node of the network model.",
    ("network",),
    ("network", "node_id"),
    (
        NETWORK,
        Column("node_id", pl.String, "name in the EPANET file"),
        Column("node_type", pl.String, "`junction`, `tank` or `reservoir`"),
        Column("elevation_m", pl.Float64, "elevation; head for a reservoir"),
        Column("base_demand_m3_per_s", pl.Float64, "sum of the base demands; 0 for others"),
        Column("x", pl.Float64, "coordinate of the EPANET file"),
        Column("y", pl.Float64, "coordinate of the EPANET file"),
    ),
)

LINKS = Table(
    "network",
    "links",
    "One link of the network model.",
    ("network",),
    ("network", "link_id"),
    (
        NETWORK,
        Column("link_id", pl.String, "name in the EPANET file"),
        Column("link_type", pl.String, "`pipe`, `pump` or `valve`"),
        Column("start_node", pl.String, "node at the start"),
        Column("end_node", pl.String, "node at the end"),
        Column("length_m", pl.Float64, "length; 0 for pumps and valves"),
        Column("diameter_m", pl.Float64, "inner diameter; 0 for pumps"),
        Column("roughness", pl.Float64, "roughness in the file's head-loss formula; 0 if none"),
        Column("initial_status", pl.String, "`open`, `closed` or `active`"),
    ),
)

SENSORS = Table(
    "network",
    "sensors",
    "One measured quantity at one element: the sensor layout.",
    ("network",),
    ("network", "sensor_id", "quantity"),
    (
        NETWORK,
        Column("sensor_id", pl.String, "name of the instrumented node or link"),
        Column("quantity", pl.String, "`pressure`, `flow`, `level` or `demand`"),
        Column("element_type", pl.String, "`node` or `link`"),
        Column("unit", pl.String, "unit in delivered files; readings are stored in SI"),
        Column("x", pl.Float64, "coordinate (middle of a link)"),
        Column("y", pl.Float64, "coordinate (middle of a link)"),
    ),
)

PIPE_DISTANCE = Table(
    "network",
    "pipe_distance",
    "A pair of pipes and the way between their middles along pipes.",
    ("network",),
    ("network", "link_a", "link_b"),
    (
        NETWORK,
        Column("link_a", pl.String, "one pipe"),
        Column("link_b", pl.String, "other pipe; sorts not before `link_a`"),
        Column(
            "distance_m",
            pl.Float64,
            "shortest path between any end nodes plus half of both lengths; 0 on the same pipe;"
            " pairs without a path along pipes have no row",
        ),
    ),
)

ZONES = Table(
    "network",
    "zones",
    "One link of a metered zone: a part of the network between its flow meters.",
    ("network",),
    ("network", "link_id"),
    (
        NETWORK,
        Column("link_id", pl.String, "link with both ends in the zone"),
        Column("zone", pl.String, "number of the zone, from 0 by number of junctions"),
    ),
)

TABLES = (NODES, LINKS, SENSORS, PIPE_DISTANCE, ZONES)
