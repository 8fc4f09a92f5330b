"""Learning: weights by age, weighted percentiles, the ladder of six, prototypes."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from leak_assets.household.context import context_of
from leak_assets.household.learning import RUNGS, learn, with_weights
from leak_assets.household.prototypes import confidence, find_prototypes, match
from leak_assets.household.settings import HomeSettings
from leak_assets_tests.homes import frame, local_s, running, session

SETTINGS = HomeSettings()
TODAY = date(2019, 4, 30)
TUESDAYS = ("2019-04-09", "2019-04-16", "2019-04-23")


def irrigation(day: str, clock: str = "06:10", duration_s: float = 1200.0):
    return session(f"{day}T{clock}", duration_s, 15.0)


def test_old_sessions_count_less_and_then_not_at_all() -> None:
    """HOU3: half at 30 days, nothing at 61."""
    days = [TODAY - timedelta(days=age) for age in (0, 30, 60, 61)]
    recent = with_weights(frame(*(session(f"{day}T10:00") for day in days)), TODAY, SETTINGS)
    assert recent["weight"].to_list() == [1.0, 0.5, 0.25]
    assert recent["age_days"].to_list() == [0, 30, 60]


def test_percentiles_are_those_of_the_weighted_distribution() -> None:
    """HOU4: of ten equal weights p50 is the fifth, p90 the ninth, p95 and p99 the tenth."""
    found = learn(
        frame(*(session("2019-04-30T10:00", 10.0 * n, float(n)) for n in range(1, 11))),
        TODAY,
        SETTINGS,
    )
    bucket = found.buckets[1, 10, "weekday", "home", "1"]
    assert bucket.count == 10
    assert bucket.duration_s == (50.0, 90.0, 100.0, 100.0)
    assert bucket.flow_l_per_min == (5.0, 9.0, 10.0, 10.0)
    old = [session("2019-03-31T10:00", 1000.0) for _ in range(2)]
    new = [session("2019-04-30T10:00", 10.0) for _ in range(9)]
    # Two of half the weight are a tenth of all: below p90 lies only the new.
    weighted = learn(frame(*old, *new), TODAY, SETTINGS).buckets[6,]
    assert weighted.duration_s == (10.0, 10.0, 1000.0, 1000.0)


@pytest.mark.parametrize(("count", "ready"), [(9, False), (10, True)])
def test_ten_sessions_make_a_bucket_ready(count: int, ready: bool) -> None:
    """HOU5, by a setting."""
    found = learn(frame(*[session("2019-04-29T10:00")] * count), TODAY, SETTINGS)
    bucket = found.bucket(context_of(local_s("2019-04-30T10:00"), "home", 1, SETTINGS), SETTINGS)
    assert bucket is not None
    assert (bucket.count >= SETTINGS.min_count) == ready
    assert bucket.rung == (1 if ready else 6)


def test_the_ladder_steps_down_rung_by_rung() -> None:
    """HOU6: without the rows of a rung the next one is used, and says so."""
    uses = [
        ("2019-04-29T10:00", "Wake Up", 1),  # 1: exactly so
        ("2019-04-29T10:00", "home", 1),  # 2: the same class
        ("2019-04-29T10:00", "home", 4),  # 3: other people
        ("2019-04-29T10:00", "away", 0),  # 4: another class
        ("2019-04-28T10:00", "away", 0),  # 5: another day type
        ("2019-04-28T20:00", "away", 0),  # 6: another hour
    ]
    context = context_of(local_s("2019-04-30T10:00"), "Wake Up", 1, SETTINGS)
    names = []
    for rung in range(1, 7):
        kept = [session(at, occupancy=who, people=n) for at, who, n in uses[rung - 1 :]]
        found = learn(frame(*kept * 10), TODAY, SETTINGS).bucket(context, SETTINGS)
        assert found is not None
        assert found.rung == rung
        names.append(found.name)
    assert names[0] == "hour=10 day_type=weekday occupancy_raw=Wake Up people_bin=1"
    assert names[5] == "global"
    assert len(RUNGS) == 6


def test_three_tuesdays_make_a_prototype_and_two_do_not() -> None:
    """HOU7: and it knows its time, duration and flow."""
    assert find_prototypes(frame(*map(irrigation, TUESDAYS[:2])), TODAY, SETTINGS) == []
    (found,) = find_prototypes(frame(*map(irrigation, TUESDAYS)), TODAY, SETTINGS)
    assert (found.weekday, found.start_minute, found.occurrences) == (1, 370.0, 3)
    assert (found.duration_s, found.avg_flow_l_per_min) == (1200.0, 15.0)
    assert found.confidence == pytest.approx(3 / 5 * 0.5 ** (7 / 30))


def test_warm_or_unlike_sessions_are_no_prototype() -> None:
    """Showers are warm; durations that differ by more than a fifth are not one use."""
    showers = [session(f"{day}T06:10", 600.0, 8.0, 55.0) for day in TUESDAYS]
    assert find_prototypes(frame(*showers), TODAY, SETTINGS) == []
    unlike = [irrigation(day, duration_s=600.0 * n) for n, day in enumerate(TUESDAYS, 1)]
    assert find_prototypes(frame(*unlike), TODAY, SETTINGS) == []


@pytest.mark.parametrize(
    ("clock", "elapsed_s", "flow", "matches"),
    [
        ("06:24", 600.0, 15.0, True),
        ("06:31", 600.0, 15.0, False),
        ("05:50", 600.0, 15.0, True),
        ("06:10", 1200.0 * 1.20, 15.0, True),
        ("06:10", 1200.0 * 1.21, 15.0, False),
        ("06:10", 600.0, 15.0 * 1.19, True),
        ("06:10", 600.0, 15.0 * 1.21, False),
        ("06:10", 600.0, 15.0 * 0.79, False),
    ],
)
def test_running_water_matches_within_the_tolerances(
    clock: str, elapsed_s: float, flow: float, matches: bool
) -> None:
    """HOU7: +14 min is the use, +21 min is not; 21 % longer or stronger is not."""
    days = ["2019-04-02", *TUESDAYS]
    prototypes = find_prototypes(frame(*map(irrigation, days)), TODAY, SETTINGS)
    now = running(elapsed_s, flow, start=f"2019-04-30T{clock}")
    assert (match(now, prototypes, SETTINGS) is not None) == matches
    other_day = running(elapsed_s, flow, start=f"2019-05-01T{clock}")
    assert match(other_day, prototypes, SETTINGS) is None


def test_a_prototype_fades_and_is_forgotten() -> None:
    """Confidence halves in 30 days; below a half it explains nothing, after 60 days it is gone."""
    assert confidence(5, 0, SETTINGS) == 1.0
    assert confidence(9, 30, SETTINGS) == 0.5
    assert confidence(3, 0, SETTINGS) == pytest.approx(0.6)
    days = [date(2019, 4, 2) + timedelta(days=7 * n) for n in range(5)]
    seen = frame(*(irrigation(day.isoformat()) for day in days))
    later = find_prototypes(seen, days[-1] + timedelta(days=31), SETTINGS)
    assert later[0].confidence < 0.5
    now = running(600.0, 15.0, start="2019-06-04T06:10")
    assert match(now, later, SETTINGS) is None
    assert find_prototypes(seen, days[-1] + timedelta(days=61), SETTINGS) == []
    weak = replace(SETTINGS, horizon_days=365)
    assert find_prototypes(seen, days[-1] + timedelta(days=110), weak) == []


def test_what_a_prototype_explains_and_alarms_teach_no_limits() -> None:
    """Irrigation at six does not excuse a burst at six."""
    showers = [session(f"2019-04-{day:02d}T06:30", 300.0, 8.0, 55.0) for day in range(10, 29)]
    watering = [irrigation(day) for day in ("2019-04-02", *TUESDAYS)]
    found = learn(frame(*showers, *watering), TODAY, SETTINGS)
    assert found.buckets[6,].count == len(showers)
    assert max(found.longest_s["all"]) == 300.0
    assert [p.prototype_id for p in found.prototypes] == ["tue-0610-20min-15l"]


def test_what_comes_every_day_needs_no_weekday() -> None:
    """Five mornings on four weekdays make it a use of any day."""
    days = [f"2019-04-{day:02d}" for day in range(20, 26)]
    (found,) = find_prototypes(frame(*map(irrigation, days)), TODAY, SETTINGS)
    assert (found.weekday, found.prototype_id) == (None, "daily-0610-20min-15l")
    now = running(600.0, 15.0, start="2019-05-01T06:20")
    assert match(now, [found], SETTINGS) is not None
