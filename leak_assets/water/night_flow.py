"""Minimum night flow: the lowest hour between 02:00 and 04:00 local time.

What of it is lost is in `losses`; whether it is unusual in the view `water.night_flow_bands`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from leak_assets.features.calendar import Calendar

from .net_inflow import AreaFlow, Floats

FIRST_HOUR, LAST_HOUR = 2, 4
_WINDOW_S = 3600


@dataclass(frozen=True)
class NightFlow:
    """The minimum night flow of one night.

    Parameters
    ----------
    starts_at
        Begin of the lowest hour, UTC; None where no hour was measured.
    mnf_m3_per_h
        Mean net inflow of that hour, tanks taken off.
    coverage
        Share of the night's steps that were measured.
    pressure_m
        Mean pressure of the area in that hour.
    """

    starts_at: datetime | None
    mnf_m3_per_h: float | None
    coverage: float
    pressure_m: float | None


def minimum_night_flow(flow: AreaFlow, calendar: Calendar, night: date) -> NightFlow:
    """Return the lowest moving mean over an hour of the steps with 02:00 <= local time < 04:00.

    Hours begin at every step and lie wholly within the night; one counts where three quarters of
    its steps were measured. In the night in which clocks go forward the window is as long as
    what is left of it, in the one in which they go back an hour longer.

    Parameters
    ----------
    night
        Local date.
    """
    night_start, night_end = (calendar.at(night, hour) for hour in (FIRST_HOUR, LAST_HOUR))
    first, end = flow.place(night_start), flow.place(night_end)
    steps = max(1, _WINDOW_S // flow.step_s)
    measured = np.isfinite(flow.net[first:end]).sum() * timedelta(seconds=flow.step_s)
    coverage = float(measured / (night_end - night_start))
    begins = range(first, end - steps + 1)
    hours = np.array([flow.net_m3(begin, begin + steps) for begin in begins])
    if not np.isfinite(hours).any():
        return NightFlow(None, None, coverage, None)
    lowest = first + int(np.nanargmin(hours))
    return NightFlow(
        flow.at(lowest),
        float(np.nanmin(hours)) * _WINDOW_S / (steps * flow.step_s),
        coverage,
        known_mean(flow.pressure_m[lowest : lowest + steps]),
    )


def known_mean(values: Floats) -> float | None:
    """Return the mean of the values that are there, or None."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None
