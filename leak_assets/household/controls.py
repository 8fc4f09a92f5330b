"""What people say to the monitor: pauses, guests, learning only. Pure; each has an end.

Storing it is the matter of `control_rows`; how guests and learning change a judgement stands in
`decision` and `engine`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .engine import Event, EventKind, HomeState, event_of

Action = Literal["pause", "resume", "guests", "guests_left", "learn", "watch"]
# What each begins or ends: the field of the state that holds its end, and the event of it.
_BEGINS: dict[Action, tuple[str, EventKind, str]] = {
    "pause": ("paused_until_s", "pause_began", "paused"),
    "guests": ("guests_until_s", "guests_came", "guests"),
    "learn": ("learning_until_s", "learning_began", "learning without alarms"),
}
_ENDS: dict[Action, tuple[str, EventKind, str]] = {
    "resume": ("paused_until_s", "pause_ended", "the pause was ended"),
    "guests_left": ("guests_until_s", "guests_left", "the guests have left"),
    "watch": ("learning_until_s", "learning_ended", "learning was ended"),
}
ACTIONS: tuple[Action, ...] = (*_BEGINS, *_ENDS)


@dataclass(frozen=True)
class Control:
    """Something that somebody said.

    Parameters
    ----------
    at_s, until_s
        From when on it counts and until when, seconds since 1970; without an end where the
        action ends another.
    action
        `pause`: no alarm begins, and what runs teaches nothing. `guests`: people hold flows for
        longer. `learn`: no alarm begins, and what runs teaches. The others end these.
    reason
        Why, in words: irrigation, a pool.
    """

    at_s: float
    action: Action
    until_s: float | None = None
    reason: str = ""


def told(state: HomeState, control: Control) -> tuple[HomeState, Event]:
    """Return the state after something was said, and the event of it.

    An alarm that is on stays on.
    """
    if control.action in _BEGINS:
        field, event, what = _BEGINS[control.action]
        until_s = control.at_s if control.until_s is None else control.until_s
        why = f"{what} for {(until_s - control.at_s) / 60:.0f} min: {control.reason}"
    else:
        field, event, what = _ENDS[control.action]
        until_s, why = None, f"{what} ({control.reason})"
    changes: dict[str, object] = {field: until_s}
    if field == "paused_until_s":
        changes["pause_reason"] = "" if until_s is None else control.reason
    after = replace(state, **changes)  # type: ignore[arg-type]
    return after, event_of(control.at_s, event, (why,), after)


def told_before(
    state: HomeState, waiting: Sequence[Control], end_s: float
) -> tuple[HomeState, list[Event], list[Control]]:
    """Return state and events after what was said before a step ends, and what waits still.

    Parameters
    ----------
    waiting
        In the order of time.
    """
    due = [control for control in waiting if control.at_s < end_s]
    events = []
    for control in due:
        state, event = told(state, control)
        events.append(event)
    return state, events, list(waiting[len(due) :])
