"""The map of a network as geometry: pipes, sensors by residual, candidates or shades of pipes.

The one map of reports and dashboard. The template `look/figures.html.j2` writes it,
`look/explore.js` adds tips and zoom. Marks are strokes of a fixed width on the screen, so they
are as large on a phone as on a desk. No table is read here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

SIZE = 1000.0
_PAD = 48.0
# Large networks have a finer grain than a screen: whole units keep the page small.
_MANY_LINKS = 3000
HEATS = 5
"""Steps of the candidates' color, the most likely last."""
# Residuals of less than this many standard deviations are what noise does.
QUIET_Z, LOUD_Z = 1.5, 3.0


@dataclass(frozen=True)
class CandidatePipe:
    """A candidate pipe on the map.

    Parameters
    ----------
    heat
        1 to `HEATS`, by its probability beside that of the first.
    """

    link_id: str
    probability: float
    length_m: float
    heat: int
    path: str


@dataclass(frozen=True)
class Shades:
    """Colors of pipes that say something of each; pipes without stay as they are.

    Parameters
    ----------
    heat
        1 to `HEATS` by pipe.
    legend
        What the colors mean: steps (0: no color) and their text.
    """

    heat: Mapping[str, int]
    legend: Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Mark:
    """A sensor or a source on the map.

    Parameters
    ----------
    kind
        `pressure`, `flow`, `level`, `demand`, `source` or `truth`.
    tone
        `quiet`, `below`, `far-below`, `above`, `far-above` or `unknown`, against expectation.
    """

    kind: str
    tone: str
    x: float
    y: float
    title: str


@dataclass(frozen=True)
class NetworkMap:
    """What the template writes of a map."""

    width: float
    height: float
    pipes: str
    names: str = field(repr=False)
    marks: Sequence[Mark]
    candidates: Mapping[str, Sequence[CandidatePipe]]
    places: Mapping[str, tuple[float, float]] = field(repr=False)
    shaded: Sequence[tuple[int, str]] = ()
    shades_legend: Sequence[tuple[int, str]] = ()

    @property
    def kinds(self) -> list[str]:
        """The kinds of marks that are on it, in the legend's order."""
        there = {mark.kind for mark in self.marks}
        order = ("pressure", "flow", "level", "demand", "source", "truth")
        # Where residuals color the pressure sensors, the legend names those colors.
        return [k for k in order if k in there and not (k == "pressure" and self.has_residuals)]

    @property
    def has_residuals(self) -> bool:
        """Whether any sensor is colored by its residual."""
        return any(mark.tone not in ("", "unknown") for mark in self.marks)

    @property
    def has_unknown(self) -> bool:
        """Whether a sensor has no residual while others have."""
        return any(mark.tone == "unknown" for mark in self.marks)


def draw_map(
    nodes: pl.DataFrame,
    links: pl.DataFrame,
    sensors: pl.DataFrame,
    *,
    candidates: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    residuals: Mapping[tuple[str, str], tuple[str, float | None]] | None = None,
    truth: Sequence[tuple[str, str]] = (),
    shades: Shades | None = None,
) -> NetworkMap:
    """Return the map of a network.

    Parameters
    ----------
    nodes, links, sensors
        Rows of `network.nodes`, `network.links`, `network.sensors`.
    candidates
        For each incident its pipes with `link_id`, `probability`, `length_m`, likeliest first.
    residuals
        Text and z-score of sensors by name and quantity; None: not colored.
    truth
        Pipe and text of leaks that are known.
    shades
        Colors of pipes.
    """
    at = _placed(nodes)
    ends = {
        link: (*at[start], *at[end])
        for link, start, end in links.select("link_id", "start_node", "end_node").iter_rows()
    }
    kinds = dict(links.select("link_id", "link_type").iter_rows())
    middle = {link: ((a + c) / 2, (b + d) / 2) for link, (a, b, c, d) in ends.items()}
    sources = nodes.filter(pl.col("node_type") != "junction")
    height = max((y for _, y in at.values()), default=SIZE - _PAD) + _PAD
    width = max((x for x, _ in at.values()), default=SIZE - _PAD) + _PAD
    return NetworkMap(
        round(width, 1),
        round(height, 1),
        "".join(_segment(ends[link], 0 if len(ends) > _MANY_LINKS else 1) for link in ends),
        json.dumps([f"{kinds[link]} {link}" for link in ends], ensure_ascii=False),
        [
            *(
                Mark("source", "", *at[name], f"{kind} {name}")
                for name, kind in sources.select("node_id", "node_type").iter_rows()
            ),
            *_sensor_marks(sensors, _scale(nodes), residuals),
            *(Mark("truth", "", *middle[link], text) for link, text in truth if link in middle),
        ],
        {name: _heated(pipes, ends) for name, pipes in (candidates or {}).items()},
        {name: (round(x, 1), round(y, 1)) for name, (x, y) in middle.items()},
        _shaded(shades, ends),
        shades.legend if shades else (),
    )


def tone_of(z: float | None) -> str:
    """Return how far a sensor is from what was expected, as a tone of its mark."""
    if z is None:
        return "unknown"
    if abs(z) < QUIET_Z:
        return "quiet"
    side = "below" if z < 0 else "above"
    return side if abs(z) < LOUD_Z else f"far-{side}"


def _sensor_marks(
    sensors: pl.DataFrame, scale: Any, residuals: Mapping[tuple[str, str], Any] | None
) -> list[Mark]:
    found = []
    # Demand meters are many and small: the others lie on top.
    ordered = sensors.sort(pl.col("quantity") != "demand", maintain_order=True)
    for row in ordered.iter_rows(named=True):
        if row["x"] is None or row["y"] is None:
            continue
        key = (row["sensor_id"], row["quantity"])
        text, z = (residuals or {}).get(key, ("", None))
        is_colored = residuals is not None and row["quantity"] == "pressure"
        tone = tone_of(z) if is_colored else ""
        title = f"{row['quantity']} sensor {row['sensor_id']}"
        x, y = scale(row["x"], row["y"])
        kind = row["quantity"] if row["quantity"] in ("flow", "level", "demand") else "pressure"
        found.append(Mark(kind, tone, x, y, f"{title}\n{text}" if text else title))
    return found


def _heated(
    pipes: Sequence[Mapping[str, Any]], ends: Mapping[str, tuple[float, float, float, float]]
) -> list[CandidatePipe]:
    most = max((pipe["probability"] for pipe in pipes), default=0.0) or 1.0
    return [
        CandidatePipe(
            pipe["link_id"],
            pipe["probability"],
            pipe["length_m"],
            min(HEATS, 1 + int(pipe["probability"] / most * (HEATS - 1) + 0.5)),
            _segment(ends[pipe["link_id"]]),
        )
        for pipe in pipes
        if pipe["link_id"] in ends
    ]


def _shaded(
    shades: Shades | None, ends: Mapping[str, tuple[float, float, float, float]]
) -> list[tuple[int, str]]:
    """Return one path for each step of color."""
    paths: dict[int, str] = {}
    for link, heat in shades.heat.items() if shades else ():
        if link in ends and heat:
            paths[heat] = paths.get(heat, "") + _segment(ends[link])
    return sorted(paths.items())


def _segment(ends: tuple[float, float, float, float], decimals: int = 1) -> str:
    a, b, c, d = (f"{value:.{decimals}f}" for value in ends)
    return f"M{a} {b}L{c} {d}"


def _scale(nodes: pl.DataFrame) -> Any:
    """Return what puts coordinates of the model on the map: y goes up there, down here."""
    if nodes.is_empty():
        return lambda x, y: (_PAD, _PAD)
    (left, right), (low, high) = (
        (float(nodes[axis].min()), float(nodes[axis].max()))  # type: ignore[arg-type]
        for axis in ("x", "y")
    )
    size = max(right - left, high - low) or 1.0
    factor = (SIZE - 2 * _PAD) / size

    def place(x: float, y: float) -> tuple[float, float]:
        return round(_PAD + (x - left) * factor, 1), round(_PAD + (high - y) * factor, 1)

    return place


def _placed(nodes: pl.DataFrame) -> dict[str, tuple[float, float]]:
    scale = _scale(nodes)
    return {name: scale(x, y) for name, x, y in nodes.select("node_id", "x", "y").iter_rows()}
