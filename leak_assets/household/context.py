"""In which context water runs: local hour, day type, class of occupancy, bin of people.

What a session is compared with is decided by these words alone.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from .settings import HomeSettings, OccupancyClass

PeopleBin = Literal["0", "1", "2-3", "4+"]
PEOPLE_BINS: tuple[PeopleBin, ...] = ("0", "1", "2-3", "4+")
_WEEK_S = 7 * 86400.0
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Words of Home Assistant's person and zone entities, of common mode helpers and of the
# simulator. The modes "Wake Up" and "Wind Down" are home-like.
CLASS_OF_WORD: dict[str, OccupancyClass] = {
    "home": "home", "wake up": "home", "wind down": "home", "day": "home", "evening": "home",
    "morning": "home", "guests": "home", "occupied": "home", "on": "home", "unknown": "home",
    "away": "away", "not_home": "away", "not home": "away", "work": "away", "empty": "away",
    "unoccupied": "away", "off": "away",
    "vacation": "vacation", "holiday": "vacation", "extended away": "vacation",
    "night": "night", "sleep": "night", "asleep": "night", "bed time": "night",
}  # fmt: skip


@dataclass(frozen=True)
class Context:
    """Context of a session, as it was when it began.

    Parameters
    ----------
    clock_shift_min
        By how much clocks were put forward (+) or back within the last week: timers that nobody
        puts forward are off by that.
    """

    hour: int
    day_type: str
    weekday: int
    minute_of_day: float
    occupancy_raw: str
    occupancy_class: OccupancyClass
    people_bin: PeopleBin
    clock_shift_min: float = 0.0


def is_known_occupancy(word: str, settings: HomeSettings) -> bool:
    """Whether a word of occupancy has a class."""
    plain = word.strip().lower()
    return plain in settings.words or plain in CLASS_OF_WORD


def occupancy_class(word: str, settings: HomeSettings) -> OccupancyClass:
    """Return the class of a word; of a word that nobody knows `home`, the most lenient but one."""
    plain = word.strip().lower()
    return settings.words.get(plain) or CLASS_OF_WORD.get(plain, "home")


def people_bin(people: int) -> PeopleBin:
    """Return the bin of a number of people at home: 0, 1, 2-3, 4+."""
    if people <= 0:
        return "0"
    if people == 1:
        return "1"
    return "2-3" if people <= 3 else "4+"


def context_of(at_s: float, occupancy_raw: str, people: int, settings: HomeSettings) -> Context:
    """Return the context at an instant (seconds since 1970, UTC)."""
    local = datetime.fromtimestamp(at_s, UTC).astimezone(zone_of(settings.zone))
    word = settings.location_mode or occupancy_raw
    return Context(
        hour=local.hour,
        day_type=day_type(local.date(), settings),
        weekday=local.weekday(),
        minute_of_day=local.hour * 60 + local.minute + local.second / 60,
        occupancy_raw=word,
        occupancy_class=occupancy_class(word, settings),
        people_bin=people_bin(people),
        clock_shift_min=_clock_shift_min(at_s, settings.zone),
    )


def day_type(day: date, settings: HomeSettings) -> str:
    """Return `weekday` or `weekend`, or the weekday's name where days are told apart."""
    if day in settings.holidays:
        return "weekend"
    if settings.weekday_buckets:
        return _WEEKDAYS[day.weekday()]
    return "weekend" if day.weekday() >= 5 else "weekday"


def _clock_shift_min(at_s: float, zone: str) -> float:
    now, before = (
        datetime.fromtimestamp(at, zone_of(zone)).utcoffset() for at in (at_s, at_s - _WEEK_S)
    )
    return 0.0 if now is None or before is None else (now - before).total_seconds() / 60


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; reading one takes longer than judging a session."""
    return ZoneInfo(name)
