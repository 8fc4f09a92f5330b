"""LeakDB's scores: by hand, by what must hold for any labels, and as labels follow from facts."""

from datetime import UTC, datetime, timedelta
from math import exp
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from leak_assets.benchmark.leakdb_scores import (
    EXTRA_STEPS,
    LeakdbScores,
    Period,
    alarms,
    early_detection_scores,
    labels,
    leakdb_scores,
    pooled,
    true_labels,
)
from leak_assets.exchange.battledim.truth import TrueLeak, Truth
from leak_assets.hydraulics.towns.leaks import Leak

START = datetime(2019, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = arrays(np.bool_, 48)


def between(first: int, after: int, steps: int = 100) -> np.ndarray:
    """Labels that are up in a range."""
    out = np.zeros(steps, dtype=bool)
    out[first:after] = True
    return out


@pytest.mark.parametrize(
    ("told", "worth"),
    [
        (between(20, 60), 1.0),
        (between(0, 60), 1.0),
        (between(35, 60), 2 / (1 + exp(5 * 15 / 29))),
        (between(34, 60), 2 / (1 + exp(5 * 14 / 29))),
        (between(0, 0), 0.0),
        # Dropped after a quarter of an hour's worth: too little of the window says leak.
        (between(20, 25), 0.0),
        # 23 of 30 labels are above three quarters, 22 are not.
        (between(20, 43), 1.0),
        (between(20, 42), 0.0),
        # Told in the ten steps after the end: late, and kept.
        (between(45, 60), 2 / (1 + exp(5 * 25 / 29))),
        (between(50, 60), 0.0),
    ],
)
def test_a_fault_by_hand(told: np.ndarray, worth: float) -> None:
    """Twenty steps of leak: a window of thirty, of which the first alarm and its share count."""
    assert early_detection_scores(between(20, 40), told) == [pytest.approx(worth)]


def test_half_of_the_window_is_worth_what_the_paper_says() -> None:
    """At once 1, at half of the window 2 / (1 + e^2.5), never 0."""
    leaking = between(10, 21, 200)
    half = 10 + (21 - 10 + EXTRA_STEPS - 1) // 2
    found = early_detection_scores(leaking, between(half, 200, 200))
    assert found == [pytest.approx(2 / (1 + exp(2.5)), abs=1e-6)]


def test_a_fault_at_the_end_has_a_shorter_window() -> None:
    """It is a fault all the same, and the next one's window is whole."""
    leaking = between(20, 40) | between(90, 100)
    told = between(20, 60) | between(95, 100)
    first, last = early_detection_scores(leaking, told)
    assert (first, last) == (1.0, pytest.approx(2 / (1 + exp(5 * 5 / 9))))
    assert early_detection_scores(between(99, 100), between(99, 100)) == [1.0]


@given(leaking=DAY, told=DAY)
def test_scores_are_shares_of_all_steps(leaking: np.ndarray, told: np.ndarray) -> None:
    """Every step counts once; every score lies from 0 to 1 or is not there."""
    found = leakdb_scores(leaking, told)
    steps = (
        found.true_positives,
        found.false_positives,
        found.true_negatives,
        found.false_negatives,
    )
    assert sum(steps) == len(leaking)
    assert (found.true_positive_rate is None) == (not leaking.any())
    assert (found.specificity is None) == leaking.all()
    shares = (
        found.true_positive_rate,
        found.specificity,
        found.accuracy,
        found.precision,
        found.f1,
        found.early_detection,
    )
    assert all(share is None or 0 <= share <= 1 for share in shares)
    assert all(0 <= one <= 1 for one in early_detection_scores(leaking, told))


@given(leaking=DAY)
def test_the_truth_is_perfect_and_silence_is_nothing(leaking: np.ndarray) -> None:
    """Told as it is, all is 1; the opposite and silence find nothing."""
    perfect = leakdb_scores(leaking, leaking)
    assert perfect.accuracy == 1
    assert perfect.f1 in (1, None)
    silent = leakdb_scores(leaking, np.zeros_like(leaking))
    assert silent.early == 0
    assert silent.true_positives == silent.false_positives == 0
    assert leakdb_scores(leaking, ~leaking).accuracy == 0


@given(
    first=st.integers(0, 60), length=st.integers(1, 39), delays=st.tuples(*[st.integers(0, 60)] * 2)
)
def test_earlier_is_never_worse(first: int, length: int, delays: tuple[int, int]) -> None:
    """Of two alarms that stay up, the one that comes before is worth as much or more."""
    leaking = between(first, first + length)
    early, late = (
        early_detection_scores(leaking, between(first + delay, 100))[0] for delay in sorted(delays)
    )
    assert early >= late


@given(pairs=st.lists(st.tuples(DAY, DAY), max_size=4))
def test_scenarios_are_pooled(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Counts add up before anything is divided; nothing is nothing."""
    each = [leakdb_scores(leaking, told) for leaking, told in pairs]
    together = pooled(each)
    assert together.true_positives == sum(one.true_positives for one in each)
    assert together.faults == sum(one.faults for one in each)
    assert together.early == pytest.approx(sum(one.early for one in each))
    assert pooled([]) == LeakdbScores()
    assert pooled([]).accuracy is None


def test_labels_of_other_lengths_are_a_mistake() -> None:
    """What was not labelled by the same steps is not compared."""
    with pytest.raises(ValueError, match="labels of leaks"):
        leakdb_scores(between(0, 1), between(0, 1, 99))


def test_a_half_hour_counts_by_its_begin() -> None:
    """From the first half-hour not before it to the last that begins within; cut to the run."""
    periods = [
        Period(START - HOUR, START + HOUR),
        Period(START + 5.1 * HOUR, START + 6 * HOUR),
        Period(START - 3 * HOUR, START - HOUR),
        Period(START + 11 * HOUR),
    ]
    assert np.flatnonzero(labels(periods, START, 24)).tolist() == [0, 1, 11, 22, 23]


def test_true_labels_are_those_of_all_leaks() -> None:
    """Leaks that overlap are one fault; one that runs on is leaking at the last step, too."""
    end = START + 47 * HOUR / 2
    leaks = [
        Leak("1", START + 2 * HOUR, 0.02, end_at=START + 5 * HOUR),
        Leak("2", START + 4 * HOUR, 0.02, "incipient", START + 5 * HOUR, START + 6 * HOUR),
        Leak("3", START + 22 * HOUR, 0.02),
    ]
    flow = np.zeros(0)
    truth = Truth(
        "made",
        START,
        end,
        Path("made.inp"),
        tuple(TrueLeak(leak, leak.end_at or end, flow) for leak in leaks),
    )
    found = true_labels(truth)
    assert np.flatnonzero(found).tolist() == [*range(4, 12), *range(44, 48)]
    assert leakdb_scores(found, found).faults == 2


def test_alarms_are_what_was_open_then() -> None:
    """From opened to closed, once more from reopened on; news between changes nothing."""
    at = [START + k * HOUR for k in range(6)]
    events = pl.DataFrame(
        [
            ("a", 1, at[0], "new"),
            ("b", 1, at[1], "open"),
            ("a", 2, at[2], "open"),
            ("a", 3, at[3], "closed"),
            ("a", 4, at[4], "open"),
            ("b", 2, at[5], "closed"),
        ],
        schema=["incident_id", "revision", "event_at", "status"],
        orient="row",
    )
    found = alarms(events)
    assert found == [Period(at[0], at[3]), Period(at[4]), Period(at[1], at[5])]
