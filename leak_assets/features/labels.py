"""Labels of windows: whether, where and how much it leaks.

The rule that turns leak truth into window labels belongs here; metrics of labels do not.
"""

import numpy as np
import polars as pl

from .grid import US_PER_S, WindowSpec


def label_windows(
    windows: pl.DataFrame,
    leak_truth: pl.DataFrame,
    *,
    spec: WindowSpec,
    min_active_share: float = 0.5,
) -> pl.DataFrame:
    """Label windows of scenario runs.

    A leak is active at the steps `leak_start <= ts < leak_end`. A window is a leak window when
    one leak is active in at least `min_active_share` of its steps; where several are, the one
    with the largest mean flow names pipe and type.

    Parameters
    ----------
    windows
        scenario_id, window_start, window_end; further columns are kept. The order is kept.
    leak_truth
        Rows of `simulation.leak_truth`.
    spec
        The windows' step and length.

    Returns
    -------
    polars.DataFrame
        `windows` with is_leak, link_id and leak_type (null where not `is_leak`), and
        leak_flow_m3_per_h: mean flow of all leaks over the window's steps, greater than 0 also
        where a leak is active in too few steps for the label. The flow follows the opening of
        the hole: its diameter rises linearly from `leak_start` to `leak_peak`, so its area
        with the square, up to `max_flow_m3_per_h`; pressure changes are left out.

    Notes
    -----
    The label is reproducible from the metadata by SQL: for each pair of window and leak of the
    same scenario, count the steps of `range(window_start, window_end + step, step)` with
    `leak_start <= ts AND ts < leak_end`; the label is `max(count) >= min_active_share * points`.
    """
    keys = windows.with_row_index("_window")
    pairs = keys.select("_window", "scenario_id", "window_start").join(
        leak_truth.select(
            "scenario_id",
            "leak_id",
            "link_id",
            "leak_type",
            "leak_start",
            "leak_peak",
            "leak_end",
            "max_flow_m3_per_h",
        ),
        on="scenario_id",
        how="inner",
    )
    origin = pairs["window_start"].dt.epoch("us").to_numpy()
    times = {
        name: pairs[name].dt.epoch("us").to_numpy()
        for name in ("leak_start", "leak_peak", "leak_end")
    }
    steps = origin[:, None] + np.arange(spec.points) * (spec.step_s * US_PER_S)
    active = (steps >= times["leak_start"][:, None]) & (steps < times["leak_end"][:, None])
    # Water flows from the very step of the start, all of it from the step of the peak.
    step_us = spec.step_s * US_PER_S
    rise = (times["leak_peak"] - times["leak_start"] + step_us)[:, None]
    opened = np.clip((steps - times["leak_start"][:, None] + step_us) / rise, 0.0, 1.0) ** 2
    peak_flow = pairs["max_flow_m3_per_h"].to_numpy()
    flow = np.where(active, opened, 0.0).mean(axis=1) * peak_flow

    labelled = pairs.select("_window", "link_id", "leak_type", "leak_id").with_columns(
        pl.Series("_flow", flow),
        pl.Series("_is_leak", active.sum(axis=1) >= min_active_share * spec.points),
    )
    per_window = (
        labelled.sort(
            "_window", "_is_leak", "_flow", "leak_id", descending=[False, True, True, False]
        )
        .group_by("_window", maintain_order=True)
        .agg(
            pl.col("_is_leak").first().alias("is_leak"),
            pl.col("link_id").first(),
            pl.col("leak_type").first(),
            pl.col("_flow").sum().alias("leak_flow_m3_per_h"),
        )
    )
    return (
        keys.join(per_window, on="_window", how="left", maintain_order="left")
        .drop("_window")
        .with_columns(
            pl.col("is_leak").fill_null(value=False),
            pl.col("leak_flow_m3_per_h").fill_null(0.0),
        )
        .with_columns(
            pl.when("is_leak").then(pl.col(name)).alias(name) for name in ("link_id", "leak_type")
        )
    )
