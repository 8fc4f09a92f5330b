"""The page of what a sensor layout lets expect: what it finds, how near, and where it is blind.

Words, rows and numbers of pipes come in; only what is drawn of them is decided here.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from leak_assets.sites.site import NetworkSite
from leak_assets.sites.tables import links_frame, nodes_frame, sensors_frame

from .network_map import HEATS, NetworkMap, Shades, draw_map
from .page import shared_css, templates

DISTANCES_M = (100.0, 200.0, 300.0, 600.0, 1200.0)


def expectation_page(
    site: NetworkSite,
    *,
    sentences: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    noise: str,
    smallest_m3_per_h: Mapping[str, float],
    sizes_m3_per_h: Sequence[float],
    distance_m: Mapping[str, float],
    placed_m3_per_h: float,
) -> str:
    """Return the page: one HTML document without any external asset.

    Parameters
    ----------
    sentences, rows
        What the layout can and cannot, and its figures by leak size.
    noise
        Where the scatter without leaks comes from.
    smallest_m3_per_h
        Smallest leak found within a week, by pipe; infinite where none is.
    sizes_m3_per_h
        The sizes that were tried.
    distance_m
        Usual distance of a leak of `placed_m3_per_h`, by pipe; infinite where it is not found.
    """
    maps = []
    if rows:
        found = _found(site, smallest_m3_per_h, sizes_m3_per_h)
        maps.append(("Smallest leak that is found within a week", found))
        placed = f"How far off a leak of {_flow(placed_m3_per_h)} is placed"
        maps.append((placed, _placed(site, distance_m)))
    return (
        templates(Path(__file__).parent / "expectation_page")
        .get_template("page.html.j2")
        .render(
            css=shared_css(),
            title=site.network.title,
            sentences=sentences,
            rows=rows,
            noise=noise,
            maps=maps,
            sensors=[
                (quantity, len(site.layout.ids(quantity)))
                for quantity in ("pressure", "flow", "level", "demand")
            ],
            made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        )
    )


def _found(site: NetworkSite, smallest: Mapping[str, float], sizes: Sequence[float]) -> NetworkMap:
    """Return the map of the smallest leaks: uncolored from the smallest size on, darkest none."""
    steps = [*sizes, np.inf][-(HEATS + 1) :]
    heat = {pipe: int(np.searchsorted(steps, size)) for pipe, size in smallest.items()}
    legend = [(number, _flow(size)) for number, size in enumerate(steps[:-1])]
    return _map(site, Shades(heat, [*legend, (len(steps) - 1, "none of these")]))


def _placed(site: NetworkSite, distance: Mapping[str, float]) -> NetworkMap:
    """Return the map of the distances: uncolored up to 100 m, darkest beyond 1,200 m or unseen."""
    heat = {pipe: int(np.searchsorted(DISTANCES_M, away)) for pipe, away in distance.items()}
    legend = [(number, f"up to {away:,.0f} m") for number, away in enumerate(DISTANCES_M)]
    return _map(site, Shades(heat, [*legend, (HEATS, "farther, or not found")]))


def _flow(m3_per_h: float) -> str:
    return f"{float(f'{m3_per_h:.3g}'):,g} m³/h"


def _map(site: NetworkSite, shades: Shades) -> NetworkMap:
    network = site.network
    sensors = sensors_frame(network, site.layout)
    return draw_map(nodes_frame(network), links_frame(network), sensors, shades=shades)
