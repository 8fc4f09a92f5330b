"""LILA-style: each pressure from each other one by a line, and a CUSUM on what does not fit.

The first, data-driven half of the published method. Its second half searches the model around
the sensor; the report here names a pipe at the sensor.
"""

import numpy as np

from leak_assets.benchmark.submission import Report
from leak_assets.features.half_hours import PER_DAY

from .town_data import Floats, TownData

LEARNING_STEPS = 3 * PER_DAY
"""Mean and deviation of a sensor are learned over 72 hours."""
DELTA, LIMIT = 4.0, 3.0


def lila(town: TownData) -> list[Report]:
    """Return a report for each time that a sensor's error piles up.

    Mean and deviation are those of the reference week. A sensor that has reported learns them
    anew from the next 72 hours.

    References
    ----------
    Daniel et al., "A sequential pressure-based algorithm for data-driven leakage identification
    and model-based localization in water distribution networks", J. Water Resour. Plann. Manage.
    148(6), 2022; CUSUM as in Montgomery, "Introduction to Statistical Quality Control".
    """
    error = reconstruction_error(town)
    first = town.reference.stop
    usual = _usual(error[:first].ravel(), (0.0, 0.0))
    found = []
    for sensor, pipe in enumerate(town.sensor_pipes):
        values = error[:, sensor]
        mean, deviation = _usual(values[:first], usual)
        height, ready = 0.0, first
        for step in range(first, len(values)):
            if step < ready:
                continue
            if step == ready and step > first:
                mean, deviation = _usual(values[step - LEARNING_STEPS : step], usual)
            height = max(0.0, height + values[step] - mean - DELTA / 2 * deviation)
            if height > LIMIT * deviation > 0:
                found.append(Report(town.after(step), town.pipes[pipe]))
                height, ready = 0.0, step + 1 + LEARNING_STEPS
    return sorted(found)


def _usual(errors: Floats, otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return mean and deviation of the errors that are not 0, or of others if there are few."""
    there = errors[errors > 0]
    if len(there) < PER_DAY // 2:
        return otherwise
    return float(there.mean()), float(there.std())


def reconstruction_error(town: TownData) -> Floats:
    """Return how far the most affected sensor lies below what the others say (T × N).

    The most affected sensor of a half-hour is the one that most others find too low; the errors
    of all others are 0 then.
    """
    pressure, inflow = town.pressure_m, town.inflow_m3_per_h
    count = pressure.shape[1]
    size, votes = np.zeros(pressure.shape), np.zeros(pressure.shape)
    for one in range(count):
        below = np.zeros((len(pressure), count))
        for other in range(count):
            if other != one:
                inputs = np.stack([np.ones(len(inflow)), pressure[:, other], inflow], axis=1)
                below[:, other] = _expected(inputs, pressure[:, one], town.reference)
                below[:, other] -= pressure[:, one]
        below = np.where(np.isfinite(below), below, 0.0)
        votes[:, one] = (below > 0).sum(axis=1)
        size[:, one] = np.sqrt((below**2).sum(axis=1))
    if count == 0:
        return size
    is_most = np.arange(count)[None, :] == votes.argmax(axis=1)[:, None]
    return np.where(is_most, size, 0.0)


def _expected(inputs: Floats, values: Floats, learning: slice) -> Floats:
    """Return what a line through the learning steps says of all steps (T)."""
    usable = np.isfinite(inputs[learning]).all(axis=1) & np.isfinite(values[learning])
    if not usable.any():
        return np.full(len(values), np.nan)
    line = np.linalg.lstsq(inputs[learning][usable], values[learning][usable], rcond=None)[0]
    expected: Floats = inputs @ line
    return expected
