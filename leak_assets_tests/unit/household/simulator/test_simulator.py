"""The simulated household: its habits by the local clock, its faults, its water balance."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from leak_assets.errors import InputError
from leak_assets.household.simulator.faults import REFILL_L, Fault
from leak_assets.household.simulator.habits import Household, at_local, plan_of_day
from leak_assets.household.simulator.simulator import (
    FLOW_SCHEMA,
    LABELS_SCHEMA,
    OCCUPANCY_SCHEMA,
    History,
    simulate_history,
)
from leak_assets.household.simulator.uses import FIXTURES, Draw, Use

BERLIN = "Europe/Berlin"
MARCH = datetime(2019, 3, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)


@pytest.fixture(scope="module")
def spring() -> History:
    """Sixty days from March on, across the change to summer time."""
    return simulate_history(60, seed=7)


def volume_l(flow: pl.DataFrame, step_s: int, column: str = "flow_l_per_min") -> float:
    return float(flow[column].sum()) * step_s / 60


def local(history: History) -> pl.DataFrame:
    """Labels with the local clock of their start."""
    clock = pl.col("start_at").dt.convert_time_zone(BERLIN)
    return history.labels.with_columns(
        weekday=clock.dt.weekday() - 1, hour=clock.dt.hour(), day=clock.dt.date(), time=clock
    )


def test_irrigation_recurs_on_its_weekdays_within_a_quarter_of_an_hour(spring: History) -> None:
    """SIM12: at least 3 on the same weekday, at 06:10 ± 15 min of the local clock, all year."""
    watering = local(spring).filter(kind="irrigation")
    by_weekday = watering.group_by("weekday").len().sort("weekday").rows()
    assert [weekday for weekday, _ in by_weekday] == [1, 4]
    assert all(count >= 3 for _, count in by_weekday)
    starts = watering["time"].to_list()
    late = [t - datetime.combine(t.date(), time(6, 10), ZoneInfo(BERLIN)) for t in starts]
    assert max(abs(value) for value in late) <= QUARTER
    assert len(set(late)) > 10, "a jitter, not a clock"
    assert {t.utcoffset() for t in starts} == {HOUR, 2 * HOUR}, "both sides of the change"
    seconds = (watering["end_at"] - watering["start_at"]).dt.total_seconds()
    assert seconds.is_between(1200 * 0.95, 1200 * 1.05).all()
    flow = watering["volume_l"] / seconds * 60
    assert flow.is_between(15 * 0.95, 15 * 1.05).all()
    assert watering["hot_volume_l"].sum() == 0


def test_irrigation_can_be_left_out() -> None:
    """Without it all other uses are the same."""
    wet, dry = (simulate_history(10, seed=7, include_irrigation=on).labels for on in (True, False))
    assert wet.height > dry.height
    assert_frame_equal(dry, wet.filter(pl.col("kind") != "irrigation"))


def test_people_use_what_people_use(spring: History) -> None:
    """About 120 L a person and day; all fixtures; hot water of showers and taps only."""
    indoor = spring.labels.filter(pl.col("kind") != "irrigation")
    assert set(indoor["kind"]) == {fixture.kind for fixture in FIXTURES}
    assert 100 < indoor["volume_l"].sum() / 60 / 3 < 140
    hot = indoor.group_by("kind").agg(pl.col("hot_volume_l").sum() > 0).filter("hot_volume_l")
    assert set(hot["kind"]) == {"shower", "tap"}
    (flushes,) = indoor.filter(kind="toilet").select(pl.len() / 60 / 3).row(0)
    assert flushes == pytest.approx(5, rel=0.1)
    assert not indoor["is_fault"].any()


def test_mornings_and_evenings_are_busy(spring: History) -> None:
    """More water from 6 to 9 and from 17 to 23 than at noon of a weekday or at night."""
    weekdays = local(spring).filter(pl.col("kind") != "irrigation", pl.col("weekday") < 5)
    by_hour = dict(weekdays.group_by("hour").agg(pl.col("volume_l").sum()).rows())
    mean = {
        name: float(np.mean([by_hour.get(hour, 0.0) for hour in hours]))
        for name, hours in {
            "morning": range(6, 9),
            "noon": range(9, 15),
            "evening": range(17, 23),
            "night": range(1, 5),
        }.items()
    }
    assert mean["noon"] == 0
    assert 0 < mean["night"] < 0.1 * mean["morning"]
    assert mean["evening"] > 5 * mean["night"]


def test_uses_begin_when_somebody_is_there(spring: History) -> None:
    """Every use begins at home or at night, and at night only toilets are flushed."""
    placed = spring.labels.filter(pl.col("kind") != "irrigation").join_asof(
        spring.occupancy.rename({"start_at": "since"}).drop("end_at").sort("since"),
        left_on="start_at",
        right_on="since",
    )
    assert set(placed["occupancy"]) == {"home", "night"}
    assert set(placed.filter(occupancy="night")["kind"]) == {"toilet"}


def test_occupancy_covers_every_moment(spring: History) -> None:
    """Periods follow one another without gap from the first midnight to the last."""
    periods = spring.occupancy
    assert periods.schema == OCCUPANCY_SCHEMA
    assert periods["start_at"][1:].to_list() == periods["end_at"][:-1].to_list()
    assert periods["start_at"][0] == at_local(BERLIN, date(2019, 3, 1), 0)
    assert periods["end_at"][-1] == at_local(BERLIN, date(2019, 4, 30), 0)
    assert set(periods.select("occupancy", "people").unique().rows()) == {
        ("home", 3),
        ("night", 3),
        ("away", 0),
    }


def test_nobody_uses_water_on_vacation() -> None:
    """Only irrigation and faults run; days before and after are as without the vacation."""
    first, last = date(2019, 3, 11), date(2019, 3, 17)
    kept = simulate_history(20, seed=7)
    gone = simulate_history(20, seed=7, vacations=[(first, last)])
    days = pl.col("day").is_between(first, last)
    assert set(local(gone).filter(days)["kind"]) == {"irrigation"}
    assert_frame_equal(local(gone).filter(~days), local(kept).filter(~days))
    away = gone.occupancy.filter(occupancy="vacation")
    assert away.height == 7
    assert away["start_at"][0] == at_local(BERLIN, first, 0)
    assert away["end_at"][-1] == at_local(BERLIN, last + timedelta(days=1), 0)
    assert away["people"].sum() == 0


def test_flow_is_the_labels() -> None:
    """Step by step: where the meter turns a use or fault is labeled, and nowhere else."""
    history = simulate_history(10, seed=3, include_irrigation=True)
    on = history.flow.filter(pl.col("flow_l_per_min") > 0)["ts_utc"].to_list()
    machines = ("washing_machine", "dishwasher")
    busy: set[datetime] = set()
    for label in history.labels.to_dicts():
        at = label["start_at"] - timedelta(seconds=label["start_at"].second % 10)
        steps = set()
        while at < label["end_at"]:
            steps.add(at)
            at += timedelta(seconds=10)
        busy |= steps
        if label["kind"] not in machines:
            assert steps <= set(on)
    assert set(on) <= busy
    assert (history.flow["hot_flow_l_per_min"] <= history.flow["flow_l_per_min"]).all()


def test_slow_leak_never_lets_the_meter_rest() -> None:
    """From its start to its end the flow is at least the leak's; volume = flow x time."""
    end_at = MARCH + timedelta(days=3, minutes=7)
    leak = Fault("slow_leak", MARCH, end_at, 0.4)
    history = simulate_history(10, seed=3, faults=[leak])
    within = pl.col("ts_utc").is_between(MARCH, end_at, closed="left")
    assert history.flow.filter(within)["flow_l_per_min"].min() == pytest.approx(0.4)
    assert history.flow.filter(~within)["flow_l_per_min"].min() == 0
    (label,) = history.labels.filter("is_fault").to_dicts()
    assert (label["kind"], label["start_at"], label["end_at"]) == ("slow_leak", MARCH, end_at)
    assert label["volume_l"] == pytest.approx(0.4 * (3 * 1440 + 7))
    sound = simulate_history(10, seed=3)
    assert_frame_equal(sound.labels, history.labels.filter(~pl.col("is_fault")))


def test_flapper_refills_equally_again_and_again() -> None:
    """HOU15 has something to find: at least 4 refills of one size within 15 minutes, for days."""
    empty = [(date(2019, 2, 1), date(2019, 4, 1))]
    history = simulate_history(
        5, faults=[Fault("toilet_flapper", MARCH)], vacations=empty, include_irrigation=False
    )
    (label,) = history.labels.to_dicts()
    assert (label["kind"], label["is_fault"], label["start_at"]) == ("toilet_flapper", True, MARCH)
    assert label["end_at"] == at_local(BERLIN, date(2019, 3, 6), 0)
    quarters = history.flow.filter(pl.col("ts_utc") >= MARCH).group_by_dynamic(
        "ts_utc", every="15m"
    )
    volumes = quarters.agg(pl.col("flow_l_per_min").sum() / 6)["flow_l_per_min"][1:-1]
    assert (volumes / REFILL_L).round(9).is_in([3.0, 4.0]).all()
    # The tank runs out for 4 minutes before each refill; at midnight the next one would begin.
    assert label["volume_l"] == pytest.approx((23 * 60 / 4 - 1) * REFILL_L)
    emptying = pl.col("ts_utc") < MARCH + timedelta(minutes=4)
    assert history.flow.filter(emptying)["flow_l_per_min"].sum() == 0
    pauses = history.flow.filter(pl.col("ts_utc") >= MARCH)["flow_l_per_min"]
    assert (pauses == 0).mean() > 0.8  # type: ignore[operator]


def test_faults_outside_the_history_leave_no_trace() -> None:
    """Repaired before, begun after: no label."""
    old = Fault("slow_leak", MARCH - 400 * 24 * HOUR, MARCH - 300 * 24 * HOUR)
    late = Fault("toilet_flapper", MARCH + 400 * 24 * HOUR)
    assert_frame_equal(
        simulate_history(3, faults=[old, late]).flow, simulate_history(3).flow
    )  # fmt: skip


ZONES = (
    BERLIN, "UTC", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Cairo",
    "Pacific/Apia",
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**70),
    days=st.integers(1, 3),
    first_day=st.one_of(
        st.dates(date(1971, 1, 1), date(2100, 12, 31)),
        st.sampled_from([date(2019, 3, 30), date(2019, 10, 26), date(2011, 12, 28)]),
    ),
    zone=st.sampled_from(ZONES),
    step_s=st.sampled_from([1, 7, 10, 60, 3600]),
    leak_hour=st.integers(-30, 100),
    leak_hours=st.integers(1, 60),
    kind=st.sampled_from(["slow_leak", "toilet_flapper"]),
)
def test_water_balance_and_prefix(
    seed: int,
    days: int,
    first_day: date,
    zone: str,
    step_s: int,
    leak_hour: int,
    leak_hours: int,
    kind: str,
) -> None:
    """Flow and labels are the same water in any zone, season and step; days tile; seeds hold."""
    household = Household(
        zone=zone, irrigation_weekdays=tuple(range(7)), irrigation_at=time(23, 55)
    )
    start_at, end_at = (
        at_local(zone, first_day + timedelta(days=d), 0) for d in (0, days)
    )  # fmt: skip
    broken = start_at + leak_hour * HOUR
    faults = [Fault(kind, broken, broken + leak_hours * HOUR, 0.37)]
    options = {
        "household": household, "first_day": first_day, "step_s": step_s, "faults": faults,
    }  # fmt: skip
    history = simulate_history(days, seed, **options)  # type: ignore[arg-type]
    assert (history.flow.schema, history.labels.schema) == (FLOW_SCHEMA, LABELS_SCHEMA)
    for column, label in (("flow_l_per_min", "volume_l"), ("hot_flow_l_per_min", "hot_volume_l")):
        assert volume_l(history.flow, step_s, column) == pytest.approx(history.labels[label].sum())
    assert history.flow.height == -(-int((end_at - start_at).total_seconds()) // step_s)
    if history.flow.height:
        assert history.flow["ts_utc"][0] == start_at
    if history.labels.height:
        assert history.labels["start_at"].min() >= start_at  # type: ignore[operator]
        assert history.labels["end_at"].max() <= end_at  # type: ignore[operator]
        assert (history.labels["volume_l"] > 0).all()
    covered = history.occupancy.select((pl.col("end_at") - pl.col("start_at")).sum()).item()
    assert covered == end_at - start_at
    longer = simulate_history(days + 1, seed, **options)  # type: ignore[arg-type]
    whole = (end_at - start_at).total_seconds() // step_s
    assert_frame_equal(longer.flow.head(int(whole)), history.flow.head(int(whole)))


def test_days_have_23_and_25_hours() -> None:
    """The days of the change between summer and winter time."""
    for day, hours in ((date(2019, 3, 31), 23), (date(2019, 10, 27), 25), (date(2019, 6, 1), 24)):
        history = simulate_history(1, first_day=day, step_s=60)
        assert history.flow.height == hours * 60


def test_seeds_differ_and_repeat() -> None:
    """Same seed same household, other seed another."""
    one, again, other = (simulate_history(5, seed=s) for s in (1, 1, 2))
    assert_frame_equal(one.flow, again.flow)
    assert_frame_equal(one.labels, again.labels)
    assert not one.flow.equals(other.flow)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), day=st.dates(date(1971, 1, 1), date(2100, 1, 1)))
def test_every_day_has_its_order(seed: int, day: date) -> None:
    """People get up, leave, come back, go to bed, in this order and within the day."""
    plan = plan_of_day(seed, day)
    assert 0 < plan.wake_s < plan.leave_s <= plan.return_s < plan.bed_s < 86400
    assert (plan.leave_s == plan.return_s) == (day.weekday() >= 5)
    assert plan.periods[0][1] == 0
    assert plan.periods[-1][2] == 86400
    assert all(
        after[1] == before[2] > before[1]
        for before, after in zip(plan.periods, plan.periods[1:], strict=False)
    )


def test_a_use_is_cut_where_the_history_ends() -> None:
    """A machine keeps the fills that lie within; what lies outside is gone."""
    fills = tuple(Draw(60.0 * minute, 72, 10.0) for minute in (0, 40, 60))
    use = Use.of("washing_machine", MARCH, fills, 0.0)
    assert use.end_at == MARCH + timedelta(seconds=3672)
    assert use.volume_l == pytest.approx(36)
    part = use.within(MARCH + timedelta(seconds=36), MARCH + timedelta(minutes=50))
    assert part is not None
    assert part.volume_l == pytest.approx(6 + 12)
    assert part.start_at == MARCH + timedelta(seconds=36)
    assert part.draws[1].offset_s == 2400 - 36
    assert use.within(MARCH + timedelta(minutes=5), MARCH + timedelta(minutes=30)) is None
    assert use.within(MARCH + 5 * HOUR, MARCH + 6 * HOUR) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"days": 0}, ["days = 0", "1 or more"]),
        ({"days": 2.5}, ["days = 2.5", "whole number"]),
        ({"days": 10**7}, ["days = 10000000", "longer step"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"step_s": 0}, ["step_s = 0"]),
        ({"step_s": 7200}, ["step_s = 7200", "3600"]),
        ({"first_day": date(1850, 1, 1)}, ["first_day = 1850-01-01", "1971"]),
        ({"vacations": [(date(2019, 3, 5), date(2019, 3, 4))]}, ["2019-03-04", "before"]),
    ],
)  # fmt: skip
def test_unusable_arguments_are_named(changes: dict[str, object], words: list[str]) -> None:
    """Argument, value, remedy."""
    with pytest.raises(InputError) as caught:
        simulate_history(**({"days": 1} | changes))  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"people": 0}, ["people = 0", "vacations"]),
        ({"people": 10**9}, ["people = 1000000000"]),
        ({"zone": "Europe/Berln"}, ["'Europe/Berln'", "Did you mean Europe/Berlin"]),
        ({"zone": ""}, ["zone = ''", "UTC"]),
        ({"zone": "../etc/passwd"}, ["zone = '../etc/passwd'"]),
        ({"zone": "Europe"}, ["zone = 'Europe'"]),
        ({"irrigation_weekdays": (1, 7)}, ["(1, 7)", "Sunday"]),
        ({"irrigation_s": 0}, ["irrigation_s = 0"]),
        ({"irrigation_flow_l_per_min": float("nan")}, ["irrigation_flow_l_per_min = nan"]),
    ],
)  # fmt: skip
def test_impossible_households_are_refused(changes: dict[str, object], words: list[str]) -> None:
    """Argument, value, remedy."""
    with pytest.raises(InputError) as caught:
        Household(**changes)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("flood", MARCH), ["'flood'", "slow_leak or toilet_flapper"]),
        (("slow_leak", datetime(2019, 3, 1)), ["start of slow_leak", "no time zone"]),  # noqa: DTZ001
        (("slow_leak", MARCH, MARCH), ["not after its start"]),
        (("slow_leak", MARCH, None, 0.0), ["flow_l_per_min = 0.0"]),
        (("slow_leak", MARCH, None, float("nan")), ["flow_l_per_min = nan"]),
        (("toilet_flapper", MARCH, None, 6.0), ["flow_l_per_min = 6.0", "less than 6"]),
    ],
)  # fmt: skip
def test_impossible_faults_are_refused(arguments: tuple[object, ...], words: list[str]) -> None:
    """Argument, value, remedy."""
    with pytest.raises(InputError) as caught:
        Fault(*arguments)  # type: ignore[arg-type]
    assert all(word in str(caught.value) for word in words), caught.value
