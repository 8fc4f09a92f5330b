"""The filter's evidence and estimates against the same numbers by brute force."""

import numpy as np
import pytest
from numpy.typing import NDArray

from leak_assets.detection.likelihood.leak_filter import SLOW_DAYS, Component, LeakFilter

Floats = NDArray[np.float64]
S, DAYS = 3, 12
FAST = np.diag([1.0, 2.0, 1.5]) + 0.3
SLOW = np.diag([0.5, 0.4, 0.8])


def component(first_day: int = 2, last_day: int | None = None) -> Component:
    """Return a known leak with two coefficients."""
    return Component(
        np.array([[1.0, 0.2], [0.5, -1.0], [-1.0, 0.3]]),
        first_day,
        last_day,
        np.array([3.0, 1.0]),
        np.array([0.5, 0.2]),
        np.zeros(S),
        np.zeros(S),
    )


def covariance_of_all(known: Component) -> Floats:
    """Return the covariance of all observations by their definition (D·S × D·S)."""
    keep = np.exp(-1.0 / SLOW_DAYS)
    out = np.zeros((DAYS * S, DAYS * S))
    for i in range(DAYS):
        for j in range(DAYS):
            block = FAST + keep ** abs(i - j) * SLOW  # The offset's prior is the fast covariance.
            if known.is_active(i) and known.is_active(j):
                age = min(i, j) - known.first_day
                variance = known.initial_sd**2 + age * known.drift_sd**2
                block = block + known.basis @ np.diag(variance) @ known.basis.T
            if i == j:
                block = block + FAST
            out[i * S : (i + 1) * S, j * S : (j + 1) * S] = block
    return out


@pytest.mark.parametrize(("onset", "slope"), [(5, 0.0), (9, 0.0), (4, 0.1)])
def test_evidence_is_the_likelihood_ratio_of_all_days(onset: int, slope: float) -> None:
    """Information and score gathered day by day are those of generalized least squares."""
    values = np.random.default_rng(1).standard_normal((DAYS, S))
    known = component()
    filter_ = LeakFilter(FAST, SLOW, (known,))
    for day in range(DAYS):
        if day == onset:
            filter_.watch(onset, slope_per_day=slope)
        filter_.step(values[day])
    evidence = filter_.evidence[0]
    growth = [
        0.0 if d < onset else 1.0 if slope == 0 else slope * (d - onset + 1) for d in range(DAYS)
    ]
    design = np.kron(np.array(growth)[:, None], np.eye(S))
    inverse = np.linalg.inv(covariance_of_all(known))
    np.testing.assert_allclose(evidence.information, design.T @ inverse @ design, rtol=1e-6)
    np.testing.assert_allclose(
        evidence.score, design.T @ inverse @ values.ravel(), rtol=1e-6, atol=1e-9
    )


def test_a_known_leak_is_followed() -> None:
    """What a known leak adds is estimated; it is not taken for something new."""
    known = component(first_day=3)
    filter_ = LeakFilter(0.01 * FAST, 0.01 * SLOW, (known,))
    for day in range(DAYS):
        if day == 8:
            filter_.watch(8)
        filter_.step(4.0 * known.basis[:, 0] if day >= 3 else np.zeros(S))
    mean, sd = filter_.coefficients(0)
    assert mean[0] == pytest.approx(4.0, abs=0.3)
    assert sd[0] < 0.5
    effect, _ = filter_.effect(0)
    np.testing.assert_allclose(effect, 4.0 * known.basis[:, 0], atol=0.4)
    assert np.abs(filter_.evidence[0].score).max() < 5


def test_an_ended_leak_leaves_the_state() -> None:
    """After its last day a component has no coefficients and its effect is not expected."""
    known = component(first_day=2, last_day=7)
    filter_ = LeakFilter(0.01 * FAST, 0.01 * SLOW, (known,))
    for day in range(DAYS):
        filter_.step(4.0 * known.basis[:, 0] if 2 <= day < 7 else np.zeros(S))
    assert len(filter_.state.mean) == 2 * S
    assert np.abs(filter_.state.mean[:S] + filter_.state.mean[S:]).max() < 0.2
    with pytest.raises(KeyError):
        filter_.effect(0)


def test_missing_channels_say_nothing() -> None:
    """A channel that is missing adds no evidence and moves no estimate."""
    gaps = np.random.default_rng(2).standard_normal((DAYS, S))
    gaps[4:, 1] = np.nan
    filter_ = LeakFilter(FAST, SLOW)
    for day in range(DAYS):
        if day == 5:
            filter_.watch(5)
        filter_.step(gaps[day])
    evidence = filter_.evidence[0]
    assert evidence.information[1] == pytest.approx([0, 0, 0], abs=1e-9)
    assert evidence.score[1] == pytest.approx(0, abs=1e-9)
    assert np.isfinite(filter_.state.mean).all()
