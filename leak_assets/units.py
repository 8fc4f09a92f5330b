"""Units of telemetry: what SI unit a quantity is stored in and how declared units convert.

Only units of the quantities that sensors deliver belong here.
"""

from functools import cache
from typing import NamedTuple, TypeVar

from .errors import InputError

SI_UNITS = {
    "pressure": "m",
    "level": "m",
    "flow": "m3/s",
    "demand": "m3/s",
    "temperature": "°C",
    "volume": "m3",
    "rain": "mm",
    "people": "1",
    "occupancy": "1",
}
QUANTITIES = tuple(SI_UNITS)
# Also the factor from m3/s to m3/h.
SECONDS_PER_HOUR = 3600

# Water column: p = rho * g * h with rho = 1000 kg/m3 and standard gravity (CGPM 1901).
_PA_PER_M = 1000.0 * 9.80665
_PSI_PA = 6894.757293168361  # lbf/in2, NIST SP 811
_US_GALLON_M3 = 3.785411784e-3  # NIST SP 811

_LENGTH = {
    "m": 1.0,
    "cm": 1e-2,
    "mm": 1e-3,
    "ft": 0.3048,
}
_HEAD = _LENGTH | {
    "bar": 1e5 / _PA_PER_M,
    "mbar": 1e2 / _PA_PER_M,
    "kPa": 1e3 / _PA_PER_M,
    "MPa": 1e6 / _PA_PER_M,
    "psi": _PSI_PA / _PA_PER_M,
}
_FLOW = {
    "m3/s": 1.0,
    "m3/h": 1.0 / SECONDS_PER_HOUR,
    "m3/d": 1.0 / 86400.0,
    "L/s": 1e-3,
    "L/min": 1e-3 / 60.0,
    "L/h": 1e-3 / SECONDS_PER_HOUR,
    "ML/d": 1e3 / 86400.0,
    "gpm": _US_GALLON_M3 / 60.0,
    "mgd": 1e6 * _US_GALLON_M3 / 86400.0,
    "ft3/s": 0.3048**3,
}
_TEMPERATURE = {"°C": 1.0, "degC": 1.0, "C": 1.0, "°F": 5 / 9, "degF": 5 / 9, "F": 5 / 9}
# °C = (°F - 32) * 5/9, NIST SP 811; all other units begin at the same zero as the SI unit.
_OFFSETS = dict.fromkeys(("°F", "degF", "F"), -32 * 5 / 9)
# Depth that fell since the value before.
_RAIN = {"mm": 1.0, "in": 25.4}
# Of cumulative counters.
_VOLUME = {"m3": 1.0, "L": 1e-3, "gal": _US_GALLON_M3, "ft3": 0.3048**3}
# A number of people at home; the place of a word in the list that a home's site gives.
_NUMBER = {"1": 1.0}
_FACTORS = {
    "pressure": _HEAD,
    "level": _LENGTH,
    "flow": _FLOW,
    "demand": _FLOW,
    "temperature": _TEMPERATURE,
    "volume": _VOLUME,
    "rain": _RAIN,
    "people": _NUMBER,
    "occupancy": _NUMBER,
}


T = TypeVar("T")


class Conversion(NamedTuple):
    """From a unit to the SI unit: value x factor + offset."""

    factor: float
    offset: float = 0.0

    def to_si(self, value: T) -> T:
        """Return a value (number, array, expression) in the SI unit."""
        return value * self.factor + self.offset  # type: ignore[operator,return-value]

    def from_si(self, value: T) -> T:
        """Return a value of the SI unit in the unit."""
        return (value - self.offset) / self.factor  # type: ignore[operator,return-value]


@cache
def unit_choices(quantity: str) -> tuple[str, ...]:
    """Return the units that readings of a quantity may be declared in.

    Raises
    ------
    InputError
        If the quantity is not one that sensors deliver.
    """
    if quantity not in _FACTORS:
        raise InputError(
            f"quantity `{quantity}` is unknown", remedy=f"Choose one of {', '.join(QUANTITIES)}"
        )
    return tuple(_FACTORS[quantity])


@cache
def si_conversion(quantity: str, unit: str) -> Conversion:
    """Return how a value in `unit` becomes one in the quantity's SI unit.

    Raises
    ------
    InputError
        If the quantity is unknown or the unit does not measure it; the choices are named.

    Examples
    --------
    >>> round(si_conversion("temperature", "°F").to_si(50.0), 9)
    10.0
    """
    choices = unit_choices(quantity)
    if unit not in choices:
        raise InputError(
            f"unit `{unit}` does not measure {quantity}",
            remedy=f"Declare one of {', '.join(choices)}",
        )
    return Conversion(_FACTORS[quantity][unit], _OFFSETS.get(unit, 0.0))


def si_factor(quantity: str, unit: str) -> float:
    """Return what a value in `unit` is multiplied with to be in the quantity's SI unit.

    Of units that begin at the zero of the SI unit, which all but °F do.

    Parameters
    ----------
    quantity
        `pressure` or `level` (SI unit m), `flow` or `demand` (SI unit m3/s).
    unit
        Declared unit, e.g. `bar`, `m3/h`, `L/h`.

    Raises
    ------
    InputError
        If the quantity is unknown or the unit does not measure it; the choices are named.

    Examples
    --------
    >>> round(si_factor("pressure", "bar"), 3)
    10.197
    >>> si_factor("flow", "L/s")
    0.001
    """
    factor, offset = si_conversion(quantity, unit)
    if offset:
        raise InputError(
            f"`{unit}` is no multiple of the unit that {quantity} is stored in",
            remedy=f"Declare `{SI_UNITS[quantity]}`",
        )
    return factor


def unit_by_name(quantity: str, name: str) -> str | None:
    """Return the unit of a quantity that people or devices call by a name, or None.

    Case, blanks and raised digits do not matter, and common other spellings are known (`m³/h`,
    `l/sec`, `cbm/h`, `mH2O`, `barg`). What could be two units of the quantity is none.

    Raises
    ------
    InputError
        If the quantity is not one that sensors deliver.

    Examples
    --------
    >>> unit_by_name("flow", "m³/hr"), unit_by_name("pressure", "PSI")
    ('m3/h', 'psi')
    >>> unit_by_name("flow", "bar") is None
    True
    """
    choices = unit_choices(quantity)
    if name in choices:
        return name
    wanted = _folded(name)
    wanted = _OTHER_NAMES.get(wanted, wanted)
    found = {unit for unit in choices if _folded(unit) == wanted}
    return found.pop() if len(found) == 1 else None


def _folded(name: str) -> str:
    return "".join(name.split()).replace("³", "3").replace("^", "").casefold()


# Folded spellings of exports and devices; the right side is folded, too.
_OTHER_NAMES = {
    "metre": "m",
    "meter": "m",
    "mh2o": "m",
    "mwc": "m",
    "mws": "m",
    "feet": "ft",
    "psig": "psi",
    "barg": "bar",
    "bar(g)": "bar",
    "cms": "m3/s",
    "m3/sec": "m3/s",
    "cmh": "m3/h",
    "m3/hr": "m3/h",
    "cbm/h": "m3/h",
    "cmd": "m3/d",
    "m3/day": "m3/d",
    "lps": "l/s",
    "l/sec": "l/s",
    "lpm": "l/min",
    "lph": "l/h",
    "l/hr": "l/h",
    "mld": "ml/d",
    "gal/min": "gpm",
    "usgpm": "gpm",
    "cfs": "ft3/s",
    "cbm": "m3",
    "degc": "°c",
    "celsius": "°c",
    "degf": "°f",
    "fahrenheit": "°f",
}
