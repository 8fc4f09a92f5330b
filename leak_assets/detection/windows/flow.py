"""How much leaks, by the residual of the system inflow: what enters beyond expectation.

Measured minus the twin's demand forecast; prices and severity are no matter of detection.
"""

from datetime import datetime

import numpy as np
import polars as pl

from leak_assets.units import SECONDS_PER_HOUR


def volume_between_m3(
    inflow: pl.DataFrame, start: datetime, end: datetime, *, flow_if_missing_m3_per_h: float = 0.0
) -> float:
    """Integrate the inflow residual over (start, end].

    The mean of the usable steps stands for the missing ones too, so a gap neither loses nor
    adds water. Negative where the inflow stayed below expectation; the caller bounds the total.

    Parameters
    ----------
    inflow
        As from `inflow_residual`.
    start, end
        Interval, UTC.
    flow_if_missing_m3_per_h
        Flow to assume where no step of the interval is usable.
    """
    hours = (end - start).total_seconds() / SECONDS_PER_HOUR
    if hours <= 0.0:
        return 0.0
    inside = inflow.filter((pl.col("ts_utc") > start) & (pl.col("ts_utc") <= end))["residual_si"]
    if inside.is_empty():
        return flow_if_missing_m3_per_h * hours
    return float(np.mean(inside.to_numpy())) * SECONDS_PER_HOUR * hours


def leak_flow_m3_per_h(alarmed: pl.DataFrame, leak_start: datetime) -> float:
    """Estimate the leak flow from alarmed windows.

    The median of the windows that lie wholly inside the leak: a window that began before it is
    diluted, and a single demand spike must not move the figure. Where none lies inside, the
    median of all. Never negative; 0 where no window has an inflow residual.

    Parameters
    ----------
    alarmed
        Rows of `detection.window_scores`.
    leak_start
        Estimated start, UTC.
    """
    flows = alarmed.filter(pl.col("leak_flow_m3_per_h").is_finite())
    inside = flows.filter(pl.col("window_start") >= leak_start)
    chosen = (flows if inside.is_empty() else inside)["leak_flow_m3_per_h"].to_numpy()
    return max(0.0, float(np.median(chosen))) if chosen.size else 0.0
