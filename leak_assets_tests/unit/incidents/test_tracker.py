"""An incident's life: opened, revised, closed; the same whichever way the days are cut."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError
from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import DayResult, incident_id, track_day, track_range
from leak_assets.warehouse.schemas.incidents import CANDIDATES, EVIDENCE, INCIDENT_EVENTS

DAY = date(2019, 1, 7)
POLICY = TrackerPolicy()


@pytest.fixture
def track(window_scores, window_candidates, residual_rows, links):
    """Track a string of windows over whole days."""

    def run(marks: str, *, by_day=False, residuals=None, pipes=None, previous=None, **builder):
        scores = window_scores(marks, **builder)
        days = -(-len(marks) // 48)
        inputs = {
            "network": "net1",
            "scores": scores,
            "candidates": window_candidates(scores),
            "residuals": residual_rows(len(marks) / 2) if residuals is None else residuals,
            "policy": POLICY,
            "price_eur_per_m3": 0.8,
            "contract_sha256": "c0ffee",
            "run_id": "run-1",
            "links": links if pipes is None else pipes,
        }
        if not by_day:
            return track_range(
                first_day=DAY,
                last_day=DAY + timedelta(days=days - 1),
                previous_events=INCIDENT_EVENTS.empty() if previous is None else previous,
                **inputs,
            )
        return in_days(inputs, [DAY + timedelta(days=d) for d in range(days)])

    return run


def in_days(inputs: dict, days: list[date]) -> DayResult:
    """Track each day with no more than its context, handing on the events before it."""
    events, candidates, evidence = (
        INCIDENT_EVENTS.empty(),
        CANDIDATES.empty(),
        EVIDENCE.empty(),
    )
    for day in days:
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(
            days=inputs["policy"].context_days
        )
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        cut = inputs | {
            name: inputs[name].filter((pl.col(time) >= begin) & (pl.col(time) < end))
            for name, time in (
                ("scores", "window_end"),
                ("candidates", "window_end"),
                ("residuals", "ts_utc"),
            )
        }
        result = track_day(day=day, previous_events=events, **cut)
        events = pl.concat([events, result.events])
        candidates = pl.concat([candidates, result.candidates])
        evidence = pl.concat([evidence, result.evidence])
    return DayResult(events, candidates, evidence)


def test_a_hundred_windows_of_one_burst_are_one_incident(track):
    """INC1: one open incident however long it alarms, with few revisions."""
    events = track("." * 10 + "x" * 100 + "." * 34).events
    assert events["incident_id"].n_unique() == 1
    assert events["event"].to_list()[0] == "opened"
    assert events["event"].to_list()[-1] == "closed"
    assert events["revision"].to_list() == list(range(1, events.height + 1))
    assert events.height <= 14
    assert events["alarms"][-1] == 100


def test_an_incident_needs_enough_alarms_among_the_last_windows(track):
    """Three of four confirm, two of four and three of five do not."""
    assert track("x.x.x..x" + "." * 40).events.is_empty()
    opened = track("..xx.x" + "." * 42).events
    assert opened["event"].to_list()[0] == "opened"
    assert opened["detected_at"][0] == datetime(2019, 1, 7, 2, 55, tzinfo=UTC)


def test_the_first_row_is_new_and_names_its_first_alarm(track):
    """The name comes from the first alarm of the run, not from the confirmation."""
    row = track(".....xxx" + "x" * 40).events.row(0, named=True)
    assert row["status"] == "new"
    assert row["incident_id"] == incident_id("net1", datetime(2019, 1, 7, 2, 55, tzinfo=UTC))
    assert row["incident_id"].startswith("net1-20190107T0255-")


def test_it_closes_after_quiet_windows_with_the_last_alarm_as_end(track):
    """Eight quiet windows close it; the end of the leak is the last alarmed window."""
    closed = track("xxxx" + "." * 44).events.row(-1, named=True)
    assert closed["status"] == "closed"
    assert closed["quiet_windows"] == 8
    assert closed["leak_end"] == closed["last_alarm_at"]
    assert closed["leak_end"] == datetime(2019, 1, 7, 1, 55, tzinfo=UTC)


def test_silent_sensors_neither_open_nor_close_an_incident(track):
    """Windows without sufficient data leave it open for as long as it takes."""
    events = track("xxxx" + "?" * 188).events
    assert "closed" not in events["event"].to_list()
    assert track("?" * 48).events.is_empty()


def test_a_gap_in_the_scores_does_not_confirm(track):
    """Alarms on both sides of an outage are not neighbors."""
    assert track("....xx" + " " * 40 + "x." + "." * 48).events.is_empty()


def test_two_bursts_apart_are_two_incidents(track):
    """After closing, a new run of alarms opens another incident that starts later."""
    events = track("xxxx" + "." * 20 + "xxxx" + "." * 20).events
    opened = events.filter(pl.col("event") == "opened")
    assert opened.height == 2
    first_end = events.filter(pl.col("event") == "closed")["leak_end"][0]
    assert opened["leak_start"][1] > first_end


def test_a_growing_leak_is_told_between_the_regular_revisions(track):
    """Severity that rises makes a revision before six hours have passed."""
    flows = [4.0] * 4 + [20.0] * 44
    events = track("x" * 48, flow_m3_per_h=flows).events
    assert events["severity"][0] == "low"
    assert events["severity"][1] != "low"
    assert events["severity"][-1] == "high"
    first, second = events["event_at"].to_list()[:2]
    assert timedelta(hours=2) <= second - first < timedelta(hours=6)


def test_candidates_and_evidence_stand_beside_each_revision(track, residual_rows):
    """Every revision has ranked pipes, shares of all pipes, and at least three signed sensors."""
    result = track("....." + "x" * 43, residuals=residual_rows(24, leak=(1.0, 24.0)))
    for frame in (result.candidates, result.evidence):
        assert frame.select("incident_id", "revision").unique().height == result.events.height
    first = result.candidates.filter(pl.col("revision") == 1)
    assert first["link_id"].to_list()[:2] == ["p2", "p3"]
    assert first["probability"].to_list() == pytest.approx([0.6, 0.3])
    assert result.events["top_link_id"][0] == "p2"
    sensors = result.evidence.filter(pl.col("revision") == 1)
    assert sensors.height >= 3
    assert sensors["sensor_id"].to_list()[:3] == ["n1", "inflow", "n2"]
    assert sensors["contribution"][0] < 0 < sensors["contribution"][1]


def test_a_pipe_that_the_network_does_not_know_is_refused(track, links):
    """The error names the pipe and what to do."""
    with pytest.raises(InputError, match=r"'p2' is no pipe.*train the pinpointer"):
        track("x" * 48, pipes=links.filter(pl.col("link_id") != "p2"))


def test_rows_of_the_range_itself_are_not_looked_at(track):
    """Handing over what an earlier run wrote changes nothing."""
    once = track("....xxxx" + "x" * 40)
    assert_same(once, track("....xxxx" + "x" * 40, previous=once.events))


def test_rows_have_the_contract_of_the_warehouse(track):
    """Columns and types are those of the tables."""
    result = track("x" * 48)
    assert result.events.schema == INCIDENT_EVENTS.polars_schema
    assert result.candidates.schema == CANDIDATES.polars_schema
    assert result.evidence.schema == EVIDENCE.polars_schema


def test_a_policy_that_cannot_be_met_is_refused():
    """Five alarms of four windows: the message names both figures."""
    with pytest.raises(ValueError, match=r"confirm_alarms = 5 .* confirm_windows = 4"):
        TrackerPolicy(confirm_alarms=5)


def assert_same(one: DayResult, other: DayResult) -> None:
    """Assert that two results are equal to the last bit."""
    assert_frame_equal(one.events, other.events, check_exact=True)
    assert_frame_equal(one.candidates, other.candidates, check_exact=True)
    assert_frame_equal(one.evidence, other.evidence, check_exact=True)


RUNS = st.lists(
    st.tuples(st.sampled_from("x..?x "), st.integers(1, 30)), min_size=4, max_size=10
).map(lambda runs: "".join(mark * count for mark, count in runs).ljust(48, "."))


def test_after_an_outage_longer_than_the_context_it_goes_on_from_its_last_row(track):
    """The flow of the last row stands; both ways of cutting the days agree."""
    marks = "xxxxxx" + "?" * 48 * 5 + "." * 42
    whole = track(marks)
    assert whole.events["event"].to_list()[-1] == "closed"
    assert whole.events["estimated_flow_m3_per_h"][-1] == 12.0
    assert_same(whole, track(marks, by_day=True))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(marks=RUNS, seed=st.integers(0, 9))
def test_day_by_day_gives_what_the_whole_range_gives(track, residual_rows, marks, seed):
    """With no more than the context of a day, rows are equal to the last bit."""
    residuals = residual_rows(len(marks) / 2, leak=(3.0, 40.0), noise_z=1.0, seed=seed)
    assert_same(track(marks, residuals=residuals), track(marks, residuals=residuals, by_day=True))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(marks=RUNS, cut=st.integers(4, 100))
def test_rows_do_not_depend_on_what_comes_later(track, residual_rows, marks, cut):
    """Causal: the rows of half-delivered data are the first rows of the whole."""
    residuals = residual_rows(len(marks) / 2, leak=(3.0, 40.0), noise_z=1.0)
    whole = track(marks, residuals=residuals)
    part = track(
        marks[:cut], residuals=residuals.filter(pl.col("ts_utc") <= first_end_plus(cut - 1))
    )
    until = pl.col("event_at") <= first_end_plus(cut - 1)
    assert_frame_equal(whole.events.filter(until), part.events, check_exact=True)
    assert_frame_equal(
        whole.candidates.head(part.candidates.height), part.candidates, check_exact=True
    )


def first_end_plus(windows: int) -> datetime:
    """End of the window with this number."""
    return datetime(2019, 1, 7, 0, 25, tzinfo=UTC) + windows * timedelta(minutes=30)
