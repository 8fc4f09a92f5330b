"""Window features: grid, statistics, labels, point in time."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.errors import InputError
from leak_assets.features.grid import WindowSpec, window_grid
from leak_assets.features.windows import (
    STATISTICS,
    training_windows,
    window_features,
    window_statistics,
)
from leak_assets.warehouse.schemas.features import RESIDUALS, TRAINING_WINDOWS, WINDOWS

DAY = datetime(2019, 3, 4, tzinfo=UTC)


def residuals(values: np.ndarray, *, start: datetime = DAY, step_s: int = 300) -> pl.DataFrame:
    """Rows of features.residuals from [channels, steps]; NaN becomes a masked null."""
    channels, steps = values.shape
    flat = pl.Series(values.ravel()).fill_nan(None)
    return pl.DataFrame(
        {
            "network": "net1",
            "sensor_id": [f"n{i}" for i in range(channels) for _ in range(steps)],
            "quantity": "pressure",
            "ts_utc": [start + timedelta(seconds=step_s * k) for k in range(steps)] * channels,
            "observed_si": flat,
            "expected_si": 0.0,
            "residual_si": flat,
            "residual_z": flat,
            "mask": flat.is_not_null().cast(pl.Int8),
        },
        schema=RESIDUALS.polars_schema,
    )


@pytest.mark.parametrize("steps", [288, 289])
def test_one_day_alone_has_43_windows_of_36_points(steps: int) -> None:
    """288 or 289 steps give 43 windows, the last one inside the data."""
    frame = residuals(np.random.default_rng(0).normal(size=(2, steps)))
    found = window_features(frame)
    assert found.schema == WINDOWS.polars_schema
    assert found["window_start"].n_unique() == 43
    assert set(found["points"]) == {36}
    assert found["window_end"].max() <= frame["ts_utc"].max()
    assert (found["window_end"] - found["window_start"]).unique().to_list() == [
        timedelta(hours=2, minutes=55)
    ]


def test_day_with_its_context_has_48_windows_and_equals_the_two_day_batch() -> None:
    """Every window whose last step falls in the day, with the values of a longer batch."""
    frame = residuals(np.random.default_rng(1).normal(size=(2, 576)))
    second = (DAY + timedelta(days=1)).date()
    context = frame.filter(pl.col("ts_utc") >= DAY + timedelta(hours=21, minutes=5))
    alone = window_features(context, day=second)
    batch = window_features(frame).filter(pl.col("window_end").dt.date() == second)
    assert alone["window_start"].n_unique() == 48
    assert alone.equals(batch)


def test_windows_start_on_the_stride_grid_also_when_data_do_not() -> None:
    """Data from 00:10 on: the first window starts at 00:30."""
    frame = residuals(np.zeros((1, 100)), start=DAY + timedelta(minutes=10))
    assert window_features(frame)["window_start"].min() == DAY + timedelta(minutes=30)


def test_ten_second_windows_on_two_second_data_have_five_points() -> None:
    """Another length and step (plant data)."""
    spec = WindowSpec(length_s=10, stride_s=4, step_s=2)
    found = window_features(residuals(np.ones((1, 30)), step_s=2), spec=spec)
    assert set(found["points"]) == {5}


def test_times_off_the_grid_and_broken_lengths_are_refused() -> None:
    """The message names the time or the length."""
    with pytest.raises(InputError, match=r"00:00:01.*300 s"):
        window_features(residuals(np.zeros((1, 40)), start=DAY + timedelta(seconds=1)))
    with pytest.raises(InputError, match="length_s 1000"):
        WindowSpec(length_s=1000)


@pytest.mark.parametrize("level", [2.0, 0.1, -1e7, 1e-9])
def test_constant_windows_have_exactly_no_spread(level: float) -> None:
    """Rounding in the mean does not become a spread, which scaling would blow up."""
    row = window_features(residuals(np.full((1, 36), level))).row(0, named=True)
    assert (row["mean"], row["std"], row["slope_per_h"]) == (level, 0.0, 0.0)


def test_statistics_equal_numpy() -> None:
    """Mean, population standard deviation and slope of random windows."""
    x = np.random.default_rng(2).normal(size=(5, 36))
    found = window_statistics(x, 300.0)
    hours = np.arange(36) / 12
    np.testing.assert_allclose(found["mean"], x.mean(axis=1))
    np.testing.assert_allclose(found["std"], x.std(axis=1))
    np.testing.assert_allclose(found["slope_per_h"], np.polyfit(hours, x.T, 1)[0])


def test_the_mean_in_si_is_of_the_same_points() -> None:
    """Masked rows count neither in standard deviations nor in metres."""
    frame = residuals(np.random.default_rng(3).normal(size=(1, 36))).with_columns(
        pl.col("residual_si") * 0.25,
        (pl.int_range(pl.len()) % 3 != 0).cast(pl.Int8).alias("mask"),
    )
    row = window_features(frame).row(0, named=True)
    assert row["mean_si"] == pytest.approx(0.25 * row["mean"])
    assert row["points"] == 24


def test_masked_points_are_ignored_and_half_a_window_is_needed() -> None:
    """18 of 36 usable points are enough, 17 give nulls."""
    x = np.random.default_rng(4).normal(size=36)
    half, less = x.copy(), x.copy()
    half[18:] = np.nan
    less[17:] = np.nan
    found = window_features(residuals(np.stack([half, less])))
    assert found["points"].to_list() == [18, 17]
    assert found["mean"][0] == pytest.approx(x[:18].mean())
    assert found["std"][0] == pytest.approx(x[:18].std())
    assert all(found[name][1] is None for name in STATISTICS)


def test_values_under_the_mask_do_not_matter() -> None:
    """FEA9: another value in a masked row changes nothing."""
    frame = residuals(np.random.default_rng(5).normal(size=(2, 72)))
    masked = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 5 == 0).then(0).otherwise(1).cast(pl.Int8).alias("mask")
    )
    shuffled = masked.with_columns(
        pl.when(pl.col("mask") == 0).then(1e6).otherwise("residual_z").alias("residual_z")
    )
    assert window_features(masked).equals(window_features(shuffled))


@pytest.mark.parametrize("last", [36, 37, 100, 287])
def test_truncating_after_the_window_end_changes_no_bit(last: int) -> None:
    """FEA10: features of a window do not know what comes after it."""
    frame = residuals(np.random.default_rng(6).normal(size=(3, 288)))
    cut = frame.filter(pl.col("ts_utc") < DAY + timedelta(seconds=300 * last))
    assert window_features(cut).equals(
        window_features(frame).filter(pl.col("window_end") < DAY + timedelta(seconds=300 * last))
    )


def test_training_windows_carry_their_labels() -> None:
    """One scenario leaks from noon on; the other rows are those of operation."""
    rng = np.random.default_rng(8)
    runs = [
        residuals(rng.normal(size=(1, 288))).with_columns(
            pl.lit(name).alias("scenario_id"), pl.lit("b000").alias("batch")
        )
        for name in ("s0", "s1")
    ]
    truth = pl.DataFrame(
        {
            "scenario_id": "s1",
            "leak_id": 0,
            "link_id": "p1",
            "leak_type": "abrupt",
            "leak_start": DAY + timedelta(hours=12),
            "leak_peak": DAY + timedelta(hours=12),
            "leak_end": DAY + timedelta(hours=24),
            "max_flow_m3_per_h": 5.0,
        }
    )
    found = training_windows(pl.concat(runs), truth)
    assert found.schema == TRAINING_WINDOWS.polars_schema
    assert found["window_start"].n_unique() == 43
    leaky = found.filter("is_leak")
    assert set(leaky["scenario_id"]) == {"s1"}
    assert set(leaky["link_id"]) == {"p1"}
    assert leaky["window_start"].min() == DAY + timedelta(hours=10, minutes=30)
    partial = found.filter((pl.col("leak_flow_m3_per_h") > 0) & ~pl.col("is_leak"))
    assert partial.height == 2
    alone = window_features(runs[0].drop("scenario_id", "batch"))
    assert found.filter(scenario_id="s0").select(alone.columns).equals(alone)


def test_empty_input_gives_an_empty_table() -> None:
    """No residual, no window."""
    assert window_features(RESIDUALS.empty()).schema == WINDOWS.polars_schema
    assert window_features(residuals(np.zeros((1, 10)))).height == 0
    assert window_grid(RESIDUALS.empty(), WindowSpec(), day=date(2019, 3, 4)).group.size == 0
