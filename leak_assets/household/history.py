"""A home's history, day by day: learn from the days before, then run the engine over the day.

Batch, replay and benchmark go through here; the engine is the one of the stream.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .context import zone_of
from .controls import Control, told_before
from .engine import Event, HomeState, on_step
from .learning import Learned, learn
from .meter import Step
from .session_frames import SESSIONS_SCHEMA, STEPS_SCHEMA, sessions_frame
from .sessions import JudgedSession
from .settings import HomeSettings


@dataclass(frozen=True)
class HomeDay:
    """What a day gave: the state at its end, its events and sessions, what it was judged by."""

    day: date
    learned: Learned
    state: HomeState
    events: tuple[Event, ...]
    sessions: pl.DataFrame


def run_days(
    steps: pl.DataFrame,
    days: Sequence[date],
    settings: HomeSettings,
    *,
    state: HomeState | None = None,
    sessions: pl.DataFrame | None = None,
    controls: Sequence[Control] = (),
) -> Iterator[HomeDay]:
    """Yield each local day of a home, in order.

    Parameters
    ----------
    steps
        Of these days, as `session_frames.STEPS_SCHEMA`.
    state, sessions
        What the days before left.
    """
    state = state or HomeState()
    past = pl.DataFrame(schema=SESSIONS_SCHEMA) if sessions is None else sessions
    zone = zone_of(settings.zone)
    ends = steps["end_s"].to_numpy()
    for day in days:
        learned = learn(past, day, settings)
        start_s, end_s = (
            datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()
            for d in (day, day + timedelta(days=1))
        )
        first, last = np.searchsorted(ends, [start_s, end_s], side="right")
        todays = [c for c in controls if start_s < c.at_s <= end_s]
        state, events, found = run_steps(
            state, steps[int(first) : int(last)], learned, settings, todays
        )
        frame = sessions_frame(found)
        past = pl.concat([past, frame])
        yield HomeDay(day, learned, state, tuple(events), frame)


def run_steps(
    state: HomeState,
    steps: pl.DataFrame,
    learned: Learned,
    settings: HomeSettings,
    controls: Sequence[Control] = (),
) -> tuple[HomeState, list[Event], list[JudgedSession]]:
    """Return state, events and ended sessions after steps, as a stream of them would give.

    Parameters
    ----------
    controls
        What people said meanwhile; what nobody measured anything after counts from the end on.
    """
    events: list[Event] = []
    sessions: list[JudgedSession] = []
    waiting = sorted(controls, key=lambda c: c.at_s)
    columns = [steps[name].to_list() for name in STEPS_SCHEMA.names()]
    ends = columns[1]
    wet = np.flatnonzero(steps["flow_l_per_min"].to_numpy() >= settings.min_flow_l_per_min)
    number = 0
    while number < steps.height:
        if _rests(state):
            # Nothing changes until water runs or somebody sets a pause; most of a day is so.
            upto = _next(wet, number, steps.height)
            if waiting:
                upto = min(upto, max(number, bisect_right(ends, waiting[0].at_s)))
            if upto > number:
                state = replace(state, last_s=ends[upto - 1])
                number = upto
                continue
        step = Step(*(column[number] for column in columns))
        if waiting and waiting[0].at_s < step.end_s:
            state, said, waiting = told_before(state, waiting, step.end_s)
            events += said
        outcome = on_step(state, step, learned, settings)
        state = outcome.state
        events += outcome.events
        if outcome.session is not None:
            sessions.append(outcome.session)
        number += 1
    state, said, _ = told_before(state, waiting, np.inf)
    return state, events + said, sessions


def _rests(state: HomeState) -> bool:
    return (
        state.running is None
        and state.alarm is None
        and state.paused_until_s is None
        and state.guests_until_s is None
        and state.learning_until_s is None
        and not state.rules.unrested_s
    )


def _next(wet: NDArray[np.int64], number: int, height: int) -> int:
    index = int(np.searchsorted(wet, number))
    return int(wet[index]) if index < wet.size else height


def utc(at_s: float) -> datetime:
    """Return an instant of seconds since 1970."""
    return datetime.fromtimestamp(at_s, UTC)
