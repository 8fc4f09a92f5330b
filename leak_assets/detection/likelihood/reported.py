"""Reported repairs and the leaks that they ended.

Which leak a repair may belong to, as new lists of events; which is the likeliest is `history`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from .estimate import REPAIR_WINDOW_DAYS
from .placing import Placed
from .state import Event, parts_of

# A repair takes over a leak that was found elsewhere within this log likelihood of the best pipe,
# and leaks without one are matched with a repair so many days after it.
_GAP = 5.0
MATCH_DAYS = 3


@dataclass(frozen=True)
class Repair:
    """A repaired leak that a report tells of: number of its pipe, day since the first one."""

    pipe: int
    day: int


def repair_of(
    events: Sequence[Event], repairs: Sequence[Repair], today: int, onset: int, placed: Placed
) -> int | None:
    """Return the reported repair, still to come, of a leak that fits its pipe, or None."""
    taken = {event.repair for event in events if not event.withdrawn}
    best: tuple[float, int] | None = None
    for number, repair in enumerate(repairs):
        is_due = onset < repair.day <= onset + REPAIR_WINDOW_DAYS and repair.day >= today
        if number in taken or not is_due:
            continue
        gap = float(placed.of_pipes.max() - placed.of_pipes[repair.pipe])
        if gap <= _GAP and (best is None or gap < best[0]):
            best = gap, number
    return None if best is None else best[1]


def repaired(
    repairs: Sequence[Repair], number: int, onset: int, growth_days: int, size: float, today: int
) -> Event:
    """Return the leak that a repair ended: nobody is told of it."""
    repair = repairs[number]
    return Event(
        "",
        "leak",
        repair.pipe,
        onset,
        growth_days,
        repair.day,
        today,
        None,
        size,
        pipe=repair.pipe,
        repair=number,
        changed_on=today,
    )


def ended_by(
    events: Sequence[Event], repairs: Sequence[Repair], number: int, today: int
) -> list[list[Event]]:
    """Return the events with each leak in turn that a repair may have ended, ended by it."""
    repair, options = repairs[number], []
    for place, event in enumerate(events):
        is_one = event.kind == "leak" and event.part_of is None and not event.withdrawn
        if not is_one or event.repair is not None:
            continue
        ended = event.last_day
        late = ended is None or abs(ended - repair.day) <= MATCH_DAYS
        if event.onset < repair.day - 1 and late:
            option = list(events)
            option[place] = replace(
                event,
                pipe=repair.pipe,
                last_day=repair.day,
                repair=number,
                ended_known_on=today if event.known_on is not None else None,
                changed_on=today,
            )
            for part in parts_of(events, place)[1:]:
                option[part] = replace(events[part], last_day=repair.day)
            options.append(option)
    return options
