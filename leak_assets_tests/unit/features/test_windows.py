"""Window features: grid, statistics, spectra, reference, point in time."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from leak_assets.features.scaler import WindowScaler

from leak_assets.errors import InputError
from leak_assets.features.grid import WindowSpec, day_with_context, window_grid
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
    first_ts, last_ts = day_with_context(second, WindowSpec())
    context = frame.filter(
        pl.col("ts_utc").dt.replace_time_zone(None).is_between(first_ts, last_ts, closed="left")
    )
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


def test_constant_two_has_rms_two_and_no_spread() -> None:
    """FEA4: constant 2.0: RMS 2, std 0, peak 2; without variance there is no NaN in the table."""
    row = window_features(residuals(np.full((1, 36), 2.0))).row(0, named=True)
    assert (row["rms"], row["std"], row["peak"], row["mean"]) == (2.0, 0.0, 2.0, 2.0)
    assert (row["slope_per_h"], row["spectral_energy"]) == (0.0, 0.0)
    assert row["dominant_period_h"] is None
    assert not any(isinstance(v, float) and np.isnan(v) for v in row.values())


@pytest.mark.parametrize("level", [0.1, -1e7, 1e-9])
def test_constant_windows_have_exactly_no_energy(level: float) -> None:
    """Rounding in the mean does not become a spectrum."""
    found = window_statistics(np.full((1, 36), level), 300.0)
    assert found["spectral_energy"][0] == 0.0
    assert found["rms"][0] == abs(level)


def test_statistics_equal_numpy() -> None:
    """Mean, population std, extremes, RMS, slope of a random window."""
    x = np.random.default_rng(2).normal(size=(5, 36))
    found = window_statistics(x, 300.0)
    hours = np.arange(36) / 12
    np.testing.assert_allclose(found["mean"], x.mean(axis=1))
    np.testing.assert_allclose(found["std"], x.std(axis=1))
    np.testing.assert_allclose(found["peak_to_peak"], np.ptp(x, axis=1))
    np.testing.assert_allclose(found["rms"], np.sqrt((x**2).mean(axis=1)))
    np.testing.assert_allclose(found["slope_per_h"], np.polyfit(hours, x.T, 1)[0])


@pytest.mark.parametrize("points", [35, 36])
def test_spectral_energy_is_the_variance(points: int) -> None:
    """Parseval holds for even and odd lengths."""
    x = np.random.default_rng(3).normal(size=(4, points))
    found = window_statistics(x, 300.0)
    np.testing.assert_allclose(found["spectral_energy"], x.var(axis=1))


def test_daily_sine_has_a_dominant_period_of_24_hours() -> None:
    """FEA5: ± one bin, in a three-day window."""
    spec = WindowSpec(length_s=3 * 86_400, stride_s=86_400)
    hours = np.arange(3 * 288) / 12
    row = window_features(residuals(np.sin(2 * np.pi * hours / 24)[None]), spec=spec).row(
        0, named=True
    )
    assert row["dominant_period_h"] == pytest.approx(24.0, abs=24 / 3)
    assert row["dominant_period_h"] == pytest.approx(24.0)
    assert row["low_band_energy"] == pytest.approx(1.0)


def test_fast_sine_lies_outside_the_low_band() -> None:
    """A period of 30 min has no energy at periods of an hour or more."""
    hours = np.arange(36) / 12
    found = window_statistics(np.sin(2 * np.pi * hours / 0.5)[None], 300.0)
    assert found["low_band_energy"][0] == pytest.approx(0.0, abs=1e-12)
    assert found["spectral_centroid_per_h"][0] == pytest.approx(2.0)


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


def test_scaler_equals_numpy_and_has_no_nan_without_variance() -> None:
    """FEA3: mean and std of the reference slice; a channel without variance gets 0."""
    values = np.random.default_rng(7).normal(size=(2, 288))
    values[1] = 3.0
    found = window_features(residuals(values))
    scaler = WindowScaler().fit(found)
    noisy = found.filter(pl.col("sensor_id") == "n0")["mean"].to_numpy()
    reference = scaler.reference_.row(0, named=True)
    assert reference["mean_mean"] == pytest.approx(noisy.mean())
    assert reference["mean_std"] == pytest.approx(noisy.std())
    scaled = WindowScaler.from_reference(scaler.reference_).transform(found)
    assert scaled.schema == WINDOWS.polars_schema
    np.testing.assert_allclose(
        scaled.filter(pl.col("sensor_id") == "n0")["mean_z"], (noisy - noisy.mean()) / noisy.std()
    )
    assert set(scaled.filter(pl.col("sensor_id") == "n1")["mean_z"]) == {0.0}


def test_training_windows_are_scaled_on_leak_free_windows_only() -> None:
    """A leak of 100 sigma in one scenario leaves the reference alone."""
    rng = np.random.default_rng(8)
    runs = []
    for name, shift in (("s0", 0.0), ("s1", 100.0)):
        values = rng.normal(size=(1, 288))
        values[:, 144:] += shift
        runs.append(
            residuals(values).with_columns(
                pl.lit(name).alias("scenario_id"), pl.lit("b000").alias("batch")
            )
        )
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
    free = found.filter(pl.col("leak_flow_m3_per_h") == 0)
    assert free["mean_z"].mean() == pytest.approx(0.0, abs=1e-9)
    assert free["mean_z"].std(ddof=0) == pytest.approx(1.0)
    assert found.filter("is_leak")["mean_z"].min() > 10
    assert set(found.filter("is_leak")["link_id"]) == {"p1"}


def test_empty_input_gives_an_empty_table() -> None:
    """No residual, no window."""
    assert window_features(RESIDUALS.empty()).schema == WINDOWS.polars_schema
    assert window_features(residuals(np.zeros((1, 10)))).height == 0
    assert window_grid(RESIDUALS.empty(), WindowSpec(), day=date(2019, 3, 4)).group.size == 0
