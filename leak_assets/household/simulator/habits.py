"""Habits of a household: who is at home when, and which uses of water that brings on a day.

Habits are by the local clock, results in UTC. Each day has random numbers of its own, so a day
is the same in every history that contains it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np

from leak_assets.errors import InputError

from .uses import FIXTURES, Draw, Fixture, Use

_HOUR_S, _DAY_S = 3600.0, 86400.0
_MORNING_S = 1.5 * _HOUR_S  # after getting up
_EVENING_FROM_S = 17 * _HOUR_S
# Timers drift and gardeners are late: a few minutes as a rule, a quarter of an hour at most.
IRRIGATION_JITTER_SD_S, IRRIGATION_JITTER_MAX_S = 300.0, 900.0
LARGEST_HOUSEHOLD = 100
_PEOPLE_PURPOSE, _DAY_PURPOSE, _IRRIGATION_PURPOSE = 0, 1, 2

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Household:
    """A household and its garden.

    Parameters
    ----------
    people
        Number of people; on weekdays all leave the house for the day.
    zone
        IANA name of the time zone whose clock the habits follow.
    irrigation_weekdays
        Days of irrigation, Monday 0 to Sunday 6.
    irrigation_at
        When it starts by the local clock; the start varies by a few minutes, 15 at most.
    irrigation_s, irrigation_flow_l_per_min
        How long it runs and what it draws; both vary by 5 % at most.
    """

    people: int = 3
    zone: str = "Europe/Berlin"
    irrigation_weekdays: tuple[int, ...] = (1, 4)
    irrigation_at: time = time(6, 10)
    irrigation_s: int = 1200
    irrigation_flow_l_per_min: float = 15.0

    def __post_init__(self) -> None:
        if self.people not in range(1, LARGEST_HOUSEHOLD + 1):
            raise InputError(
                f"people = {self.people!r} cannot be used",
                remedy=f"Give 1 to {LARGEST_HOUSEHOLD}; for an empty house give vacations",
            )
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            close = get_close_matches(self.zone, available_timezones(), n=1)
            hint = f"Did you mean {close[0]}" if close else "For example Europe/Berlin or UTC"
            raise InputError(
                f"zone = {self.zone!r} is no time zone", remedy=f"Give an IANA name. {hint}"
            ) from error
        if set(self.irrigation_weekdays) - set(range(7)):
            raise InputError(
                f"irrigation_weekdays = {self.irrigation_weekdays} are no weekdays",
                remedy="Give numbers from 0 (Monday) to 6 (Sunday)",
            )
        for name in ("irrigation_s", "irrigation_flow_l_per_min"):
            if not 0 < getattr(self, name) <= _DAY_S:
                raise InputError(
                    f"{name} = {getattr(self, name)} cannot be used",
                    remedy="Give more than 0; without irrigation set include_irrigation to False",
                )


@dataclass(frozen=True)
class DayPlan:
    """When the people of a household are where, in seconds after local midnight.

    A day off has no `away`: `leave_s` and `return_s` are equal.
    """

    wake_s: float
    leave_s: float
    return_s: float
    bed_s: float

    @property
    def periods(self) -> tuple[tuple[str, float, float], ...]:
        """Occupancy from midnight to midnight: name, from, until; none is empty."""
        asleep, retired = ("night", 0.0, self.wake_s), ("night", self.bed_s, _DAY_S)
        if self.leave_s == self.return_s:
            return asleep, ("home", self.wake_s, self.bed_s), retired
        return (
            asleep,
            ("home", self.wake_s, self.leave_s),
            ("away", self.leave_s, self.return_s),
            ("home", self.return_s, self.bed_s),
            retired,
        )

    def spans(self) -> tuple[Spans, Spans, Spans, Spans]:
        """Return when uses of the morning, evening, waking hours and night can start."""
        home = tuple((a, b) for name, a, b in self.periods if name == "home")
        night = tuple((a, b) for name, a, b in self.periods if name == "night")
        morning = ((self.wake_s, min(self.wake_s + _MORNING_S, home[0][1])),)
        evening = ((max(_EVENING_FROM_S, self.return_s), self.bed_s),)
        return morning, evening, home, night


def plan_of_day(seed: int, day: date) -> DayPlan:
    """Return when the people get up, leave, return and go to bed on a day."""
    rng = np.random.default_rng([seed, 0xC0, _PEOPLE_PURPOSE, day.toordinal()])
    wake, leave, back, bed = np.clip(rng.standard_normal(4), -2.5, 2.5).tolist()
    if day.weekday() >= 5:
        noon = 12 * _HOUR_S
        return DayPlan((8.5 + wake / 2) * _HOUR_S, noon, noon, (23.25 + bed / 4) * _HOUR_S)
    return DayPlan(
        (6.5 + wake / 4) * _HOUR_S,
        (8.0 + leave / 4) * _HOUR_S,
        (17.0 + back / 2) * _HOUR_S,
        (22.75 + bed / 4) * _HOUR_S,
    )


def uses_of_day(household: Household, seed: int, day: date) -> list[Use]:
    """Return the uses that people start on a local day on which they are not on vacation."""
    rng = np.random.default_rng([seed, 0xC0, _DAY_PURPOSE, day.toordinal()])
    spans = plan_of_day(seed, day).spans()
    return [
        Use.of(
            fixture.kind,
            at_local(household.zone, day, _start_s(rng, fixture, spans)),
            fixture.draws(rng),
            fixture.hot_share,
        )
        for fixture in FIXTURES
        for _ in range(int(rng.poisson(fixture.per_person_day * household.people)))
    ]


def irrigation_of_day(household: Household, seed: int, day: date) -> list[Use]:
    """Return the irrigation of a local day, on vacation as well; empty on other weekdays."""
    if day.weekday() not in household.irrigation_weekdays:
        return []
    rng = np.random.default_rng([seed, 0xC0, _IRRIGATION_PURPOSE, day.toordinal()])
    late_s = float(rng.normal(0, IRRIGATION_JITTER_SD_S))
    late_s = float(np.clip(late_s, -IRRIGATION_JITTER_MAX_S, IRRIGATION_JITTER_MAX_S))
    duration, flow = (1 + np.clip(rng.normal(0, 0.02, 2), -0.05, 0.05)).tolist()
    at = household.irrigation_at
    start_s = round(at.hour * 3600 + at.minute * 60 + at.second + late_s)
    draw = Draw(
        0.0,
        max(1.0, round(household.irrigation_s * duration)),
        household.irrigation_flow_l_per_min * flow,
    )
    return [Use.of("irrigation", at_local(household.zone, day, start_s), (draw,), 0.0)]


def at_local(zone: str, day: date, seconds: float) -> datetime:
    """Return the instant (UTC) at which local clocks show seconds after midnight of a day.

    Of an hour that comes twice it is the first; in an hour that is left out, clocks are taken to
    go on as before, so the instant shows an hour later.
    """
    wall = datetime.combine(day, time()) + timedelta(seconds=seconds)
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _start_s(rng: np.random.Generator, fixture: Fixture, spans: tuple[Spans, ...]) -> int:
    """Draw when a use starts, in whole seconds after local midnight."""
    chosen = spans[int(rng.choice(len(spans), p=fixture.shares))]
    lengths = np.array([end - start for start, end in chosen])
    start, end = chosen[int(rng.choice(len(chosen), p=lengths / lengths.sum()))]
    return int(rng.uniform(start, end))
