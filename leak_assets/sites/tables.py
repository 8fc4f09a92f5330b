"""The network model as the frames of schema `network`, and the pipes that can leak."""

from typing import Any

import numpy as np
import polars as pl

from leak_assets.warehouse.schemas.network import LINKS, NODES, PIPE_DISTANCE, SENSORS

from .distance import PipeDistance
from .registry import Network
from .sensors import SensorLayout


def nodes_frame(network: Network) -> pl.DataFrame:
    """Return `network.nodes` of a network: one row per node, SI."""
    model = network.shared_model()
    rows = [_node(network.name, name, node) for name, node in model.nodes()]
    return pl.DataFrame(rows, schema=NODES.polars_schema, orient="row")


def links_frame(network: Network) -> pl.DataFrame:
    """Return `network.links` of a network: one row per link, SI."""
    model = network.shared_model()
    rows = [_link(network.name, name, link) for name, link in model.links()]
    return pl.DataFrame(rows, schema=LINKS.polars_schema, orient="row")


def sensors_frame(network: Network, layout: SensorLayout) -> pl.DataFrame:
    """Return `network.sensors`: one row per sensor, at the middle of instrumented links."""
    model = network.shared_model()
    rows = []
    for s in layout.sensors:
        if s.element_type == "node":
            x, y = model.get_node(s.sensor_id).coordinates
        else:
            link = model.get_link(s.sensor_id)
            ends = (link.start_node.coordinates, link.end_node.coordinates)
            x, y = ((ends[0][k] + ends[1][k]) / 2 for k in (0, 1))
        row = (network.name, s.sensor_id, s.quantity, s.element_type, s.unit, float(x), float(y))
        rows.append(row)
    return pl.DataFrame(rows, schema=SENSORS.polars_schema, orient="row")


def pipe_distance_frame(network: Network) -> pl.DataFrame:
    """Return `network.pipe_distance`: one row per unordered pair of joined pipes and per pipe."""
    ids, matrix = PipeDistance(network).matrix()
    names = np.array(ids)
    order = np.argsort(names)
    names, matrix = names[order], matrix[np.ix_(order, order)]
    a, b = np.triu_indices(len(names))
    finite = np.isfinite(matrix[a, b])
    a, b = a[finite], b[finite]
    return pl.DataFrame(
        {
            "network": pl.repeat(network.name, len(a), eager=True),
            "link_a": pl.Series(names.tolist()).gather(a),
            "link_b": pl.Series(names.tolist()).gather(b),
            "distance_m": matrix[a, b],
        },
        schema=PIPE_DISTANCE.polars_schema,
    )


def candidate_pipes(network: Network) -> tuple[str, ...]:
    """Return the pipes that can leak, in file order: those with a length that are not closed."""
    model = network.shared_model()
    return tuple(
        name
        for name, pipe in model.pipes()
        if pipe.length > 0 and str(pipe.initial_status) != "Closed"
    )


def _node(network: str, name: str, node: Any) -> tuple[Any, ...]:
    kind = node.node_type.lower()
    demand = sum(d.base_value for d in node.demand_timeseries_list) if kind == "junction" else 0.0
    elevation = node.base_head if kind == "reservoir" else node.elevation
    x, y = node.coordinates
    return network, name, kind, float(elevation), float(demand), float(x), float(y)


def _link(network: str, name: str, link: Any) -> tuple[Any, ...]:
    kind = link.link_type.lower()
    is_pipe = kind == "pipe"
    return (
        network,
        name,
        kind,
        link.start_node_name,
        link.end_node_name,
        float(link.length) if is_pipe else 0.0,
        0.0 if kind == "pump" else float(link.diameter),
        float(link.roughness) if is_pipe else 0.0,
        str(link.initial_status).lower(),
    )
