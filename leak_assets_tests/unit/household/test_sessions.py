"""Sessions: gaps, holes in the readings, fields; a stream and a whole history give the same."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.household.context import context_of, occupancy_class, people_bin
from leak_assets.household.meter import Step
from leak_assets.household.session_frames import STEPS_SCHEMA, cut_sessions, sessions_frame
from leak_assets.household.sessions import JudgedSession, Running, Session, advance
from leak_assets.household.settings import HomeSettings
from leak_assets_tests.homes import local_s, steps

SETTINGS = HomeSettings()


def stream(
    water: list[Step], settings: HomeSettings = SETTINGS
) -> tuple[Running | None, list[Session]]:
    running, ended, last_s = None, [], None
    for step in water:
        missing_s = 0.0 if last_s is None else step.start_s - last_s
        running, session = advance(running, step, missing_s, settings)
        ended += [session] if session else []
        last_s = step.end_s
    return running, ended


def as_frame(water: list[Step]) -> pl.DataFrame:
    rows = [
        (s.start_s, s.end_s, s.flow_l_per_min, s.hot_l_per_min, s.occupancy, s.people)
        for s in water
    ]
    return pl.DataFrame(rows, schema=STEPS_SCHEMA, orient="row")


def test_a_session_has_all_fields() -> None:
    """HOU2: the ten fields, by the local clock."""
    water = steps("2019-04-06T07:30", 5, 6.0, people=3) + steps("2019-04-06T07:35", 2, 0.0)
    _, (session,) = stream(water)
    row = sessions_frame([JudgedSession(session)]).row(0, named=True)
    assert session.ended_at.timestamp() == local_s("2019-04-06T07:35")
    assert (row["hour"], row["day_type"], row["weekday"]) == (7, "weekend", 5)
    assert (row["duration_s"], row["avg_flow_l_per_min"], row["volume_l"]) == (300.0, 6.0, 30.0)
    assert (row["hot_pct"], row["occupancy_raw"], row["occupancy_class"]) == (0.0, "home", "home")
    assert row["people_bin"] == "2-3"


def test_people_and_words_have_bins_and_classes() -> None:
    """3 people are `2-3`, 4 are `4+`; the modes of the source document have their classes."""
    bins = [people_bin(n) for n in (-1, 0, 1, 2, 3, 4, 9)]
    assert bins == ["0", "0", "1", "2-3", "2-3", "4+", "4+"]
    words = {"Wake Up": "home", "Wind Down": "home", "Night": "night", "Away": "away"}
    assert {word: occupancy_class(word, HomeSettings()) for word in words} == words
    assert occupancy_class("Vacation", HomeSettings()) == "vacation"


def test_a_holiday_is_a_weekend_and_the_mode_can_be_set() -> None:
    """HOU18: holidays, weekday numbers and a location mode are settings."""
    day = replace(SETTINGS, holidays=(date(2019, 4, 22),))
    assert context_of(local_s("2019-04-22T10:00"), "home", 1, day).day_type == "weekend"
    named = replace(SETTINGS, weekday_buckets=True, location_mode="vacation")
    context = context_of(local_s("2019-04-23T10:00"), "home", 1, named)
    assert (context.day_type, context.occupancy_class) == ("tue", "vacation")


def test_a_short_gap_does_not_end_a_session_and_a_long_one_does() -> None:
    """Thirty seconds by default."""
    first = steps("2019-04-02T10:00", 1, 6.0)
    short = [*first, *steps("2019-04-02T10:01", 0.5, 0.0), *steps("2019-04-02T10:01:30", 1, 6.0)]
    running, ended = stream(short)
    assert running is not None
    assert (running.elapsed_s, ended) == (150.0, [])
    long = [*first, *steps("2019-04-02T10:01", 1, 0.0), *steps("2019-04-02T10:02", 1, 6.0)]
    _, (session,) = stream(long)
    assert (session.duration_s, session.ended_by) == (60.0, "no_flow")


def test_a_hole_in_the_readings_ends_a_session_as_unknown() -> None:
    """After ten minutes nobody knows; a shorter hole is bridged."""
    first = steps("2019-04-02T10:00", 1, 6.0)
    _, ended = stream([*first, *steps("2019-04-02T10:30", 1, 6.0)])
    assert [s.ended_by for s in ended] == ["missing"]
    running, ended = stream([*first, *steps("2019-04-02T10:05", 1, 6.0)])
    assert running is not None
    assert (running.elapsed_s, ended) == (360.0, [])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.0, 0.01, 0.5, 1.0, 4.5, 7.0, 20.0]),
            st.sampled_from([10.0, 10.0, 20.0, 60.0]),
            st.sampled_from([0.0, 0.0, 0.0, 0.0, 30.0, 700.0]),
        ),
        max_size=60,
    ),
    st.sampled_from([0.0, 30.0, 100.0]),
)
@hypothesis_settings(deadline=None)
def test_a_history_is_cut_as_a_stream_is(
    water: list[tuple[float, float, float]], gap_s: float
) -> None:
    """Whatever flows, and whatever readings are missing."""
    settings = replace(SETTINGS, gap_s=gap_s)
    at_s, found = local_s("2019-04-02T23:50"), []
    for flow, seconds, missing_s in water:
        at_s += missing_s
        found.append(Step(at_s, at_s + seconds, flow, flow / 4, "home", 2))
        at_s += seconds
    running, ended = stream(found, settings)
    cut = cut_sessions(as_frame(found), settings)
    over = cut.filter(pl.col("ended_by") != "running")
    expected = sessions_frame(JudgedSession(one) for one in ended)
    assert_frame_equal(over, expected, abs_tol=1e-6)
    assert cut.height - over.height == (running is not None)
    if running is not None:
        (last,) = cut.tail(1).to_dicts()
        assert last["duration_s"] == pytest.approx(running.elapsed_s)
        assert last["longest_s"] == pytest.approx(list(running.longest_s))


def test_sessions_come_at_any_cadence() -> None:
    """From a second to an hour, a use of two hours has its volume."""
    for step_s in (1.0, 10.0, 60.0, 900.0, 3600.0):
        settings = replace(SETTINGS, step_s=step_s)
        water = steps("2019-04-02T10:00", 120, 6.0, step_s=step_s)
        water += steps("2019-04-02T12:00", 120, 0.0, step_s=step_s)
        _, (session,) = stream(water, settings)
        assert (session.duration_s, session.volume_l) == (7200.0, pytest.approx(720.0))
