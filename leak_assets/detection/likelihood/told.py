"""What people were told of leaks stays theirs when another set of leaks is believed.

Numbers, names and what is said of them; which set is believed is `search` and `history`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .explanations import HIT_M
from .state import Event

Floats = NDArray[np.float64]

# A leak so near to one that people were told of lately is the same, which has grown at once: of
# such second calls on eight towns 33 of 43 were repetitions, of those later most were not. In its
# first days a leak is placed less well: of six second calls within 300 m none was another leak.
SAME_M, SAME_DAYS = 100.0, 45
# What people know of a leak that is now held to be another one nearby.
_TAKEN_OVER = ("pipe", "place", "onset", "growth_days", "size")


def as_told(
    old: Sequence[Event], new: Sequence[Event], today: int, distance_m: Floats
) -> list[Event]:
    """Return another set of leaks with what people were told before.

    A leak that people know of goes on as the nearest new one within 300 m, and where there is none
    it is over. A new leak beside one that began a little before is a part of it.

    Parameters
    ----------
    old
        The events so far.
    new
        The same events by number, as they are believed now, and new leaks after them
        (`search.Search.better`).
    distance_m
        Between pipes (P × P).
    """
    count = len(old)
    out = list(new[:count])
    found = [event for event in new[count:] if not event.withdrawn]
    gone = [n for n in range(count) if out[n].withdrawn and not old[n].withdrawn]
    told = [n for n in gone if old[n].known_on is not None and old[n].last_day is None]
    for number in sorted(told, key=lambda n: old[n].known_on or 0):
        away = distance_m[old[number].pipe]
        near = [e for e in found if e.last_day is None and away[e.pipe] <= HIT_M]
        if near:
            one = min(near, key=lambda e: away[e.pipe])
            found = [e for e in found if e is not one]
            out[number] = replace(old[number], **{name: getattr(one, name) for name in _TAKEN_OVER})
    for number in range(count):
        if number in gone and out[number].withdrawn:
            out[number] = _over(old[number], today)
        elif out[number] is not old[number]:
            out[number] = _changed(out[number], today)
    return out + [replace(e, part_of=_grown(out, e, today, distance_m[e.pipe])) for e in found]


def _over(event: Event, today: int) -> Event:
    """Return a leak that is believed no more; people hear of it today."""
    is_told = event.known_on is not None and event.ended_known_on is None
    return replace(
        event,
        withdrawn=True,
        last_day=today if event.last_day is None else event.last_day,
        ended_known_on=today if is_told else event.ended_known_on,
        changed_on=today,
    )


def _changed(event: Event, today: int) -> Event:
    """Return a leak with another course; of an end people hear today, and that it runs on, too."""
    known = None
    if event.last_day is not None and event.known_on is not None:
        known = today if event.ended_known_on is None else event.ended_known_on
    return replace(event, changed_on=today, ended_known_on=known)


def _grown(events: Sequence[Event], new: Event, today: int, away: Floats) -> int | None:
    """Return the number of the leak that a new one is the growth of, None where it is its own."""
    if new.last_day is not None:
        return None
    beside = [
        number
        for number, event in enumerate(events)
        if event.kind == "leak"
        and event.known_on is not None
        and event.is_active(today)
        and away[event.pipe] <= SAME_M
        and 0 <= new.onset - event.onset <= SAME_DAYS
    ]
    return min(beside, key=lambda number: away[events[number].pipe], default=None)
