"""The half-hour clock: leaks that begin at once are told within hours, and little else is."""

from datetime import UTC, datetime, time, timedelta

import numpy as np
import pytest

from leak_assets.detection.hypothesis import Hypothesis
from leak_assets.detection.likelihood.bursts import CONTEXT_DAYS, TwoDays
from leak_assets.detection.likelihood.coordinates import Coordinates
from leak_assets.detection.likelihood.noise import Noise
from leak_assets.detection.likelihood.policy import LikelihoodPolicy
from leak_assets.detection.likelihood.watch import Burst, bursts
from leak_assets.features.half_hours import PER_DAY
from leak_assets_tests import channels as made
from leak_assets_tests.channels import detector, observed, quiet_half_hours, run, with_burst

# Day 20 after the reference, 13:30.
_BEGAN = 20 + 27 / PER_DAY
_BEGAN_AT = datetime.combine(made.day_of(20), time(13, 30), UTC)


@pytest.fixture(scope="module")
def with_one() -> list[Hypothesis]:
    """Return what is held of days with a leak of 12 m3/h that begins at 13:30."""
    return run(detector(), with_burst(quiet_half_hours(30), "p1", _BEGAN, 12.0))[1]


def test_a_burst_is_told_within_hours(with_one: list[Hypothesis]) -> None:
    """At the right pipe, two hours after it began, in a row of that time."""
    first = with_one[0]
    assert (first.kind, first.status, first.element_id) == ("leak", "reported", "p1")
    assert first.at == first.reported_at == first.first_seen_at
    assert timedelta(hours=1) <= first.at - _BEGAN_AT <= timedelta(hours=3)
    assert abs(first.onset_at - _BEGAN_AT) <= timedelta(hours=1)
    assert first.flow_m3_per_h == pytest.approx(12.0, rel=0.4)
    assert first.volume_m3 == pytest.approx(12.0 * 2, rel=0.7)
    assert first.evidence[0].sensor_id == "b"


def test_the_days_go_on_with_it(with_one: list[Hypothesis]) -> None:
    """One hypothesis with the same report all along; its flow becomes exact, its loss adds up."""
    assert {one.hypothesis_id for one in with_one} == {with_one[0].hypothesis_id}
    assert {one.reported_at for one in with_one} == {with_one[0].at}
    last = with_one[-1]
    assert last.flow_m3_per_h == pytest.approx(12.0, rel=0.25)
    assert last.volume_m3 == pytest.approx(12.0 * 24 * (10 - 27 / PER_DAY), rel=0.3)


def test_what_was_told_stands_whatever_comes_later() -> None:
    """After any half-hour of the day the rows are those of the whole day until then."""
    values = with_burst(quiet_half_hours(21), "p1", _BEGAN, 12.0)
    method = detector()
    before, _ = run(method, values[:20])
    whole = method.step(before, observed(20, values[20]))[1].hypotheses
    midnight = datetime.combine(made.day_of(20), time(), UTC)
    for steps in range(1, PER_DAY):
        after, findings = method.step(before, observed(20, values[20], steps=steps))
        assert after is before
        now = midnight + timedelta(minutes=30 * steps)
        assert list(findings.hypotheses) == [one for one in whole if one.at <= now]


@pytest.mark.parametrize("began", [42, 43, 44, 45, 46])
def test_a_burst_late_in_the_evening_is_told_once(began: int) -> None:
    """Whether midnight comes before it is known, with it or after: one row for each time."""
    values = with_burst(quiet_half_hours(24), "p1", 20 + began / PER_DAY, 14.0)
    _, found = run(detector(), values)
    (leak,) = {one.hypothesis_id for one in found}
    assert leak
    assert len({one.at for one in found}) == len(found)
    assert found[0].reported_at == found[0].at <= _BEGAN_AT + timedelta(hours=14)


def test_quiet_half_hours_say_nothing() -> None:
    """Sixty days without a leak: no hypothesis at all."""
    assert run(detector(), quiet_half_hours(60, seed=2))[1] == []


def test_the_end_of_a_leak_is_no_leak() -> None:
    """What goes away within a day is told of with the days, and nothing begins."""
    values = with_burst(quiet_half_hours(45), "p1", _BEGAN, 12.0, ended_at=35.4)
    _, found = run(detector(), values)
    assert len({one.hypothesis_id for one in found}) == 1
    assert found[-1].status == "ended"


def test_a_hydrant_is_over_soon() -> None:
    """What runs for some hours is told of and taken back within three days."""
    values = with_burst(quiet_half_hours(30), "p1", _BEGAN, 20.0, ended_at=_BEGAN + 0.2)
    _, found = run(detector(), values)
    assert found[0].status == "reported"
    assert found[-1].status == "ended"
    assert found[-1].at - _BEGAN_AT <= timedelta(days=3)


def test_a_sensor_that_jumps_is_no_burst() -> None:
    """A pressure that falls by 30 cm at noon is left to the days, which call it a fault."""
    values = quiet_half_hours(30)
    values.reshape(-1, 6)[round(20.5 * PER_DAY) :, 2] -= 0.3
    _, found = run(detector(), values)
    assert {one.kind for one in found} == {"sensor_fault"}


def _found(half_hours: np.ndarray) -> list[Burst]:
    """Return the bursts of the last of nine days."""
    explanations = made.responses().explanations(made.reference())
    noise = Noise.of(made.reference())
    coordinates = Coordinates.of(explanations, noise, tuple(range(6)))
    seen = TwoDays.of(half_hours, coordinates, explanations, noise, made.USUAL_M3_PER_H[0])
    assert seen is not None
    return bursts(seen, explanations, np.array(made.USUAL_M3_PER_H), [], LikelihoodPolicy())


def test_a_pump_that_starts_later_is_no_burst() -> None:
    """What a transfer explains is nothing new; without its meter it would be a leak."""
    residual = quiet_half_hours(CONTEXT_DAYS + 1)
    pump = np.zeros((CONTEXT_DAYS + 1, PER_DAY))
    pump[:, 16:] = 30.0
    pump[-1, 16:36] = 0.0
    # The pump relieves the zone as if a leak of 12 m3/h had stopped.
    residual -= 12.0 / 30.0 * pump[:, :, None] * made.effect_of("p1")
    taken = np.full((*pump.shape, 1), made.USUAL_M3_PER_H[0])
    (burst,) = _found(np.concatenate([residual, taken], axis=2))
    assert burst.placed.place.pipe == 1
    assert _found(np.concatenate([residual, taken, pump[:, :, None]], axis=2)) == []


def test_a_day_without_values_before_it_says_nothing() -> None:
    """Where most of the week is missing nothing is usual, and nothing can be new."""
    half_hours = np.full((CONTEXT_DAYS + 1, PER_DAY, 7), np.nan)
    half_hours[-1] = 0.0
    explanations = made.responses().explanations(made.reference())
    noise = Noise.of(made.reference())
    coordinates = Coordinates.of(explanations, noise, tuple(range(6)))
    assert TwoDays.of(half_hours, coordinates, explanations, noise, 100.0) is None
