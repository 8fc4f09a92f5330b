"""Prototypes: uses that come back on a weekday at a time, of one duration and flow.

How they are found, how sure they are, when they are forgotten, and whether running water is one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .context import Context
from .sessions import LEVELS_L_PER_MIN, Running
from .settings import HomeSettings

# Occurrences that make a prototype as sure as it gets.
FULL_COUNT = 5
DAILY_WEEKDAYS = 4
# Shorter uses are not looked for within other sessions.
_LONG_S = 300.0
# Somebody flushes while the softener runs: so long may a level be held that it never reaches.
_BESIDE_S = 180.0
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MIN, _WEEK_MIN = 1440.0, 10080.0
PROTOTYPES_SCHEMA = pl.Schema(
    {
        "prototype_id": pl.String(),
        "weekday": pl.Int64(),
        "start_minute": pl.Float64(),
        "duration_s": pl.Float64(),
        "avg_flow_l_per_min": pl.Float64(),
        "hot_pct": pl.Float64(),
        "occurrences": pl.Int64(),
        "first_seen": pl.Date(),
        "last_seen": pl.Date(),
        "confidence": pl.Float64(),
        "longest_s": pl.List(pl.Float64()),
    }
)


@dataclass(frozen=True)
class Prototype:
    """A use that recurs.

    Parameters
    ----------
    weekday
        Monday 0; None of a use of any day.
    start_minute
        Usual start, minutes of the local day.
    duration_s, avg_flow_l_per_min, hot_pct
        Medians of its occurrences.
    longest_s
        For how long it holds each level of flow: what a softener's phases look like.
    """

    prototype_id: str
    weekday: int | None
    start_minute: float
    duration_s: float
    avg_flow_l_per_min: float
    hot_pct: float | None
    occurrences: int
    first_seen: date
    last_seen: date
    confidence: float
    longest_s: tuple[float, ...] = ()

    def late_min(self, weekday: int, minute_of_day: float) -> float:
        """Return how much later (+) or earlier (-) than usual a local time is, min."""
        if self.weekday is None:
            late = minute_of_day - self.start_minute
            return (late + _DAY_MIN / 2) % _DAY_MIN - _DAY_MIN / 2
        late = (weekday - self.weekday) * _DAY_MIN + minute_of_day - self.start_minute
        return (late + _WEEK_MIN / 2) % _WEEK_MIN - _WEEK_MIN / 2

    @property
    def is_varied(self) -> bool:
        """Whether its flow changes on the way, as of a softener or of zones of a garden."""
        typical = _level_below(self.avg_flow_l_per_min)
        return bool(self.longest_s) and self.longest_s[typical] < 0.8 * self.duration_s


@dataclass(frozen=True)
class Match:
    """A prototype that explains running water, and how late it is."""

    prototype: Prototype
    late_min: float


def confidence(occurrences: int, days: int, settings: HomeSettings) -> float:
    """Return `min(1, n / 5) · 0.5^(days since last seen / half-life)`."""
    return float(min(1.0, occurrences / FULL_COUNT) * 0.5 ** (days / settings.half_life_days))


def find_prototypes(sessions: pl.DataFrame, today: date, settings: HomeSettings) -> list[Prototype]:
    """Return the prototypes of a home's sessions of the horizon, as sure as they are today."""
    long_runs = ["no_flow", "missing"] if settings.learn_from_long_runs else ["no_flow"]
    candidates = sessions.filter(
        pl.col("duration_s") >= settings.prototype_min_s,
        pl.col("hot_pct").is_null() | (pl.col("hot_pct") <= settings.prototype_max_hot_pct),
        pl.col("ended_by").is_in(long_runs),
    ).with_columns(day=pl.col("start_at").dt.convert_time_zone(settings.zone).dt.date())
    found: list[Prototype] = []
    for (weekday,), group in sorted(candidates.group_by("weekday"), key=lambda item: item[0]):
        if group["day"].n_unique() >= settings.prototype_count:
            found += _of_days(int(weekday), group.sort("start_at"), today, settings)
    daily = _of_days(None, candidates.sort("start_at"), today, settings)
    return found + daily


def _of_days(
    weekday: int | None, group: pl.DataFrame, today: date, settings: HomeSettings
) -> list[Prototype]:
    """Return the prototypes of a weekday, or of any day: the densest cluster, then of the rest.

    A use of any day was seen on `DAILY_WEEKDAYS` weekdays and `FULL_COUNT` days.
    """
    if group.is_empty():
        return []
    least = settings.prototype_count if weekday is not None else FULL_COUNT
    holdings = as_table(group["longest_s"])
    weekdays = group["weekday"].to_numpy()
    columns = ("minute_of_day", "duration_s", "avg_flow_l_per_min", "hot_pct")
    values = np.column_stack([group[name].fill_null(0.0).to_numpy() for name in columns])
    days = group["day"].to_list()
    free = np.ones(group.height, dtype=bool)
    near = _near(values[None, :, :], values[:, None, :], settings)
    # How many free ones are near each: thousands of homes learn in a minute.
    count = near.sum(axis=1)
    found: list[Prototype] = []
    while True:
        size = count * free
        leader = int(size.argmax())
        if size[leader] < least:
            return found
        middle = np.median(values[near[leader] & free], axis=0)
        members = _near(values, middle, settings) & free
        seen = sorted({days[i] for i in np.flatnonzero(members)})
        is_use = len(seen) >= least and (
            weekday is not None or np.unique(weekdays[members]).size >= DAILY_WEEKDAYS
        )
        taken = np.flatnonzero(members) if is_use else np.array([], dtype=np.int64)
        taken = np.union1d(taken, leader)
        free[taken] = False
        count -= near[:, taken].sum(axis=1)
        if not is_use:
            continue
        sure = confidence(len(seen), (today - seen[-1]).days, settings)
        if sure < settings.min_confidence or (today - seen[-1]).days > settings.horizon_days:
            continue
        minute, duration_s, flow, hot = np.median(values[members], axis=0).tolist()
        name = "daily" if weekday is None else _WEEKDAYS[weekday]
        clock = f"{int(minute) // 60:02d}{int(minute) % 60:02d}"
        found.append(
            Prototype(
                f"{name}-{clock}-{duration_s / 60:.0f}min-{flow:.0f}l",
                weekday,
                minute,
                duration_s,
                flow,
                hot,
                len(seen),
                seen[0],
                seen[-1],
                sure,
                tuple(np.median(holdings[members], axis=0).tolist()),
            )
        )


def _near(
    values: NDArray[np.float64], middle: NDArray[np.float64], settings: HomeSettings
) -> NDArray[np.bool_]:
    """Return whether sessions (… × minute, duration, flow, hot) are like others, broadcast."""
    share = settings.prototype_tolerance
    most = (
        settings.prototype_start_min,
        share * middle[..., 1],
        share * middle[..., 2],
        settings.prototype_max_hot_pct,
    )
    near = np.abs(values[..., 0] - middle[..., 0]) <= most[0]
    for column in (1, 2, 3):
        near &= np.abs(values[..., column] - middle[..., column]) <= most[column]
    return np.asarray(near)


def as_table(lists: pl.Series) -> NDArray[np.float64]:
    """Return holdings as sessions × levels."""
    return lists.explode().to_numpy().reshape(len(lists), -1) if len(lists) else np.empty((0, 0))


def match(
    running: Running, prototypes: Iterable[Prototype], settings: HomeSettings
) -> Match | None:
    """Return the prototype that a running session is so far, the surest of several.

    Start within the minutes, not longer than its duration and as strong, each within tolerance.
    """
    context = running.context
    best: Match | None = None
    for prototype in prototypes:
        late = _late_min(prototype, context, context.minute_of_day)
        if (
            prototype.confidence >= settings.high_confidence
            and abs(late) <= settings.prototype_start_min
            and (
                fits(prototype, running.elapsed_s, running.avg_flow_l_per_min, settings)
                # The meter's first step is wet in part only.
                or fits(prototype, running.elapsed_s, running.flow_l_per_min, settings)
                or _fits_phases(prototype, running, settings)
            )
            and (best is None or prototype.confidence > best.prototype.confidence)
        ):
            best = Match(prototype, late)
    return best


def _late_min(prototype: Prototype, context: Context, minute_of_day: float) -> float:
    """Return how late it is, by the clock or by one that nobody has put forward."""
    late = prototype.late_min(context.weekday, minute_of_day)
    if not context.clock_shift_min:
        return late
    unchanged = minute_of_day - context.clock_shift_min
    return min(late, prototype.late_min(context.weekday, unchanged), key=abs)


def fits(
    prototype: Prototype, elapsed_s: float, flow_l_per_min: float, settings: HomeSettings
) -> bool:
    """Whether water that has run so long and so strong can still be the prototype."""
    share = settings.prototype_tolerance
    expected = prototype.avg_flow_l_per_min
    return (
        elapsed_s <= (1 + share) * prototype.duration_s + 1e-6
        and abs(flow_l_per_min - expected) <= share * expected + 1e-9
    )


def _fits_phases(prototype: Prototype, running: Running, settings: HomeSettings) -> bool:
    """Whether water is within what a prototype of several phases draws.

    No level is held for longer than the prototype holds it, or the level below: tolerance of flow.
    A flush or a tap beside it adds a few minutes; what was held before and is over, as a shower
    beside the garden, is judged by itself.
    """
    if not prototype.is_varied:
        return False
    longer = 1 + settings.prototype_tolerance
    usual = (prototype.longest_s[0], *prototype.longest_s[:-1])
    return running.elapsed_s <= longer * prototype.duration_s and all(
        held_s <= longer * usual_s + settings.step_s + _BESIDE_S
        for held_s, usual_s in zip(running.held_s, usual, strict=True)
    )


def _level_below(flow_l_per_min: float) -> int:
    return max(i for i, level in enumerate(LEVELS_L_PER_MIN) if level <= 0.8 * flow_l_per_min)


def carried(
    running: Running,
    prototypes: Iterable[Prototype],
    other_flow_l_per_min: float,
    settings: HomeSettings,
) -> Match | None:
    """Return the prototype below other uses of the same time: irrigation while somebody showers.

    The flow has been held at the prototype's level since its usual start, for no longer than it
    takes, and what runs beside is no more than people draw.

    Parameters
    ----------
    other_flow_l_per_min
        What this home's people draw at most at a time.
    """
    context = running.context
    for prototype in prototypes:
        if prototype.confidence < settings.high_confidence:
            continue
        expected = prototype.avg_flow_l_per_min
        floor = (1 - settings.prototype_tolerance) * expected
        level = max((i for i, held in enumerate(LEVELS_L_PER_MIN) if held <= floor), default=0)
        held_s = running.held_s[level]
        if not level or not 0 < held_s <= (1 + settings.prototype_tolerance) * prototype.duration_s:
            continue
        # At least half of the water is the prototype's: a drip line does not excuse a burst.
        most = min(
            (1 + settings.prototype_tolerance) * expected + other_flow_l_per_min, 2 * expected
        )
        began_min = context.minute_of_day + (running.elapsed_s - held_s) / 60
        late = _late_min(prototype, context, began_min)
        if abs(late) <= settings.prototype_start_min and running.flow_l_per_min <= most:
            return Match(prototype, late)
    return None


def explained(
    sessions: pl.DataFrame, prototypes: Iterable[Prototype], settings: HomeSettings
) -> pl.Series:
    """Return for each session whether a sure prototype was all of it."""
    share = settings.prototype_tolerance
    minute = sessions["weekday"].to_numpy() * _DAY_MIN + sessions["minute_of_day"].to_numpy()
    duration_s = sessions["duration_s"].to_numpy()
    flows = sessions["avg_flow_l_per_min"].to_numpy()
    held = as_table(sessions["longest_s"])
    found = np.zeros(sessions.height, dtype=bool)
    for prototype in prototypes:
        if prototype.confidence < settings.high_confidence or not sessions.height:
            continue
        span = _DAY_MIN if prototype.weekday is None else _WEEK_MIN
        usual = (prototype.weekday or 0) * _DAY_MIN + prototype.start_minute
        late = (minute - usual + span / 2) % span - span / 2
        flow = prototype.avg_flow_l_per_min
        whole = (duration_s <= (1 + share) * prototype.duration_s) & (
            np.abs(flows - flow) <= share * flow
        )
        if prototype.duration_s >= _LONG_S and not prototype.is_varied:
            # Irrigation with a shower beside it: its flow was held for its time.
            held_s = held[:, _level_below(flow)]
            whole |= np.abs(held_s - prototype.duration_s) <= share * prototype.duration_s
        found |= (np.abs(late) <= settings.prototype_start_min) & whole
    return pl.Series("explained", found, dtype=pl.Boolean)
