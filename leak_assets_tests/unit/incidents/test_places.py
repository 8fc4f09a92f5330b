"""Where to search: order, zone, GeoJSON, and the pipe that a crew's coordinates mean."""

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.incidents.places import geojson, nearest_pipe, pipe_lines, search_order
from leak_assets_tests.hypotheses import pipes_in_a_row
from leak_assets_tests.unit.incidents.lake import nodes_in_a_row

LINES = pipe_lines(nodes_in_a_row(), pipes_in_a_row())
INCIDENT: dict[str, Any] = {"incident_id": "i1", "revision": 2}


def candidates(*pipes: tuple[str, float, float]) -> pl.DataFrame:
    """Return rows of `incidents.candidates`: pipe, probability, length."""
    shares = [p for _, p, _ in pipes]
    return pl.DataFrame(
        {
            "network": "net1",
            "incident_id": "i1",
            "revision": 2,
            "rank": range(1, len(pipes) + 1),
            "link_id": [name for name, _, _ in pipes],
            "probability": shares,
            "cumulative_probability": [sum(shares[: i + 1]) for i in range(len(shares))],
            "length_m": [length for _, _, length in pipes],
        }
    )


def test_a_short_likely_pipe_comes_before_a_long_likelier_one() -> None:
    """0.3 on 50 m is found sooner than 0.5 on 500 m; sums run in the order of the search."""
    ordered = search_order(candidates(("p1", 0.5, 500.0), ("p2", 0.3, 50.0), ("p3", 0.05, 100.0)))
    assert ordered["link_id"].to_list() == ["p2", "p1", "p3"]
    assert ordered["rank"].to_list() == [2, 1, 3]
    assert ordered["cumulative_probability"].to_list() == pytest.approx([0.3, 0.8, 0.85])
    assert ordered["cumulative_length_m"].to_list() == [50, 550, 650]
    assert ordered["in_zone"].to_list() == [True, True, False]


@given(st.lists(st.tuples(st.floats(1e-6, 1), st.floats(0, 5000)), min_size=1, max_size=20))
def test_the_order_falls_and_the_zone_is_its_beginning(shares: list[tuple[float, float]]) -> None:
    """Whatever the shares: density never rises, the zone holds 90 % and is one piece."""
    rows = [(f"p{i}", share, length) for i, (share, length) in enumerate(shares)]
    ordered = search_order(candidates(*rows))
    assert ordered["probability_per_m"].is_sorted(descending=True)
    inside = ordered["in_zone"].to_list()
    assert inside == sorted(inside, reverse=True)
    total = ordered["probability"].sum()
    assert ordered.filter("in_zone")["probability"].sum() >= 0.9 * total - 1e-6


def test_geojson_has_a_line_for_each_pipe_and_the_zone_as_a_circle() -> None:
    """Valid JSON of the types that maps read, in coordinates of the model."""
    ordered = search_order(candidates(("p1", 0.6, 100.0), ("p2", 0.35, 100.0), ("p3", 0.05, 100.0)))
    document = json.loads(json.dumps(geojson(INCIDENT, ordered, LINES)))
    assert document["type"] == "FeatureCollection"
    kinds = [feature["geometry"]["type"] for feature in document["features"]]
    assert kinds == ["LineString"] * 3 + ["Point"]
    first, *_, zone = document["features"]
    assert first["geometry"]["coordinates"] == [[0.0, 0.0], [100.0, 0.0]]
    assert first["properties"]["stroke"].startswith("#")
    assert zone["properties"]["pipes"] == 2
    x, _ = zone["geometry"]["coordinates"]
    assert 50 < x < 150
    assert zone["properties"]["radius"] >= max(x, 200 - x)


def test_coordinates_mean_the_nearest_pipe() -> None:
    """Also beside and beyond it; nonsense is refused with the extent of the model."""
    assert nearest_pipe(LINES, 120, 5) == "p2"
    assert nearest_pipe(LINES, 420, 0) == "p4"
    with pytest.raises(InputError, match="x 0 to 400"):
        nearest_pipe(LINES, 48.2, 90_000)
    with pytest.raises(InputError, match="no pipes"):
        nearest_pipe({}, 1, 1)


def test_a_pipe_without_probability_is_no_place_to_search() -> None:
    """Of small networks every pipe is listed."""
    assert search_order(candidates(("p1", 0.7, 10.0), ("p2", 0.0, 10.0))).height == 1
