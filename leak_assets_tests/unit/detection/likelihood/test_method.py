"""The likelihood method's decisions on made-up channels, and that days may be cut anywhere."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.detection.detector import Observed
from leak_assets.detection.hypothesis import Hypothesis
from leak_assets.detection.likelihood.history import History
from leak_assets.detection.likelihood.method import CHANNELS, REFERENCES
from leak_assets.detection.likelihood.responses import Responses
from leak_assets.detection.likelihood.state import LikelihoodState
from leak_assets.errors import InputError
from leak_assets_tests import channels as made
from leak_assets_tests.channels import detector, observed, quiet_days, run, with_leak


def midnight_after(number: int) -> datetime:
    """Return the end of a day by its number after the reference."""
    return datetime.combine(made.day_of(number + 1), time(), UTC)


def last_rows(found: list[Hypothesis]) -> dict[str, Hypothesis]:
    """Return the newest row of each hypothesis."""
    return {one.hypothesis_id: one for one in found}


# ---------------------------------------------------------------- decisions
def test_quiet_days_say_nothing() -> None:
    """Two hundred days without a leak: no hypothesis at all."""
    assert run(detector(), quiet_days(200))[1] == []


def test_a_leak_is_reported_where_and_since_when_it_is() -> None:
    """A leak of 8 m3/h is one hypothesis: right pipe, onset within a day, flow and volume."""
    _, found = run(detector(), with_leak(quiet_days(40), "p1", 20, 8.0))
    (leak,) = last_rows(found).values()
    assert (leak.kind, leak.status, leak.element_id) == ("leak", "reported", "p1")
    assert abs(leak.onset_at - midnight_after(19)) <= timedelta(days=1)
    assert leak.reported_at is not None
    assert midnight_after(20) <= leak.reported_at <= midnight_after(23)
    assert leak.flow_m3_per_h == pytest.approx(8.0, rel=0.3)
    assert leak.volume_m3 == pytest.approx(8.0 * 24 * 20, rel=0.3)
    assert leak.probability > 0.9
    assert leak.candidates[0][0] == "p1"
    assert leak.evidence[0].quantity in ("pressure", "balance")
    assert [one.at for one in found] == sorted(one.at for one in found)


def test_growth_of_a_young_leak_is_no_second_one() -> None:
    """A leak that becomes four times as large within weeks stays one hypothesis and grows."""
    values = with_leak(with_leak(quiet_days(60), "p1", 15, 5.0), "p1", 30, 15.0)
    state, found = run(detector(), values)
    assert len(last_rows(found)) == 1
    assert any(event.part_of == 0 for event in state.events)
    assert found[-1].flow_m3_per_h == pytest.approx(20.0, rel=0.35)


def test_a_leak_elsewhere_is_a_second_one() -> None:
    """A leak more than 300 m away is a hypothesis of its own beside the known one."""
    values = with_leak(with_leak(quiet_days(60), "p0", 15, 8.0), "p2", 35, 9.0)
    _, found = run(detector(), values)
    assert {one.element_id for one in last_rows(found).values()} == {"p0", "p2"}
    assert all(one.status == "reported" for one in found if one.at == found[-1].at)


def test_changes_of_one_day_have_names_of_their_own() -> None:
    """Two leaks of one day stay two hypotheses, also where both would be named alike."""
    reference = made.reference()
    # What two zones took and were expected to take.
    unknown = np.full(4, np.nan)
    history = History(
        LikelihoodState(
            reference, values=np.zeros((0, len(reference.names))), drivers=np.zeros((0, 4))
        ),
        made.responses().explanations(reference),
        [],
        lambda _kind, _index, _day, before: f"same{before}",
    )
    days = with_leak(with_leak(quiet_days(30), "p0", 10, 9.0), "p3", 10, 9.0)
    for day in [*np.asarray(reference.daily), *days]:
        history.take(day, unknown)
    names = [event.hypothesis_id for event in history.events if event.known_on is not None]
    assert sorted(names) == ["same0", "same1"]


def test_people_are_told_again_where_a_leak_is_held_to_be() -> None:
    """A leak that people were told of 500 m away: within a week the same one, at its place."""
    method, values = detector(), with_leak(quiet_days(60), "p1", 15, 9.0)
    state, found = run(method, values[:30])
    ((number, event),) = [(n, e) for n, e in enumerate(state.events) if e.known_on is not None]
    assert event.index == 1
    wrong = list(state.events)
    wrong[number] = replace(event, index=0)
    _, later = run(method, values, replace(state, events=tuple(wrong)), 30)
    assert {one.hypothesis_id for one in later} == {found[-1].hypothesis_id}
    assert later[0].element_id == "p0"
    assert all(one.element_id == "p1" for one in later[7:])


@pytest.mark.parametrize(("told", "expected"), [(0, "p1"), (1, "p0")])
def test_nobody_is_told_again_where_another_leak_was_told(told: int, expected: str) -> None:
    """A leak at p1 that was told at p0: it moves, unless another one was told at p1 by then."""
    method, values = detector(), with_leak(quiet_days(60), "p1", 15, 9.0)
    state, _ = run(method, values[:24])
    ((number, event),) = [(n, e) for n, e in enumerate(state.events) if e.known_on is not None]
    both = list(state.events)
    both[number] = replace(event, index=0)
    both.append(replace(event, hypothesis_id="other", index=told, pipe=3, size=0.1))
    _, later = run(method, values[:29], replace(state, events=tuple(both)), 24)
    rows = {one.hypothesis_id: one.element_id for one in later}
    assert rows[event.hypothesis_id] == expected


def far_and_alike() -> Responses:
    """Return responses of which the first three pipes have the same, with no way between pipes."""
    alike = made.responses()
    alike.leak[:3] = alike.leak[1]
    alike.distance_m[~np.eye(len(alike.pipes), dtype=bool)] = np.inf
    return alike


def test_a_change_that_fits_nowhere_waits_for_a_better_place() -> None:
    """Three far pipes that look alike: watched, reported after five days, under one name."""
    method = replace(detector(), load=far_and_alike)
    _, found = run(method, with_leak(quiet_days(40), "p1", 15, 9.0))
    name = found[0].hypothesis_id
    watched = [one for one in found if (one.hypothesis_id, one.status) == (name, "watched")]
    reported = [one for one in found if (one.hypothesis_id, one.status) == (name, "reported")]
    assert len(watched) == 5
    assert all(one.reported_at is None for one in watched)
    assert all(one.probability < 0.5 for one in watched)
    assert reported[0].reported_at == watched[-1].at + timedelta(days=1)
    assert reported[0].first_seen_at == watched[0].at


def test_a_suspicion_that_goes_away_is_ended() -> None:
    """What was watched and is no more has one last row that says so."""
    method = replace(detector(), load=far_and_alike)
    _, found = run(method, with_leak(quiet_days(40), "p1", 15, 4.0, last=17))
    (gone,) = last_rows(found).values()
    assert gone.status == "ended"
    assert gone.reported_at is None
    assert sum(one.status == "ended" for one in found) == 1


def test_an_ended_leak_ends_once() -> None:
    """When a leak is gone its hypothesis ends with that day, and no new leak appears."""
    _, found = run(detector(), with_leak(quiet_days(60), "p1", 15, 9.0, last=35))
    (leak,) = last_rows(found).values()
    assert leak.status == "ended"
    assert leak.ended_at is not None
    assert abs(leak.ended_at - midnight_after(34)) <= timedelta(days=1)
    assert leak.flow_m3_per_h == 0.0
    assert sum(one.status == "ended" for one in found) == 1


def test_a_reported_repair_is_no_leak() -> None:
    """What a report says was repaired is not reported while it runs, nor its end as anything."""
    values = with_leak(quiet_days(60), "p1", 15, 9.0, last=35)
    _, found = run(detector([("p1", made.day_of(34))]), values)
    assert found == []


def test_a_lying_sensor_is_a_fault() -> None:
    """A pressure that is off by 30 cm is a fault of that sensor, not a leak."""
    values = quiet_days(40)
    values[20:, 2] += 0.3
    _, found = run(detector(), values)
    (fault,) = last_rows(found).values()
    assert (fault.kind, fault.status, fault.element_id) == (
        "sensor_fault",
        "reported",
        "pressure/c",
    )
    assert fault.flow_m3_per_h is None
    assert fault.volume_m3 is None
    assert fault.probability > 0.9


def test_a_drifting_sensor_becomes_a_fault() -> None:
    """A pressure that drifts by 1 cm a day is a fault within weeks, once, and never a leak."""
    values = quiet_days(60)
    values[15:, 1] += 0.01 * np.arange(45)
    state, found = run(detector(), values)
    (fault,) = last_rows(found).values()
    assert (fault.kind, fault.element_id) == ("sensor_fault", "pressure/b")
    assert len([event for event in state.events if not event.withdrawn]) == 1


def test_a_leak_beside_a_lying_sensor_is_found() -> None:
    """A known fault takes its sensor out; a leak is still found by the others."""
    values = quiet_days(60)
    values[15:, 0] -= 0.4
    _, found = run(detector(), with_leak(values, "p2", 30, 9.0))
    kinds = {one.kind: one.element_id for one in last_rows(found).values()}
    assert kinds == {"sensor_fault": "pressure/a", "leak": "p2"}


def test_a_stuck_zone_meter_is_a_fault() -> None:
    """A zone's meter that reads 30 m3/h too much is its meter's fault."""
    values = quiet_days(40)
    values[20:, :4] += 30.0 * made.METERS_M[1]
    values[20:, 5] += 30.0
    _, found = run(detector(), values)
    (fault,) = last_rows(found).values()
    assert (fault.kind, fault.element_id) == ("sensor_fault", "balance/1")


def test_one_stuck_or_silent_day_says_nothing() -> None:
    """Days without values and days of a dead sensor raise nothing and hide nothing for good."""
    values = quiet_days(50)
    values[10:13] = np.nan
    values[20:25, 1] = np.nan
    _, found = run(detector(), with_leak(values, "p1", 30, 9.0))
    (leak,) = last_rows(found).values()
    assert leak.element_id == "p1"


# ---------------------------------------------------------------- days and states
def test_a_day_that_is_not_over_changes_nothing() -> None:
    """With 47 half-hours the state is the same object and nothing is found."""
    method = detector()
    values = with_leak(quiet_days(30), "p1", 20, 9.0)
    state, _ = run(method, values[:25])
    after, findings = method.step(state, observed(25, values[25], steps=47))
    assert after is state
    assert list(findings.hypotheses) == []


def test_learning_days_change_nothing() -> None:
    """Before there is a reference the method is at its start."""
    method = detector()
    empty = made.reference().to_frame(made.NETWORK).clear()
    rows = made.rows_of(made.FIRST_DAY, np.zeros(6))
    state, findings = method.step(
        method.start(), Observed(made.FIRST_DAY, {CHANNELS: rows, REFERENCES: empty})
    )
    assert state.days == 0
    assert findings.hypotheses == ()
    assert method.summary(state) == {"phase": "learning"}


def test_the_user_is_told_what_is_taken_as_leak_free() -> None:
    """The first day after the reference names its days and how to name others; later days not."""
    method = detector()
    state, first = method.step(method.start(), observed(0, np.zeros(6)))
    (line,) = first.messages
    assert "2019-01-01 to 2019-01-07 are taken as leak-free" in line
    assert "--reference-first-day" in line
    assert method.step(state, observed(1, np.zeros(6)))[1].messages == []


def test_a_day_is_taken_once() -> None:
    """A day again, or one before it, is an error of the caller."""
    method = detector()
    state, _ = run(method, quiet_days(5))
    with pytest.raises(ValueError, match="taken already"):
        method.step(state, observed(4, np.zeros(6)))


def test_new_reference_days_end_what_ran() -> None:
    """Days that are named leak-free end the leaks of before, and the story begins anew."""
    method = detector()
    values = with_leak(quiet_days(30), "p1", 10, 9.0)
    state, before = run(method, values)
    named = made.reference(made.day_of(30))
    day = named.days[-1] + timedelta(days=1)
    tables = {
        CHANNELS: made.rows_of(day, np.zeros(6)),
        REFERENCES: named.to_frame(made.NETWORK),
    }
    state, findings = method.step(state, Observed(day, tables))
    (ended,) = findings.hypotheses
    assert (ended.hypothesis_id, ended.status) == (before[-1].hypothesis_id, "ended")
    assert state.events == ()
    assert state.first_day == named.days[0]


_DAYS = 150


def _busy_days() -> np.ndarray:
    """Days with two leaks, growth, an end, a fault, gaps: everything goes through a rebuild."""
    values = with_leak(quiet_days(_DAYS, seed=3), "p1", 12, 6.0)
    values = with_leak(values, "p1", 24, 12.0)
    values = with_leak(values, "p3", 40, 7.0, last=70)
    values[55:, 0] += 0.3
    values[80:83] = np.nan
    return with_leak(values, "p2", 138, 9.0)


@pytest.fixture(scope="module")
def in_one_go() -> tuple[bytes, list[Hypothesis]]:
    """Return state and findings of all days without a cut."""
    state, found = run(detector(), _busy_days())
    return detector().to_bytes(state), found


@settings(max_examples=12, deadline=None)
@given(cuts=st.sets(st.integers(1, _DAYS - 1), max_size=6), partial=st.integers(0, 47))
def test_days_may_be_cut_anywhere(
    in_one_go: tuple[bytes, list[Hypothesis]], cuts: set[int], partial: int
) -> None:
    """Through bytes at any days, with half-seen days between: the same rows and the same bytes."""
    values = _busy_days()
    state, found = detector().start(), []
    edges = [0, *sorted(cuts), _DAYS]
    for first, last in pairwise(edges):
        method = detector()
        state = method.from_bytes(method.to_bytes(state))
        state, _ = method.step(state, observed(first, values[first], steps=partial))
        state, some = run(method, values[:last], state, first)
        found += some
    assert found == in_one_go[1]
    assert detector().to_bytes(state) == in_one_go[0]


def test_the_busy_days_are_busy(in_one_go: tuple[bytes, list[Hypothesis]]) -> None:
    """The days of the test above have leaks, an end and a fault: it is not passed by silence."""
    found = in_one_go[1]
    assert {one.kind for one in found} == {"leak", "sensor_fault"}
    assert any(one.status == "ended" for one in found)
    assert len({one.hypothesis_id for one in found}) >= 4


def test_checkpoints_are_eighth_days_and_days_of_change() -> None:
    """A full copy each eighth day, and one with every event so that none is searched twice."""
    method = detector()
    values = with_leak(quiet_days(40), "p1", 20, 9.0)
    state, full = method.start(), []
    for number in range(len(values)):
        after, findings = method.step(state, observed(number, values[number]))
        if method.is_checkpoint(state, after):
            full.append(number)
        state = after
        if any(one.reported_at == one.at for one in findings.hypotheses):
            assert full[-1] == number
    assert all((number + 8) % 8 == 0 for number in full if number not in (0, *range(20, 26)))
    assert len(full) >= 5


def test_a_state_of_elsewhere_is_refused() -> None:
    """Another network, other repairs, another format or no state at all: one line each."""
    method = detector()
    content = method.to_bytes(run(method, quiet_days(3))[0])
    for other in (
        detector([("p1", date(2019, 2, 1))]),
        type(method)("elsewhere", made.responses),
        type(method)(made.NETWORK, made.responses, provenance="changed"),
    ):
        with pytest.raises(InputError, match="belongs to another network model"):
            other.from_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        method.from_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be read"):
        method.from_bytes(content.replace(b'"format":3', b'"format":9'))
    with np.load(io.BytesIO(content)) as stored:
        parts = dict(stored)
    head = parts["head"].tobytes().replace(b'"format":3', b'"format":0')
    buffer = io.BytesIO()
    np.savez(buffer, **(parts | {"head": np.frombuffer(head, np.uint8)}))
    with pytest.raises(InputError, match=r"is of likelihood 0.*wanted is likelihood 3"):
        method.from_bytes(buffer.getvalue())


def test_without_signatures_days_are_passed_over() -> None:
    """A network without leak signatures is said to have none; its state does not move."""
    method = type(detector())(made.NETWORK, lambda: None)
    state, findings = method.step(method.start(), observed(0, np.zeros(6)))
    assert state.days == 0
    assert "leak-assets signatures" in findings.messages[0]
