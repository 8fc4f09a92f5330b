"""The map as geometry: inside its box, candidates by heat, sensors by residual."""

import json

import polars as pl
import pytest

from leak_assets.reports.network_map import draw_map, tone_of


def test_pipes_names_and_marks_are_inside(small_town: dict[str, pl.DataFrame]) -> None:
    """Every pipe has its line and its name; coordinates are those of the box, y downwards."""
    drawn = draw_map(small_town["nodes"], small_town["links"], small_town["sensors"])
    assert drawn.pipes.count("M") == 4
    assert json.loads(drawn.names) == [f"pipe p{n}" for n in range(1, 5)]
    assert {mark.kind for mark in drawn.marks} == {"pressure", "source"}
    assert all(0 <= m.x <= drawn.width and 0 <= m.y <= drawn.height for m in drawn.marks)
    upper = next(m for m in drawn.marks if m.title == "pressure sensor n1")
    lower = next(m for m in drawn.marks if m.title == "pressure sensor n2")
    assert upper.y < lower.y


def test_candidates_are_hotter_the_likelier_they_are(small_town: dict[str, pl.DataFrame]) -> None:
    """The first is the hottest; a pipe that the map does not know is left out."""
    pipes = [
        {"link_id": "p2", "probability": 0.6, "length_m": 100.0},
        {"link_id": "p3", "probability": 0.1, "length_m": 100.0},
        {"link_id": "gone", "probability": 0.1, "length_m": 1.0},
    ]
    drawn = draw_map(small_town["nodes"], small_town["links"], small_town["sensors"],
                     candidates={"i": pipes})  # fmt: skip
    assert [(p.link_id, p.heat) for p in drawn.candidates["i"]] == [("p2", 5), ("p3", 2)]


@pytest.mark.parametrize(
    ("z", "tone"),
    [(None, "unknown"), (0.0, "quiet"), (-1.6, "below"), (-9.0, "far-below"), (2.0, "above"),
     (3.0, "far-above")],
)  # fmt: skip
def test_sensors_are_colored_by_how_far_they_are(z: float | None, tone: str) -> None:
    """Noise is quiet; the side and the strength have colors."""
    assert tone_of(z) == tone


def test_without_residuals_sensors_have_the_color_of_their_kind(
    small_town: dict[str, pl.DataFrame],
) -> None:
    """And the legend names the kind; with residuals it names their colors instead."""
    tables = small_town["nodes"], small_town["links"], small_town["sensors"]
    assert draw_map(*tables).kinds == ["pressure", "source"]
    residuals = {("n1", "pressure"): ("0.2 m", -4.0)}
    drawn = draw_map(*tables, residuals=residuals)
    assert drawn.kinds == ["source"]
    assert {m.tone for m in drawn.marks} == {"", "far-below", "unknown"}


def test_a_network_of_one_point_or_none_has_a_map() -> None:
    """Nothing to scale by, and nothing breaks."""
    nodes = pl.DataFrame({"node_id": ["a"], "node_type": ["junction"], "x": [3.0], "y": [4.0]})
    links = pl.DataFrame(
        schema={"link_id": pl.String, "link_type": pl.String, "start_node": pl.String,
                "end_node": pl.String}
    )  # fmt: skip
    sensors = pl.DataFrame(
        schema={"sensor_id": pl.String, "quantity": pl.String, "x": pl.Float64, "y": pl.Float64}
    )
    assert draw_map(nodes, links, sensors).pipes == ""
    assert draw_map(nodes.clear(), links, sensors).marks == []
