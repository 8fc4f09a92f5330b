"""Residual rows: values, z-scores, masks."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from leak_assets.hydraulics.twin.calibration import Calibration, ChannelCalibration
from leak_assets.hydraulics.twin.residuals import residuals
from leak_assets.warehouse.schemas.features import RESIDUALS

TIMES = pl.Series(
    "ts_utc",
    [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * i) for i in range(4)],
    dtype=pl.Datetime("us", "UTC"),
)


def channel(std: float) -> Calibration:
    """Return a correction of +1 m with the given deviation on the reference."""
    only = ChannelCalibration(
        "a", "pressure", (50.0, 0.0), (0.0, 0.0), (1.0, 0.0, 0.0), (), 0.1, std
    )
    return Calibration((only,), {"pressure/a": 50.0})


def test_residual_and_score() -> None:
    """Residual is measured minus corrected; the score uses mean and deviation of the reference."""
    observed = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [51.1, 51.6, None, 51.1]})
    expected = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [50.0, 50.0, 50.0, None]})
    rows = residuals("toy", observed, expected, channel(0.5))
    assert rows.schema == RESIDUALS.polars_schema
    assert rows["residual_si"][:2].to_list() == pytest.approx([0.1, 0.6])
    assert rows["residual_z"][:2].to_list() == pytest.approx([0.0, 1.0])
    assert rows["residual_z"][2:].to_list() == [None, None]
    assert rows["mask"].to_list() == [1, 1, 0, 0]


def test_zero_deviation_gives_zero_score() -> None:
    """A channel that did not scatter on the reference scores 0, not infinity."""
    observed = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [51.1, 57.0, None, 51.1]})
    expected = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [50.0] * 4})
    rows = residuals("toy", observed, expected, channel(0.0))
    assert rows["residual_z"].to_list() == [0.0, 0.0, None, 0.0]


def test_mask_takes_steps_out() -> None:
    """A step that the caller calls unusable keeps its value and gets mask 0."""
    observed = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [51.0] * 4})
    mask = pl.DataFrame({"ts_utc": TIMES, "pressure/a": [1, 0, None, 1]})
    rows = residuals("toy", observed, observed, channel(1.0), mask)
    assert rows["mask"].to_list() == [1, 0, 0, 1]
    assert rows["residual_si"].null_count() == 0


def test_channels_that_nobody_measures_have_no_rows() -> None:
    """A calibrated sensor that is gone from the readings leaves an empty, typed frame."""
    empty = pl.DataFrame({"ts_utc": TIMES})
    rows = residuals("toy", empty, empty, channel(1.0))
    assert rows.is_empty()
    assert rows.schema == RESIDUALS.polars_schema
