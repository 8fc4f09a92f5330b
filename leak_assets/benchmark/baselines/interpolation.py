"""Sensor interpolation: how far the surface of heads has sunk, between the sensors too.

Needs a map of the pipes and a leak-free week, no hydraulics. The report names the pipe where the
interpolated surface has sunk most.
"""

import numpy as np

from leak_assets.benchmark.submission import Report
from leak_assets.benchmark.town_plan import REFERENCE_DAYS

from .operating_point import unexplained
from .town_data import Floats, TownData, by_day

MARGIN = 1.2
"""An alarm is what exceeds the largest value without leak by this factor."""
_NUGGET = 0.05


def interpolation(town: TownData) -> list[Report]:
    """Return a report for each day on which the surface lies too low somewhere.

    Heads at the sensors are compared with those of the reference week at the same inflow; the
    differences are interpolated by Kriging along the pipes. After a report the next week becomes
    the reference, so that the next leak can be told from this one.

    References
    ----------
    Soldevila et al., "Data-driven approach for leak localization in water distribution networks
    using pressure sensors and spatial interpolation", Water 11(7), 1500, 2019.
    """
    if not town.sensors:
        return []
    sunk = -unexplained(town)
    weights = kriging_weights(town)
    reference = np.nan_to_num(sunk[town.reference])
    limit = MARGIN * float((reference @ weights.T).max())
    daily = by_day(sunk)
    found = []
    zero: Floats = np.zeros(len(town.sensors))
    ready = REFERENCE_DAYS
    for day in range(REFERENCE_DAYS, town.days):
        if day < ready:
            continue
        if day == ready and day > REFERENCE_DAYS:
            zero = _mean(daily[day - REFERENCE_DAYS : day])
        surface = weights @ np.nan_to_num(daily[day] - zero)
        if surface.max() > limit:
            found.append(Report(town.end_of(day), town.pipes[int(surface.argmax())]))
            ready = day + 1 + REFERENCE_DAYS
    return found


def kriging_weights(town: TownData) -> Floats:
    """Return how much each sensor counts at each pipe (P × N): simple Kriging, Matérn 3/2.

    The range is the median distance from a sensor to the next one.
    """
    between = town.distance_m[np.ix_(town.sensor_pipes, town.sensor_pipes)]
    away = between + np.diag(np.full(len(between), np.inf))
    near = away.min(axis=1)
    usual = near[np.isfinite(near) & (near > 0)]
    reach = float(np.median(usual)) if len(usual) else 1.0

    def likeness(metres: Floats) -> Floats:
        scaled = np.sqrt(3) * np.where(np.isfinite(metres), metres, 1e9) / reach
        alike: Floats = (1 + scaled) * np.exp(-scaled)
        return alike

    known = likeness(between) + _NUGGET * np.eye(len(between))
    solved = np.linalg.solve(known, likeness(town.distance_m[town.sensor_pipes]))
    return np.asarray(solved.T, dtype=np.float64)


def _mean(values: Floats) -> Floats:
    known = np.isfinite(values)
    total: Floats = np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return total
