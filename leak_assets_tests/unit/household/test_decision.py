"""The decision: formulas, prototype before risk, policies of occupancy, confirmation by habit."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from leak_assets.household.decision import judge, longer_than_ever, risk, vacation_grace_s
from leak_assets.household.learning import Bucket
from leak_assets.household.prototypes import Prototype
from leak_assets.household.sessions import LEVELS_L_PER_MIN
from leak_assets.household.settings import HomeSettings
from leak_assets_tests.homes import FLOW_P95, P95_S, PLAIN, learned, running

BUCKET = learned().buckets[6,]
TUESDAY = Prototype(
    "tue-1800", 1, 18 * 60.0, 1200.0, 15.0, 0.0, 5, date(2019, 3, 1), date(2019, 3, 31), 0.9
)
KNOWS_IT = learned(prototypes=(TUESDAY,))


def test_the_risk_is_the_formula() -> None:
    """HOU9: 1.0 at p95 with typical flow, one person at home; each term by its number."""
    at_p95 = risk(P95_S, FLOW_P95, BUCKET, "1", PLAIN)
    assert at_p95 == pytest.approx(1.0, abs=0.01)
    assert risk(0.8 * P95_S, 4.0, BUCKET, "1", PLAIN, night=True) == pytest.approx(1.0)
    assert risk(P95_S, 2 * FLOW_P95, BUCKET, "1", PLAIN) == pytest.approx(1.25)
    assert risk(P95_S, 4.0, BUCKET, "0", PLAIN) == pytest.approx(1.10)
    assert risk(P95_S, 4.0, BUCKET, "2-3", PLAIN) == pytest.approx(0.95)
    assert risk(P95_S, 4.0, BUCKET, "4+", PLAIN) == pytest.approx(0.90)
    by_p99 = replace(PLAIN, percentile="p99")
    assert risk(900.0, 4.0, BUCKET, "1", by_p99) == pytest.approx(1.0)


@given(
    st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 200), st.floats(0, 200),
    st.integers(0, 3), st.integers(0, 3), st.booleans(),
)  # fmt: skip
@hypothesis_settings(deadline=None)
def test_the_risk_is_monotone(
    d1: float, d2: float, f1: float, f2: float, p1: int, p2: int, night: bool
) -> None:
    """HOU9: longer, stronger or with fewer people is never less."""
    bins = ("0", "1", "2-3", "4+")
    low = risk(min(d1, d2), min(f1, f2), BUCKET, bins[max(p1, p2)], PLAIN, night=night)  # type: ignore[arg-type]
    high = risk(max(d1, d2), max(f1, f2), BUCKET, bins[min(p1, p2)], PLAIN, night=night)  # type: ignore[arg-type]
    assert low <= high
    assert risk(d1, f1, BUCKET, "1", PLAIN) <= risk(d1, f1, BUCKET, "1", PLAIN, night=True)


@given(st.floats(1, 1e5), st.floats(0, 60))
@hypothesis_settings(deadline=None)
def test_p99_never_holds_more_for_a_leak_than_p95(elapsed_s: float, flow: float) -> None:
    """HOU12: on the same water, what alarms by p99 alarms by p95 as well."""
    now = running(elapsed_s, flow)
    strict = judge(now, learned(), PLAIN)
    lenient = judge(now, learned(), replace(PLAIN, percentile="p99"))
    assert lenient.risk <= strict.risk
    assert lenient.leak <= strict.leak


@pytest.mark.parametrize(
    ("occupancy", "prototype", "leak"),
    [
        ("vacation", True, False),
        ("vacation", False, True),
        ("away", True, False),
        ("away", False, False),
        ("home", True, False),
        ("home", False, False),
    ],
)
def test_policies_with_and_without_a_prototype(occupancy: str, prototype: bool, leak: bool) -> None:
    """HOU8, HOU11: three minutes of 15 L/min; vacation is strict, a prototype always normal."""
    habits = KNOWS_IT if prototype else learned()
    people = 0 if occupancy != "home" else 1
    found = judge(running(180.0, 15.0, occupancy=occupancy, people=people), habits, PLAIN)
    assert found.leak == leak
    assert (found.matched is not None) == prototype
    assert found.reasons


@pytest.mark.parametrize("occupancy", ["Wake Up", "Home", "Wind Down", "Night", "Away"])
def test_buckets_decide_at_home_and_away(occupancy: str) -> None:
    """HOU11: beyond the bucket's threshold it is a leak, well below it is not."""
    assert judge(running(P95_S, 6.0, occupancy=occupancy), learned(), PLAIN).leak
    assert not judge(running(0.5 * P95_S, 6.0, occupancy=occupancy), learned(), PLAIN).leak


def test_vacation_with_the_same_water_at_an_odd_hour_is_a_leak() -> None:
    """HOU8: the irrigation of Tuesdays, on a Wednesday night."""
    at_its_time = running(600.0, 15.0, occupancy="vacation", people=0)
    assert not judge(at_its_time, KNOWS_IT, PLAIN).leak
    odd = running(600.0, 15.0, start="2019-04-03T03:00", occupancy="vacation", people=0)
    found = judge(odd, KNOWS_IT, PLAIN)
    assert found.leak
    assert any("vacation" in reason for reason in found.reasons)


def test_the_grace_of_a_vacation_is_a_usual_sessions_time() -> None:
    """Its p50, two minutes at most."""
    assert vacation_grace_s(learned(), PLAIN) == 60.0
    slow = Bucket(6, (6,), 20, (300.0, 400.0, 500.0, 600.0), BUCKET.flow_l_per_min)
    assert vacation_grace_s(learned(buckets={(6,): slow}), PLAIN) == 120.0
    assert vacation_grace_s(learned(buckets={}), PLAIN) == 120.0


def test_without_enough_sessions_there_is_no_leak_by_risk() -> None:
    """HOU5: a global bucket of nine is not ready."""
    found = judge(running(1e5, 20.0), learned(count=9), PLAIN)
    assert not found.ready
    assert not found.leak
    assert found.risk > 1


def test_a_risk_is_confirmed_by_a_flow_held_longer_than_ever() -> None:
    """The p95 is passed by one session in twenty; what never happened here is another matter."""
    habit = HomeSettings(learning_days=0)
    showers = tuple(1200.0 if level <= 8 else 60.0 for level in LEVELS_L_PER_MIN)
    knows = learned(longest_s={"all": showers})
    assert not judge(running(1100.0, 8.0), knows, habit).leak
    assert judge(running(1100.0, 15.0), knows, habit).leak
    assert judge(running(1200.0 * habit.habit_margin + 10, 8.0), knows, habit).leak
    assert longer_than_ever(running(1100.0, 15.0), knows, habit) == 15.0
    assert longer_than_ever(running(habit.habit_floor_s, 15.0), knows, habit) is None


def test_guests_hold_flows_for_longer() -> None:
    """HOU16: with guests in the house the margin is wider."""
    knows = learned(longest_s={"all": tuple(600.0 for _ in LEVELS_L_PER_MIN)})
    now = running(1200.0, 8.0)
    assert longer_than_ever(now, knows, PLAIN) == 8.0
    assert longer_than_ever(now, knows, PLAIN, guests=True) is None


def test_a_use_of_several_phases_is_known_from_its_first_minute() -> None:
    """A softener backwashes at 7 L/min and then draws 1.5: its mean fits no phase of it."""
    held = (4080.0, 4080.0, 1080.0, 1080.0, 1080.0, 1080.0, 480.0, *[0.0] * 7)
    softener = replace(TUESDAY, duration_s=4080.0, avg_flow_l_per_min=2.9, longest_s=held)
    assert judge(running(500.0, 7.0), learned(prototypes=(softener,)), PLAIN).matched
    assert judge(running(500.0, 16.0), learned(prototypes=(softener,)), PLAIN).matched is None
    plain = replace(softener, longest_s=())
    assert judge(running(500.0, 7.0), learned(prototypes=(plain,)), PLAIN).matched is None


def test_what_a_prototype_explained_is_not_counted_again() -> None:
    """A shower that goes on after the irrigation is judged from the irrigation's end."""
    now = running(1500.0, 8.0)
    assert judge(now, learned(), PLAIN).leak
    assert not judge(now, learned(), PLAIN, explained_s=1300.0).leak
