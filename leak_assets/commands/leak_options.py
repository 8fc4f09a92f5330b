"""Reads leaks, events and sensor faults as a person types them on the command line."""

from typing import TypeVar

from leak_assets.errors import InputError
from leak_assets.hydraulics.towns.events import Event
from leak_assets.hydraulics.towns.leaks import Leak
from leak_assets.hydraulics.towns.sensor_faults import SensorFault
from leak_assets.system.clock import parse_utc

LEAK_FORM = "PIPE,START,DIAMETER_MM[,incipient,PEAK[,END]] or PIPE,START,DIAMETER_MM,abrupt,,END"
EVENT_FORM = "KIND,ELEMENT,START,END[,SIZE]"
FAULT_FORM = "KIND,QUANTITY/SENSOR,START,END[,SIZE]"

Timed = TypeVar("Timed", Event, SensorFault)


def parse_leak(text: str) -> Leak:
    """Return the leak that `PIPE,START,DIAMETER_MM[,incipient,PEAK[,END]]` says.

    Times are UTC unless they have an offset.

    Raises
    ------
    InputError
        If the text has another form; the message names the part.
    """
    parts = [part.strip() for part in text.split(",")]
    if not 3 <= len(parts) <= 6 or len(parts) == 4:
        raise InputError(f"--leak {text!r} has {len(parts)} parts", remedy=f"Write {LEAK_FORM}")
    try:
        diameter_m = float(parts[2]) / 1000
        start_at = parse_utc(parts[1])
        peak_at = parse_utc(parts[4]) if len(parts) > 4 and parts[4] else None
        end_at = parse_utc(parts[5]) if len(parts) > 5 else None
    except ValueError as error:
        raise InputError(f"--leak {text!r}: {error}", remedy=f"Write {LEAK_FORM}") from error
    kind = parts[3] if len(parts) > 3 else "abrupt"
    return Leak(parts[0], start_at, diameter_m, kind, peak_at, end_at)


def parse_event(text: str) -> Event:
    """Return the event that `KIND,ELEMENT,START,END[,SIZE]` says."""
    return _timed(Event, "--event", text, EVENT_FORM)


def parse_fault(text: str) -> SensorFault:
    """Return the sensor fault that `KIND,QUANTITY/SENSOR,START,END[,SIZE]` says."""
    return _timed(SensorFault, "--fault", text, FAULT_FORM)


def _timed(make: type[Timed], option: str, text: str, form: str) -> Timed:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) not in (4, 5):
        raise InputError(f"{option} {text!r} has {len(parts)} parts", remedy=f"Write {form}")
    try:
        size = float(parts[4]) if len(parts) == 5 else 0.0
        start_at, end_at = parse_utc(parts[2]), parse_utc(parts[3])
    except ValueError as error:
        raise InputError(f"{option} {text!r}: {error}", remedy=f"Write {form}") from error
    return make(parts[0], parts[1], start_at, end_at, size)
