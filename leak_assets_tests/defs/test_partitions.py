"""Partition keys: a day of UTC is one key, whatever clock the machine shows."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest

from leak_assets.defs.partitions import DAYS, day_key

CLOCKS_CHANGE = (date(2026, 3, 29), date(2026, 10, 25))


@pytest.fixture(
    params=["UTC", "Europe/Rome", "America/New_York", "Pacific/Auckland", "Asia/Kolkata"]
)
def clock(request: pytest.FixtureRequest) -> Iterator[str]:
    """The time zone of the process."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize("day", CLOCKS_CHANGE)
def test_days_on_which_clocks_change_are_one_key_of_24_hours(clock: str, day: date) -> None:
    """In every time zone setting, and the days around them are there once, too."""
    keys = DAYS.get_partition_keys(current_time=datetime(2026, 12, 1, tzinfo=UTC))
    assert keys.count(day.isoformat()) == 1
    assert len(keys) == len(set(keys))
    window = DAYS.time_window_for_partition_key(day.isoformat())
    assert (window.end - window.start).total_seconds() == 86_400
    assert window.start.astimezone(UTC).isoformat() == f"{day}T00:00:00+00:00"
    assert day_key(day, "rome") == f"{day}|rome"
