"""Known leaks fitted together: sizes found, courses exact, sudden days left out."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.detection.likelihood.coordinates import Coordinates
from leak_assets.detection.likelihood.fit import Known, fit
from leak_assets.detection.likelihood.noise import Noise
from leak_assets.detection.likelihood.timeline import Timeline, course
from leak_assets_tests.channels import quiet_days, reference
from leak_assets_tests.unit.detection.likelihood.test_placing import (
    CHANNELS,
    coordinates,
    explanations,
)

DAYS = 120


def timeline(masked: frozenset[int] = frozenset(), load: float = 1.0) -> Timeline:
    """Return days under a constant load."""
    return Timeline(
        np.full((DAYS, 2), load),
        masked,
        coordinates().groups,
        np.ones((DAYS, len(coordinates().groups))),
    )


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


def test_what_cannot_be_leaves_sizes_that_can() -> None:
    """Effects that cancel each other, and a day of impossible values: no size beyond all leaks."""
    leaks = [known(3, 30), known(4, 30), known(3, 31, 10), known(4, 28, 10), known(3, 30)]
    days = timeline()
    values = values_of((leaks[0], 20.0), (leaks[1], 20.0))
    values[60] = 1e7
    found = fit(coordinates(), days, white(values, days), leaks, np.zeros((DAYS, 0)), 1.0)
    assert np.isfinite(found.log_likelihood)
    assert ((found.sizes >= 0) & (found.sizes <= 60.0)).all()


def test_each_zone_has_its_own_load() -> None:
    """What a leak does to a pressure grows with the load of that pressure's zone alone."""
    by_zone = replace(explanations(), place=np.array([0, 0, 0, 1]))
    turned = Coordinates.of(by_zone, Noise.of(reference()), CHANNELS)
    of_small = turned.groups[1]
    assert (of_small.zone, of_small.part) == (1, slice(3, 4))
    assert turned.turn[:3, 3] == pytest.approx(0)
    assert turned.turn[3, :3] == pytest.approx(0)
    load = np.ones((DAYS, 2))
    load[50:, 1] = 2.0
    days = Timeline(load, frozenset(), turned.groups, np.ones((DAYS, 3)))
    assert days.weight(turned.groups[0]) == pytest.approx(1.0)
    assert days.weight(of_small)[[49, 50]] == pytest.approx([1.0, 2.0])
    assert days.weight(turned.groups[2]) == pytest.approx(1.0)


def test_days_of_wider_noise_count_less() -> None:
    """Twice the noise on all days is a quarter of the evidence, by group."""
    groups = coordinates().groups
    wide = np.ones((DAYS, len(groups)))
    wide[:, 0] = 2.0
    plain, wider = timeline(), replace(timeline(), scatter=wide)
    for group, once, twice in zip(
        groups,
        plain.beginnings(np.array([30]), 1),
        wider.beginnings(np.array([30]), 1),
        strict=True,
    ):
        share = 0.25 if group is groups[0] else 1.0
        assert (twice**2).sum() == pytest.approx(share * (once**2).sum())


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
    """Courses from sums of steps equal those that are written out, but for the free first day."""
    days = timeline(load=load)
    onsets = np.array([onset])
    quick = days.beginnings(onsets, growth_days)
    written = days.courses_until(onsets, growth_days, DAYS + 1)
    for one, other in zip(quick, written, strict=True):
        assert np.allclose(one, other, atol=1e-9)


def test_masked_days_count_for_nothing() -> None:
    """Whatever stands on a masked day, the white values are the same."""
    values = values_of()
    changed = values.copy()
    changed[50] += 100.0
    days = timeline(frozenset({50}))
    assert np.allclose(white(values, days), white(changed, days))


def test_noise_of_the_courses_is_white() -> None:
    """The covariance over days becomes the identity on the days that count."""
    days = timeline(frozenset({5, 60}))
    for group in coordinates().groups:
        factor = days.factor(group)
        kept = [day for day in range(DAYS) if day not in (5, 60)]
        turned = factor @ group.course.covariance(DAYS) @ factor.T
        assert np.allclose(turned[np.ix_(kept, kept)], np.eye(len(kept)))
