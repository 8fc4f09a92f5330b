"""A simulated household: flow at its main meter, with a label for every use and fault.

Joins habits and faults into frames. Sessions are not cut here: that is the engine's work, and
the labels are what it can be compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from leak_assets.errors import InputError

from .faults import FAULT_KINDS, Fault
from .habits import Household, at_local, irrigation_of_day, plan_of_day, uses_of_day
from .uses import Use

_UTC_US = pl.Datetime("us", "UTC")
FLOW_SCHEMA = pl.Schema(
    {"ts_utc": _UTC_US, "flow_l_per_min": pl.Float64(), "hot_flow_l_per_min": pl.Float64()}
)
LABELS_SCHEMA = pl.Schema(
    {
        "kind": pl.String(),
        "is_fault": pl.Boolean(),
        "start_at": _UTC_US,
        "end_at": _UTC_US,
        "volume_l": pl.Float64(),
        "hot_volume_l": pl.Float64(),
    }
)
OCCUPANCY_SCHEMA = pl.Schema(
    {"start_at": _UTC_US, "end_at": _UTC_US, "occupancy": pl.String(), "people": pl.Int64()}
)
FIRST_DAY = date(2019, 3, 1)
# A refill of a cistern takes 25 s; in longer steps one use runs into the next.
STEP_S = 10
_DAY_S = 86400
LARGEST_HISTORY_STEPS = 20_000_000
_FIRST_YEAR, _LAST_YEAR = 1971, 2100


@dataclass(frozen=True)
class History:
    """What the main meter of a household saw, and why.

    Parameters
    ----------
    flow
        One step: `ts_utc` (its beginning), `flow_l_per_min` and `hot_flow_l_per_min`, means over
        the step.
    labels
        One use or fault: `kind`, `is_fault`, `start_at`, `end_at` (UTC, first and last water),
        `volume_l`, `hot_volume_l`, by start. Uses overlap where two taps are open. A machine is
        one use with pauses, a fault is one label from start to repair. What lies outside the
        history is cut off. The volumes add up to the flow.
    occupancy
        One period: `start_at`, `end_at`, `occupancy` (`home`, `away`, `night`, `vacation`),
        `people` at home. Periods end at local midnight.
    """

    flow: pl.DataFrame
    labels: pl.DataFrame
    occupancy: pl.DataFrame


def simulate_history(
    days: int,
    seed: int = 1,
    *,
    include_irrigation: bool = True,
    household: Household | None = None,
    first_day: date = FIRST_DAY,
    step_s: int = STEP_S,
    faults: Sequence[Fault] = (),
    vacations: Sequence[tuple[date, date]] = (),
    guests: Sequence[tuple[date, date, int]] = (),
    extra_uses: Sequence[Use] = (),
) -> History:
    """Return the flow of a household over local days, from midnight to midnight.

    The same seed gives the same habits; a day's uses depend on neither the length of the history
    nor irrigation, faults or the vacations of other days.

    Parameters
    ----------
    days
        Local days; one of them has 23 hours in spring and one 25 in autumn.
    seed
        0 or more.
    include_irrigation
        Whether the garden is watered, on vacation as well.
    household
        People, time zone, irrigation.
    first_day
        First local day.
    step_s
        Seconds of a step of `flow`. Where steps do not divide the history, the last one reaches
        beyond it, without flow there.
    faults
        Leaks of the home; they run at any hour.
    vacations
        First and last day of each; nobody uses water.
    guests
        First and last day of each visit, and how many people come.
    extra_uses
        Uses beside the habits: a bath, a pool's filling.

    Raises
    ------
    InputError
        If an argument cannot be used; it names argument, value and remedy.
    """
    household = household or Household()
    _check(days, seed, first_day, step_s, vacations)
    away = {
        first + timedelta(days=i)
        for first, last in vacations
        for i in range((last - first).days + 1)
    }
    start_at = at_local(household.zone, first_day, 0)
    end_at = at_local(household.zone, first_day + timedelta(days=days), 0)
    uses = [fault.use(start_at, end_at) for fault in faults]
    # A use may run past midnight, and irrigation start before it: one more day at both ends.
    for day in (first_day + timedelta(days=i) for i in range(-1, days + 1)):
        found = [] if day in away else uses_of_day(_with_guests(household, day, guests), seed, day)
        if include_irrigation:
            found += irrigation_of_day(household, seed, day)
        uses += [use.within(start_at, end_at) for use in found]
    uses += [use.within(start_at, end_at) for use in extra_uses]
    kept = [use for use in uses if use is not None]
    calendar = [first_day + timedelta(days=i) for i in range(days)]
    return History(
        flow_of(kept, start_at, end_at, step_s),
        _labels(kept),
        _occupancy(household, seed, calendar, away, guests),
    )


def flow_of(uses: list[Use], start_at: datetime, end_at: datetime, step_s: int) -> pl.DataFrame:
    """Return what uses draw, as `FLOW_SCHEMA`."""
    steps = -int(-(end_at - start_at).total_seconds() // step_s)
    total, hot = np.zeros(steps), np.zeros(steps)
    for use in uses:
        use_s = (use.start_at - start_at).total_seconds()
        for draw in use.draws:
            begin, end = use_s + draw.offset_s, use_s + draw.offset_s + draw.duration_s
            where, share = _shares_of_steps(begin, end, step_s, steps)
            total[where] += draw.flow_l_per_min * share
            hot[where] += draw.flow_l_per_min * use.hot_share * share
    at_us = round(start_at.timestamp()) * 10**6 + np.arange(steps) * step_s * 10**6
    frame = pl.DataFrame({"ts_utc": at_us, "flow_l_per_min": total, "hot_flow_l_per_min": hot})
    return frame.cast(FLOW_SCHEMA)


def _shares_of_steps(
    begin_s: float, end_s: float, step_s: int, steps: int
) -> tuple[slice, NDArray[np.float64]]:
    """Return the steps that a draw touches and the share of each that it fills."""
    first, last = int(begin_s // step_s), min(steps, -int(-end_s // step_s))
    edges = np.clip(np.arange(first, last + 1) * float(step_s), begin_s, end_s)
    return slice(first, last), np.diff(edges) / step_s


def _labels(uses: list[Use]) -> pl.DataFrame:
    rows = [
        {
            "kind": use.kind,
            "is_fault": use.kind in FAULT_KINDS,
            "start_at": use.start_at,
            "end_at": use.end_at,
            "volume_l": use.volume_l,
            "hot_volume_l": use.volume_l * use.hot_share,
        }
        for use in uses
    ]
    return pl.DataFrame(rows, schema=LABELS_SCHEMA).sort("start_at", "end_at", "kind")


def _occupancy(
    household: Household,
    seed: int,
    calendar: list[date],
    away: set[date],
    guests: Sequence[tuple[date, date, int]],
) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for day in calendar:
        periods = plan_of_day(seed, day).periods
        if day in away:
            periods = (("vacation", 0.0, float(_DAY_S)),)
        # A zone that crosses the date line has a day of no length, without periods.
        midnight = at_local(household.zone, day + timedelta(days=1), 0)
        for name, begin, end in periods:
            start_at, end_at = (at_local(household.zone, day, round(s)) for s in (begin, end))
            there = name in ("home", "night")
            people = _with_guests(household, day, guests).people if there else 0
            if start_at < min(end_at, midnight):
                rows.append(
                    {
                        "start_at": start_at,
                        "end_at": min(end_at, midnight),
                        "occupancy": name,
                        "people": people,
                    }
                )
    return pl.DataFrame(rows, schema=OCCUPANCY_SCHEMA)


def _with_guests(
    household: Household, day: date, guests: Sequence[tuple[date, date, int]]
) -> Household:
    more = sum(people for first, last, people in guests if first <= day <= last)
    return replace(household, people=household.people + more) if more else household


def _check(
    days: int, seed: int, first_day: date, step_s: int, vacations: Sequence[tuple[date, date]]
) -> None:
    for name, value, least in (("days", days, 1), ("seed", seed, 0), ("step_s", step_s, 1)):
        # A boolean or a fraction would pass the comparison and break far from here.
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InputError(
                f"{name} = {value!r} cannot be used",
                remedy=f"Give a whole number of {least} or more",
            )
    if step_s > 3600:
        raise InputError(f"step_s = {step_s} is too long", remedy="Give an hour (3600) at most")
    if days * _DAY_S // step_s > LARGEST_HISTORY_STEPS:
        raise InputError(
            f"days = {days} at step_s = {step_s} makes more than {LARGEST_HISTORY_STEPS:,} steps",
            remedy="Give fewer days or a longer step",
        )
    # Time zones are only known where computers had clocks.
    if not _FIRST_YEAR <= first_day.year <= _LAST_YEAR:
        raise InputError(
            f"first_day = {first_day} cannot be used",
            remedy=f"Give a day of the years {_FIRST_YEAR} to {_LAST_YEAR}",
        )
    for first, last in vacations:
        if last < first:
            raise InputError(
                f"vacations: the last day {last} is before the first day {first}",
                remedy="Give the first day, then the last",
            )
