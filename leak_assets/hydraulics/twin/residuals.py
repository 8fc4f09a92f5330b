"""Residuals: measured minus the twin's corrected value, as rows and as z-scores.

One formula for operation and for scenario runs; learning the correction is `calibration`.
"""

import polars as pl

from leak_assets.warehouse.schemas.features import RESIDUALS

from .calibration import Calibration


def residuals(
    network_name: str,
    observed_channels: pl.DataFrame,
    expected: pl.DataFrame,
    calibration: Calibration,
    mask: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return rows of `features.residuals`.

    Parameters
    ----------
    observed_channels, expected
        Wide frames of `Twin.observed_channels` and `Twin.expected` with the same `ts_utc`.
    calibration
        Correction in use; channels it does not have are left out.
    mask
        Wide frame of the same `ts_utc` with a column per channel, 1 or true = usable; a channel
        without a column is usable wherever it has a value. None: all are.

    Returns
    -------
    polars.DataFrame
        Sorted by channel and time. `residual_z` is (residual − mean) / std of the reference
        days, 0 where that std is 0; null with mask 0 where a value is missing on either side.
    """
    corrected = calibration.corrected(expected)
    parts = []
    for channel in calibration.channels:
        if channel.column not in observed_channels.columns:
            continue
        name = channel.column
        usable = pl.Series("usable", [True]).new_from_index(0, corrected.height)
        if mask is not None and name in mask.columns:
            usable = mask[name].cast(pl.Boolean).fill_null(value=False).alias("usable")
        residual = pl.col("observed_si") - pl.col("expected_si")
        score = (
            (residual - channel.mean_si) / channel.std_si
            if channel.std_si > 0
            else pl.when(residual.is_not_null()).then(0.0)
        )
        parts.append(
            pl.DataFrame(
                {
                    "ts_utc": corrected["ts_utc"],
                    "observed_si": observed_channels[name].cast(pl.Float64),
                    "expected_si": corrected[name],
                    "usable": usable,
                }
            ).select(
                pl.lit(network_name).alias("network"),
                pl.lit(channel.sensor_id).alias("sensor_id"),
                pl.lit(channel.quantity).alias("quantity"),
                "ts_utc",
                "observed_si",
                "expected_si",
                residual.alias("residual_si"),
                score.alias("residual_z"),
                (residual.is_not_null() & pl.col("usable")).cast(pl.Int8).alias("mask"),
            )
        )
    if not parts:
        return RESIDUALS.empty()
    return (
        pl.concat(parts)
        .select(RESIDUALS.polars_schema.names())
        .sort("quantity", "sensor_id", "ts_utc")
    )
