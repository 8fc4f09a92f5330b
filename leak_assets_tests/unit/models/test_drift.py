"""Drift: what fires and what does not, on windows with the noise and the overlap of real ones."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.models.config import DriftLimits
from leak_assets.models.dataset import WindowSet
from leak_assets.models.drift import (
    BLOCKS,
    LEAST_WINDOWS,
    block_spread,
    is_biased,
    is_far,
    is_shifted,
    ks_distance,
    psi,
    shift_of,
)
from leak_assets.models.drift_steps import ALL, drift_frame
from leak_assets.warehouse.schemas.models import DRIFT

LIMITS = DriftLimits(days=28, psi=0.25, ks=0.2, bias_z=2.0, standard_errors=5.0)
MONTH = 28 * 48


def test_known_values() -> None:
    """Same sample: 0; apart: 1; half of the tenths exchanged: by the formula."""
    x = np.arange(1000.0)
    assert psi(x, x) == pytest.approx(0.0)
    assert ks_distance(x, x) == 0.0
    assert ks_distance(x + 5000, x) == 1.0
    assert ks_distance(x + 250, x) == pytest.approx(0.25)
    # A fifth more in one tenth, a fifth less in another: 2 * 0.02 * ln(1.2 / 0.8) / 2.
    moved = np.where((x >= 100) & (x < 120), x + 400, x)
    assert psi(moved, x) == pytest.approx(0.02 * np.log(1.2) - 0.02 * np.log(0.8), rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10), st.floats(-100, 100))
def test_drift_does_not_depend_on_units(seed: int, scale: float, offset: float) -> None:
    """Scaled and moved together, all figures stay."""
    rng = np.random.default_rng(seed)
    now, then = rng.normal(0.5, 1.2, 300), rng.normal(size=400)
    moved = then * scale + offset
    first = shift_of(now, then, block_spread(then[:, None]))
    second = shift_of(now * scale + offset, moved, block_spread(moved[:, None]))
    assert second.bias_se == pytest.approx(first.bias_se, rel=1e-6, abs=1e-9)
    assert second.psi == pytest.approx(first.psi, abs=0.05)
    assert second.ks == pytest.approx(first.ks, abs=0.01)
    assert second.bias_z == pytest.approx(first.bias_z, rel=1e-6, abs=1e-9)


def test_too_few_values_say_nothing() -> None:
    """NaN counts as missing; less than a day of windows is no distribution."""
    few = np.full(500, np.nan)
    few[: LEAST_WINDOWS - 1] = 1.0
    shift = shift_of(few, np.random.default_rng(0).normal(size=500), 0.01)
    figures = (shift.psi, shift.ks, shift.bias_z, shift.bias_se)
    assert shift.windows == LEAST_WINDOWS - 1
    assert figures == (None, None, None, None)
    assert not is_shifted(shift, LIMITS)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 84))
def test_windows_that_hang_together_count_as_few(seed: int, run: int) -> None:
    """Runs of equal windows count once each: the spread of blocks is that of so many values."""
    rng = np.random.default_rng(seed)
    values = np.repeat(rng.normal(size=(MONTH // run + 1, 200)), run, axis=0)[:MONTH]
    independent = MONTH / run / BLOCKS
    assert block_spread(values) == pytest.approx(1 / independent, rel=0.35)


def test_spread_is_at_least_that_of_independent_windows() -> None:
    """Values that even out within each block, and missing ones, do not make a shift certain."""
    waves = np.tile([1.0, -1.0], MONTH // 2)[:, None]
    floor = BLOCKS / MONTH
    assert block_spread(waves) == pytest.approx(floor)
    assert block_spread(np.full((MONTH, 3), np.nan)) == pytest.approx(floor)
    assert block_spread(np.ones((MONTH, 3))) == pytest.approx(floor)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_correction_learned_on_one_week_is_no_shift(seed: int) -> None:
    """Weeks that differ move all that a correction learned on one of them is applied to.

    By size some of forty channels are always far, by five standard errors none.
    """
    rng = np.random.default_rng(seed)
    weeks = np.repeat(rng.normal(size=(12, 40)), MONTH // 4, axis=0)
    values = weeks + rng.normal(size=weeks.shape) * 2
    first, now = values[: MONTH // 4], values[5 * MONTH // 4 : 6 * MONTH // 4]
    reference = values[MONTH // 4 : 5 * MONTH // 4] - first.mean(axis=0)
    recent = values[6 * MONTH // 4 : 10 * MONTH // 4] - now.mean(axis=0)
    spread = block_spread(reference)
    shifts = [shift_of(recent[:, c], reference[:, c], spread) for c in range(40)]
    assert any(is_far(one, LIMITS) for one in shifts)
    assert not any(is_shifted(one, LIMITS) or is_biased(one, LIMITS) for one in shifts)


def test_reference_that_never_varied_shifts_by_any_size() -> None:
    """A constant feature has no standard error; another constant is another distribution."""
    shift = shift_of(np.full(300, 2.0), np.ones(300), 0.01)
    assert (shift.bias_z, shift.bias_se) == (None, None)
    assert is_shifted(shift, LIMITS)
    assert not is_shifted(shift_of(np.ones(300), np.ones(300), 0.01), LIMITS)


def month(artefact, seed: int, *, offset: float = 0.0) -> WindowSet:
    """Return a month of windows: each statistic wanders over days, as demand and weather do."""
    rng = np.random.default_rng(seed)
    shape = (len(artefact.statistics), len(artefact.channels))
    daily = np.repeat(rng.normal(0, 0.5, (28, *shape)), 48, axis=0)
    steps = rng.normal(0, 1, (MONTH + 5, *shape))
    overlapping = np.stack([steps[i : i + 6].mean(axis=0) for i in range(MONTH)]) * np.sqrt(6)
    scale, mean = artefact.scaler.std_, artefact.scaler.mean_
    values = mean + scale * (overlapping + daily + offset)
    index = pl.DataFrame({"window_start": np.arange(MONTH)})
    return WindowSet(artefact.channels, artefact.statistics, values.astype(np.float32), index)


def told(artefact, recent: WindowSet, reference: WindowSet) -> pl.DataFrame:
    """Return the rows of a month."""
    frame = drift_frame(artefact, recent, reference, LIMITS, day=date(2026, 3, 31))
    assert frame.schema == DRIFT.polars_schema
    return frame


def verdict(artefact, recent: WindowSet, reference: WindowSet) -> bool:
    """Return whether a month drifts."""
    return bool(told(artefact, recent, reference).filter(kind=ALL)["is_drift"][0])


def test_a_shifted_month_fires_and_twelve_unshifted_ones_do_not(artefacts) -> None:
    """MOD11: rate of false drift 0 of 12; a calibration that is off by a sigma and a half fires."""
    detector = artefacts[0]
    reference = month(detector, 1)
    fired = [verdict(detector, month(detector, 100 + n), reference) for n in range(12)]
    assert sum(fired) == 0
    assert verdict(detector, month(detector, 200, offset=1.5), reference)


def test_one_sensor_that_is_off_fires_and_is_named(artefacts) -> None:
    """One channel of many drifts, by its mean alone."""
    detector = artefacts[0]
    reference, recent = month(detector, 1), month(detector, 2)
    mean = detector.statistics.index("mean")
    values = recent.values.copy()
    values[:, mean, 2] += 3 * reference.values[:, mean, 2].std()
    moved = WindowSet(recent.channels, recent.statistics, values, recent.index)
    rows = told(detector, moved, reference).filter("is_drift", pl.col("kind") != "score")
    name = detector.channels[2]
    assert set(rows["subject"]) == {f"mean/{name}", name, "verdict"}


def test_a_few_days_that_differ_are_no_month(artefacts) -> None:
    """Days at hand right after the reference count as few: what is noise of a day does not fire."""
    detector = artefacts[0]
    reference = month(detector, 1)
    fired = [
        verdict(detector, month(detector, 300 + n).select(np.arange(2 * 48)), reference)
        for n in range(12)
    ]
    assert sum(fired) == 0


def test_a_silent_month_is_no_drift(artefacts) -> None:
    """Windows with too few channels have no score, and nothing is said of them."""
    detector = artefacts[0]
    reference = month(detector, 1)
    silent = WindowSet(
        reference.channels,
        reference.statistics,
        np.full_like(reference.values, np.nan),
        reference.index,
    )
    assert not verdict(detector, silent, reference)
