"""What is made of daily values before they are judged: season, gaps, load, transfers."""

from datetime import date

import numpy as np
import pytest

from leak_assets.detection.likelihood.days import LOAD_EXPONENT, Days
from leak_assets_tests.channels import REFERENCE_DAYS, USUAL_M3_PER_H, reference

NAN = np.nan
COUNT = REFERENCE_DAYS + 60


def inputs(season: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return values (N × 6) and drivers (N × 6) of a town whose demand grows by a share a day."""
    rng = np.random.default_rng(5)
    values = 0.001 * rng.standard_normal((COUNT, 6))
    grown = 1.0 + season * np.arange(COUNT)
    large, small = USUAL_M3_PER_H
    values[:, 4] += large * (grown - 1.0)
    transfer = 30.0 + rng.standard_normal(COUNT)
    drivers = np.stack(
        [
            large * grown,
            small * grown,
            np.full(COUNT, large),
            small * grown,
            transfer,
            transfer * large,
        ],
        axis=1,
    )
    drivers[:REFERENCE_DAYS] = NAN
    return values, drivers


def test_the_season_of_metered_homes_is_taken_out_of_a_forecast() -> None:
    """A demand that grows by a third in two months leaves the balance where it was, within 4 %."""
    values, drivers = inputs(season=0.005)
    days = Days.of(values, drivers, reference(), 0)
    assert np.abs(values[-1, 4]) > 30
    assert np.abs(days.values[:, 4]).max() < 0.04 * USUAL_M3_PER_H[0]
    assert np.array_equal(days.values[:, :4], values[:, :4])


def test_a_gap_has_the_mean_of_the_days_before() -> None:
    """A channel that is out for some days keeps its level; a day without any value is said."""
    values, drivers = inputs()
    values[20:22, 1] = NAN
    values[30] = NAN
    days = Days.of(values, drivers, reference(), 0)
    assert days.values[20, 1] == pytest.approx(values[15:20, 1].mean())
    assert days.empty == {30}
    assert days.usable == tuple(range(6))
    assert np.isfinite(days.values).all()


def test_a_channel_that_is_out_now_is_not_used() -> None:
    """Three missing days of the last seven: nothing may be made up for a place."""
    values, drivers = inputs()
    values[-3:, 2] = NAN
    assert Days.of(values, drivers, reference(), 0).usable == (0, 1, 3, 4, 5)


def test_load_and_transfers_follow_what_was_measured() -> None:
    """Each zone has its load; transfers count from their first days."""
    values, drivers = inputs(season=0.005)
    days = Days.of(values, drivers, reference(), 0)
    assert days.load[:REFERENCE_DAYS] == pytest.approx(1.0)
    grown = (1.0 + 0.005 * (COUNT - 1)) ** LOAD_EXPONENT
    assert days.load[-1, 0] == pytest.approx(grown, rel=1e-6)
    assert days.load.shape == (COUNT, 2)
    assert days.disturbances.shape == (COUNT, 4)
    first = days.disturbances[REFERENCE_DAYS : REFERENCE_DAYS + 7, 0]
    assert first.mean() == pytest.approx(0, abs=1e-12)


def test_nothing_looks_ahead() -> None:
    """Days cut anywhere are as they were with all days."""
    values, drivers = inputs(season=0.002)
    values[25, 3] = NAN
    whole = Days.of(values, drivers, reference(), 0)
    for last in (REFERENCE_DAYS + 9, 40, 60):
        part = Days.of(values[:last], drivers[:last], reference(), 0)
        assert np.array_equal(part.values, whole.values[:last])
        assert np.array_equal(part.load, whole.load[:last])
        assert np.array_equal(part.disturbances, whole.disturbances[:last])


def test_the_reference_is_of_seven_days() -> None:
    """The builder's first day after the reference is the one that is learned by."""
    values, drivers = inputs()
    assert Days.of(values, drivers, reference(date(2020, 2, 1)), 0).learned == REFERENCE_DAYS
