"""Tables of the network model."""

import polars as pl
import pytest

from leak_assets.sites import (
    candidate_pipes,
    links_frame,
    load_layout,
    nodes_frame,
    resolve,
    sensors_frame,
)
from leak_assets.warehouse.schemas.network import LINKS, NODES, SENSORS


def test_ltown_tables(ltown) -> None:
    """L-Town has 782 junctions, 2 reservoirs, 1 tank, 905 pipes, 1 pump and 3 valves."""
    nodes, links = nodes_frame(ltown), links_frame(ltown)
    assert nodes.schema == NODES.polars_schema
    assert links.schema == LINKS.polars_schema
    assert dict(nodes["node_type"].value_counts().iter_rows()) == {
        "junction": 782,
        "reservoir": 2,
        "tank": 1,
    }
    assert dict(links["link_type"].value_counts().iter_rows()) == {
        "pipe": 905,
        "pump": 1,
        "valve": 3,
    }
    n1 = nodes.row(by_predicate=pl.col("node_id") == "n1", named=True)
    assert n1["base_demand_m3_per_s"] == pytest.approx(0.66024 / 3600)


def test_sensor_table(ltown) -> None:
    """Each sensor is a row; a link's sensor stands at its middle."""
    frame = sensors_frame(ltown, load_layout(ltown))
    assert frame.schema == SENSORS.polars_schema
    assert frame.height == 119
    assert frame.null_count().sum_horizontal().item() == 0


def test_candidate_pipes_are_open_and_have_a_length(settings, small_inp) -> None:
    """Closed pipes, pumps and valves cannot leak."""
    small_inp.write_text(
        small_inp.read_text().replace("p2 a b 400 300 100 0 Open", "p2 a b 400 300 100 0 Closed")
    )
    assert candidate_pipes(resolve(small_inp, settings)) == ("p1", "p3", "p4", "p5")
