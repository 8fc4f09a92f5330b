"""Faults of sensors and their telemetry, put into what a scenario measured.

The network does not notice any of it: only measured values change, true values stay.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from leak_assets.errors import InputError
from leak_assets.sites.sensors import SensorLayout

from .periods import period_problem, steps_between

Array = NDArray[np.float64]
# Steps of a spike fault that carry a spike; the first one always does.
_SPIKE_SHARE = 0.1


@dataclass(frozen=True)
class FaultKind:
    """What a kind of fault does.

    Parameters
    ----------
    size_unit
        Unit of `SensorFault.size`: `si` stands for the sensor's own SI unit; empty where the
        kind has no size.
    words
        What the values become.
    """

    size_unit: str
    words: str


KINDS = {
    "constant": FaultKind("si", "the size is added"),
    "drift": FaultKind("si", "an offset grows linearly and has the size at the end"),
    "gaussian": FaultKind("si", "white noise of this standard deviation is added"),
    "percentage": FaultKind("share", "multiplied by 1 + size"),
    "stuck_zero": FaultKind("", "zero"),
    "stuck_last": FaultKind("", "the last value before the fault"),
    "spike": FaultKind("si", "single values off by plus or minus the size"),
    "dropout": FaultKind("share", "this share of the values is missing, at random"),
    "outage": FaultKind("", "all values are missing"),
    "clock_shift": FaultKind("s", "stamped too late by the size (negative: too early)"),
    "unit_change": FaultKind("factor", "multiplied by the size, such as 3.6 or 0.0689"),
    "replay": FaultKind("", "the values from just before the fault, over again"),
}


@dataclass(frozen=True)
class SensorFault:
    """One fault of one sensor.

    Parameters
    ----------
    kind
        One of `KINDS`.
    column
        `quantity/sensor_id`, as in wide frames.
    start_at, end_at
        UTC times; the values from the first step not before the start to the last step before
        the end are wrong.
    size
        In the unit of the kind; 0 where it has none.
    """

    kind: str
    column: str
    start_at: datetime
    end_at: datetime
    size: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            self._refuse("no such kind of fault", f"Use one of {', '.join(KINDS)}")
        if wrong := period_problem(self.start_at, self.end_at):
            self._refuse(*wrong)
        unit = KINDS[self.kind].size_unit
        if not np.isfinite(self.size) or bool(unit) != bool(self.size):
            remedy = "Give a size other than 0" if unit else "This kind has no size: leave it out"
            self._refuse(f"size {self.size:g}", remedy)
        if self.kind == "dropout" and not 0 < self.size <= 1:
            self._refuse(f"size {self.size:g}", "Give a share above 0 and up to 1")
        if self.kind in ("gaussian", "unit_change") and self.size < 0:
            self._refuse(f"size {self.size:g}", "Give a positive size")

    def _refuse(self, problem: str, remedy: str) -> None:
        raise InputError(f"fault {self.kind} of {self.column}: {problem}", remedy=remedy)

    @property
    def quantity(self) -> str:
        """Quantity of the sensor."""
        return self.column.partition("/")[0]

    @property
    def sensor_id(self) -> str:
        """Name of the sensor."""
        return self.column.partition("/")[2]

    def steps(self, start_at: datetime, step_s: int, steps: int) -> slice:
        """Return the steps with wrong values, within a run."""
        found = steps_between(
            self.start_at, self.end_at, run_start_at=start_at, step_s=step_s, steps=steps
        )
        return slice(found.start, found.stop)


def check_faults(layout: SensorLayout, faults: Iterable[SensorFault], step_s: int) -> None:
    """Refuse faults of sensors that a layout does not have, and shifts below a step.

    Raises
    ------
    InputError
        Names the sensor and those that are there.
    """
    columns = set(layout.columns())
    for fault in faults:
        if fault.column not in columns:
            known = ", ".join(sorted(columns)[:5])
            raise InputError(
                f"fault {fault.kind} of {fault.column}: no such sensor in the layout",
                remedy=f"Write quantity/sensor; the layout has {known} …",
            )
        if fault.kind == "clock_shift" and abs(fault.size) < step_s:
            raise InputError(
                f"fault clock_shift of {fault.column}: {fault.size:g} s is less than a step",
                remedy=f"Give {step_s} s or more",
            )


def apply_faults(
    measured: dict[str, Array],
    layout: SensorLayout,
    faults: Sequence[SensorFault],
    *,
    start_at: datetime,
    step_s: int,
    seed: int,
) -> dict[str, Array]:
    """Return measured values with faults; missing ones are NaN.

    Parameters
    ----------
    measured
        Quantity to values in SI (T × sensors of the quantity, in layout order).
    faults
        In this order, one after the other.
    seed
        Of what is random; a fault's randomness hangs on its number only.
    """
    faulty = {quantity: values.copy() for quantity, values in measured.items()}
    for number, fault in enumerate(faults):
        values = faulty[fault.quantity]
        column = layout.ids(fault.quantity).index(fault.sensor_id)
        place = fault.steps(start_at, step_s, len(values))
        if place.start == place.stop:
            continue
        rng = np.random.default_rng([seed, 0xFA, number])
        wrong = _EFFECTS[fault.kind](values[:, column], place, fault.size, rng, step_s)
        values[place, column] = wrong
    return faulty


_Effect = Callable[[Array, slice, float, np.random.Generator, int], Array]


def _drift(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    n = at.stop - at.start
    out: Array = x[at] + size * np.arange(1, n + 1) / n
    return out


def _stuck_last(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    # A fault from the first step on is stuck at what it measured then.
    return np.full(at.stop - at.start, x[max(at.start - 1, 0)])


def _spike(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    hit = rng.random(at.stop - at.start) < _SPIKE_SHARE
    hit[0] = True
    sign = rng.choice([-1.0, 1.0], len(hit))
    return np.where(hit, x[at] + sign * size, x[at])


def _dropout(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    hit = rng.random(at.stop - at.start) < size
    hit[0] = True
    return np.where(hit, np.nan, x[at])


def _clock_shift(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    source = np.arange(at.start, at.stop) - round(size / step_s)
    # Before the first and after the last step there is nothing to stamp.
    inside = (source >= 0) & (source < len(x))
    return np.where(inside, x[source.clip(0, len(x) - 1)], np.nan)


def _replay(x: Array, at: slice, size: float, rng: np.random.Generator, step_s: int) -> Array:
    n = at.stop - at.start
    recorded = x[max(0, at.start - n) : at.start]
    return np.resize(recorded, n) if len(recorded) else x[at]


_EFFECTS: dict[str, _Effect] = {
    "constant": lambda x, at, size, rng, step_s: x[at] + size,
    "drift": _drift,
    "gaussian": lambda x, at, size, rng, step_s: x[at] + rng.normal(0, size, at.stop - at.start),
    "percentage": lambda x, at, size, rng, step_s: x[at] * (1 + size),
    "stuck_zero": lambda x, at, size, rng, step_s: np.zeros(at.stop - at.start),
    "stuck_last": _stuck_last,
    "spike": _spike,
    "dropout": _dropout,
    "outage": lambda x, at, size, rng, step_s: np.full(at.stop - at.start, np.nan),
    "clock_shift": _clock_shift,
    "unit_change": lambda x, at, size, rng, step_s: x[at] * size,
    "replay": _replay,
}
