"""The sensor layout: which nodes and links are instrumented, with which quantity and unit.

Layouts are data (YAML beside this module, or the user's file in `networks_dir`); every reader
of telemetry takes its columns from here, so a sensor removed from the YAML is gone everywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from leak_assets.errors import InputError
from leak_assets.units import QUANTITIES, unit_choices

from .derived_layout import derive_layout
from .model_file import names_in_text
from .registry import Network, read_settings
from .sensors import DEFAULT_UNIT, ELEMENT_TYPE, Sensor, SensorLayout, counter_of


def load_layout(network: Network) -> SensorLayout:
    """Return the layout of a network: the user's YAML, the packaged YAML, or a derived one.

    Raises
    ------
    InputError
        A sensor at an element that the model does not have, or an unusable YAML.
    """
    if network.settings_path is not None:
        content = read_settings(network.settings_path)
        if content.get("sensors"):
            return _from_groups(network, content["sensors"], network.settings_path)
    if groups := _packaged_groups(network.name):
        return _from_groups(network, groups, f"{network.name}.yaml")
    return derive_layout(network)


@lru_cache(maxsize=8)
def _packaged_groups(name: str) -> Any:
    """Return the groups of a packaged layout, or None; reading L-Town's takes 15 ms."""
    packaged = resources.files(__package__) / "layouts" / f"{name}.yaml"
    return yaml.safe_load(packaged.read_text("utf-8"))["sensors"] if packaged.is_file() else None


def layout_from_headers(
    network: Network,
    headers: Mapping[str, Sequence[str]],
    units: Mapping[str, str] | None = None,
) -> SensorLayout:
    """Return the layout that an export brings in its headers.

    Parameters
    ----------
    headers
        Quantity to sensor names, in column order.
    units
        Unit of each quantity in the export; BattLeDIM's units where not given.
    """
    units = units or {}
    groups = [
        {"quantity": quantity, "ids": list(ids), "unit": units.get(quantity)}
        for quantity, ids in headers.items()
    ]
    return _from_groups(network, groups, None)


def _from_groups(network: Network, groups: Any, file: Any) -> SensorLayout:
    if not isinstance(groups, list) or not all(isinstance(g, dict) for g in groups):
        raise InputError(
            "`sensors` is not a list of groups",
            remedy="Write entries like {quantity: pressure, unit: m, ids: [n1, n2]}",
            file=file,
        )
    sensors = [sensor for group in groups for sensor in _group(group, file)]
    check_sensors(network, sensors, file=file)
    return SensorLayout(network.name, tuple(sensors))


def _group(group: dict[str, Any], file: Any) -> list[Sensor]:
    quantity = group.get("quantity")
    if quantity not in QUANTITIES:
        raise InputError(
            f"unknown quantity {quantity!r}",
            remedy=f"Use one of {', '.join(QUANTITIES)}",
            file=file,
            column="quantity",
        )
    counts = group.get("counter")
    unit = group.get("unit") or DEFAULT_UNIT[quantity if counts is None else "volume"]
    try:
        counter = counter_of(quantity, unit, None if counts is None else float(counts))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"counter {counts!r} of {quantity}: {error}",
            remedy="Write what the register counts before it begins again, e.g. counter: 100000",
            file=file,
            column="counter",
        ) from error
    if counter is None and unit not in unit_choices(quantity):
        raise InputError(
            f"unit {unit!r} does not fit {quantity}",
            remedy=f"Use one of {', '.join(unit_choices(quantity))}",
            file=file,
            column="unit",
        )
    ids = group.get("ids") or []
    if not isinstance(ids, list) or not all(isinstance(i, str | int) for i in ids):
        raise InputError(
            f"ids of {quantity} sensors are {ids!r}, not a list of names",
            remedy="Write them as [n1, n2]; names that are numbers in quotes",
            file=file,
            column="ids",
        )
    return [Sensor(str(i), quantity, ELEMENT_TYPE[quantity], unit, counter) for i in ids]


def check_sensors(network: Network, sensors: Iterable[Sensor], *, file: Any = None) -> None:
    """Refuse sensors at unknown elements, at elements of the wrong kind, or given twice."""
    nodes, links, tanks = element_names(network.inp_path, network.sha256)
    seen: set[str] = set()
    for sensor in sensors:
        if sensor.element_type == "link":
            names, kind = links, "link"
        elif sensor.quantity == "level":
            names, kind = tanks, "tank"
        else:
            names, kind = nodes, "node"
        if sensor.sensor_id not in names:
            raise InputError(
                f"{network.name} has no {kind} {sensor.sensor_id!r} for the"
                f" {sensor.quantity} sensor",
                remedy="Correct the name in the layout, or the network it is used with",
                file=file,
                column=sensor.sensor_id,
            )
        if sensor.column in seen:
            raise InputError(
                f"sensor {sensor.column!r} is given twice",
                remedy="Keep one of the two",
                file=file,
                column=sensor.sensor_id,
            )
        seen.add(sensor.column)


@lru_cache(maxsize=8)
def element_names(
    inp_path: Path, sha256: str
) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Return names of nodes, links and tanks of a model file; `sha256` keys the cache.

    From the text: a packaged or registered model was read as a whole before it got its name, and
    one that is given by path is with each run. WNTR alone takes a second to import.
    """
    return names_in_text(inp_path)
