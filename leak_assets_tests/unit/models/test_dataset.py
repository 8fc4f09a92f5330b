"""Window sets: inputs, labels, streaming equals batch."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from leak_assets.features.grid import WindowSpec
from leak_assets.models.dataset import concatenate, operation_set, training_set
from leak_assets.models.scaler import ChannelScaler


def test_inputs_are_the_residuals_of_the_window(windows, scenarios) -> None:
    """Value channels hold residual z, mask channels ones; every scenario has 43 windows."""
    assert len(windows) == 6 * 8 * 43
    row = windows.index.row(100, named=True)
    expected = (
        scenarios.batches[0]
        .filter(
            (pl.col("scenario_id") == row["scenario_id"])
            & (pl.col("sensor_id") == "n03")
            & pl.col("ts_utc").is_between(row["window_start"], row["window_end"])
        )
        .sort("ts_utc")["residual_z"]
    )
    x = windows.inputs(np.array([100]))
    position = windows.channels.index("pressure/n03")
    np.testing.assert_allclose(x[0, position], expected, rtol=1e-6)
    assert x.dtype == np.float32
    assert (x[0, len(windows.channels) :] == 1).all()


def test_labels_partial_windows_and_batches_stand_beside_the_inputs(windows) -> None:
    """A leak window names its pipe; a partly leaking one is no leak and no reference."""
    index = windows.index
    assert index.filter("is_leak")["link_id"].null_count() == 0
    assert index.filter(~pl.col("is_leak"))["link_id"].null_count() == (~windows.is_leak).sum()
    assert 0 < windows.is_partial.sum() < windows.is_leak.sum()
    assert not (windows.is_partial & windows.is_leak).any()
    assert index["batch"].n_unique() == 6


def test_masked_and_absent_channels_are_zero_with_mask_zero(scenarios) -> None:
    """A masked row, a null and a channel the frame lacks look alike."""
    frame = scenarios.batches[0].filter(pl.col("scenario_id") == "line/b000/s000")
    frame = frame.with_columns(
        pl.when(pl.col("sensor_id") == "n00").then(0).otherwise("mask").cast(pl.Int8).alias("mask"),
        pl.when(pl.col("sensor_id") == "n01")
        .then(None)
        .otherwise("residual_z")
        .alias("residual_z"),
    )
    wanted = ("pressure/n00", "pressure/n01", "pressure/absent", "pressure/n02")
    x = operation_set(frame, WindowSpec(), wanted).inputs()
    assert not x[:, [0, 1, 2, 4, 5, 6]].any()
    assert x[:, 7].all()


def test_day_by_day_equals_the_batch(scenarios) -> None:
    """DET10: the same windows from a day with context and from two days at once."""
    one = scenarios.batches[0].filter(pl.col("scenario_id") == "line/b000/s001")
    two = pl.concat([one, one.with_columns(pl.col("ts_utc") + timedelta(days=1))])
    spec = WindowSpec()
    channels = ("flow/inflow", "pressure/n00")
    batch = operation_set(two, spec, channels)
    day = (one["ts_utc"].min() + timedelta(days=1)).date()
    daily = operation_set(two, spec, channels, day=day)
    assert len(daily) == 48
    later = batch.select((batch.index["window_end"].dt.date() == day).to_numpy())
    assert daily.index.equals(later.index)
    np.testing.assert_array_equal(daily.inputs(), later.inputs())


def test_sets_of_different_length_join_and_others_are_refused(scenarios) -> None:
    """A shorter batch keeps its windows; another channel list is an error."""
    start = scenarios.batches[1]["ts_utc"].min()
    short = scenarios.batches[1].filter(pl.col("ts_utc") < start + timedelta(hours=6))
    both = training_set([scenarios.batches[0], short], scenarios.leak_truth, WindowSpec())
    alone = training_set([short], scenarios.leak_truth, WindowSpec())
    assert len(both) == 8 * 43 + 8 * 7
    np.testing.assert_array_equal(both.inputs()[8 * 43 :], alone.inputs())
    other = training_set([short], scenarios.leak_truth, WindowSpec(), channels=("pressure/n00",))
    with pytest.raises(ValueError, match="same channels"):
        concatenate([both, other])


def test_scaler_equals_numpy_and_zero_variance_gives_zero(windows) -> None:
    """FEA3: over usable points only; a constant channel becomes 0, not NaN."""
    x = windows.inputs(np.arange(50))
    channels = x.shape[1] // 2
    x[:, 0] = 4.0
    x[:10, channels + 1] = 0
    x[:10, 1] = 0
    scaler = ChannelScaler().fit(x)
    assert scaler.mean_[1] == pytest.approx(x[10:, 1].astype(float).mean())
    assert scaler.std_[1] == pytest.approx(x[10:, 1].astype(float).std())
    scaled = ChannelScaler.from_dict(scaler.to_dict(windows.channels)).transform(x)
    assert (scaled[:, 0] == 0).all()
    assert (scaled[:10, 1] == 0).all()
    assert np.isfinite(scaled).all()
    assert scaled[:, 2].mean() == pytest.approx(0.0, abs=1e-4)
