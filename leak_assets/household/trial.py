"""How the monitor does on a simulated home: false alarms of sound weeks, faults found and when.

The benchmark and the demo go through here; nothing is tuned here.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from .context import zone_of
from .controls import Control
from .fixed_rules import daily_limits, daily_volume_alarms
from .history import HomeDay, run_days, run_steps
from .session_frames import cut_sessions
from .settings import HomeSettings
from .simulator.faults import Fault
from .simulator.homes import Home
from .simulator.simulator import flow_of

LEARNING_DAYS = 28
# Kind, least and most flow (L/min), hours until somebody would see it anyway.
FAULTS: tuple[tuple[str, float, float, float], ...] = (
    ("burst", 10.0, 40.0, 6.0),
    ("tap_left_open", 4.0, 9.0, 6.0),
    ("toilet_flapper", 0.3, 1.0, 24.0),
    ("slow_leak", 0.3, 0.3, 48.0),
)


@dataclass(frozen=True)
class Found:
    """A fault put into a home: when and how strong, and when each way of looking alarmed.

    Parameters
    ----------
    alarm_min
        Minutes to the monitor's alarm, None where it was not found.
    ran_min
        For how long water had run already when it began, min: fixed limits count from there.
    volume_min
        Minutes to the alarm of the day's volume.
    """

    kind: str
    flow_l_per_min: float
    alarm_min: float | None
    ran_min: float
    volume_min: float | None


@dataclass(frozen=True)
class Trial:
    """What a home gave: sound days scored, its false alarms, sessions, faults."""

    home: Home
    months: float
    false_alarms: tuple[tuple[float, tuple[str, ...]], ...]
    sessions: pl.DataFrame
    volume_alarms: int
    faults: tuple[Found, ...]


def try_home(home: Home, settings: HomeSettings, *, step_s: int = 10, per_kind: int = 1) -> Trial:
    """Return how the monitor does on a home after its weeks of learning."""
    steps = home.steps(home.history(step_s=step_s), step_s)
    calendar = [home.first_day + timedelta(days=i) for i in range(home.days)]
    pauses = [Control(a.timestamp(), "pause", b.timestamp(), why) for a, b, why in home.pauses]
    days = list(run_days(steps, calendar, settings, controls=pauses))
    scored = days[LEARNING_DAYS:]
    begin_s = _midnight_s(scored[0], settings)
    false_alarms = tuple(
        (event.at_s, event.kinds) for day in scored for event in day.events if event.event == "on"
    )
    every = cut_sessions(steps, settings)
    sessions = every.filter(pl.col("start_at").dt.epoch("us") / 1e6 >= begin_s)
    for pause in pauses:
        start_s = pl.col("start_at").dt.epoch("us") / 1e6
        sessions = sessions.filter(~start_s.is_between(pause.at_s, pause.until_s))
    limits = daily_limits(steps, settings, LEARNING_DAYS)
    volume = daily_volume_alarms(steps, limits, settings)
    rng = np.random.default_rng([home.seed, 0xFA17])
    faults = tuple(
        _try_fault(home, steps, every, limits, days, kind, low, high, hours, settings, rng)
        for kind, low, high, hours in FAULTS
        for _ in range(per_kind)
    )
    paused_days = {int(p.at_s // 86400) for p in pauses}
    alarms = sum(1 for at_s in volume if at_s >= begin_s and int(at_s // 86400) not in paused_days)
    return Trial(home, len(scored) / 30, false_alarms, sessions, alarms, faults)


def _try_fault(
    home: Home,
    steps: pl.DataFrame,
    sessions: pl.DataFrame,
    limits: pl.DataFrame,
    days: list[HomeDay],
    kind: str,
    low: float,
    high: float,
    hours: float,
    settings: HomeSettings,
    rng: np.random.Generator,
) -> Found:
    """Put a fault into the home at a random time and run the monitor over it."""
    flow = float(np.exp(rng.uniform(np.log(low), np.log(high))))
    chosen = int(rng.integers(LEARNING_DAYS, len(days) - 2))
    start_s = _midnight_s(days[chosen], settings) + round(float(rng.uniform(0, 86400)))
    end_s = min(start_s + hours * 3600, float(steps["end_s"][-1]))
    day_s = _midnight_s(days[chosen], settings)
    lived = steps.filter(pl.col("end_s").is_between(day_s, end_s, closed="right"))
    with_fault = add_fault(lived, Fault(kind, _utc(start_s), _utc(end_s), flow))
    first = chosen
    state = days[chosen - 1].state
    alarm_min = None
    # What is announced for the sound weeks is not announced for a leak.
    while alarm_min is None and first < len(days) and _midnight_s(days[first], settings) < end_s:
        begin_s, stop_s = (_midnight_s(days[first], settings, add=add) for add in (0, 1))
        part = with_fault.filter(pl.col("end_s") > begin_s, pl.col("end_s") <= stop_s)
        state, events, _ = run_steps(state, part, days[first].learned, settings)
        on = [e.at_s for e in events if e.event == "on" and start_s < e.at_s <= end_s]
        alarm_min = (on[0] - start_s) / 60 if on else None
        first += 1
    at = pl.lit(start_s)
    running = sessions.filter(
        pl.col("start_at").dt.epoch("us") / 1e6 <= at, pl.col("ended_at").dt.epoch("us") / 1e6 >= at
    )
    ran_s = start_s - running["start_at"][0].timestamp() if running.height else 0.0
    passed = [
        at_s
        for at_s in daily_volume_alarms(with_fault, limits, settings)
        if start_s < at_s <= end_s
    ]
    return Found(kind, flow, alarm_min, ran_s / 60, (passed[0] - start_s) / 60 if passed else None)


def add_fault(steps: pl.DataFrame, fault: Fault) -> pl.DataFrame:
    """Return the steps of a home with what a fault draws on top."""
    begin_s, step_s = float(steps["start_s"][0]), float(steps["end_s"][0] - steps["start_s"][0])
    use = fault.use(_utc(begin_s), _utc(float(steps["end_s"][-1])))
    if use is None:
        return steps
    end_at = _utc(float(steps["end_s"][-1]))
    drawn = flow_of([use], _utc(begin_s), end_at, int(step_s))["flow_l_per_min"]
    return steps.with_columns(flow_l_per_min=pl.col("flow_l_per_min") + drawn)


def _midnight_s(day: HomeDay, settings: HomeSettings, *, add: int = 0) -> float:
    at = day.day + timedelta(days=add)
    return datetime(at.year, at.month, at.day, tzinfo=zone_of(settings.zone)).timestamp()


def _utc(at_s: float) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)
