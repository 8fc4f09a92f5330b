"""What needs no data: saying nothing, and saying anything. Every method has to beat both."""

import numpy as np

from leak_assets.benchmark.submission import Report
from leak_assets.benchmark.town_plan import REFERENCE_DAYS

from .town_data import TownData

CALLS_A_YEAR = 20


def nothing(_town: TownData) -> list[Report]:
    """Return no report."""
    return []


def at_random(town: TownData) -> list[Report]:
    """Return about `CALLS_A_YEAR` reports a year, of any pipe at the end of any day."""
    found = []
    for day in range(REFERENCE_DAYS, town.days):
        # A stream of its own for each day: what comes later changes nothing.
        rng = np.random.default_rng([day, 0x5EED])
        if rng.uniform() < CALLS_A_YEAR / 365:
            found.append(Report(town.end_of(day), town.pipes[int(rng.integers(len(town.pipes)))]))
    return found
