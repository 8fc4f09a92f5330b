"""Homes of different habits by seed: garden, softener, bath, hose, pool, guests, vacation.

What people do beside the daily uses, and what they tell the monitor: who is at home, and that a
pool is being filled.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from .faults import Fault
from .habits import Household, at_local, plan_of_day
from .simulator import FIRST_DAY, History, simulate_history
from .uses import Draw, Use

_PURPOSE = 0xA11CE
# Drip lines water for an hour and a half; a softener backwashes, draws brine, rinses.
_DRIP = (Draw(0.0, 5400.0, 1.1),)
_SOFTENER = (Draw(0.0, 600.0, 7.0), Draw(600.0, 3000.0, 1.5), Draw(3600.0, 480.0, 9.0))
SOFTENER_S, DRIP_S, TOP_UP_S = 2 * 3600.0, 5.5 * 3600.0, 10 * 3600.0


@dataclass(frozen=True)
class Home:
    """A home and a span of its life.

    Parameters
    ----------
    seed
        What it was drawn by.
    household
        People, garden, time zone.
    days, first_day
        The span.
    has_irrigation, tells_occupancy
        Whether the garden is watered by a clock; whether the monitor learns who is at home.
    guests, vacations
        As `simulate_history` takes them.
    extra_uses
        Uses beside the daily ones.
    pauses
        From, until (UTC), why: what people announced.
    """

    seed: int
    household: Household
    days: int
    first_day: date
    has_irrigation: bool
    tells_occupancy: bool
    guests: tuple[tuple[date, date, int], ...]
    vacations: tuple[tuple[date, date], ...]
    extra_uses: tuple[Use, ...]
    pauses: tuple[tuple[datetime, datetime, str], ...]

    def history(self, *, step_s: int = 10, faults: tuple[Fault, ...] = ()) -> History:
        """Return what its meter saw."""
        return simulate_history(
            self.days,
            self.seed,
            include_irrigation=self.has_irrigation,
            household=self.household,
            first_day=self.first_day,
            step_s=step_s,
            faults=faults,
            vacations=self.vacations,
            guests=self.guests,
            extra_uses=self.extra_uses,
        )

    def steps(self, history: History, step_s: int = 10) -> pl.DataFrame:
        """Return a history as measured steps, with the occupancy that the monitor is told."""
        flow = history.flow.sort("ts_utc")
        if self.tells_occupancy:
            who = history.occupancy.select("start_at", "occupancy", "people").sort("start_at")
            flow = flow.join_asof(who, left_on="ts_utc", right_on="start_at")
        else:
            flow = flow.with_columns(occupancy=pl.lit("unknown"), people=pl.lit(1, pl.Int64))
        start_s = pl.col("ts_utc").dt.epoch("us") / 1e6
        return flow.select(
            start_s=start_s,
            end_s=start_s + step_s,
            flow_l_per_min="flow_l_per_min",
            hot_l_per_min="hot_flow_l_per_min",
            occupancy="occupancy",
            people="people",
        )


def draw_home(
    seed: int, days: int = 58, *, quiet_days: int = 28, first_day: date = FIRST_DAY
) -> Home:
    """Return a home of a seed.

    Parameters
    ----------
    quiet_days
        Days before the first vacation and the pool's filling: the weeks of learning. Guests come
        at any time.
    """
    rng = np.random.default_rng([seed, _PURPOSE])
    calendar = [first_day + timedelta(days=i) for i in range(days)]
    household = _household(rng)
    has_irrigation = bool(rng.random() < 0.55)
    tells = bool(rng.random() < 0.7)
    guests: list[tuple[date, date, int]] = []
    vacations: list[tuple[date, date]] = []
    later = max(1, days - quiet_days - 10)
    if rng.random() < 0.5:
        first = calendar[0] + timedelta(days=int(rng.integers(0, days - 4)))
        guests.append(
            (first, first + timedelta(days=int(rng.integers(1, 4))), int(rng.integers(1, 5)))
        )
    if rng.random() < 0.4 and days > quiet_days + 4:
        first = calendar[0] + timedelta(days=quiet_days + int(rng.integers(0, later)))
        vacations.append((first, first + timedelta(days=int(rng.integers(3, 10)))))
    gone = {a + timedelta(days=i) for a, b in vacations for i in range((b - a).days + 1)}
    at_home = [day for day in calendar if day not in gone]
    zone = household.zone
    uses: list[Use] = []
    if rng.random() < 0.2:
        weekday = int(rng.integers(0, 7))
        uses += [
            _use("softener", zone, d, SOFTENER_S, _SOFTENER)
            for d in calendar
            if d.weekday() == weekday
        ]
    if rng.random() < 0.1:
        uses += [_use("drip", zone, d, DRIP_S + rng.normal(0, 60), _DRIP) for d in calendar]
    if rng.random() < 0.3:
        uses += _now_and_then(
            rng, "bath", at_home, seed, zone, 1 / 7, (600, 840), (10, 13), 0.6, evening=True
        )
    if rng.random() < 0.25:
        uses += _now_and_then(rng, "hose", at_home, seed, zone, 1 / 4, (240, 1500), (9, 14), 0.0)
    pauses: list[tuple[datetime, datetime, str]] = []
    if rng.random() < 0.15 and days > quiet_days + 4:
        uses += [
            _use(
                "pool_top_up",
                zone,
                d,
                TOP_UP_S + rng.normal(0, 300),
                (Draw(0.0, float(rng.uniform(1500, 1700)), 10.0),),
            )
            for d in at_home
            if d.weekday() == 5
        ]
        day = at_home[min(len(at_home) - 1, quiet_days + int(rng.integers(0, later)))]
        start_s, long_s = float(rng.uniform(9, 12)) * 3600, float(rng.uniform(4, 6)) * 3600
        fill = _use("pool_fill", zone, day, start_s, (Draw(0.0, long_s, 12.0),))
        uses.append(fill)
        ten = timedelta(minutes=10)
        pauses.append((fill.start_at - ten, fill.end_at + ten, "the pool is filled"))
    return Home(
        seed, household, days, first_day, has_irrigation, tells,
        tuple(guests), tuple(vacations), tuple(uses), tuple(pauses),
    )  # fmt: skip


def _household(rng: np.random.Generator) -> Household:
    often = int(rng.integers(1, 8))
    weekdays = tuple(sorted(int(d) for d in rng.choice(7, size=often, replace=False)))
    hour = int(rng.choice([4, 5, 6, 7, 20, 21, 22]))
    return Household(
        people=int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.25, 0.33, 0.16, 0.16, 0.07, 0.03])),
        irrigation_weekdays=weekdays,
        irrigation_at=time(hour, int(rng.integers(0, 60))),
        irrigation_s=int(rng.uniform(480, 2700)),
        irrigation_flow_l_per_min=float(rng.uniform(9, 20)),
    )


def _use(kind: str, zone: str, day: date, seconds: float, draws: tuple[Draw, ...]) -> Use:
    return Use.of(kind, at_local(zone, day, round(seconds)), draws, 0.0)


def _now_and_then(
    rng: np.random.Generator,
    kind: str,
    days: list[date],
    seed: int,
    zone: str,
    per_day: float,
    seconds: tuple[int, int],
    flow_l_per_min: tuple[float, float],
    hot_share: float,
    *,
    evening: bool = False,
) -> list[Use]:
    """Return uses that people take on some days while they are at home."""
    found = []
    for day in days:
        if rng.random() >= per_day:
            continue
        _, evenings, home, _ = plan_of_day(seed, day).spans()
        spans = evenings if evening else home
        begin, end = spans[int(rng.integers(0, len(spans)))]
        draw = Draw(0.0, round(float(rng.uniform(*seconds))), float(rng.uniform(*flow_l_per_min)))
        at = at_local(zone, day, round(float(rng.uniform(begin, end))))
        found.append(Use.of(kind, at, (draw,), hot_share))
    return found
