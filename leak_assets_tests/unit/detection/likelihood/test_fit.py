"""Known leaks fitted together: sizes found, courses exact, sudden days left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.detection.likelihood.estimate import start_of
from leak_assets.detection.likelihood.fit import Known, fit
from leak_assets.detection.likelihood.timeline import Timeline, course
from leak_assets_tests.channels import quiet_days
from leak_assets_tests.unit.detection.likelihood.test_placing import coordinates, explanations

DAYS = 120


def timeline(masked: frozenset[int] = frozenset(), load: float = 1.0) -> Timeline:
    """Return days under a constant load."""
    return Timeline(np.full(DAYS, load), masked, coordinates().groups)


def known(pipe: int, onset: int, growth_days: int = 1, last_day: int | None = None) -> Known:
    """Return a leak that is believed in."""
    return Known("leak", pipe, 1.0, onset, growth_days, last_day, 3.0)


def white(values: np.ndarray, days: Timeline) -> np.ndarray:
    """Return channels (N × 6) in white noise."""
    return days.white(values @ coordinates().turn.T)


def values_of(*leaks: tuple[Known, float]) -> np.ndarray:
    """Return quiet days with leaks of given sizes."""
    out = quiet_days(DAYS, seed=9)
    for one, size in leaks:
        whole = course(DAYS, one.onset, one.growth_days, one.last_day)
        out += size * whole[:, None] * explanations().leaks[one.index]
    return out


def test_leaks_that_run_at_once_are_sized_together() -> None:
    """Three leaks that overlap, one growing, one repaired: each within a fifth."""
    leaks = [known(0, 20), known(2, 40, 35), known(3, 30, 1, 90)]
    sizes = (8.0, 12.0, 6.0)
    days = timeline(frozenset({20, 30, 90}))
    values = values_of(*zip(leaks, sizes, strict=True))
    found = fit(coordinates(), days, white(values, days), leaks, np.zeros((DAYS, 0)), 1.0)
    assert found.sizes == pytest.approx(sizes, rel=0.2)
    without = fit(coordinates(), days, white(values, days), leaks[:2], np.zeros((DAYS, 0)), 1.0)
    assert found.log_likelihood > without.log_likelihood + 20


def test_a_leak_that_is_not_there_has_no_size() -> None:
    """Sizes are not negative: what quiet days do not show is zero or nearly so."""
    days = timeline(frozenset({30}))
    values = values_of()
    found = fit(coordinates(), days, white(values, days), [known(1, 30)], np.zeros((DAYS, 0)), 1.0)
    assert 0 <= found.sizes[0] < 0.5


def test_a_disturbance_takes_what_follows_it() -> None:
    """Pressures that move with a transfer are not left to be explained by leaks."""
    transfer = np.sin(np.arange(DAYS) / 3.0)
    values = values_of()
    values[:, :4] += 0.02 * transfer[:, None]
    days = timeline()
    plain = fit(coordinates(), days, white(values, days), [], np.zeros((DAYS, 0)), 1.0)
    aware = fit(coordinates(), days, white(values, days), [], transfer[:, None], 1.0)
    assert aware.log_likelihood > plain.log_likelihood + 50


@settings(max_examples=25, deadline=None)
@given(
    onset=st.integers(8, DAYS - 15),
    growth_days=st.sampled_from([1, 10, 20, 35]),
    load=st.floats(0.5, 2.0),
)
def test_quick_courses_are_the_exact_ones(onset: int, growth_days: int, load: float) -> None:
    """Courses from sums of steps are those that are written out, but for days of half the slope.

    Sudden ones to the last bit; of growing ones the squares of means stand for means of squares.
    """
    days = timeline(load=load)
    quick = days.beginnings(np.array([onset]), growth_days)
    begin, _ = start_of(onset, growth_days)
    written = days.courses_until(np.array([float(begin)]), growth_days, None)
    for one, other in zip(quick, written, strict=True):
        apart = np.linalg.norm(one - other) / np.linalg.norm(other)
        assert apart < (1e-9 if growth_days == 1 else 0.05)


def test_masked_days_count_for_nothing() -> None:
    """Whatever stands on a masked day, the white values are the same."""
    values = values_of()
    changed = values.copy()
    changed[50] += 100.0
    days = timeline(frozenset({50}))
    assert np.allclose(white(values, days), white(changed, days))


def test_noise_of_the_courses_is_white() -> None:
    """What is left in white noise is the likelihood of the days that count, and of no others."""
    days = timeline(frozenset({5, 60}))
    kept = [day for day in range(DAYS) if day not in (5, 60)]
    values = np.random.default_rng(1).standard_normal((DAYS, 3))
    for group in coordinates().groups:
        white_values = days.factor(group) @ values
        covariance = group.course.covariance(DAYS)[np.ix_(kept, kept)]
        exact = values[kept].T @ np.linalg.solve(covariance, values[kept])
        assert np.allclose(white_values.T @ white_values, exact)
