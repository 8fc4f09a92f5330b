"""Sets of leaks found anew: one leak for two, a repaired one with its own course, none more."""

from dataclasses import replace

import numpy as np
import pytest

from leak_assets.detection.likelihood.days import Days
from leak_assets.detection.likelihood.estimate import Changes, Estimate
from leak_assets.detection.likelihood.history import History
from leak_assets.detection.likelihood.noise import Noise
from leak_assets.detection.likelihood.placing import Placed
from leak_assets.detection.likelihood.rivals import best_leak
from leak_assets.detection.likelihood.search import Search
from leak_assets.detection.likelihood.state import Event, LikelihoodState
from leak_assets_tests import channels as made
from leak_assets_tests.channels import quiet_days, with_leak

# What two zones took and were expected to take.
DRIVERS = 4
EXPLANATIONS = made.responses().explanations(made.reference())


def search(values: np.ndarray) -> Search:
    """Return the search over days (D × 6) after the reference."""
    reference = made.reference()
    known = np.concatenate([np.asarray(reference.daily), values])
    drivers = np.full((len(known), DRIVERS), np.nan)
    days = Days.of(known, drivers, reference, 0)
    estimate = Estimate(days, EXPLANATIONS, Noise.of(reference))

    def best(events: list[Event], changes: Changes) -> tuple[tuple[int, Placed] | None, float]:
        return best_leak(
            changes,
            estimate.coordinates(events).leaks,
            lambda number: estimate.placed(events, changes, number),
            2.5,
        )

    return Search(estimate, EXPLANATIONS, best)


def leak(pipe: str, first: int, size: float, last: int | None = None) -> Event:
    """Return a leak that is believed to run from a day after the reference to another one."""
    number, begin = made.PIPES.index(pipe), made.REFERENCE_DAYS
    end = None if last is None else last + begin
    onset = first - 1 + begin
    return Event("", "leak", number, onset, 1, end, onset, onset, size, pipe=number)


def live(events: list[Event]) -> list[Event]:
    """Return the events that are believed."""
    return [event for event in events if not event.withdrawn]


def test_two_leaks_become_the_one_that_is_there() -> None:
    """Half of a leak at its pipe and half of it at the neighbor's: one leak of the whole size."""
    values = with_leak(quiet_days(60), "p3", 20, 8.0)
    found = search(values).better([leak("p3", 20, 4.0), leak("p4", 24, 4.0)], 0)
    assert found is not None
    (one,) = live(found)
    assert one.pipe in (3, 4)
    assert one.onset == pytest.approx(19 + made.REFERENCE_DAYS, abs=1)
    assert one.size == pytest.approx(8.0, rel=0.3)


def test_a_repaired_leak_gets_its_own_course() -> None:
    """It was taken for an older one nearby that runs on: both get the courses that they have."""
    values = with_leak(with_leak(quiet_days(80), "p4", 15, 6.0), "p3", 45, 14.0, 60)
    repaired = replace(leak("p3", 15, 6.0, 60), repair=0)
    found = search(values).better([repaired, leak("p4", 45, 8.0)], 0)
    assert found is not None
    courses = {(e.repair, e.last_day): e.onset - made.REFERENCE_DAYS for e in live(found)}
    assert courses[0, 60 + made.REFERENCE_DAYS] == pytest.approx(44, abs=2)
    assert courses[None, None] == pytest.approx(14, abs=2)


def test_the_right_leaks_are_kept() -> None:
    """Nothing is better than what is there, near one another or not."""
    values = with_leak(with_leak(quiet_days(60), "p0", 15, 8.0), "p3", 25, 9.0)
    events = [leak("p0", 15, 8.0), leak("p3", 25, 9.0)]
    looked = search(values)
    assert [looked.better(events, number) for number in (0, 1)] == [None, None]


def test_changes_of_one_day_have_names_of_their_own() -> None:
    """Two leaks of one day stay two hypotheses, also where both would be named alike."""
    reference = made.reference()
    state = LikelihoodState(
        reference, values=np.zeros((0, len(reference.names))), drivers=np.zeros((0, DRIVERS))
    )
    history = History(state, EXPLANATIONS, [], lambda _kind, _index, _day, before: f"same{before}")
    days = with_leak(with_leak(quiet_days(30), "p0", 10, 9.0), "p3", 10, 9.0)
    for day in [*np.asarray(reference.daily), *days]:
        history.take(day, np.full(DRIVERS, np.nan))
    names = [event.hypothesis_id for event in history.events if event.known_on is not None]
    assert sorted(names) == ["same0", "same1"]
