"""Since when it leaks: the change point of the residuals before the alarms.

That it leaks is not decided here.
"""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

MIN_SHIFT_Z = 0.5
"""A channel whose mean moved less than this says nothing about the start."""
CLIP_Z = 8.0
"""Bounds one step's weight, so that a spike does not decide alone."""


def leak_start(
    residuals: pl.DataFrame,
    *,
    first_alarm_start: datetime,
    detected_at: datetime,
    lookback: timedelta,
    not_before: datetime | None = None,
) -> datetime:
    """Estimate the start of a leak from the residual z-scores up to its detection.

    The size of the shift of each channel is known at detection: its mean z-score d over the
    alarmed windows. The log-likelihood ratio of a step z for "shifted by d" against "not
    shifted" is d·z − d²/2 (unit variance); the start is the step from which on its sum over
    steps and channels is largest, which is where the CUSUM chart last left zero
    (Page, Biometrika 41, 1954; Basseville and Nikiforov, Detection of Abrupt Changes, 1993,
    section 2.2). The estimate of d may be off by half without moving the maximum.

    Parameters
    ----------
    residuals
        Rows of `features.residuals`.
    first_alarm_start
        First step of the first alarmed window; the answer where no channel moved.
    detected_at
        End of the window that confirmed the leak; nothing later is looked at.
    lookback
        How far before detection the start may lie.
    not_before
        End of the leak before, if any.

    Returns
    -------
    datetime
        Start in UTC, never later than `detected_at`.
    """
    earliest = detected_at - lookback
    if not_before is not None:
        earliest = max(earliest, not_before)
    fallback = min(max(first_alarm_start, earliest), detected_at)
    usable = residuals.filter(
        (pl.col("ts_utc") > earliest)
        & (pl.col("ts_utc") <= detected_at)
        & (pl.col("mask") == 1)
        & pl.col("residual_z").is_finite()
    ).with_columns(pl.col("residual_z").clip(-CLIP_Z, CLIP_Z))
    shifts = (
        usable.filter(pl.col("ts_utc") >= first_alarm_start)
        .group_by("sensor_id", "quantity")
        .agg(shift=pl.col("residual_z").mean())
        .filter(pl.col("shift").abs() >= MIN_SHIFT_Z)
    )
    # Sorted before summing: group order must not move the last bit of a sum.
    steps = (
        usable.join(shifts, on=["sensor_id", "quantity"])
        .sort("ts_utc", "sensor_id", "quantity")
        .with_columns(llr=pl.col("shift") * (pl.col("residual_z") - pl.col("shift") / 2))
        .group_by("ts_utc", maintain_order=True)
        .agg(pl.col("llr").sum())
    )
    if steps.is_empty():
        return fallback
    from_here_on = np.cumsum(steps["llr"].to_numpy()[::-1])[::-1]
    best = int(np.argmax(from_here_on))
    if from_here_on[best] <= 0.0:
        return fallback
    start: datetime = steps["ts_utc"][best]
    return start
