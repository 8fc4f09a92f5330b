"""A sensor layout for a network that has none: spread pressures, inflows, tank levels.

The choice is a function of the model alone: the same file always gives the same layout.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .distance import PipeDistance
from .registry import Network
from .sensors import DEFAULT_UNIT, ELEMENT_TYPE, Sensor, SensorLayout

JUNCTIONS_PER_SENSOR = 25
FEWEST, MOST = 4, 40


def derive_layout(network: Network) -> SensorLayout:
    """Return a default layout.

    Pressures at junctions that are far from each other along pipes (farthest-point sampling from
    the first source, one per 25 junctions, at least 4 and at most 40), flows of pumps and of the
    links that leave reservoirs, levels of all tanks.
    """
    model = network.shared_model()
    junctions = list(model.junction_name_list)
    count = min(len(junctions), max(FEWEST, min(MOST, len(junctions) // JUNCTIONS_PER_SENSOR)))
    pressures = spread_junctions(network, model, count)
    reservoirs = set(model.reservoir_name_list)
    flows = [
        name
        for name, link in model.links()
        if link.link_type == "Pump" or {link.start_node_name, link.end_node_name} & reservoirs
    ]
    chosen = {"pressure": pressures, "flow": flows, "level": list(model.tank_name_list)}
    return SensorLayout(
        network.name,
        tuple(
            Sensor(name, quantity, ELEMENT_TYPE[quantity], DEFAULT_UNIT[quantity])
            for quantity, names in chosen.items()
            for name in names
        ),
    )


def spread_junctions(network: Network, model: Any, count: int) -> list[str]:
    """Return `count` junctions, each the farthest from the sources and from those before it."""
    distance = PipeDistance(network)
    sources = [*model.reservoir_name_list, *model.tank_name_list]
    junctions = list(model.junction_name_list)
    nearest: NDArray[np.float64] = np.full(len(junctions), np.inf)
    for source in sources:
        nearest = np.minimum(nearest, distance.from_node(source, junctions))
    chosen: list[str] = []
    for _ in range(count):
        # Junctions that no pipe joins to a chosen one are infinitely far: they come first,
        # which gives every zone behind a valve or pump its own sensor.
        index = int(np.argmax(nearest))
        chosen.append(junctions[index])
        nearest = np.minimum(nearest, distance.from_node(junctions[index], junctions))
        nearest[index] = -1.0
    return chosen
