"""Sensors of a site and their layout: what is instrumented, with which quantity and unit.

The objects only; where a layout comes from is `layout`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from leak_assets.errors import InputError
from leak_assets.units import si_factor

ELEMENT_TYPE = {
    "pressure": "node",
    "level": "node",
    "demand": "node",
    "flow": "link",
    "temperature": "node",
    "volume": "link",
    "rain": "node",
    "people": "node",
    "occupancy": "node",
}
DEFAULT_UNIT = {
    "pressure": "m",
    "flow": "m3/h",
    "level": "m",
    "demand": "L/h",
    "temperature": "°C",
    "volume": "m3",
    "rain": "mm",
    "people": "1",
    "occupancy": "1",
}


@dataclass(frozen=True)
class Sensor:
    """One instrumented element: name, quantity, unit of files.

    `element_type` is `node` or `link` of the model, `point` at a site without a model.
    """

    sensor_id: str
    quantity: str
    element_type: str
    unit: str

    @property
    def column(self) -> str:
        """Column of wide frames, e.g. `pressure/n105`."""
        return f"{self.quantity}/{self.sensor_id}"

    @property
    def to_si(self) -> float:
        """Factor from the unit of delivered files to SI."""
        return si_factor(self.quantity, self.unit)


@dataclass(frozen=True)
class SensorLayout:
    """All sensors of a site (`network` is its name), in the order of delivered files."""

    network: str
    sensors: tuple[Sensor, ...]

    @property
    def sha256(self) -> str:
        """Hash of the sensors, to tell what was made with another layout."""
        return hashlib.sha256(json.dumps([asdict(s) for s in self.sensors]).encode()).hexdigest()

    def ids(self, quantity: str) -> tuple[str, ...]:
        """Return the instrumented elements of a quantity, in order."""
        return tuple(s.sensor_id for s in self.sensors if s.quantity == quantity)

    def columns(self) -> tuple[str, ...]:
        """Return the column names of wide frames, in order."""
        return tuple(s.column for s in self.sensors)

    def without(self, sensor_id: str, quantity: str | None = None) -> "SensorLayout":
        """Return the layout without an element (all its quantities, or only one)."""
        kept = tuple(
            s
            for s in self.sensors
            if s.sensor_id != sensor_id or (quantity is not None and s.quantity != quantity)
        )
        if len(kept) == len(self.sensors):
            raise InputError(
                f"{self.network} has no sensor {sensor_id!r}",
                remedy=f"Sensors: {', '.join(s.column for s in self.sensors[:8])} …",
            )
        return SensorLayout(self.network, kept)
