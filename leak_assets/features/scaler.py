"""Reference of window means and RMS on leak-free windows.

Fitting and applying `mean_z` and `rms_z` belongs here; the models' own input scaling does not.
"""

from typing import Self

import polars as pl

_KEYS = ("quantity", "sensor_id")
_SCALED = ("mean", "rms")


class WindowScaler:
    """Z-scores of the window mean and RMS of each channel against leak-free windows.

    Attributes
    ----------
    reference_
        One row per channel: quantity, sensor_id, and `<name>_mean`, `<name>_std` (population)
        of `mean` and `rms` over the leak-free windows.
    """

    reference_: pl.DataFrame

    def fit(self, windows: pl.DataFrame) -> Self:
        """Learn the reference.

        Parameters
        ----------
        windows
            Window features. Where the frame has labels, windows with any leak flow are left
            out, also those that leak in less than half of their length.
        """
        if "leak_flow_m3_per_h" in windows.columns:
            windows = windows.filter(pl.col("leak_flow_m3_per_h") == 0)
        elif "is_leak" in windows.columns:
            windows = windows.filter(~pl.col("is_leak"))
        self.reference_ = (
            windows.group_by(_KEYS)
            .agg(
                expression
                for name in _SCALED
                for expression in (
                    pl.col(name).mean().alias(f"{name}_mean"),
                    pl.col(name).std(ddof=0).alias(f"{name}_std"),
                )
            )
            .sort(_KEYS)
        )
        return self

    def transform(self, windows: pl.DataFrame) -> pl.DataFrame:
        """Return the windows with `mean_z` and `rms_z`; 0 where the reference has no variance.

        A channel that the reference does not know gets nulls.
        """
        if not hasattr(self, "reference_"):
            message = "this WindowScaler is not fitted"
            raise ValueError(message)
        joined = windows.drop("mean_z", "rms_z", strict=False).join(
            self.reference_, on=_KEYS, how="left", maintain_order="left"
        )
        return joined.with_columns(
            pl.when(pl.col(f"{name}_std") > 0)
            .then((pl.col(name) - pl.col(f"{name}_mean")) / pl.col(f"{name}_std"))
            .when(pl.col(name).is_not_null() & pl.col(f"{name}_std").is_not_null())
            .then(0.0)
            .alias(f"{name}_z")
            for name in _SCALED
        ).drop(column for column in self.reference_.columns if column not in _KEYS)

    @classmethod
    def from_reference(cls, reference: pl.DataFrame) -> Self:
        """Return a scaler with a stored `reference_`."""
        scaler = cls()
        scaler.reference_ = reference
        return scaler
