"""The district metered areas of a site: from its description, or from a network's model.

What is known of an area of a network beyond its model (connections, night use) stands below
`areas` in the network's YAML; what flows through areas is in `net_inflow`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from leak_assets.errors import InputError
from leak_assets.hydraulics.twin.channels import twin_of
from leak_assets.hydraulics.twin.nominal import demand_shares
from leak_assets.hydraulics.twin.zones import Zone, tank_volume
from leak_assets.sites.areas import Area, Tank, Weather, areas_from, weather_from
from leak_assets.sites.registry import Network, read_settings
from leak_assets.sites.sensors import SensorLayout
from leak_assets.sites.site import DescribedSite, NetworkSite, Site

from .net_inflow import Floats, Volume

# Customers' meters tell the use of a zone where they stand for so much of its nominal demand.
_MOST_METERED = 0.8


@dataclass(frozen=True)
class Areas:
    """The areas of a site, how full its tanks are at a level, and its weather.

    `volume` is None where a tank's surface says how full it is.
    """

    areas: tuple[Area, ...]
    volume: Volume | None = None
    weather: Weather = field(default_factory=Weather)


def areas_of(site: Site) -> Areas:
    """Return the district metered areas of a site; none of a network without flow meters.

    Raises
    ------
    InputError
        The site's description of them cannot be used.
    """
    if isinstance(site, NetworkSite):
        return _of_network(site)
    if isinstance(site, DescribedSite):
        said, file = site.details, f"{site.name}.yaml"
        return Areas(
            areas_from(said.get("areas"), site.layout, file=file),
            weather=weather_from(said.get("weather"), site.layout, file=file),
        )
    raise TypeError(f"{site.name} is a {site.kind} and has no areas")


def _of_network(site: NetworkSite) -> Areas:
    network, layout = site.network, site.layout
    found = _of_model(network, layout)
    known = area_settings(site)
    if unknown := sorted(set(known) - set(found)):
        raise InputError(
            f"{network.name} has no metered area {unknown[0]!r}",
            remedy=f"Areas: {', '.join(found) or 'none'}",
            file=network.settings_path,
            column="areas",
        )
    entries = [found[name] | known.get(name, {}) for name in found]
    areas = areas_from(entries, layout, file=network.settings_path) if entries else ()
    model = network.shared_model()

    def volume(name: str, level: Floats) -> Floats:
        return tank_volume(model, name, level)

    return Areas(areas, volume)


@lru_cache(maxsize=4)
def _of_model(network: Network, layout: SensorLayout) -> dict[str, dict[str, Any]]:
    """Return the balanced zones of a network's model, by the number of the zone."""
    model = network.shared_model()
    zones = enumerate(twin_of(network, layout).zones)
    return {
        str(number): _area(number, zone, model, layout)
        for number, zone in zones
        if zone.is_balanced
    }


def _area(number: int, zone: Zone, model: Any, layout: SensorLayout) -> dict[str, Any]:
    """Return what the model says of a zone, by the keys of `Area`."""
    inside = set(zone.junctions)
    meters = [name for name in layout.ids("demand") if name in inside]
    length = sum(
        pipe.length
        for _, pipe in model.pipes()
        if pipe.start_node_name in inside and pipe.end_node_name in inside
    )
    area: dict[str, Any] = {
        "name": str(number),
        "meters": dict(zone.meters),
        "tanks": [
            Tank(level=name, area_m2=math.pi / 4 * model.get_node(name).diameter ** 2).model_dump()
            for name in zone.tanks
        ],
        "pressures": [name for name in layout.ids("pressure") if name in inside],
        "mains_km": length / 1000.0 or None,
    }
    demand = _demand(model, zone.junctions)
    if meters and _demand(model, meters) >= _MOST_METERED * demand:
        area |= {"customers": meters, "customers_share": _demand(model, meters) / demand}
    return area


def _demand(model: Any, junctions: Any) -> float:
    return sum(sum(group.values()) for group in demand_shares(model, junctions).values())


def area_settings(site: Site) -> Mapping[str, dict[str, Any]]:
    """Return what the YAML of a network says of its areas, by name; cheap: the model is not read.

    Raises
    ------
    InputError
        It is no list of areas with names.
    """
    if not isinstance(site, NetworkSite) or site.network.settings_path is None:
        return {}
    file = site.network.settings_path
    content = read_settings(file).get("areas", [])
    if not isinstance(content, list) or any(
        not isinstance(entry, dict) or "name" not in entry for entry in content
    ):
        raise InputError(
            "`areas` is no list of areas with names",
            remedy='Write entries like {name: "0", connections: 1200}',
            file=file,
            column="areas",
        )
    return {str(entry["name"]): {**entry, "name": str(entry["name"])} for entry in content}
