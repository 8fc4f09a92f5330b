"""Sensors of a site and their layout: what is instrumented, with which quantity and unit.

The objects only; where a layout comes from is `layout`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from leak_assets.errors import InputError
from leak_assets.units import Conversion, si_conversion, unit_choices

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
# Quantities that meters with a register measure.
COUNTED = ("flow", "demand")


@dataclass(frozen=True)
class Sensor:
    """One instrumented element: name, quantity, unit of files.

    `element_type` is `node` or `link` of the model, `point` at a site without a model. A meter with
    a `counter` delivers its register in `unit`, a unit of volume; `counter` is what it counts, m3,
    before it begins again at zero. Its readings are the flows between its registers.
    """

    sensor_id: str
    quantity: str
    element_type: str
    unit: str
    counter: float | None = None

    @property
    def delivered(self) -> str:
        """Quantity that its delivered values measure: `volume` of a counter."""
        return self.quantity if self.counter is None else "volume"

    @property
    def column(self) -> str:
        """Column of wide frames, e.g. `pressure/n105`."""
        return f"{self.quantity}/{self.sensor_id}"

    @property
    def conversion(self) -> Conversion:
        """From the unit of delivered files to SI.

        Raises
        ------
        InputError
            Of a counter: a flow is no register.
        """
        if self.counter is not None:
            raise InputError(
                f"{self.column} is delivered as a counter, which flows cannot be written as",
                remedy="Take `counter` out of the layout that files are written for",
            )
        return si_conversion(self.quantity, self.unit)


def counter_of(quantity: str, unit: str, counts: float | None) -> float | None:
    """Return what a counter counts before it begins again, m3; None of what is no counter.

    Parameters
    ----------
    unit
        Of the register and of `counts`.

    Raises
    ------
    ValueError
        Quantity or unit cannot be those of a counter.
    """
    if counts is None:
        return None
    if quantity not in COUNTED:
        raise ValueError(f"`counter` belongs to {' and '.join(COUNTED)}, not to {quantity}")
    if unit not in unit_choices("volume"):
        raise ValueError(
            f"unit `{unit}` of a counter is none of {', '.join(unit_choices('volume'))}"
        )
    if counts <= 0:
        raise ValueError(
            "`counter` must be above 0: what the register counts before it begins again"
        )
    return si_conversion("volume", unit).to_si(float(counts))


@dataclass(frozen=True)
class SensorLayout:
    """All sensors of a site (`network` is its name), in the order of delivered files."""

    network: str
    sensors: tuple[Sensor, ...]

    @property
    def sha256(self) -> str:
        """Hash of the sensors, to tell what was made with another layout."""
        known = [{k: v for k, v in asdict(s).items() if v is not None} for s in self.sensors]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

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
