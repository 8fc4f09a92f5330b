"""What telemetry looks like beside the twin: measured and expected channels of the same steps.

The way from readings to residuals for operation and for scenario runs; learning and applying the
correction are in `calibration` and `residuals`.
"""

from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from leak_assets.sites import Network, SensorLayout

from .calibration import Calibration, calibrate
from .residuals import residuals
from .twin import Twin


@lru_cache(maxsize=4)
def twin_of(network: Network, layout: SensorLayout) -> Twin:
    """Return the twin of a network, prepared once per process."""
    return Twin(network, layout)


@dataclass(frozen=True)
class Channels:
    """Wide frames of `Twin.observed_channels` and `Twin.expected` with the same `ts_utc`."""

    observed: pl.DataFrame
    expected: pl.DataFrame

    @classmethod
    def of(cls, twin: Twin, wide: pl.DataFrame) -> "Channels":
        """Return the channels of wide readings in SI."""
        return cls(twin.observed_channels(wide), twin.expected(wide))

    def calibrate(self) -> Calibration:
        """Return the correction learned on all steps, which must be leak-free."""
        reference = pl.Series("reference", [True]).new_from_index(0, self.expected.height)
        return calibrate(self.observed, self.expected, reference=reference)

    def residuals(self, network: str, calibration: Calibration) -> pl.DataFrame:
        """Return rows of `features.residuals`."""
        return residuals(network, self.observed, self.expected, calibration)
