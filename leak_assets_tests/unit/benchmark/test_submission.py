"""What of the incidents a BattLeDIM submission reports, and when."""

from datetime import timedelta

import pytest

from leak_assets.benchmark.submission import Report, submission
from leak_assets.incidents.policy import TrackerPolicy
from leak_assets.incidents.tracker import Tracked, track
from leak_assets.warehouse.schemas.incidents import INCIDENT_DAYS
from leak_assets_tests.hypotheses import (
    FIRST_DAY,
    NETWORK,
    ONE_DAY,
    Detected,
    midnight,
    pipes_in_a_row,
    story,
)


def tracked(detected: Detected) -> Tracked:
    """Track the first ten days."""
    return track(
        network=NETWORK,
        first_day=FIRST_DAY,
        last_day=FIRST_DAY + timedelta(days=9),
        hypotheses=detected.hypotheses,
        candidates=detected.candidates,
        evidence=detected.evidence,
        previous_days=INCIDENT_DAYS.empty(),
        method="likelihood",
        policy=TrackerPolicy(),
        price_eur_per_m3=0.8,
        contract_sha256="c",
        run_id="r",
        links=pipes_in_a_row(),
        zones={},
    )


def reports(detected: Detected, start: int, end: int) -> list[tuple[float, str]]:
    """Return (days from the begin of the period, pipe) for days by number."""
    rows = tracked(detected)
    found = submission(
        rows.incident_events,
        rows.incident_days,
        start=FIRST_DAY + start * ONE_DAY,
        end=FIRST_DAY + end * ONE_DAY,
    )
    return [((r.start_at - midnight(start)) / ONE_DAY, r.link_id) for r in found]


def test_what_runs_at_the_begin_is_reported_then_where_it_is_held_to_be() -> None:
    """It moved before: the newest pipe counts; what ended before is not reported."""
    detected = story("h1", "rrrrrrrr", pipes=["p1", "p1", "p3"] + ["p3"] * 5)
    detected += story("h2", "rre")
    assert reports(detected, 4, 10) == [(0.0, "p3")]


@pytest.mark.parametrize(("flow", "expected"), [(1.99, []), (2.0, [(0.0, "p2")])])
def test_small_leaks_at_the_begin_are_left_out(
    flow: float, expected: list[tuple[float, str]]
) -> None:
    """By their flow on the last day before, also where it was no news."""
    assert reports(story("h1", "rrrr", flow_m3_per_h=[3.0, 3.0, flow, 3.0]), 3, 9) == expected


def test_what_is_known_at_the_very_begin_counts_as_running() -> None:
    """The data of the day before end at the midnight with which the period begins."""
    assert reports(story("h1", "..rr"), 3, 9) == [(0.0, "p2")]


def test_incidents_of_the_period_are_reported_as_they_open_and_move() -> None:
    """Neither their updates nor their end are reports."""
    detected = story("h1", "...rrrrre", pipes=["p1"] * 6 + ["p4"] * 3) + story("h2", "....rr")
    assert reports(detected, 2, 10) == [(2.0, "p1"), (3.0, "p2"), (5.0, "p4")]


def test_a_report_at_the_end_lies_after_the_period() -> None:
    """The last day's midnight belongs to the next period."""
    assert reports(story("h1", "...r"), 1, 4) == []
    assert reports(story("h1", "...r"), 1, 5) == [(3.0, "p2")]


def test_a_small_leak_that_moves_in_the_period_is_reported_then() -> None:
    """Left out at the begin, told when its place is known better."""
    detected = story("h1", "rrrr", flow_m3_per_h=1.9, pipes=["p1", "p1", "p1", "p3"])
    assert reports(detected, 2, 9) == [(2.0, "p3")]


def test_without_incidents_nothing_is_reported() -> None:
    """An empty submission is one."""
    assert reports(story("h1", "www"), 1, 9) == []
    assert Report(midnight(1), "p1") < Report(midnight(2), "p1")
