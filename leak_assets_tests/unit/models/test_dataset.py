"""Window sets: values, labels, order, what is missing, scaling and whitening."""

import numpy as np
import polars as pl
import pytest

from leak_assets.features.windows import STATISTICS
from leak_assets.models.dataset import training_set, window_set
from leak_assets.models.scaler import WindowScaler, whitening_matrices


def test_values_are_the_statistics_of_the_window(windows, scenarios) -> None:
    """Every scenario has 43 windows; a cell is the row of the features."""
    assert len(windows) == 6 * 8 * 43
    row = windows.index.row(100, named=True)
    expected = scenarios.batches[0].filter(
        scenario_id=row["scenario_id"], sensor_id="n03", window_start=row["window_start"]
    )
    found = windows.values[100, :, windows.channels.index("pressure/n03")]
    np.testing.assert_allclose(found, expected.select(STATISTICS).row(0), rtol=1e-6)
    assert windows.values.dtype == np.float32
    assert windows.usable.all()


def test_order_of_rows_does_not_matter(windows, scenarios) -> None:
    """DET10: whatever order a frame comes in."""
    mixed = [b.sample(fraction=1.0, shuffle=True, seed=1) for b in scenarios.batches]
    found = training_set(mixed, STATISTICS)
    np.testing.assert_array_equal(found.values, windows.values)
    assert found.index.equals(windows.index)


def test_labels_partial_windows_and_batches_stand_beside_the_values(windows) -> None:
    """A leak window names its pipe; a partly leaking one is no leak and no reference."""
    index = windows.index
    assert index.filter("is_leak")["link_id"].null_count() == 0
    assert index.filter(~pl.col("is_leak"))["link_id"].null_count() == (~windows.is_leak).sum()
    assert 0 < windows.is_partial.sum() < windows.is_leak.sum()
    assert not (windows.is_partial & windows.is_leak).any()
    assert index["batch"].n_unique() == 6


def test_null_and_absent_channels_are_missing(scenarios) -> None:
    """A channel with too few points and one that the frame lacks look alike."""
    frame = scenarios.batches[0].with_columns(
        pl.when(pl.col("sensor_id") == "n01").then(None).otherwise("mean").alias("mean")
    )
    found = window_set(
        frame, ("mean", "std"), channels=("pressure/n01", "pressure/absent", "pressure/n02")
    )
    assert found.usable.all(axis=0).tolist() == [False, False, True]
    assert np.isnan(found.values[:, :, 1]).all()


def test_batches_take_the_channels_of_the_first(scenarios) -> None:
    """A batch that lacks one has it missing; no batch at all is an error."""
    short = scenarios.batches[1].filter(pl.col("sensor_id") != "n00")
    both = training_set([scenarios.batches[0], short], STATISTICS)
    at = both.channels.index("pressure/n00")
    assert both.usable[: 8 * 43, at].all()
    assert not both.usable[8 * 43 :, at].any()
    with pytest.raises(ValueError, match="no scenario batch"):
        training_set([], STATISTICS)


def test_statistics_and_channels_are_chosen_by_name(windows) -> None:
    """In the order asked for; a statistic that was not read is an error."""
    found = windows.of(("std", "mean"), ("flow/inflow", "pressure/absent"))
    inflow = windows.channels.index("flow/inflow")
    at = [windows.statistics.index("std"), windows.statistics.index("mean")]
    np.testing.assert_array_equal(found.values[:, :, 0], windows.values[:, at, inflow])
    assert np.isnan(found.values[:, :, 1]).all()
    with pytest.raises(ValueError, match="read without std"):
        windows.of(("mean",)).of(("std",))


def test_scaler_equals_numpy_and_zero_variance_gives_zero(windows) -> None:
    """FEA3: over usable windows only; a constant or absent channel becomes 0, not NaN."""
    x = windows.values[:50].copy()
    x[:, :, 0] = 4.0
    x[:, :, 3] = np.nan
    x[:10, :, 1] = np.nan
    scaler = WindowScaler().fit(x)
    np.testing.assert_allclose(scaler.mean_[:, 1], x[10:, :, 1].astype(float).mean(axis=0))
    np.testing.assert_allclose(scaler.std_[:, 1], x[10:, :, 1].astype(float).std(axis=0))
    again = WindowScaler.from_dict(scaler.to_dict(windows.channels, windows.statistics))
    scaled = again.transform(x)
    assert not scaled[:, :, [0, 3]].any()
    assert not scaled[:10, :, 1].any()
    assert np.isfinite(scaled).all()
    np.testing.assert_allclose(scaled[:, :, 2].mean(axis=0), 0.0, atol=1e-4)


def test_whitened_leak_free_windows_are_nearly_uncorrelated(windows) -> None:
    """Each statistic on its own; the ridge leaves a little."""
    free = windows.values[windows.leak_flow_m3_per_h == 0]
    free[:, :, 0] += free[:, :, 1]
    scaled = WindowScaler().fit(free).transform(free)
    for i, matrix in enumerate(whitening_matrices(scaled)):
        covariance = np.cov((scaled[:, i] @ matrix.T).T)
        np.testing.assert_allclose(covariance, np.eye(len(matrix)), atol=0.1)
