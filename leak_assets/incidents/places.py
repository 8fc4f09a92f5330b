"""Where to look: candidate pipes in the order of a search, as a table and as GeoJSON.

Probabilities are the method's; here they are set beside lengths and coordinates of the model.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from leak_assets.errors import InputError

ZONE_SHARE = 0.9
"""Share of the listed probability that the search zone holds."""
_COLORS = ("#b10026", "#e31a1c", "#fc4e2a", "#fd8d3c", "#feb24c", "#fed976")

NEWEST_ROWS = """
    SELECT * FROM {table} WHERE incident_id = ? AND revision <= ?
    QUALIFY revision = max(revision) OVER () ORDER BY rank
"""
"""Rows of `incidents.candidates` or `.evidence` as of a revision: the newest that there are, for
the end of a leak has none of its own."""

Line = tuple[tuple[float, float], tuple[float, float]]


def pipe_lines(nodes: pl.DataFrame, links: pl.DataFrame) -> dict[str, Line]:
    """Return the straight line of each pipe, in coordinates of the model.

    Parameters
    ----------
    nodes, links
        Rows of `network.nodes` and `network.links` of one network.
    """
    place = {name: (x, y) for name, x, y in nodes.select("node_id", "x", "y").iter_rows()}
    pipes = links.filter(pl.col("link_type") == "pipe")
    ends = pipes.select("link_id", "start_node", "end_node").iter_rows()
    return {name: (place[start], place[end]) for name, start, end in ends}


def search_order(candidates: pl.DataFrame) -> pl.DataFrame:
    """Return candidate pipes in the order in which a crew finds the leak soonest.

    By probability per meter: of two pipes the one that holds more for each step walked comes
    first (the greedy order of optimal search, exact where parts of a pipe may be searched).

    Parameters
    ----------
    candidates
        Rows of `incidents.candidates` of one incident revision.

    Returns
    -------
    polars.DataFrame
        `order`, `link_id`, `rank`, `probability`, `length_m`, `probability_per_m`,
        `cumulative_probability`, `cumulative_length_m`, `in_zone` (within the 90 % of what the
        listed pipes hold together). A pipe without any probability is no place to search.
    """
    length = pl.max_horizontal("length_m", pl.lit(1e-3))
    total = float(candidates["probability"].sum())
    before = pl.col("cumulative_probability") - pl.col("probability")
    return (
        candidates.filter(pl.col("probability") > 0)
        .with_columns(probability_per_m=pl.col("probability") / length)
        .sort("probability_per_m", "rank", descending=[True, False])
        .with_columns(
            order=pl.int_range(1, pl.len() + 1),
            cumulative_probability=pl.col("probability").cum_sum().round(9),
            cumulative_length_m=pl.col("length_m").cum_sum(),
        )
        .with_columns(in_zone=before < ZONE_SHARE * total - 1e-9)
        .select(
            "order",
            "link_id",
            "rank",
            "probability",
            "length_m",
            "probability_per_m",
            "cumulative_probability",
            "cumulative_length_m",
            "in_zone",
        )
    )


def geojson(incident: Mapping[str, Any], ordered: pl.DataFrame, lines: Mapping[str, Line]) -> Any:
    """Return the candidates as a GeoJSON FeatureCollection.

    A line for each pipe, colored by its place in the search, and a point with the radius that
    holds the search zone. Coordinates are the model's own: most models are in meters of a local
    grid, and nothing in an EPANET file says of which.

    Parameters
    ----------
    incident
        Row of `incidents.incidents`.
    ordered
        As from `search_order`.
    lines
        As from `pipe_lines`.
    """
    pipes = [row for row in ordered.iter_rows(named=True) if row["link_id"] in lines]
    features = [
        {
            "type": "Feature",
            "id": row["link_id"],
            "geometry": {"type": "LineString", "coordinates": [*map(list, lines[row["link_id"]])]},
            "properties": row
            | {"stroke": _COLORS[min(row["order"] - 1, len(_COLORS) - 1)], "stroke-width": 4},
        }
        for row in pipes
    ]
    if zone := [row for row in pipes if row["in_zone"]]:
        center, radius = _circle([(lines[row["link_id"]], row["probability"]) for row in zone])
        share = sum(row["probability"] for row in zone)
        features.append(
            {
                "type": "Feature",
                "id": "search-zone",
                "geometry": {"type": "Point", "coordinates": list(center)},
                "properties": {"radius": radius, "probability": share, "pipes": len(zone)},
            }
        )
    return {
        "type": "FeatureCollection",
        "name": incident["incident_id"],
        "revision": incident["revision"],
        "coordinates": "as in the network model",
        "features": features,
    }


def nearest_pipe(lines: Mapping[str, Line], x: float, y: float) -> str:
    """Return the pipe nearest to a point of the model.

    Raises
    ------
    InputError
        The network has no pipe, or the point lies further away than the network is wide.
    """
    if not lines:
        raise InputError("the network has no pipes", remedy="Materialize network/links of it first")
    distance = {name: _distance(line, x, y) for name, line in lines.items()}
    nearest = min(distance, key=lambda name: (distance[name], name))
    xs, ys = zip(*(end for line in lines.values() for end in line), strict=True)
    if distance[nearest] > max(max(xs) - min(xs), max(ys) - min(ys)):
        raise InputError(
            f"{x:g},{y:g} is nowhere near the network",
            remedy=f"Coordinates are those of the model: x {min(xs):g} to {max(xs):g},"
            f" y {min(ys):g} to {max(ys):g}",
        )
    return nearest


def _circle(parts: list[tuple[Line, float]]) -> tuple[tuple[float, float], float]:
    """Return center of probability and radius of the circle around it that holds all lines."""
    weight = sum(share for _, share in parts) or 1.0
    middle = [
        sum(share * (line[0][k] + line[1][k]) / 2 for line, share in parts) / weight for k in (0, 1)
    ]
    radius = max(
        ((x - middle[0]) ** 2 + (y - middle[1]) ** 2) ** 0.5 for line, _ in parts for x, y in line
    )
    return (middle[0], middle[1]), radius


def _distance(line: Line, x: float, y: float) -> float:
    """Return the distance of a point from a straight line between two ends."""
    (x1, y1), (x2, y2) = line
    dx, dy = x2 - x1, y2 - y1
    square = dx * dx + dy * dy
    along = 0.0 if square == 0 else max(0.0, min(1.0, ((x - x1) * dx + (y - y1) * dy) / square))
    return float(((x - x1 - along * dx) ** 2 + (y - y1 - along * dy) ** 2) ** 0.5)
