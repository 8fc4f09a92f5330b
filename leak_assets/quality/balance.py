"""Physical balance: a zone's inflow meter against its customers' meters and its tank.

A leak adds a constant to what flows in, a wrong meter multiplies it: the two are told apart by how
the inflow goes with consumption and storage over a day.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Customers' meters of a zone must be there for so much of its junctions to stand for all.
LEAST_METERED = 0.5
LEAST_HOURS = 18
# Slack of the cumulative sum and where it alarms: 5 % too much is told on the second day.
SLACK, ALARM = 0.02, 0.05


@dataclass(frozen=True, eq=False)
class Balance:
    """What the balance of a zone rests on.

    Parameters
    ----------
    zone
        Number of the zone.
    meters
        Columns of its flow meters with +1 where flow enters, -1 where it leaves.
    tanks
        Columns of its tanks' levels with the volume at heights: m and m3, for interpolation.
    customers
        Columns of its customers' meters.
    """

    zone: int
    meters: tuple[tuple[str, int], ...]
    tanks: tuple[tuple[str, Floats, Floats], ...]
    customers: tuple[str, ...]


def meter_gain(balance: Balance, hourly: dict[str, Floats], level: dict[str, Floats]) -> float:
    """Return what the zone's meters read in parts of what they should, but for a constant.

    With a tank: change of storage = inflow / gain - consumption - leak, which gives the gain
    itself. Without: inflow = gain * consumption + leak, which gives it up to what customers'
    meters miss; changes of it are what counts.

    Parameters
    ----------
    hourly
        Hourly means of the day by column, m3/s (H); NaN where an hour is not whole.
    level
        Levels at the begin of each hour and at the end of the last, m (H + 1).

    Returns
    -------
    float
        NaN where meters are missing or the day does not move enough.
    """
    needed = [name for name, _ in balance.meters] + list(balance.customers)
    if not all(name in hourly for name in needed):
        return float("nan")
    inflow = np.sum([sign * hourly[name] for name, sign in balance.meters], axis=0)
    taken = np.sum([hourly[name] for name in balance.customers], axis=0)
    ones = np.ones_like(inflow)
    if balance.tanks:
        if not all(name in level for name, *_ in balance.tanks):
            return float("nan")
        stored = np.sum(
            [np.diff(np.interp(level[name], h, v)) for name, h, v in balance.tanks], axis=0
        )
        stored = np.where(
            np.isfinite(np.sum([level[n][1:] + level[n][:-1] for n, *_ in balance.tanks], axis=0)),
            stored / 3600.0,
            np.nan,
        )
        target, columns = stored, np.stack([inflow, taken, ones], axis=1)
    else:
        target, columns = inflow, np.stack([taken, ones], axis=1)
    known = np.isfinite(target) & np.isfinite(columns).all(axis=1)
    if known.sum() < LEAST_HOURS or np.std(columns[known, 0]) < 0.1 * abs(columns[known, 0].mean()):
        return float("nan")
    slope = float(np.linalg.lstsq(columns[known], target[known], rcond=None)[0][0])
    if slope <= 0:
        return float("nan")
    return 1 / slope if balance.tanks else slope


def cumulated(high: float, low: float, gain: float, usual: float) -> tuple[float, float]:
    """Return the two cumulative sums of a meter's deviation after a day.

    Parameters
    ----------
    high, low
        After the day before: too much and too little, both from 0 up.
    gain, usual
        Of the day, and until then.
    """
    if not np.isfinite(gain) or not np.isfinite(usual):
        return high, low
    deviation = gain / usual - 1
    most = 4 * ALARM
    return (
        min(max(0.0, high + deviation - SLACK), most),
        min(max(0.0, low - deviation - SLACK), most),
    )
