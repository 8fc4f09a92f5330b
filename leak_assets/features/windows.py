"""Window features: what three hours of a channel look like, in the few numbers that models read.

Statistics of one window and their table frames belong here. Placing windows on the time axis
belongs in `grid`, labels in `labels`; how models scale and combine channels in `models`.
"""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.warehouse.schemas.features import TRAINING_WINDOWS, WINDOWS

from .grid import WindowGrid, WindowSpec, window_grid
from .labels import label_windows

# The windows of the tables, and so of all models: 3 h every 30 min on 5-minute data.
SPEC = WindowSpec()
# Share of a window's steps with an active leak from which its label is a leak.
MIN_ACTIVE_SHARE = 0.5
STATISTICS = ("mean", "slope_per_h", "std")


def window_statistics(x: NDArray[np.float64], step_s: float) -> dict[str, NDArray[np.float64]]:
    """Describe windows; missing points are left out.

    Parameters
    ----------
    x
        [n, points]; NaN where missing.
    step_s
        Seconds between points.

    Returns
    -------
    dict
        `points` (count) and each name of `STATISTICS` as float64 [n]: the mean, the least-squares
        slope per hour, the standard deviation (population). NaN where a window has fewer than
        half of its points.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    points = x.shape[1]
    usable = np.isfinite(x)
    count = usable.sum(axis=1)
    n = np.maximum(count, 1).astype(np.float64)
    low = np.where(usable, x, np.inf).min(axis=1)
    flat = low == np.where(usable, x, -np.inf).max(axis=1)
    # Equal points: rounding in the mean must not turn into a spread.
    mean = np.where(flat, low, np.where(usable, x, 0.0).sum(axis=1) / n)
    centred = np.where(usable, x - mean[:, None], 0.0)
    hours = np.arange(points) * (step_s / 3600.0)
    mean_hour = np.where(usable, hours, 0.0).sum(axis=1) / n
    lever = np.where(usable, hours - mean_hour[:, None], 0.0)
    spread = (lever**2).sum(axis=1)
    found = {
        "mean": mean,
        "slope_per_h": (lever * centred).sum(axis=1) / np.where(spread > 0, spread, 1.0),
        "std": np.sqrt((centred**2).sum(axis=1) / n),
    }
    enough = (2 * count >= points) & (count > 0)
    return {"points": count.astype(np.float64)} | {
        name: np.where(enough, values, np.nan) for name, values in found.items()
    }


def window_features(
    residuals: pl.DataFrame,
    spec: WindowSpec = SPEC,
    *,
    day: date | None = None,
    network: str | None = None,
) -> pl.DataFrame:
    """Return the window features of a network in operation.

    Parameters
    ----------
    residuals
        Rows of `features.residuals` of one network: the day and, as context, the day before.
    spec
        Window length, stride and step.
    day
        Keep the windows whose last step falls in this UTC day (48 for the default windows with
        context, 43 from a day alone). Default: all windows.
    network
        Name to write; default: that of the residuals.

    Returns
    -------
    polars.DataFrame
        Rows of `features.windows`. Nothing after `window_end` enters a row.
    """
    if residuals.is_empty():
        return WINDOWS.empty()
    name = pl.lit(network or residuals["network"][0]).alias("network")
    frame = _frame(residuals, spec, day=day).with_columns(name)
    return _as_table(frame, WINDOWS.polars_schema)


def training_windows(
    residuals: pl.DataFrame,
    leak_truth: pl.DataFrame,
    spec: WindowSpec = SPEC,
    *,
    min_active_share: float = MIN_ACTIVE_SHARE,
) -> pl.DataFrame:
    """Return the labelled window features of one scenario batch.

    Parameters
    ----------
    residuals
        Residuals of the batch's runs: the columns of `features.residuals` that `window_features`
        reads, scenario_id and batch.
    leak_truth
        Rows of `simulation.leak_truth` of that batch.
    min_active_share
        Share of the window's steps with an active leak from which the label is a leak.

    Returns
    -------
    polars.DataFrame
        Rows of `features.training_windows`.
    """
    if residuals.is_empty():
        return TRAINING_WINDOWS.empty()
    frame = _frame(residuals, spec, group="scenario_id")
    keys = frame.select("scenario_id", "window_start", "window_end").unique(maintain_order=True)
    labels = label_windows(keys, leak_truth, spec=spec, min_active_share=min_active_share)
    frame = frame.join(
        labels.drop("window_end"),
        on=["scenario_id", "window_start"],
        how="left",
        maintain_order="left",
    ).with_columns(
        pl.lit(residuals["network"][0]).alias("network"),
        pl.lit(residuals["batch"][0]).alias("batch"),
    )
    return _as_table(frame, TRAINING_WINDOWS.polars_schema)


def _frame(
    residuals: pl.DataFrame,
    spec: WindowSpec,
    *,
    day: date | None = None,
    group: str | None = None,
) -> pl.DataFrame:
    grid = window_grid(residuals, spec, group=group, day=day)
    in_si = window_grid(residuals, spec, group=group, day=day, value="residual_si")
    statistics = window_statistics(_points(grid), spec.step_s)
    statistics["mean_si"] = window_statistics(_points(in_si), spec.step_s)["mean"]
    n, channels = grid.group.size, len(grid.channels)
    quantity, sensor = zip(*(name.split("/", 1) for name in grid.channels), strict=True)
    names = np.array(grid.groups, dtype=object)
    tile = np.tile(np.arange(channels), n)
    return pl.DataFrame(
        {
            "scenario_id": pl.Series(np.repeat(names[grid.group], channels), dtype=pl.String),
            "window_start": np.repeat(grid.start, channels),
            "window_end": np.repeat(grid.end, channels),
            "sensor_id": pl.Series(list(sensor), dtype=pl.String).gather(tile),
            "quantity": pl.Series(list(quantity), dtype=pl.String).gather(tile),
            **statistics,
        }
    ).with_columns(
        pl.col("window_start", "window_end").dt.replace_time_zone("UTC"),
        pl.col("points").cast(pl.Int64),
        pl.col(*STATISTICS, "mean_si").fill_nan(None),
    )


def _points(grid: WindowGrid) -> NDArray[np.float64]:
    """Return the points of each channel in each window, [windows * channels, points]."""
    x = grid.windows[grid.group, :, grid.place]
    return x.reshape(grid.group.size * len(grid.channels), grid.spec.points)


def _as_table(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
