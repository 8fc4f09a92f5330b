"""Which zones of a network can be balanced against customers' meters, from model and layout."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from leak_assets.hydraulics.twin.zones import metered_zones, tank_volume
from leak_assets.sites.model_file import read_model
from leak_assets.sites.sensors import SensorLayout
from leak_assets.sites.site import NetworkSite

from .balance import LEAST_METERED, Balance

# Between its points the volume of a tank is interpolated: a curve is followed to a thousandth.
_POINTS = 1001


def zone_balances(site: NetworkSite) -> tuple[Balance, ...]:
    """Return the zones whose inflow, storage and most customers are measured.

    A network without customers' meters has none, and its model is not opened.
    """
    if not site.layout.ids("demand"):
        return ()
    return _balances(site.network.inp_path, site.network.sha256, site.layout)


@lru_cache(maxsize=4)
def _balances(inp_path: Path, _sha256: str, layout: SensorLayout) -> tuple[Balance, ...]:
    model = read_model(inp_path)
    metered = set(layout.ids("demand"))
    found = []
    for number, zone in enumerate(metered_zones(model, layout)):
        # Junctions at which nobody takes water have no meter.
        takers = {n for n in zone.junctions if model.get_node(n).base_demand}
        customers = sorted(metered & set(zone.junctions))
        if not zone.is_balanced or len(metered & takers) < LEAST_METERED * max(len(takers), 1):
            continue
        tanks = []
        for name in zone.tanks:
            top = float(model.get_node(name).max_level)
            heights = np.linspace(0.0, 1.5 * top, _POINTS)
            tanks.append((f"level/{name}", heights, tank_volume(model, name, heights)))
        found.append(
            Balance(
                number,
                tuple((f"flow/{name}", sign) for name, sign in zone.meters),
                tuple(tanks),
                tuple(f"demand/{name}" for name in customers),
            )
        )
    return tuple(found)
