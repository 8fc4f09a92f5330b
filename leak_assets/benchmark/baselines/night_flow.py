"""Minimum night flow: a zone leaks when its lowest flow rises above that of the last ten days.

It says that and when, not where: the report names the pipe in the middle of the zone.
"""

import numpy as np

from leak_assets.benchmark.submission import Report
from leak_assets.features.half_hours import PER_DAY

from .town_data import TownData

WINDOW_DAYS = 10
GAMMA = 0.1


def night_flow(town: TownData) -> list[Report]:
    """Return a report for each night on which a zone's lowest flow begins to be too high.

    The window goes on with every day: leaks here run on, and one that was seen is the new normal
    ten days later.

    References
    ----------
    The algorithm with these settings is LeakDB's (Vrachimis et al., "LeakDB: a benchmark dataset
    for leakage diagnosis in water distribution networks", WDSA/CCWI 2018).
    """
    found = []
    flow = np.where(np.isfinite(town.flow_m3_per_h), town.flow_m3_per_h, np.inf)
    lowest = flow.reshape(town.days, PER_DAY, -1).min(axis=1)
    for zone in range(lowest.shape[1]):
        was_high = False
        for day in range(WINDOW_DAYS, town.days):
            usual = lowest[day - WINDOW_DAYS : day, zone].min()
            tonight = lowest[day, zone]
            is_high = bool(np.isfinite(tonight) and tonight - usual > GAMMA * usual)
            if is_high and not was_high:
                found.append(Report(town.end_of(day), town.middle_of(zone)))
            was_high = is_high
    return sorted(found)
