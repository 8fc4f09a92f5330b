"""The rows of the water balance: a local day and a night of each area.

Pure functions from flows to rows of `water.*`; reading and writing is in `steps`.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np

from leak_assets.features.calendar import Calendar
from leak_assets.sites.areas import Area

from .losses import (
    current_losses,
    leakage_index,
    legitimate_night_use,
    net_night_flow,
    unavoidable_losses,
)
from .net_inflow import LEAST_COVERAGE, AreaFlow
from .night_flow import known_mean, minimum_night_flow


def night_row(area: Area, flow: AreaFlow, calendar: Calendar, night: date) -> dict[str, Any]:
    """Return the row of `water.minimum_night_flow` of a night, without `network`."""
    found = minimum_night_flow(flow, calendar, night)
    return {
        "zone_id": area.name,
        "night": night,
        "day_type": calendar.day_type(night),
        "hour_starts_at": found.starts_at,
        "mnf_m3_per_h": found.mnf_m3_per_h,
        "coverage": found.coverage,
        "pressure_m": found.pressure_m,
        "night_use_m3_per_h": legitimate_night_use(area),
        "net_night_flow_m3_per_h": net_night_flow(area, found.mnf_m3_per_h),
    }


def day_row(area: Area, flow: AreaFlow, calendar: Calendar, day: date) -> dict[str, Any]:
    """Return the row of `water.dma_balance_daily` of a local day, without `network`.

    Parameters
    ----------
    flow
        From at least one step before the day's begin on, up to what is known.
    """
    starts_at, ends_at = calendar.span(day)
    first, end = flow.place(starts_at), flow.place(ends_at)
    measured = np.isfinite(flow.net[first:end]).sum()
    coverage = float(measured / calendar.steps(day, flow.step_s))
    is_whole = coverage >= LEAST_COVERAGE
    net = _known(flow.net_m3(first, end)) if is_whole else None
    stored = _known(flow.stored(first, end)) if is_whole else None
    inflow, outflow, used = (
        _volume(values[first:end], flow.step_s) if is_whole else None
        for values in (flow.inflow, flow.outflow, flow.used)
    )
    pressure = known_mean(flow.pressure_m[first:end])
    pressure = area.pressure_m if pressure is None else pressure
    mnf = minimum_night_flow(flow, calendar, day).mnf_m3_per_h
    nnf = net_night_flow(area, mnf)
    losses, unavoidable = current_losses(area, nnf), unavoidable_losses(area, pressure)
    return {
        "zone_id": area.name,
        "local_date": day,
        "starts_at": starts_at,
        "hours": calendar.hours(day),
        "day_type": calendar.day_type(day),
        "holiday": calendar.holiday(day) or None,
        "season": calendar.season(day),
        "coverage": coverage,
        "inflow_m3": inflow,
        "outflow_m3": outflow,
        "stored_m3": stored,
        "net_inflow_m3": net,
        "used_m3": used,
        "non_revenue_m3": None if net is None or used is None else net - used,
        "pressure_m": pressure,
        "mnf_m3_per_h": mnf,
        "net_night_flow_m3_per_h": nnf,
        "losses_m3": losses,
        "unavoidable_m3": unavoidable,
        "ili": leakage_index(losses, unavoidable),
    }


def _volume(values: Iterable[float], step_s: int) -> float | None:
    """Return the volume of flows over a day, m3; the mean stands for what is missing."""
    flows = np.asarray(values, dtype=np.float64)
    mean = known_mean(flows)
    is_enough = np.isfinite(flows).sum() >= LEAST_COVERAGE * len(flows)
    return None if mean is None or not is_enough else mean * len(flows) * step_s


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
