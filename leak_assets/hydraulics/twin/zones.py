"""Metered zones: the parts of a network between its flow meters, and what they consume.

Geometry and water balance only; what a consumption means for pressures is the twin's business.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leak_assets.sites import SensorLayout

# A tank's level comes in centimetres and with noise: one step of it is worthless as a flow, an
# hour of it is good to about 1 m3/h on L-Town's tank.
STORAGE_WINDOW_S = 3600


@dataclass(frozen=True)
class Zone:
    """One part of the network that remains connected when every metered link is cut.

    Parameters
    ----------
    junctions
        Names of its junctions.
    meters
        Metered links at its border with +1 (flow enters along the link's direction) or -1.
    tanks
        Tanks inside that have a level sensor.
    is_balanced
        All water that enters or is stored is measured: no reservoir and no unmetered tank inside.
    """

    junctions: tuple[str, ...]
    meters: tuple[tuple[str, int], ...]
    tanks: tuple[str, ...]
    is_balanced: bool


def metered_zones(model: Any, layout: SensorLayout) -> tuple[Zone, ...]:
    """Return the zones that have junctions, largest first.

    Parameters
    ----------
    model
        `wntr.network.WaterNetworkModel`.
    layout
        Its flow sensors are the borders, its level sensors close the balance of tanks.
    """
    metered = set(layout.ids("flow"))
    levels = set(layout.ids("level"))
    components = connected_parts(model, metered)
    junctions, tanks = set(model.junction_name_list), set(model.tank_name_list)
    reservoirs = set(model.reservoir_name_list)
    zones = []
    for part in components:
        inside = sorted(part & junctions)
        if not inside:
            continue
        meters = []
        for name in layout.ids("flow"):
            link = model.get_link(name)
            enters, leaves = link.end_node_name in part, link.start_node_name in part
            if enters != leaves:
                meters.append((name, 1 if enters else -1))
        closed = not part & reservoirs and part & tanks <= levels and bool(meters)
        zones.append(
            Zone(tuple(inside), tuple(meters), tuple(sorted(part & tanks & levels)), closed)
        )
    return tuple(sorted(zones, key=lambda zone: (-len(zone.junctions), zone.junctions)))


def connected_parts(model: Any, without: set[str]) -> list[set[str]]:
    """Return the sets of nodes that stay connected when the named links are cut."""
    import networkx as nx

    graph: Any = nx.Graph()
    graph.add_nodes_from(model.node_name_list)
    graph.add_edges_from(
        (link.start_node_name, link.end_node_name)
        for name, link in model.links()
        if name not in without
    )
    return [set(part) for part in nx.connected_components(graph)]


def consumption(
    zone: Zone,
    readings: dict[str, NDArray[np.float64]],
    model: Any,
    place: NDArray[np.int64],
    step_s: float,
) -> NDArray[np.float64]:
    """Return what a zone takes at every step, m3/s (T); NaN where an input is missing.

    In a zone with tanks it is the mean over the last `STORAGE_WINDOW_S` (inflow by the
    trapezoidal rule less the change of the stored volume), NaN until that much is known.

    Parameters
    ----------
    readings
        Columns of the observed wide frame as arrays (T); a column that is not there counts as
        missing.
    model
        Gives the volume of tanks at a level.
    place
        Number of each row's step since the first row (T), increasing: steps may be missing.
    step_s
        Length of a step in seconds.
    """
    missing = np.full(len(place), np.nan)
    inflow = np.zeros(len(place))
    for name, sign in zone.meters:
        inflow = inflow + sign * readings.get(f"flow/{name}", missing)
    if not zone.tanks:
        return inflow
    volume = np.zeros(len(place))
    for name in zone.tanks:
        volume = volume + tank_volume(model, name, readings.get(f"level/{name}", missing))
    return _less_storage(_dense(inflow, place), _dense(volume, place), step_s)[place]


def _less_storage(
    inflow: NDArray[np.float64], volume: NDArray[np.float64], step_s: float
) -> NDArray[np.float64]:
    """Return mean inflow less the change of volume over the last `STORAGE_WINDOW_S` (T)."""
    missing = np.full(len(inflow), np.nan)
    window = max(1, round(STORAGE_WINDOW_S / step_s))
    if window >= len(inflow):
        return missing
    between = (inflow[1:] + inflow[:-1]) / 2
    gaps = np.isnan(between)
    total = np.concatenate([[0.0], np.cumsum(np.where(gaps, 0.0, between))])
    bad = np.concatenate([[0], np.cumsum(gaps)])
    mean = (total[window:] - total[:-window]) / window
    mean[(bad[window:] - bad[:-window]) > 0] = np.nan
    missing[window:] = mean - (volume[window:] - volume[:-window]) / (window * step_s)
    return missing


def _dense(values: NDArray[np.float64], place: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return values at every step, NaN where a row is missing."""
    out = np.full(int(place[-1]) + 1 if len(place) else 0, np.nan)
    out[place] = values
    return out


def tank_volume(model: Any, name: str, level_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the stored volume of a tank at levels (T), m3."""
    tank = model.get_node(name)
    if tank.vol_curve is not None:
        points = np.array(tank.vol_curve.points, dtype=np.float64)
        return np.interp(level_m, points[:, 0], points[:, 1])
    return np.pi / 4 * float(tank.diameter) ** 2 * level_m
