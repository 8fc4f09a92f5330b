"""The local calendar: days of 23 and 25 hours, holidays by country, seasons, one partition each."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leak_assets.errors import InputError
from leak_assets.features.calendar import Calendar, calendar_features

ROME = Calendar("Europe/Rome", "IT")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


@pytest.mark.parametrize(("day", "points"), [(SPRING, 276), (date(2026, 6, 1), 288), (AUTUMN, 300)])
def test_days_on_which_clocks_change_have_fewer_or_more_points(day: date, points: int) -> None:
    """276 and 300 five-minute steps, not 288; counted from the instants, too."""
    assert ROME.steps(day, 300) == points
    start, end = ROME.span(day)
    times = pl.datetime_range(start, end, "5m", closed="left", time_zone="UTC", eager=True)
    features = calendar_features(times, ROME)
    assert features.height == points
    assert set(features["local_date"]) == {day}


def test_hours_that_come_twice_or_never() -> None:
    """The skipped hour begins where clocks jump to, of a doubled one the first counts."""
    assert ROME.at(SPRING, 2) == ROME.at(SPRING, 3) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert ROME.at(AUTUMN, 2) == datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert ROME.at(AUTUMN, 3) - ROME.at(AUTUMN, 2) == timedelta(hours=2)


def test_features_of_an_instant() -> None:
    """Late on Christmas Eve in UTC it is Christmas in Rome, a holiday on a Saturday."""
    times = pl.Series([datetime(2021, 12, 24, 23, 30, tzinfo=UTC)])
    (row,) = calendar_features(times, ROME).to_dicts()
    assert row == {
        "ts_utc": times[0],
        "local_date": date(2021, 12, 25),
        "hour": 0.5,
        "weekday": 5,
        "day_type": "holiday",
        "holiday": "Christmas Day",
        "season": "winter",
    }


def test_holidays_go_by_country_and_subdivision() -> None:
    """Epiphany is none in Berlin, one in Bavaria; without a country there is none."""
    day = date(2026, 1, 6)
    assert Calendar("Europe/Berlin", "DE-BY").day_type(day) == "holiday"
    assert Calendar("Europe/Berlin", "DE").day_type(day) == "workday"
    assert Calendar().holiday(date(2026, 12, 25)) == ""
    assert [Calendar().day_type(date(2026, 11, n)) for n in (20, 21, 22)] == [
        "workday",
        "saturday",
        "sunday",
    ]


def test_seasons_turn_with_the_hemisphere() -> None:
    """January is summer in Australia."""
    assert ROME.season(date(2026, 1, 15)) == "winter"
    assert Calendar("Australia/Sydney", "AU").season(date(2026, 1, 15)) == "summer"
    assert ROME.season(date(2026, 12, 1)) == "winter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("Europe/Ferrara", ""), "'Europe/Ferrara' is no time zone"),
        (("UTC", "XX"), "no holidays are known of 'XX'"),
        (("UTC", "DE-XX"), "no holidays are known of 'DE-XX'"),
    ],
)
def test_unknown_places_are_refused(arguments: tuple[str, ...], words: str) -> None:
    """One line, before any day is computed."""
    with pytest.raises(InputError, match=words):
        Calendar(*arguments)


@settings(max_examples=40, deadline=None)
@given(
    zone=st.sampled_from(sorted(available_timezones() - {"localtime"})),
    first=st.dates(date(2018, 1, 1), date(2030, 1, 1)),
    hour=st.sampled_from([4, 24]),
)
def test_every_local_day_has_its_row_in_one_partition(zone: str, first: date, hour: int) -> None:
    """Whatever the zone and its changes of clocks: none is lost, none comes twice."""
    calendar = Calendar(zone)
    found = Counter(
        day
        for offset in range(12)
        for day in calendar.days_by_hour(first + timedelta(days=offset), hour)
    )
    inner = [first + timedelta(days=offset) for offset in range(3, 9)]
    assert [found[day] for day in inner] == [1] * 6


@pytest.mark.parametrize("day", [SPRING, AUTUMN])
@pytest.mark.parametrize("hour", [4, 24])
def test_what_a_row_needs_lies_in_its_partition_and_the_one_before(day: date, hour: int) -> None:
    """In every time zone: a step reads two UTC days and never one that is still to come."""
    for zone in sorted(available_timezones() - {"localtime"}):
        calendar = Calendar(zone)
        for utc_day in (day + timedelta(days=offset) for offset in (-1, 0, 1)):
            midnight = datetime(utc_day.year, utc_day.month, utc_day.day, tzinfo=UTC)
            for local in calendar.days_by_hour(utc_day, hour):
                begin = calendar.at(local, 2 if hour == 4 else 0)
                assert begin >= midnight - timedelta(days=1), (zone, local)
                assert calendar.at(local, hour) <= midnight + timedelta(days=1), (zone, local)
