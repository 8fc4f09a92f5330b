"""The engine: on and off, gate, pause, learning, missing data, rules, and stream = batch."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from leak_assets.household.controls import Control, told
from leak_assets.household.engine import (
    Event,
    HomeState,
    attributes,
    on_reading,
    on_step,
)
from leak_assets.household.history import run_steps
from leak_assets.household.learning import Learned
from leak_assets.household.memory import state_from_json, state_to_json
from leak_assets.household.meter import Reading, Step
from leak_assets.household.session_frames import STEPS_SCHEMA
from leak_assets_tests.homes import PLAIN, learned, local_s, play, running, steps

EVENING = "2019-04-02T18:00"


def names(events: list[Event]) -> list[str]:
    return [event.event for event in events]


def test_a_tap_left_open_alarms_before_it_closes() -> None:
    """HOU1: three hours of water alarm while they run, at the p95 of ten minutes."""
    state, events = play(HomeState(), steps(EVENING, 180, 6.0), learned())
    assert names(events) == ["on"]
    assert events[0].at_s - local_s(EVENING) == pytest.approx(600.0, abs=60)
    assert events[0].kinds
    _, events = play(state, steps("2019-04-02T21:00", 2, 0.0), learned())
    assert names(events) == ["off"]


def test_the_gate_confirms_a_risk_that_stays_near() -> None:
    """HOU10: three evaluations at 0.9 turn it on, once."""
    _, events = play(HomeState(), steps(EVENING, 9, 6.0), learned())
    assert events == []
    _, events = play(HomeState(), steps(EVENING, 9.5, 6.0), learned())
    assert [e.kinds for e in events] == [("confirm_gate",)]
    assert events[0].attributes["risk_score"] == pytest.approx(0.9 + 2 * 10 / 600, abs=0.02)
    _, events = play(HomeState(), steps(EVENING, 60, 6.0), learned())
    assert names(events) == ["on"]


def test_all_sixteen_attributes_are_there_with_reasons() -> None:
    """HOU13: and they can be written as JSON."""
    state, events = play(HomeState(), steps(EVENING, 15, 6.0, people=3), learned())
    (on,) = events
    assert set(on.attributes) == {
        "bucket_used", "baseline_ready", "count", "p95_s", "p99_s", "matched_prototype_id",
        "prototype_confidence", "start_time_delta_min", "risk_score", "reasons", "occupancy_raw",
        "occupancy_class", "people_bin", "elapsed_s", "flow_now_l_per_min", "hot_pct_current",
    }  # fmt: skip
    assert len(on.attributes) == 16
    assert on.attributes["reasons"]
    assert json.loads(json.dumps(on.attributes))["bucket_used"] == "6: global"
    outcome = on_step(state, steps("2019-04-02T18:15", 1, 6.0)[0], learned(), PLAIN)
    assert attributes(outcome.state, outcome.judgement)["reasons"]


def test_a_dead_feed_never_clears_an_alarm() -> None:
    """HOU17: it stays on and the status is stale; only measured rest turns it off."""
    state, _ = play(HomeState(), steps(EVENING, 20, 6.0), learned())
    assert state.is_on
    later_s = local_s("2019-04-03T18:00")
    assert state.status(later_s, learned(), PLAIN) == "stale"
    # After a day without readings the water runs still, then rests.
    state, events = play(state, steps("2019-04-03T18:00", 1, 6.0), learned())
    assert (state.is_on, events) == (True, [])
    state, events = play(state, steps("2019-04-03T18:01", 2, 0.0), learned())
    assert (state.is_on, names(events)) == (False, ["off"])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.3, 2.0, 6.0, 20.0]),
            st.integers(1, 40),
            st.sampled_from([0.0, 0.0, 0.0, 300.0, 4000.0]),
        ),
        max_size=25,
    )
)
@hypothesis_settings(deadline=None)
def test_off_follows_from_measured_rest_alone(water: list[tuple[float, int, float]]) -> None:
    """Whatever is missing: a step that turns it off was measured and dry."""
    at_s, state = local_s(EVENING), HomeState()
    for flow, count, missing_s in water:
        at_s += missing_s
        for _ in range(count):
            step = Step(at_s, at_s + 60, flow, None, "home", 1)
            outcome = on_step(state, step, learned(), PLAIN)
            if state.is_on and not outcome.state.is_on:
                assert flow < PLAIN.min_flow_l_per_min
            state = outcome.state
            at_s += 60


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.3, 6.0, 6.0, 20.0]),
            st.integers(1, 30),
            st.sampled_from([0.0, 0.0, 0.0, 900.0]),
        ),
        max_size=20,
    ),
    st.integers(0, 200),
)
@hypothesis_settings(deadline=None)
def test_a_batch_is_the_stream_and_a_restart_loses_nothing(
    water: list[tuple[float, int, float]], restart: int
) -> None:
    """The same events in the same order, with the state written and read in between."""
    at_s, found = local_s(EVENING), []
    for flow, count, missing_s in water:
        at_s += missing_s
        for _ in range(count):
            found.append(Step(at_s, at_s + 30, flow, 0.0, "home", 1))
            at_s += 30
    state, events = HomeState(), []
    for number, step in enumerate(found):
        if number == restart:
            state = state_from_json(state_to_json(state))
        outcome = on_step(state, step, learned(), PLAIN)
        state = outcome.state
        events += outcome.events
    rows = [
        (s.start_s, s.end_s, s.flow_l_per_min, s.hot_l_per_min, s.occupancy, s.people)
        for s in found
    ]
    frame = pl.DataFrame(rows, schema=STEPS_SCHEMA, orient="row")
    after, batch, _ = run_steps(HomeState(), frame, learned(), PLAIN)
    assert batch == events
    assert after == state


def test_a_pause_prevents_alarms_is_logged_and_expires() -> None:
    """HOU16: the water of the pool alarms only once the pause is over."""
    start_s = local_s(EVENING)
    pool = Control(start_s, "pause", start_s + 3600, "the pool is filled")
    state, event = told(HomeState(), pool)
    assert event.event == "pause_began"
    assert "pool" in event.attributes["reasons"][0]
    state, events = play(state, steps(EVENING, 59, 12.0), learned())
    assert events == []
    assert state.status(start_s + 3540, learned(), PLAIN) == "paused"
    state, events = play(state, steps("2019-04-02T18:59", 5, 12.0), learned())
    assert names(events) == ["pause_ended", "on"]
    state, event = told(state, Control(start_s + 4000, "pause", start_s + 9000, "again"))
    assert state.is_on, "an alarm that is on stays on"
    state, event = told(state, Control(start_s + 4100, "resume"))
    assert (event.event, state.paused_until_s) == ("pause_ended", None)


def test_guests_may_hold_water_longer_until_they_leave() -> None:
    """HOU16: half as long again than the home ever did, logged, and over when it is said to be."""
    start_s = local_s(EVENING)
    habits = learned(longest_s={"all": tuple(600.0 for _ in range(14))})
    habitual = replace(PLAIN, confirm_by_habit=True)
    _, alone = play(HomeState(), steps(EVENING, 60, 6.0), habits, habitual)
    state, event = told(HomeState(), Control(start_s, "guests", start_s + 3 * 86400, "party"))
    _, visited = play(state, steps(EVENING, 60, 6.0), habits, habitual)
    assert event.event == "guests_came"
    assert visited[0].at_s - start_s == pytest.approx(1.5 * (alone[0].at_s - start_s), abs=30)
    state, events = play(state, steps("2019-04-05T18:00", 1, 0.0), habits, habitual)
    assert names(events) == ["guests_left"]
    assert state.guests_until_s is None


def test_learning_on_request_has_no_alarms_and_ends() -> None:
    """HOU16: a home that knows its habits learns without alarms for as long as somebody said."""
    start_s = local_s(EVENING)
    state, event = told(HomeState(), Control(start_s, "learn", start_s + 1800, "new garden"))
    assert event.event == "learning_began"
    assert state.status(start_s, learned(), PLAIN) == "stale"
    state, events = play(state, steps(EVENING, 29, 12.0), learned())
    assert (events, state.status(start_s + 1740, learned(), PLAIN)) == ([], "learning")
    assert not state.session_unusual, "what runs teaches"
    _, events = play(state, steps("2019-04-02T18:29", 5, 12.0), learned())
    assert names(events) == ["learning_ended", "on"]


def test_a_home_that_is_learning_does_not_alarm() -> None:
    """HOU16: two weeks by default."""
    new = learned(days=13)
    settings = replace(PLAIN, learning_days=14)
    state, events = play(HomeState(), steps(EVENING, 180, 20.0), new, settings)
    assert events == []
    assert state.status(local_s("2019-04-02T21:00"), new, settings) == "learning"


def test_a_trickle_for_five_minutes_is_low_flow() -> None:
    """HOU15: 0.3 US gal/min; of a home that trickles at times it takes longer."""
    flow = 0.3 * 3.785
    _, events = play(HomeState(), steps(EVENING, 4.8, flow), learned())
    assert events == []
    _, events = play(HomeState(), steps(EVENING, 5, flow), learned())
    assert [e.kinds for e in events] == [("low_flow",)]
    drips = learned(longest_low_s=1800.0)
    _, events = play(HomeState(), steps(EVENING, 8, flow), drips)
    assert events == []


def refills(spaces_s: list[float], volume_l: float = 6.0) -> list[Step]:
    """Return refills of a cistern at 6 L/min, with rest between their starts."""
    at_s, found = local_s(EVENING), []
    for space_s in spaces_s:
        long_s = volume_l * 10
        found += [Step(at_s + n * 10, at_s + n * 10 + 10, 6.0) for n in range(int(long_s / 10))]
        rest = range(int(long_s / 10), int(space_s / 10))
        found += [Step(at_s + n * 10, at_s + n * 10 + 10, 0.0) for n in rest]
        at_s += space_s
    return found


def test_four_equal_refills_in_a_quarter_of_an_hour_are_a_running_toilet() -> None:
    """HOU15: at equal times; people flush when they like."""
    _, events = play(HomeState(), refills([240.0] * 4, 2.0), learned())
    assert [e.kinds for e in events] == [("tank_refill",)]
    _, events = play(HomeState(), refills([240.0] * 3, 2.0), learned())
    assert events == []
    _, events = play(HomeState(), refills([100.0, 420.0, 150.0, 240.0], 2.0), learned())
    assert events == []
    _, events = play(HomeState(), refills([1500.0] * 6, 2.0), learned())
    assert [e.kinds for e in events] == [("tank_refill",)], "a slow one within hours"


def test_a_running_toilet_is_one_alarm_though_people_flush_between() -> None:
    """Spacings that people disturb for hours end nothing while equal refills go on."""
    spaces = [240.0] * 4 + [500.0, 900.0, 300.0, 1200.0, 700.0] * 4
    _, events = play(HomeState(), refills(spaces, 2.0), learned())
    assert names(events) == ["on"]


def test_a_running_toilet_is_over_when_refills_stay_away() -> None:
    """Its alarm outlasts the rest between refills and ends after an hour without one."""
    state, _ = play(HomeState(), refills([240.0] * 5, 2.0), learned())
    assert state.is_on
    end_s = state.last_s
    assert end_s is not None
    quiet = [Step(end_s + n * 10, end_s + n * 10 + 10, 0.0) for n in range(361)]
    state, events = play(state, quiet, learned())
    assert names(events) == ["off"]


def test_water_that_never_rests_for_a_day_is_continuous() -> None:
    """HOU15: by the hour, as smart meters send it; an hour of rest begins anew."""
    hours = replace(PLAIN, step_s=3600.0, missing_s=7200.0)
    none = Learned(days=60)
    water = steps("2019-04-02T06:00", 24 * 60, 3.0, step_s=3600.0)
    _, events = play(HomeState(), water, none, hours)
    assert "continuous" in events[-1].kinds or "night_use" in events[0].kinds
    state, _ = play(HomeState(), water[:23], none, replace(hours, night_use_s=1e8))
    assert not state.is_on
    state, events = play(state, water[23:], none, replace(hours, night_use_s=1e8))
    assert [e.kinds for e in events] == [("continuous",)]


def test_water_all_night_is_night_use() -> None:
    """HOU15: two hours without rest between midnight and five."""
    none = Learned(days=60)
    water = steps("2019-04-02T23:30", 120, 3.0, step_s=60.0)
    state, events = play(HomeState(), water, none)
    assert events == []
    _, events = play(state, steps("2019-04-03T01:30", 31, 3.0, step_s=60.0), none)
    assert [e.kinds for e in events] == [("night_use",)]
    assert events[0].at_s == local_s("2019-04-03T02:00")


def test_bad_readings_leave_the_engine_going() -> None:
    """Each with its reason; an alarm that is on stays on."""
    state, _ = play(HomeState(), steps(EVENING, 20, 6.0), learned())
    now_s = local_s("2019-04-02T18:21")
    for reading in (Reading(now_s, -3.0), Reading(now_s + 1e6, 1.0), Reading(now_s + 10, 1e7)):
        outcome, problems = on_reading(state, reading, learned(), PLAIN, now_s=now_s)
        assert problems
        state = outcome.state
        assert state.is_on
    outcome, problems = on_reading(state, Reading(now_s + 20, 6.0), learned(), PLAIN, now_s=now_s)
    assert problems == ()
    assert outcome.state.is_on


def test_an_evaluation_takes_less_than_two_milliseconds() -> None:
    """The median of a thousand, in CPU time, with prototypes and all rungs."""
    import time

    habits = learned()
    state = HomeState()
    spent = []
    for step in steps(EVENING, 160, 6.0):
        begin = time.process_time()
        state = on_step(state, step, habits, PLAIN).state
        spent.append(time.process_time() - begin)
    assert float(np.median(spent)) < 0.002
    assert running(10).elapsed_s == 10
