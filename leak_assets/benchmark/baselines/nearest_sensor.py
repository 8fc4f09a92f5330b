"""CUSUM with nearest sensor: each pressure from all others, and the sensor that sinks reports.

Data alone. The report names a pipe at the sensor.
"""

import numpy as np

from leak_assets.benchmark.submission import Report
from leak_assets.benchmark.town_plan import REFERENCE_DAYS

from .town_data import Floats, TownData, by_day

ALLOWANCE, LIMIT = 0.5, 5.0
"""Page's CUSUM in standard deviations, as textbooks set it."""
_RIDGE = 1e-3


def nearest_sensor(town: TownData) -> list[Report]:
    """Return a report for each time that a sensor has sunk against the others for days.

    The deviation is that of half-hours of the reference week, which is more than days scatter:
    the slow drift of the seasons needs the room. After a report all sensors learn their level
    anew over a week.

    References
    ----------
    Page, "Continuous inspection schemes", Biometrika 41, 1954; the sensor with the largest
    departure as the place is the usual reading of pressure residuals, e.g. in Romero et al.,
    "Leak localization in water distribution networks using data-driven and model-based
    approaches", J. Water Resour. Plann. Manage. 148(5), 2022.
    """
    if len(town.sensors) < 2:
        return []
    below = below_the_others(town)
    deviation = np.maximum(np.nanstd(below[town.reference], axis=0), 1e-6)
    daily = by_day(below / deviation)
    found = []
    height, zero, ready = np.zeros(len(deviation)), np.zeros(len(deviation)), REFERENCE_DAYS
    for day in range(REFERENCE_DAYS, town.days):
        if day < ready:
            continue
        if day == ready and day > REFERENCE_DAYS:
            zero = np.nan_to_num(daily[day - REFERENCE_DAYS : day]).mean(axis=0)
        step = np.nan_to_num(daily[day] - zero) - ALLOWANCE
        height = np.maximum(0.0, height + step)
        if height.max() > LIMIT:
            pipe = town.sensor_pipes[int(height.argmax())]
            found.append(Report(town.end_of(day), town.pipes[int(pipe)]))
            height, ready = np.zeros(len(deviation)), day + 1 + REFERENCE_DAYS
    return found


def below_the_others(town: TownData) -> Floats:
    """Return by how much each pressure is lower than the others say (T × N), m."""
    pressure = town.pressure_m
    known = pressure[town.reference]
    known = known[np.isfinite(known).all(axis=1)]
    if len(known) == 0:
        return np.full(pressure.shape, np.nan)
    mean = known.mean(axis=0)
    covariance = (known - mean).T @ (known - mean) / len(known)
    covariance += _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    precision = np.linalg.inv(covariance)
    # The best line through all others, from the inverse covariance of all.
    lines = -precision / np.diag(precision)[:, None]
    np.fill_diagonal(lines, 0.0)
    away = pressure - mean
    below: Floats = np.nan_to_num(away) @ lines.T - away
    return below
