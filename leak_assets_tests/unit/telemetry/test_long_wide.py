"""Long and wide readings are two shapes of the same thing."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from leak_assets.telemetry.long_wide import column_name, to_long, to_wide
from leak_assets.warehouse.schemas.telemetry import READINGS

WIDE = pl.DataFrame(
    {
        "ts_utc": [datetime(2019, 3, 4, 0, m, tzinfo=UTC) for m in (0, 5)],
        "flow/p/1": [0.1, 0.2],
        "pressure/12": [30.0, None],
    },
    schema_overrides={"ts_utc": READINGS.polars_schema["ts_utc"]},
)


def test_round_trip() -> None:
    """Wide to long and back is the same frame."""
    long = to_long(WIDE, "hanoi")
    assert long.schema == READINGS.polars_schema
    assert long.height == 4
    assert to_wide(long).equals(WIDE)


def test_missing_value_is_marked() -> None:
    """A null becomes a masked row with the gap flag."""
    row = to_long(WIDE, "hanoi").filter(pl.col("value_si").is_null()).row(0, named=True)
    assert (row["quality"], row["flags"], row["mask"]) == ("missing", 4, 0)


def test_masked_value_is_null() -> None:
    """An estimate is in the long frame but never in the wide one."""
    long = to_long(WIDE, "hanoi").with_columns(pl.lit(0, pl.Int8).alias("mask"))
    assert to_wide(long).drop("ts_utc").null_count().row(0) == (2, 2)


def test_no_readings() -> None:
    """No rows give a wide frame without sensors."""
    assert to_wide(READINGS.empty()).columns == ["ts_utc"]


def test_column_names() -> None:
    """Quantity and sensor can be read from a column, also where the id has a slash."""
    assert column_name("flow", "p/1") == "flow/p/1"


def test_values_under_the_mask_reach_nobody_who_reads_wide() -> None:
    """FEA9: whatever stands in masked readings, models and detectors read the same."""
    rng = np.random.default_rng(5)
    wide = pl.DataFrame(
        {
            "ts_utc": [WIDE["ts_utc"][0] + timedelta(minutes=5 * n) for n in range(60)],
            "pressure/n1": rng.normal(30, 1, 60),
            "flow/p1": rng.normal(0.1, 0.01, 60),
        }
    ).cast({"ts_utc": pl.Datetime("us", "UTC")})
    is_masked = pl.Series(rng.random(120) < 0.3)
    masked = to_long(wide, "l-town").with_columns(
        pl.when(is_masked).then(0).otherwise(1).cast(pl.Int8).alias("mask")
    )
    at = np.flatnonzero(is_masked)
    values = masked["value_si"].to_numpy().copy()
    values[at] = rng.permutation(values[at]) * 1e6
    shuffled = masked.with_columns(pl.Series("value_si", values))
    assert to_wide(shuffled).equals(to_wide(masked))
