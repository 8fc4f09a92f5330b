"""An incident's life: opened, moved, revised, closed; the same whichever way the days are cut."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError
from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import Tracked, incident_id, track
from leak_assets.warehouse.schemas.incidents import (
    CANDIDATES,
    EVIDENCE,
    INCIDENT_DAYS,
    INCIDENT_EVENTS,
)
from leak_assets.warehouse.validation import validate
from leak_assets_tests.hypotheses import (
    FIRST_DAY,
    NETWORK,
    NOTHING,
    ONE_DAY,
    Detected,
    midnight,
    pipes_in_a_row,
    story,
)

FRAMES = ("incident_events", "incident_days", "candidates", "evidence")


def run(
    detected: Detected,
    first: int = 0,
    last: int = 20,
    *,
    before: pl.DataFrame | None = None,
    **other: Any,
) -> Tracked:
    """Track days by number, with all rows at hand."""
    inputs: dict[str, Any] = {
        "network": NETWORK,
        "method": "likelihood",
        "policy": TrackerPolicy(),
        "price_eur_per_m3": 0.8,
        "contract_sha256": "c0ffee",
        "run_id": "run-1",
        "links": pipes_in_a_row(),
        "zones": {},
    } | other
    return track(
        first_day=FIRST_DAY + first * ONE_DAY,
        last_day=FIRST_DAY + last * ONE_DAY,
        hypotheses=detected.hypotheses,
        candidates=detected.candidates,
        evidence=detected.evidence,
        previous_days=INCIDENT_DAYS.empty() if before is None else before,
        **inputs,
    )


def by_day(detected: Detected, days: int = 21) -> Tracked:
    """Track each day with its own rows and the three days before it, nothing else."""
    parts: list[Tracked] = []
    before = INCIDENT_DAYS.empty()
    for day in range(days):
        own = (pl.col("at") > midnight(day)) & (pl.col("at") <= midnight(day + 1))
        parts.append(run(detected.filter(own), day, day, before=before))
        before = pl.concat([part.incident_days for part in parts[-3:]])
    return Tracked(*(pl.concat([getattr(part, name) for part in parts]) for name in FRAMES))


def told(tracked: Tracked, name: str | None = None) -> list[tuple[int, str]]:
    """Return the number of the day and the event, of all incidents or of one hypothesis."""
    events = tracked.incident_events
    if name is not None:
        events = events.filter(pl.col("hypothesis_id") == name)
    return [
        ((at - midnight(1)).days, event) for at, event in events.select("event_at", "event").rows()
    ]


def test_an_incident_opens_when_its_hypothesis_is_reported():
    """Not while it is watched; its name comes from network, first sight and hypothesis."""
    tracked = run(story("h1", "..wwr"))
    assert told(tracked) == [(4, "opened")]
    row = tracked.incident_events.row(0, named=True)
    assert row["status"] == "new"
    assert row["revision"] == 1
    assert row["detected_at"] == row["event_at"] == midnight(5)
    assert row["incident_id"] == incident_id(NETWORK, midnight(3), "h1")
    assert row["incident_id"].startswith("net1-20190110T0000-")
    assert (row["hypothesis_id"], row["method"], row["method_version"]) == ("h1", "likelihood", "2")


def test_two_leaks_at_once_are_two_incidents():
    """Each has its own name, pipe, flow, volume and end."""
    one = story("h1", "rrrrrrre", pipes="p1", flow_m3_per_h=4.0)
    other = story("h2", "..rrrr", pipes="p3", flow_m3_per_h=20.0)
    tracked = run(one + other, last=8)
    assert told(tracked, "h1") == [(0, "opened"), (7, "closed")]
    assert told(tracked, "h2") == [(2, "opened")]
    assert tracked.incident_events["incident_id"].n_unique() == 2
    assert tracked.incident_events.filter(hypothesis_id="h2")["severity"].to_list() == ["high"]
    both = tracked.incident_days.filter(day=FIRST_DAY + 3 * ONE_DAY).sort("hypothesis_id")
    assert both["flow_m3_per_h"].to_list() == [4.0, 20.0]
    assert both["top_link_id"].to_list() == ["p1", "p3"]
    assert both["volume_lost_m3"].to_list() == [4.0 * 78, 20.0 * 30]
    assert both["value_eur"].to_list() == pytest.approx([0.8 * 4.0 * 78, 0.8 * 20.0 * 30])
    assert tracked.incident_days.filter(hypothesis_id="h1")["status"].to_list() == [
        *["open"] * 7,
        "closed",
    ]


def test_another_best_pipe_is_told_at_once():
    """The event is `relocated`, with the candidates of that day."""
    tracked = run(story("h1", "rrrr", pipes=["p2", "p2", "p4", "p4"]))
    assert told(tracked) == [(0, "opened"), (2, "relocated")]
    assert tracked.incident_events["top_link_id"].to_list() == ["p2", "p4"]
    moved = tracked.candidates.filter(pl.col("revision") == 2)
    assert moved["link_id"].to_list() == ["p4", "p1"]
    assert moved["probability"].to_list() == [0.6, 0.3]
    assert moved["cumulative_probability"].to_list() == pytest.approx([0.6, 0.9])
    assert moved["length_m"].to_list() == [100.0, 100.0]


def test_the_sensors_stand_beside_each_revision():
    """In the method's order, with sign and unit."""
    tracked = run(story("h1", "rrre"))
    assert tracked.evidence.height == 8
    last = tracked.evidence.filter(pl.col("revision") == 2)
    assert last["sensor_id"].to_list() == ["n1", "inflow", "n2", "n3"]
    assert last["contribution"].to_list() == [-5.0, 3.3, -2.0, -1.0]


@pytest.mark.parametrize(
    ("flows", "events"),
    [
        ([8.0, 9.9, 10.1], ["opened", "updated"]),
        ([8.0, 9.0, 9.9, 11.0], ["opened", "updated"]),
        ([2.5, 3.4, 3.6], ["opened", "updated"]),
        ([8.0, 6.0, 5.9], ["opened", "updated"]),
        ([1.0, 1.5, 1.9], ["opened"]),
        ([4.9, 5.0, 4.9, 5.0, 4.6], ["opened", "updated"]),
        ([5.0, 4.4], ["opened", "updated"]),
        ([14.9, 15.0, 14.0], ["opened", "updated"]),
    ],
)
def test_flow_and_severity_are_told_when_they_change_by_much(flows, events):
    """A quarter and 1 m3/h against what was told last; severity falls only clearly."""
    tracked = run(story("h1", "r" * len(flows), flow_m3_per_h=flows))
    assert tracked.incident_events["event"].to_list() == events


def test_an_open_incident_is_told_every_week():
    """Seven days after what was told last, whatever that was; not where there are no data."""
    tracked = run(story("h1", "r" * 20, pipes=["p2"] * 3 + ["p3"] * 17))
    assert told(tracked) == [(0, "opened"), (3, "relocated"), (10, "updated"), (17, "updated")]
    assert told(run(story("h1", "r" + "." * 15 + "r"))) == [(0, "opened"), (16, "updated")]


def test_it_closes_when_its_hypothesis_ends():
    """Flow and severity are those of the leak while it ran; the end is the method's."""
    tracked = run(story("h1", "rrre", flow_m3_per_h=[12.0, 12.0, 12.5, 0.0]))
    closed = tracked.incident_events.row(-1, named=True)
    assert (closed["event"], closed["status"], closed["severity"]) == ("closed", "closed", "medium")
    assert closed["leak_end"] == midnight(4) - timedelta(hours=1)
    assert closed["estimated_flow_m3_per_h"] == 12.5
    assert tracked.incident_days["day"].max() == FIRST_DAY + 3 * ONE_DAY


def test_one_row_may_open_and_close_an_incident():
    """A leak that was reported and repaired on one day is still told."""
    tracked = run(story("h1", ".x"))
    assert told(tracked) == [(1, "opened"), (1, "closed")]
    assert tracked.incident_events["revision"].to_list() == [1, 2]
    assert tracked.incident_days["status"].to_list() == ["closed"]


def test_several_rows_a_day_are_taken_in_order():
    """A method that writes on every change opens, moves and closes within a day."""
    tracked = run(story("h1", "wrre", pipes=["p1", "p2", "p3", "p3"], rows_per_day=4))
    assert tracked.incident_events["event"].to_list() == ["opened", "relocated", "closed"]
    assert tracked.incident_events["event_at"].to_list() == [midnight(n / 4) for n in (2, 3, 4)]
    assert tracked.incident_days.height == 1


def test_what_was_never_reported_is_no_incident():
    """Neither a watched hypothesis nor its end, nor an end that comes again."""
    assert run(story("h1", "wwe")).incident_events.is_empty()
    again = story("h1", "rre") + story("h1", "rr.eee").filter(pl.col("at") > midnight(3))
    assert told(run(again)) == [(0, "opened"), (2, "closed")]


@pytest.mark.parametrize("kind", ["event", "sensor_fault"])
def test_events_and_sensor_faults_are_no_incidents(kind):
    """Only leaks are."""
    assert run(story("h1", "rrr", kind=kind)).incident_events.is_empty()


def test_only_the_raising_method_opens_incidents():
    """The other speaks in its own rows; a network's rows are its own, too."""
    detected = story("h1", "rr", method="windows") + story("h2", "rr", network="net2")
    assert run(detected).incident_events.is_empty()
    assert told(run(detected, method="windows")) == [(0, "opened")]


def test_days_without_data_change_nothing():
    """An incident of which nothing is heard stays as it was; its day says since when."""
    tracked = run(story("h1", "rr........e"), last=12)
    assert told(tracked) == [(0, "opened"), (10, "closed")]
    silent = tracked.incident_days.filter(day=FIRST_DAY + 5 * ONE_DAY).row(0, named=True)
    assert silent["status"] == "open"
    assert silent["last_seen_at"] == midnight(2)
    assert silent["flow_m3_per_h"] == 12.0


def test_figures_that_a_method_does_not_give_stay_as_they_were():
    """No flow on one day is not a flow of nothing."""
    tracked = run(story("h1", "rrr", flow_m3_per_h=[12.0, None, 12.0]))
    assert told(tracked) == [(0, "opened")]
    assert tracked.incident_days["flow_m3_per_h"].to_list()[:3] == [12.0] * 3
    assert run(story("h1", "r", flow_m3_per_h=[None])).incident_events["severity"][0] == "low"


def test_a_report_whose_day_was_missing_opens_late():
    """The incident is told when the row comes, and says when the method reported it."""
    late = story("h1", "rrrr").filter(pl.col("at") > midnight(2))
    row = run(late).incident_events.row(0, named=True)
    assert row["event_at"] == midnight(3)
    assert row["detected_at"] == midnight(1)


def test_late_rows_change_the_days_from_theirs_on():
    """A day that is delivered late gives what it would have given in time."""
    whole = story("h1", "rrrrr", pipes=["p1", "p1", "p3", "p3", "p3"]) + story("h2", "..rrr")
    gap = (pl.col("at") <= midnight(2)) | (pl.col("at") > midnight(3))
    partial = run(whole.filter(gap), last=4)
    assert told(partial, "h1") == [(0, "opened"), (3, "relocated")]
    mended = run(whole, 2, 4, before=run(whole.filter(gap), last=1).incident_days)
    assert told(mended, "h1") == [(2, "relocated")]
    assert told(mended, "h2") == [(2, "opened")]


def test_a_pipe_that_the_network_does_not_know_is_refused():
    """The error names the pipe and what to do."""
    with pytest.raises(InputError, match=r"'p9' is no pipe.*run the detection again"):
        run(story("h1", "r", pipes="p9"))
    without = pipes_in_a_row().filter(pl.col("link_id") != "p3")
    with pytest.raises(InputError, match=r"'p3' is no pipe"):
        run(story("h1", "r"), links=without)


def test_rows_of_the_range_itself_are_not_looked_at():
    """Handing over what an earlier run wrote changes nothing: repeating is harmless."""
    detected = story("h1", "..rrrr", pipes=["p1"] * 4 + ["p2"] * 2)
    once = run(detected)
    assert_same(once, run(detected, before=once.incident_days))
    doubled = Detected(pl.concat([detected.hypotheses] * 2), detected.candidates, detected.evidence)
    assert_same(once, run(doubled))


def test_rows_have_the_contract_of_the_warehouse():
    """Columns, types, nulls and keys are those of the tables, also without any row."""
    for tracked in (run(story("h1", "wrrre") + story("h2", "rrr")), run(NOTHING)):
        for table, name in zip(
            (INCIDENT_EVENTS, INCIDENT_DAYS, CANDIDATES, EVIDENCE), FRAMES, strict=True
        ):
            validate(getattr(tracked, name), table)


def test_a_policy_that_makes_no_sense_is_refused():
    """The message names the figure."""
    with pytest.raises(ValueError, match="update_every_days = 0"):
        TrackerPolicy(update_every_days=0)
    with pytest.raises(ValueError, match="flow_change_share = -1"):
        TrackerPolicy(flow_change_share=-1)


def assert_same(one: Tracked, other: Tracked) -> None:
    """Assert that two results are equal to the last bit."""
    for name in FRAMES:
        assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)


@st.composite
def stories(draw: st.DrawFn) -> Detected:
    """Up to four hypotheses with gaps, moves and flows that wander."""
    detected = NOTHING
    for number in range(draw(st.integers(1, 4))):
        wait, watch, run_for = (draw(st.integers(0, 6)) for _ in range(3))
        gaps = draw(st.lists(st.sampled_from("rrr."), min_size=run_for, max_size=run_for))
        end = draw(st.sampled_from(["", "e", "ee", ".e"]))
        marks = "." * wait + "w" * watch + "r" + "".join(gaps) + end
        size = len(marks)
        detected += story(
            f"h{number}",
            marks,
            flow_m3_per_h=draw(
                st.lists(st.sampled_from([2.0, 4.9, 5.1, 14.0, 16.0]), min_size=size, max_size=size)
            ),
            pipes=draw(st.lists(st.sampled_from(["p1", "p2"]), min_size=size, max_size=size)),
            rows_per_day=draw(st.sampled_from([1, 1, 2, 3])),
            method=draw(st.sampled_from(["likelihood", "likelihood", "windows"])),
        )
    return detected


@settings(max_examples=20, deadline=None)
@given(detected=stories())
def test_day_by_day_gives_what_the_whole_range_gives(detected):
    """With no more than a day's own rows and the day before, rows are equal to the last bit."""
    assert_same(run(detected), by_day(detected))


@settings(max_examples=20, deadline=None)
@given(detected=stories(), cut=st.integers(1, 60))
def test_rows_do_not_depend_on_what_comes_later(detected, cut):
    """Causal: the events of half-delivered data are the first events of the whole."""
    until = midnight(cut / 3)
    whole, part = run(detected), run(detected.filter(pl.col("at") <= until))
    events = whole.incident_events.filter(pl.col("event_at") <= until)
    assert_frame_equal(events, part.incident_events, check_exact=True)
    assert_frame_equal(
        whole.candidates.head(part.candidates.height), part.candidates, check_exact=True
    )


def test_the_name_of_an_incident_does_not_change():
    """Incidents of an earlier version keep their names."""
    seen = datetime(2019, 1, 7, 5, 30, tzinfo=UTC)
    assert incident_id("l-town", seen, "h1") == "l-town-20190107T0530-ada855"
    assert date(2019, 1, 7) == FIRST_DAY


def test_symptoms_that_are_back_within_a_day_reopen_the_incident_under_its_name() -> None:
    """The start stays, the loss goes on from what it was, and the new hypothesis is followed."""
    tracked = run(story("h1", "rre") + story("h2", "...rre"))
    events = tracked.incident_events
    assert events["event"].to_list() == ["opened", "closed", "reopened", "closed"]
    assert events["incident_id"].n_unique() == 1
    assert events["revision"].to_list() == [1, 2, 3, 4]
    assert events["hypothesis_id"].to_list() == ["h1", "h1", "h2", "h2"]
    assert events["leak_start"].n_unique() == 1
    volumes = events["volume_lost_m3"].to_list()
    assert volumes == sorted(volumes)
    assert tracked.incident_days["openings"].to_list() == [1, 1, 1, 2, 2, 2]
    for name in FRAMES:
        assert_frame_equal(
            getattr(by_day(story("h1", "rre") + story("h2", "...rre")), name),
            getattr(tracked, name),
        )


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (story("h2", "....rre"), "two days later"),
        (story("h2", "...rre", pipes="p4"), "elsewhere: p2 is not among its candidates"),
        (story("h2", ".rre"), "while the first still lives: two leaks"),
    ],
)
def test_what_is_no_return_is_an_incident_of_its_own(second: Detected, why: str) -> None:
    """Late, elsewhere, or at the same time."""
    events = run(story("h1", "rre") + second).incident_events
    assert events["incident_id"].n_unique() == 2, why
    assert "reopened" not in events["event"].to_list()


def test_a_zone_comes_from_the_best_pipe() -> None:
    """And is null where nobody knows it."""
    zones = run(story("h1", "rr"), zones={"p2": "3"}).incident_events["zone"]
    assert zones.to_list() == ["3"]
    assert run(story("h1", "rr")).incident_events["zone"].to_list() == [None]
