"""Times in UTC, from text and from values."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from leak_assets.errors import InputError
from leak_assets.system.clock import as_utc, parse_utc


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019-01-31", datetime(2019, 1, 31, tzinfo=UTC)),
        (" 2019-01-31 13:30 ", datetime(2019, 1, 31, 13, 30, tzinfo=UTC)),
        ("2019-01-31T13:30+02:00", datetime(2019, 1, 31, 11, 30, tzinfo=UTC)),
    ],
)
def test_text_is_utc_unless_it_says_otherwise(text: str, expected: datetime) -> None:
    """An offset is honored, blanks around do not count."""
    assert parse_utc(text) == expected


def test_a_zone_is_for_times_without_an_offset() -> None:
    """Local times of a household, whatever the season."""
    berlin = ZoneInfo("Europe/Berlin")
    assert parse_utc("2019-07-01", berlin).hour == 22
    assert parse_utc("2019-07-01T00:00+00:00", berlin).hour == 0


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0001-01-01T00:00+10:00", "9999-12-31T23:59-10:00"]
)
def test_what_is_no_time_in_utc_is_a_value_error(text: str) -> None:
    """Also where only the year is impossible."""
    with pytest.raises(ValueError, match=r"Invalid|outside"):
        parse_utc(text)


def test_values_need_a_zone_and_a_year() -> None:
    """Both are told with what the time is of."""
    with pytest.raises(InputError, match=r"start .* has no time zone"):
        as_utc(datetime(2019, 1, 1), "start")  # noqa: DTZ001 - that is the point
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10)))
    with pytest.raises(InputError, match=r"start .* outside"):
        as_utc(early, "start")
