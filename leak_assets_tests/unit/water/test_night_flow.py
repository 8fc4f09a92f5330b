"""Minimum night flow and net inflow: equal to figures by hand, honest about gaps and clocks."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leak_assets.features.calendar import Calendar
from leak_assets.sites.areas import Area, Tank
from leak_assets.telemetry.long_wide import to_long
from leak_assets.water.net_inflow import AreaFlow, area_flow
from leak_assets.water.night_flow import minimum_night_flow

NIGHT = date(2019, 3, 4)
MIDNIGHT = datetime(2019, 3, 4, tzinfo=UTC)
AREA = Area(name="a", meters={"in": 1, "out": -1})
UTC_CALENDAR = Calendar()


def flow_of(m3_per_h: list[float], step_s: int = 300, start: datetime = MIDNIGHT) -> AreaFlow:
    """An area with one inflow from an instant on."""
    net = np.array(m3_per_h, dtype=np.float64) / 3600.0
    nothing = np.full(len(net), np.nan)
    return AreaFlow(start, step_s, net, np.zeros(len(net)), None, nothing, nothing)


def day_of_steps(at: dict[str, float], usual: float = 100.0) -> list[float]:
    """A day of five-minute values: the usual one, and others from `HH:MM` on for an hour."""
    values = [usual] * 288
    for text, value in at.items():
        hour, minute = map(int, text.split(":"))
        first = hour * 12 + minute // 5
        values[first : first + 12] = [value] * 12
    return values


def test_the_lowest_hour_between_two_and_four() -> None:
    """02:35 to 03:35 at 36 m3/h, the rest at 100: by hand, the minimum is 36 at 02:35."""
    found = minimum_night_flow(flow_of(day_of_steps({"02:35": 36.0})), UTC_CALENDAR, NIGHT)
    assert found.mnf_m3_per_h == pytest.approx(36.0)
    assert found.starts_at == MIDNIGHT + timedelta(hours=2, minutes=35)
    assert found.coverage == 1.0


def test_an_hour_that_is_low_in_part_is_a_mean() -> None:
    """Half an hour at 40 and half at 100 make 70; 01:00 and 03:30 to 04:30 lie outside."""
    values = day_of_steps({"01:00": 1.0, "04:00": 1.0})
    values[30:36] = [40.0] * 6
    found = minimum_night_flow(flow_of(values), UTC_CALENDAR, NIGHT)
    assert found.mnf_m3_per_h == pytest.approx(70.0)


def test_hourly_values_have_two_hours_to_choose_from() -> None:
    """02:00 and 03:00; the one at 04:00 is no longer night."""
    values = [50.0] * 24
    values[2:5] = [21.0, 20.0, 5.0]
    found = minimum_night_flow(flow_of(values, 3600), UTC_CALENDAR, NIGHT)
    assert (found.mnf_m3_per_h, found.starts_at) == (pytest.approx(20), MIDNIGHT.replace(hour=3))


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2021, 3, 28), 1), (date(2021, 6, 1), 2), (date(2021, 10, 31), 3)]
)
def test_nights_in_which_clocks_change(day: date, hours: int) -> None:
    """In spring an hour is left between two and four, in autumn there are three."""
    rome = Calendar("Europe/Rome")
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(days=1)
    night = (rome.at(day, 2) - start) // timedelta(hours=1)
    values = [50.0] * 48
    values[night : night + hours] = [10.0 + number for number in range(hours)]
    values[night + hours - 1] = 9.0
    values[night - 1] = values[night + hours] = 1.0
    found = minimum_night_flow(flow_of(values, 3600, start), rome, day)
    assert found.mnf_m3_per_h == pytest.approx(9.0)
    assert found.coverage == 1.0


def test_gaps_are_left_out_and_said() -> None:
    """An hour with fewer than three quarters of its steps does not count."""
    values = day_of_steps({"02:00": 10.0, "03:00": 30.0})
    values[26:36] = [np.nan] * 10
    found = minimum_night_flow(flow_of(values), UTC_CALENDAR, NIGHT)
    assert found.mnf_m3_per_h == pytest.approx(30.0)
    assert found.coverage == pytest.approx(14 / 24)
    none = minimum_night_flow(flow_of([np.nan] * 288), UTC_CALENDAR, NIGHT)
    assert (none.mnf_m3_per_h, none.starts_at, none.coverage) == (None, None, 0.0)


def test_a_filling_tank_is_no_consumption() -> None:
    """30 m3/h in, the level of a tank of 100 m2 rises 2 cm in five minutes (24 m3/h): 6 remain."""
    steps = np.arange(576)
    frame = pl.DataFrame(
        {
            "ts_utc": [MIDNIGHT - timedelta(days=1) + timedelta(minutes=5) * int(n) for n in steps],
            "flow/in": np.full(576, 50.0 / 3600),
            "flow/out": np.full(576, 20.0 / 3600),
            "level/t": 1.0 + 0.02 * steps,
        }
    ).cast({"ts_utc": pl.Datetime("us", "UTC")})
    area = AREA.model_copy(update={"tanks": (Tank(level="t", area_m2=100.0),)})
    flow = area_flow(
        to_long(frame, "n"),
        area,
        start=MIDNIGHT - timedelta(days=1),
        end=MIDNIGHT + timedelta(days=1),
        step_s=300,
    )
    assert minimum_night_flow(flow, UTC_CALENDAR, NIGHT).mnf_m3_per_h == pytest.approx(6.0)
    assert flow.net_m3(288, 576) == pytest.approx(6.0 * 24)
    assert flow.stored(288, 576) == pytest.approx(24.0 * 24)


def test_a_meter_that_runs_backwards_counts_on_the_other_side() -> None:
    """The net inflow is the signed sum, inflow and outflow are never below zero."""
    frame = pl.DataFrame({"ts_utc": [MIDNIGHT], "flow/in": [-0.002], "flow/out": [-0.005]}).cast(
        {"ts_utc": pl.Datetime("us", "UTC")}
    )
    flow = area_flow(
        to_long(frame, "n"), AREA, start=MIDNIGHT, end=MIDNIGHT + timedelta(hours=1), step_s=3600
    )
    assert (flow.inflow[0], flow.outflow[0], flow.net[0]) == pytest.approx((0.005, 0.002, 0.003))


def test_what_customers_use_is_by_the_share_that_their_meters_see() -> None:
    """Two meters read 1 and 2 L/s and stand for three quarters of the use: 4 L/s."""
    frame = pl.DataFrame({"ts_utc": [MIDNIGHT], "demand/a": [0.001], "demand/b": [0.002]}).cast(
        {"ts_utc": pl.Datetime("us", "UTC")}
    )
    area = AREA.model_copy(update={"customers": ("a", "b"), "customers_share": 0.75})
    flow = area_flow(
        to_long(frame, "n"), area, start=MIDNIGHT, end=MIDNIGHT + timedelta(hours=1), step_s=3600
    )
    assert flow.used[0] == pytest.approx(0.004)


@given(
    low=st.lists(st.floats(0, 1e4), min_size=24, max_size=24),
    rest=st.floats(0, 1e4),
)
def test_it_is_the_least_mean_of_thirteen_hours(low: list[float], rest: float) -> None:
    """As a loop over the night's steps finds it; what is outside does not matter."""
    values = [rest] * 288
    values[24:48] = low
    by_hand = min(sum(low[n : n + 12]) / 12 for n in range(13))
    found = minimum_night_flow(flow_of(values), UTC_CALENDAR, NIGHT).mnf_m3_per_h
    assert found == pytest.approx(by_hand, abs=1e-6)
