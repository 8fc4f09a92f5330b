"""Sessions: water that runs without a longer pause, judged while it runs.

One step at a time, for a stream; `session_frames` cuts whole histories to the same sessions.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from .context import Context, context_of, occupancy_class
from .meter import Step
from .settings import HomeSettings, OccupancyClass

# Levels at which it is noted how long a flow is held, L/min: a drip, a tap, a shower, a bath, a
# garden hose, a burst. The first means any flow.
LEVELS_L_PER_MIN = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 10.0, 12.0, 15.0, 19.0, 24.0, 30.0, 45.0)
EndedBy = Literal["no_flow", "missing"]


@dataclass(frozen=True)
class Running:
    """A session that has not ended.

    Parameters
    ----------
    start_s, wet_until_s
        First and last water, seconds since 1970.
    dry_s
        Measured time without flow since the last water.
    volume_l, hot_volume_l
        Drawn so far; hot is None where it is not metered.
    flow_l_per_min, hot_l_per_min
        Of the last step.
    held_s, longest_s
        For how long the flow has been at each of `LEVELS_L_PER_MIN` or above, now and at most.
    low_s, longest_low_s
        For how long it has been a trickle, now and at most.
    context
        As it was when it began.
    class_now
        Class of who is at home now, None where it is that of the context.
    """

    start_s: float
    wet_until_s: float
    dry_s: float
    volume_l: float
    hot_volume_l: float | None
    flow_l_per_min: float
    hot_l_per_min: float | None
    held_s: tuple[float, ...]
    longest_s: tuple[float, ...]
    low_s: float
    longest_low_s: float
    context: Context
    class_now: OccupancyClass | None = None

    @property
    def elapsed_s(self) -> float:
        """First to last water, s."""
        return self.wet_until_s - self.start_s

    @property
    def avg_flow_l_per_min(self) -> float:
        """Volume over duration."""
        return self.volume_l / self.elapsed_s * 60 if self.elapsed_s > 0 else self.flow_l_per_min

    @property
    def hot_pct(self) -> float | None:
        """Share of hot water, percent."""
        if self.hot_volume_l is None:
            return None
        return 100 * self.hot_volume_l / self.volume_l if self.volume_l > 0 else 0.0


@dataclass(frozen=True)
class Session:
    """A session that has ended, with the fields that are learned from."""

    start_at: datetime
    ended_at: datetime
    context: Context
    duration_s: float
    avg_flow_l_per_min: float
    volume_l: float
    hot_pct: float | None
    longest_s: tuple[float, ...]
    longest_low_s: float
    ended_by: EndedBy


@dataclass(frozen=True)
class JudgedSession:
    """A session that has ended, with what the engine held of it.

    Parameters
    ----------
    explained_s
        For how long from its start a recurring use explained it.
    unusual
        Whether it had an alarm, belonged to one, or ran while alarms were paused.
    """

    session: Session
    explained_s: float = 0.0
    unusual: bool = False


def advance(
    running: Running | None, step: Step, missing_s: float, settings: HomeSettings
) -> tuple[Running | None, Session | None]:
    """Return the running session after a step, and the one that ended with it.

    Parameters
    ----------
    missing_s
        Time without readings before the step.
    """
    ended = None
    if running is not None and missing_s > settings.missing_s:
        ended = _ended(running, "missing")
        running = None
    if step.flow_l_per_min >= settings.min_flow_l_per_min:
        if running is None:
            return _began(step, settings), ended
        return _goes_on(running, step, settings), ended
    if running is None:
        return None, ended
    dry_s = running.dry_s + step.seconds
    if dry_s > settings.gap_s:
        return None, _ended(running, "no_flow")
    return _paused(running, dry_s), ended


def _began(step: Step, settings: HomeSettings) -> Running:
    context = context_of(step.start_s, step.occupancy, step.people, settings)
    held = tuple(_held(0.0, level, step) for level in LEVELS_L_PER_MIN)
    low_s = step.seconds if step.flow_l_per_min <= settings.low_flow_l_per_min else 0.0
    minutes = step.seconds / 60
    return Running(
        step.start_s,
        step.end_s,
        0.0,
        step.flow_l_per_min * minutes,
        None if step.hot_l_per_min is None else step.hot_l_per_min * minutes,
        step.flow_l_per_min,
        step.hot_l_per_min,
        held,
        held,
        low_s,
        low_s,
        context,
    )


def _goes_on(running: Running, step: Step, settings: HomeSettings) -> Running:
    flow, seconds = step.flow_l_per_min, step.seconds
    held = tuple(
        [
            before + seconds if flow >= level else 0.0
            for before, level in zip(running.held_s, LEVELS_L_PER_MIN, strict=True)
        ]
    )
    longest = tuple(map(max, running.longest_s, held))
    low_s = running.low_s + seconds if flow <= settings.low_flow_l_per_min else 0.0
    minutes = seconds / 60
    hot = None
    if running.hot_volume_l is not None and step.hot_l_per_min is not None:
        hot = running.hot_volume_l + step.hot_l_per_min * minutes
    return Running(
        running.start_s,
        step.end_s,
        0.0,
        running.volume_l + flow * minutes,
        hot,
        flow,
        step.hot_l_per_min,
        held,
        longest,
        low_s,
        max(low_s, running.longest_low_s),
        running.context,
        occupancy_class(settings.location_mode or step.occupancy, settings),
    )


def _paused(running: Running, dry_s: float) -> Running:
    nothing = tuple(0.0 for _ in LEVELS_L_PER_MIN)
    return Running(
        running.start_s,
        running.wet_until_s,
        dry_s,
        running.volume_l,
        running.hot_volume_l,
        0.0,
        None if running.hot_l_per_min is None else 0.0,
        nothing,
        running.longest_s,
        0.0,
        running.longest_low_s,
        running.context,
        running.class_now,
    )


def _held(before_s: float, level: float, step: Step) -> float:
    return before_s + step.seconds if step.flow_l_per_min >= level else 0.0


def _ended(running: Running, ended_by: EndedBy) -> Session:
    return Session(
        datetime.fromtimestamp(running.start_s, UTC),
        datetime.fromtimestamp(running.wet_until_s, UTC),
        running.context,
        running.elapsed_s,
        running.avg_flow_l_per_min,
        running.volume_l,
        running.hot_pct,
        running.longest_s,
        running.longest_low_s,
        ended_by,
    )
