"""Window statistics in time and frequency: what a window of residuals looks like.

Statistics of one window and their table frames belong here. Placing windows on the time axis
belongs in `grid`, labels in `labels`, the reference for `mean_z` and `rms_z` in `scaler`.
"""

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.warehouse.schemas.features import TRAINING_WINDOWS, WINDOWS

from .grid import WindowGrid, WindowSpec, window_grid
from .labels import label_windows
from .scaler import WindowScaler

LOW_BAND_PERIOD_H = 1.0
STATISTICS = (
    "mean",
    "std",
    "min",
    "max",
    "slope_per_h",
    "rms",
    "peak",
    "peak_to_peak",
    "spectral_energy",
    "spectral_centroid_per_h",
    "dominant_period_h",
    "low_band_energy",
)


def window_statistics(x: NDArray[np.float64], step_s: float) -> dict[str, NDArray[np.float64]]:
    """Describe windows in time and frequency; missing points are left out.

    Parameters
    ----------
    x
        [n, points]; NaN where missing.
    step_s
        Seconds between points.

    Returns
    -------
    dict
        `points` (count) and each name of `STATISTICS` as float64 [n]. NaN where a window has
        fewer than half of its points, and where a quantity does not exist: a window without
        variance has spectral energy 0 and no frequency.

    Notes
    -----
    The one-sided spectrum of the window without its mean, missing points at the mean, is scaled
    so that its sum is the population variance (Parseval). The slope is the least-squares slope
    over the usable points.
    """
    x = np.ascontiguousarray(x, dtype=np.float64)
    points = x.shape[1]
    usable = np.isfinite(x)
    count = usable.sum(axis=1)
    n = np.maximum(count, 1).astype(np.float64)
    zero = np.where(usable, x, 0.0)
    mean = zero.sum(axis=1) / n
    low = np.where(usable, x, np.inf).min(axis=1)
    high = np.where(usable, x, -np.inf).max(axis=1)
    # Equal points: rounding in the mean must not turn into a spectrum.
    flat = low == high
    mean = np.where(flat, low, mean)
    centred = np.where(usable, x - mean[:, None], 0.0)
    variance = (centred**2).sum(axis=1) / n

    hours = np.arange(points) * (step_s / 3600.0)
    mean_hour = np.where(usable, hours, 0.0).sum(axis=1) / n
    lever = np.where(usable, hours - mean_hour[:, None], 0.0)
    spread = (lever**2).sum(axis=1)
    slope = (lever * centred).sum(axis=1) / np.where(spread > 0, spread, 1.0)

    power = np.abs(np.fft.rfft(centred, axis=1)) ** 2 / (n * points)[:, None]
    power[:, 1 : (points + 1) // 2] *= 2.0
    power[:, 0] = 0.0
    frequency = np.fft.rfftfreq(points, d=step_s / 3600.0)
    energy = power.sum(axis=1)
    has_energy = energy > 0
    safe = np.where(has_energy, energy, 1.0)
    low_band = power[:, frequency <= (1.0 + 1e-9) / LOW_BAND_PERIOD_H].sum(axis=1) / safe
    strongest = np.where(has_energy, frequency[power.argmax(axis=1)], np.nan)

    found = {
        "mean": mean,
        "std": np.sqrt(variance),
        "min": low,
        "max": high,
        "slope_per_h": slope,
        "rms": np.where(flat, np.abs(low), np.sqrt((zero**2).sum(axis=1) / n)),
        "peak": np.maximum(np.abs(low), np.abs(high)),
        "peak_to_peak": high - low,
        "spectral_energy": energy,
        "spectral_centroid_per_h": np.where(
            has_energy, (power * frequency).sum(axis=1) / safe, np.nan
        ),
        "dominant_period_h": 1.0 / strongest,
        "low_band_energy": np.where(has_energy, low_band, np.nan),
    }
    enough = 2 * count >= points
    return {"points": count.astype(np.float64)} | {
        name: np.where(enough & (count > 0), values, np.nan) for name, values in found.items()
    }


def window_features(
    residuals: pl.DataFrame,
    spec: WindowSpec | None = None,
    *,
    day: date | None = None,
    network: str | None = None,
    scaler: WindowScaler | None = None,
) -> pl.DataFrame:
    """Return the window features of a network in operation.

    Parameters
    ----------
    residuals
        Rows of `features.residuals` of one network: the day and, as context, the day before.
    spec
        Window length, stride and step; default 3 h every 30 min on 5-minute data.
    day
        Keep the windows whose last step falls in this UTC day (48 for the default windows with
        context, 43 from a day alone). Default: all windows.
    network
        Name to write; default: that of the residuals.
    scaler
        Reference for `mean_z` and `rms_z`; without it both are null.

    Returns
    -------
    polars.DataFrame
        Rows of `features.windows`. Nothing after `window_end` enters a row.
    """
    if residuals.is_empty():
        return WINDOWS.empty()
    frame = _frame(window_grid(residuals, spec or WindowSpec(), day=day))
    if scaler is not None:
        frame = scaler.transform(frame)
    name = pl.lit(network or residuals["network"][0]).alias("network")
    return _as_table(frame.with_columns(name), WINDOWS.polars_schema)


def training_windows(
    residuals: pl.DataFrame,
    leak_truth: pl.DataFrame,
    spec: WindowSpec | None = None,
    *,
    scaler: WindowScaler | None = None,
    min_active_share: float = 0.5,
) -> pl.DataFrame:
    """Return the labelled window features of one scenario batch.

    Parameters
    ----------
    residuals
        Rows of `features.training_residuals` of one batch.
    leak_truth
        Rows of `simulation.leak_truth` of that batch.
    scaler
        Reference for `mean_z` and `rms_z`; default: fitted on this batch's leak-free windows.
    min_active_share
        Share of the window's steps with an active leak from which the label is a leak.

    Returns
    -------
    polars.DataFrame
        Rows of `features.training_windows`.
    """
    if residuals.is_empty():
        return TRAINING_WINDOWS.empty()
    spec = spec or WindowSpec()
    grid = window_grid(residuals, spec, group="scenario_id")
    frame = _frame(grid)
    keys = frame.select("scenario_id", "window_start", "window_end").unique(maintain_order=True)
    labels = label_windows(keys, leak_truth, spec=spec, min_active_share=min_active_share)
    frame = frame.join(labels.drop("window_end"), on=["scenario_id", "window_start"], how="left")
    reference = scaler or WindowScaler().fit(frame)
    frame = reference.transform(frame).with_columns(
        pl.lit(residuals["network"][0]).alias("network"),
        pl.lit(residuals["batch"][0]).alias("batch"),
    )
    return _as_table(frame, TRAINING_WINDOWS.polars_schema)


def _frame(grid: WindowGrid) -> pl.DataFrame:
    n, channels = grid.group.size, len(grid.channels)
    x = grid.windows[grid.group, :, grid.place].reshape(n * channels, grid.spec.points)
    statistics = window_statistics(x, grid.spec.step_s)
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
        pl.col(*STATISTICS).fill_nan(None),
        pl.lit(None, dtype=pl.Float64).alias("mean_z"),
        pl.lit(None, dtype=pl.Float64).alias("rms_z"),
    )


def _as_table(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
