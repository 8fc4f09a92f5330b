"""What a meter sends: flows and counters, and everything that can be wrong with them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from leak_assets.household.meter import PROBLEMS, Meter, Reading, take
from leak_assets.household.settings import HomeSettings

SETTINGS = HomeSettings(step_s=60.0)


def test_a_flow_stands_for_the_time_since_the_reading_before() -> None:
    """A step of the cadence; after a hole one step only."""
    meter, step, problems = take(Meter(), Reading(1000.0, 5.0), SETTINGS)
    assert step is not None
    assert (step.start_s, step.end_s, step.flow_l_per_min, problems) == (940.0, 1000.0, 5.0, ())
    _, step, _ = take(meter, Reading(1075.0, 5.0), SETTINGS)
    assert step is not None
    assert step.seconds == 75.0
    _, step, _ = take(meter, Reading(9000.0, 5.0), SETTINGS)
    assert step is not None
    assert step.seconds == 60.0


def test_a_counter_gives_the_mean_flow_between_two_values() -> None:
    """12 L in two minutes are 6 L/min; the first value says nothing."""
    meter, step, problems = take(Meter(), Reading(0.0, 100.0, "volume"), SETTINGS)
    assert (step, problems) == (None, ("first_reading",))
    _, step, _ = take(meter, Reading(120.0, 112.0, "volume"), SETTINGS)
    assert step is not None
    assert (step.flow_l_per_min, step.seconds) == (6.0, 120.0)


def test_a_counter_is_reset_rolls_over_or_jumps() -> None:
    """A fall starts anew, the end of the digits goes on, a million liters are not believed."""
    meter = Meter(last_s=0.0, counter_l=999_990.0, counter_s=0.0)
    after, step, problems = take(meter, Reading(60.0, 2.0, "volume"), SETTINGS)
    assert (step, problems) == (None, ("counter_reset",))
    _, step, _ = take(after, Reading(120.0, 8.0, "volume"), SETTINGS)
    assert step is not None
    assert step.flow_l_per_min == 6.0
    rolling = replace(SETTINGS, counter_rollover_l=1_000_000.0)
    _, step, _ = take(meter, Reading(60.0, 2.0, "volume"), rolling)
    assert step is not None
    assert step.flow_l_per_min == pytest.approx(12.0)
    _, step, problems = take(meter, Reading(60.0, 1_999_990.0, "volume"), SETTINGS)
    assert (step, problems) == (None, ("implausible_flow",))


@pytest.mark.parametrize(
    ("reading", "problem", "measured"),
    [
        (Reading(160.0, -1.0), "negative_flow", False),
        (Reading(160.0, 1e6), "implausible_flow", False),
        (Reading(160.0, float("nan")), "not_a_number", False),
        (Reading(100.0, 5.0), "out_of_order", False),
        (Reading(90.0, 5.0), "out_of_order", False),
        (Reading(86_500.0, 5.0), "from_the_future", False),
        (Reading(160.0, 5.0, occupancy="on the moon"), "unknown_occupancy", True),
        (Reading(160.0, 5.0, people=-1), "people_out_of_range", True),
    ],
)
def test_bad_readings_are_named_and_the_meter_goes_on(
    reading: Reading, problem: str, measured: bool
) -> None:
    """Each has its reason; what is only about people leaves the flow usable."""
    meter, step, problems = take(Meter(last_s=100.0), reading, SETTINGS, now_s=200.0)
    assert problems == (problem,)
    assert problem in PROBLEMS
    assert (step is not None) == measured
    _, step, problems = take(meter, Reading(220.0, 5.0), SETTINGS, now_s=220.0)
    assert step is not None
    assert problems == ()


@given(
    st.lists(
        st.tuples(
            st.floats(allow_nan=True, allow_infinity=True),
            st.floats(allow_nan=True, allow_infinity=True),
            st.sampled_from(["flow", "volume"]),
            st.one_of(st.none(), st.text(max_size=5)),
            st.one_of(st.none(), st.integers()),
        ),
        max_size=20,
    )
)
@hypothesis_settings(deadline=None)
def test_no_stream_stops_the_meter(stream: list[tuple[float, float, str, str, int]]) -> None:
    """Whatever comes, steps go forward in time and flow is what pipes carry."""
    meter, last_s = Meter(), float("-inf")
    for at_s, value, measured, occupancy, people in stream:
        reading = Reading(at_s, value, measured, None, occupancy, people)  # type: ignore[arg-type]
        meter, step, _ = take(meter, reading, SETTINGS, now_s=1e9)
        if step is not None:
            assert step.end_s > last_s
            assert 0 <= step.flow_l_per_min <= SETTINGS.max_flow_l_per_min
            assert 0 <= step.people <= 100
            last_s = step.end_s
