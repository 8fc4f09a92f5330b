"""Water of a made-up home for tests: sessions to learn from, steps of a running tap."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from leak_assets.household.context import Context, context_of
from leak_assets.household.engine import Event, HomeState, on_step
from leak_assets.household.learning import Bucket, Learned
from leak_assets.household.meter import Step
from leak_assets.household.session_frames import sessions_frame
from leak_assets.household.sessions import LEVELS_L_PER_MIN, JudgedSession, Running, Session
from leak_assets.household.settings import HomeSettings

ZONE = "Europe/Berlin"
# The formulas of the source document alone, without the confirmation by habit.
PLAIN = HomeSettings(confirm_by_habit=False, learning_days=0)
P95_S, FLOW_P95 = 600.0, 8.0


def local_s(text: str) -> float:
    """Return seconds since 1970 of a local time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(ZONE)).timestamp()


def session(
    start: str,
    duration_s: float = 60.0,
    flow: float = 6.0,
    hot_pct: float | None = 0.0,
    occupancy: str = "home",
    people: int = 1,
) -> Session:
    """Return a session of a constant flow."""
    start_s = local_s(start)
    at = datetime.fromtimestamp(start_s, UTC)
    return Session(
        start_at=at,
        ended_at=at + timedelta(seconds=duration_s),
        context=context_of(start_s, occupancy, people, HomeSettings()),
        duration_s=duration_s,
        avg_flow_l_per_min=flow,
        volume_l=flow * duration_s / 60,
        hot_pct=hot_pct,
        longest_s=tuple(duration_s if flow >= level else 0.0 for level in LEVELS_L_PER_MIN),
        longest_low_s=0.0,
        ended_by="no_flow",
    )


def frame(*sessions: Session) -> pl.DataFrame:
    """Return sessions as learning reads them."""
    return sessions_frame(JudgedSession(one) for one in sessions)


def learned(count: int = 20, **changes: object) -> Learned:
    """Return habits of one global bucket: p95 of ten minutes and of 8 L/min."""
    bucket = Bucket(6, (6,), count, (60.0, 300.0, P95_S, 900.0), (4.0, 7.0, FLOW_P95, 10.0))
    values: dict[str, object] = {"day": date(2019, 4, 1), "days": 60, "buckets": {(6,): bucket}}
    return Learned(**{**values, **changes})  # type: ignore[arg-type]


def running(
    elapsed_s: float,
    flow: float = 6.0,
    *,
    start: str = "2019-04-02T18:00",
    occupancy: str = "home",
    people: int = 1,
    hot_pct: float = 0.0,
) -> Running:
    """Return a session that has run for so long at a constant flow."""
    start_s = local_s(start)
    volume = flow * elapsed_s / 60
    held = tuple(elapsed_s if flow >= level else 0.0 for level in LEVELS_L_PER_MIN)
    low_s = elapsed_s if flow <= HomeSettings().low_flow_l_per_min else 0.0
    context: Context = context_of(start_s, occupancy, people, HomeSettings())
    return Running(
        start_s, start_s + elapsed_s, 0.0, volume, volume * hot_pct / 100, flow,
        flow * hot_pct / 100, held, held, low_s, low_s, context,
    )  # fmt: skip


def steps(
    start: str,
    minutes: float,
    flow: float,
    *,
    step_s: float = 10.0,
    occupancy: str = "home",
    people: int = 1,
) -> list[Step]:
    """Return measured steps of a constant flow."""
    begin_s = local_s(start)
    count = round(minutes * 60 / step_s)
    return [
        Step(begin_s + n * step_s, begin_s + (n + 1) * step_s, flow, 0.0, occupancy, people)
        for n in range(count)
    ]


def play(
    state: HomeState, water: list[Step], habits: Learned, settings: HomeSettings = PLAIN
) -> tuple[HomeState, list[Event]]:
    """Return state and events after steps."""
    events: list[Event] = []
    for step in water:
        outcome = on_step(state, step, habits, settings)
        state = outcome.state
        events += outcome.events
    return state, events
