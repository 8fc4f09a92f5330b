"""The residual of the system inflow: what enters a network beyond expectation.

What follows from it (volumes, flows of leaks, pictures) is in the rooms above.
"""

import polars as pl

INFLOW_CHANNEL = "inflow"


def inflow_residual(residuals: pl.DataFrame) -> pl.DataFrame:
    """Return the usable residuals of the system inflow.

    Parameters
    ----------
    residuals
        Rows of `features.residuals`.

    Returns
    -------
    polars.DataFrame
        `ts_utc`, `residual_si` (m3/s), sorted by time, without masked and missing steps.
    """
    return (
        residuals.filter(
            (pl.col("sensor_id") == INFLOW_CHANNEL)
            & (pl.col("quantity") == "flow")
            & (pl.col("mask") == 1)
            & pl.col("residual_si").is_finite()
        )
        .select("ts_utc", "residual_si")
        .sort("ts_utc")
    )
