"""The engine of one home: a state, a measured step, the state after it and what happened.

The same function for a live stream and for a replayed day; the state serializes, so a restart in
the middle of a session loses nothing.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from .decision import Judgement, judge
from .learning import Learned
from .meter import Meter, Reading, Step, take
from .rules import RuleMemory, broken_rules, remember
from .sessions import JudgedSession, Running, Session, advance
from .settings import HomeSettings

EventKind = Literal[
    "on",
    "off",
    "pause_began",
    "pause_ended",
    "guests_came",
    "guests_left",
    "learning_began",
    "learning_ended",
]
Status = Literal["ok", "learning", "paused", "stale"]
# A rule that needs no running water is over when nothing of it was seen for so long.
_NOTHING = Judgement()


@dataclass(frozen=True)
class Alarm:
    """An alarm that is on: since when, by what, why."""

    since_s: float
    kinds: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class HomeState:
    """All that the engine knows of a home between two readings.

    Parameters
    ----------
    last_s
        End of the last measured step.
    running, session_unusual, explained_s
        The session that has not ended, whether it had an alarm or ran in a pause, and for how
        long from its start a recurring use explained it.
    gate
        Evaluations in a row with a risk at the gate or above.
    paused_until_s, pause_reason
        No alarm begins before.
    guests_until_s, learning_until_s
        Until when guests are in the house, and until when the engine learns without alarms.
    """

    meter: Meter = field(default_factory=Meter)
    last_s: float | None = None
    running: Running | None = None
    session_unusual: bool = False
    explained_s: float = 0.0
    rules: RuleMemory = field(default_factory=RuleMemory)
    alarm: Alarm | None = None
    gate: int = 0
    paused_until_s: float | None = None
    pause_reason: str = ""
    guests_until_s: float | None = None
    learning_until_s: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether the alarm is on."""
        return self.alarm is not None

    def status(self, now_s: float, learned: Learned, settings: HomeSettings) -> Status:
        """Return how the engine is; a stale feed never clears an alarm."""
        if self.last_s is None or now_s - self.last_s > settings.stale_s:
            return "stale"
        if self.paused_until_s is not None and now_s < self.paused_until_s:
            return "paused"
        is_told = self.learning_until_s is not None and now_s < self.learning_until_s
        return "learning" if is_told or learned.days < settings.learning_days else "ok"


@dataclass(frozen=True)
class Event:
    """Something that people should see later: on, off, what they said; `attributes` then."""

    at_s: float
    event: EventKind
    kinds: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What a step changed."""

    state: HomeState
    judgement: Judgement
    events: tuple[Event, ...] = ()
    session: JudgedSession | None = None


def on_reading(
    state: HomeState,
    reading: Reading,
    learned: Learned,
    settings: HomeSettings,
    *,
    now_s: float | None = None,
) -> tuple[Outcome, tuple[str, ...]]:
    """Return what a reading changes, and what was wrong with it.

    An unusable reading changes nothing but the meter: it is time without readings.
    """
    meter, step, problems = take(state.meter, reading, settings, now_s=now_s)
    state = replace(state, meter=meter)
    if step is None:
        return Outcome(state, _NOTHING), problems
    return on_step(state, step, learned, settings), problems


def on_step(state: HomeState, step: Step, learned: Learned, settings: HomeSettings) -> Outcome:
    """Return what a measured step changes."""
    missing_s = 0.0 if state.last_s is None else step.start_s - state.last_s
    state, events = _expired(state, step.end_s)
    running, ended = advance(state.running, step, missing_s, settings)
    rules = remember(state.rules, step, missing_s, ended, settings)
    fresh = running is not None and (state.running is None or ended is not None)
    if running is None and ended is None and rules == state.rules and state.alarm is None:
        after = replace(state, last_s=step.end_s, rules=rules)
        return Outcome(after, _NOTHING, tuple(events))
    judgement = _NOTHING
    wet = running is not None and running.dry_s == 0
    explained_s = 0.0 if fresh else state.explained_s
    if running is not None and wet:
        judgement = judge(
            running,
            learned,
            settings,
            explained_s=explained_s,
            guests=state.guests_until_s is not None,
        )
        if judgement.matched is not None:
            explained_s = running.elapsed_s
    gate = _gate(0 if fresh else state.gate, judgement, settings) if wet else state.gate
    kinds, reasons = _leaks(judgement, gate, rules, running, step, learned, settings, explained_s)
    after = replace(
        state,
        last_s=step.end_s,
        running=running,
        rules=rules,
        gate=gate if running is not None else 0,
        session_unusual=False if fresh or running is None else state.session_unusual,
        explained_s=explained_s if running is not None else 0.0,
    )
    judged = None
    if ended is not None:
        unusual = state.session_unusual or "tank_refill" in kinds
        judged = JudgedSession(ended, state.explained_s, unusual)
    after, event = _alarm(after, kinds, reasons, judgement, ended, step, learned, settings)
    if event is not None:
        events.append(event)
    # A pool that is filled while alarms are paused is no habit either.
    paused = state.paused_until_s is not None
    if running is not None and (after.alarm is not None or paused):
        after = replace(after, session_unusual=True)
    return Outcome(after, judgement, tuple(events), judged)


def _expired(state: HomeState, at_s: float) -> tuple[HomeState, list[Event]]:
    """Return the state without what people said until now, and the events of its end."""
    events: list[Event] = []
    if state.paused_until_s is not None and at_s >= state.paused_until_s:
        why = f"the pause is over ({state.pause_reason})"
        state = replace(state, paused_until_s=None, pause_reason="")
        events.append(event_of(at_s, "pause_ended", (why,), state))
    if state.guests_until_s is not None and at_s >= state.guests_until_s:
        state = replace(state, guests_until_s=None)
        events.append(event_of(at_s, "guests_left", ("the guests have left",), state))
    if state.learning_until_s is not None and at_s >= state.learning_until_s:
        state = replace(state, learning_until_s=None)
        events.append(event_of(at_s, "learning_ended", ("learning is over",), state))
    return state, events


def _gate(count: int, judgement: Judgement, settings: HomeSettings) -> int:
    confirmed = judgement.longer_than_ever is not None or not settings.confirm_by_habit
    near = judgement.ready and confirmed and judgement.risk >= settings.gate_risk
    return count + 1 if near and judgement.matched is None and not judgement.vacation else 0


def _leaks(
    judgement: Judgement,
    gate: int,
    rules: RuleMemory,
    running: Running | None,
    step: Step,
    learned: Learned,
    settings: HomeSettings,
    explained_s: float,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return by what there is a leak now, and why."""
    kinds: list[str] = []
    reasons: list[str] = []
    if judgement.leak:
        kinds.append("vacation" if judgement.vacation else "risk")
        reasons += judgement.reasons
    elif gate >= settings.gate_count:
        kinds.append("confirm_gate")
        reasons += [
            *judgement.reasons,
            f"{gate} evaluations at risk {settings.gate_risk:g} or more",
        ]
    if judgement.matched is None:
        broken = broken_rules(rules, running, step, learned, settings, explained_s)
        kinds += broken
        reasons += broken.values()
    return tuple(kinds), tuple(reasons)


def _alarm(
    state: HomeState,
    kinds: tuple[str, ...],
    reasons: tuple[str, ...],
    judgement: Judgement,
    ended: Session | None,
    step: Step,
    learned: Learned,
    settings: HomeSettings,
) -> tuple[HomeState, Event | None]:
    """Return the state with its alarm raised or cleared.

    It is cleared by measured rest alone: the session's water has stopped, or refills stay away.
    """
    at_s = step.end_s
    if state.alarm is None:
        learning = state.learning_until_s is not None or learned.days < settings.learning_days
        if not kinds or learning or state.paused_until_s is not None:
            return state, None
        on = replace(state, alarm=Alarm(at_s, kinds, reasons))
        return on, _event(at_s, "on", kinds, reasons, on, judgement)
    more = tuple(kind for kind in kinds if kind not in state.alarm.kinds)
    if more:
        alarm = replace(
            state.alarm, kinds=(*state.alarm.kinds, *more), reasons=(*state.alarm.reasons, *reasons)
        )
        return replace(state, alarm=alarm), None
    refilling = "tank_refill" in kinds
    rests = state.running is None and step.flow_l_per_min < settings.min_flow_l_per_min
    if rests and not refilling:
        off = replace(state, alarm=None)
        ran_s = at_s - state.alarm.since_s
        why = (f"the water rests; the alarm was on for {ran_s / 60:.0f} min",)
        return off, _event(at_s, "off", state.alarm.kinds, why, off, judgement)
    return state, None


def event_of(at_s: float, event: EventKind, reasons: tuple[str, ...], state: HomeState) -> Event:
    """Return an event that says nothing of water: a pause, guests."""
    return _event(at_s, event, (), reasons, state, _NOTHING)


def attributes(
    state: HomeState, judgement: Judgement, reasons: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """Return the sixteen attributes of the binary sensor.

    `p95_s` and `p99_s` are the bucket's durations; of water that rests all is empty or zero.
    """
    running, bucket, matched = state.running, judgement.bucket, judgement.matched
    context = running.context if running else None
    why = judgement.reasons if reasons is None else reasons
    if reasons is None and state.alarm is not None:
        why = state.alarm.reasons
    return {
        "bucket_used": f"{bucket.rung}: {bucket.name}" if bucket else None,
        "baseline_ready": judgement.ready,
        "count": bucket.count if bucket else 0,
        "p95_s": bucket.duration_s[2] if bucket else None,
        "p99_s": bucket.duration_s[3] if bucket else None,
        "matched_prototype_id": matched.prototype.prototype_id if matched else None,
        "prototype_confidence": matched.prototype.confidence if matched else None,
        "start_time_delta_min": matched.late_min if matched else None,
        "risk_score": judgement.risk,
        "reasons": list(why),
        "occupancy_raw": context.occupancy_raw if context else state.meter.occupancy,
        "occupancy_class": context.occupancy_class if context else None,
        "people_bin": context.people_bin if context else None,
        "elapsed_s": running.elapsed_s if running else 0.0,
        "flow_now_l_per_min": running.flow_l_per_min if running else 0.0,
        "hot_pct_current": running.hot_pct if running else None,
    }


def _event(
    at_s: float,
    event: EventKind,
    kinds: tuple[str, ...],
    reasons: tuple[str, ...],
    state: HomeState,
    judgement: Judgement,
) -> Event:
    return Event(at_s, event, kinds, attributes(state, judgement, reasons))
