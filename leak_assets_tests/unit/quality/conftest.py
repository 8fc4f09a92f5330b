"""Fixtures of the quality tests: two hours of validated readings."""

from datetime import UTC, datetime

import polars as pl
import pytest

from leak_assets.telemetry.long_wide import to_long


@pytest.fixture(scope="session")
def readings() -> pl.DataFrame:
    """Return good readings of three sensors."""
    times = pl.datetime_range(
        datetime(2019, 3, 4, tzinfo=UTC),
        datetime(2019, 3, 4, 2, tzinfo=UTC),
        "5m",
        eager=True,
        time_unit="us",
    )
    wide = pl.DataFrame({"ts_utc": times}).with_columns(
        pl.lit(30.0).alias("pressure/12"),
        pl.lit(40.0).alias("pressure/21"),
        pl.lit(0.01).alias("flow/1"),
    )
    return to_long(wide, "hanoi")
