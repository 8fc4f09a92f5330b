"""What people know of a leak goes on as the leak nearest to it, or is over."""

from dataclasses import replace

import numpy as np

from leak_assets.detection.likelihood.state import Event
from leak_assets.detection.likelihood.told import as_told

TODAY = 100
# Five pipes 90 m apart.
AWAY = 90.0 * np.abs(np.arange(5.0)[:, None] - np.arange(5.0)[None])


def leak(pipe: int, onset: float, name: str = "", last: int | None = None) -> Event:
    """Return a leak; people know of one with a name since three days after its onset."""
    known = int(onset) + 3 if name else None
    return Event(name, "leak", pipe, onset, 1, last, int(onset), known, 5.0, pipe=pipe)


def test_a_known_leak_goes_on_as_the_nearest_new_one() -> None:
    """Its name and its told place stay; course, place and size are the new one's."""
    old = [leak(0, 50, "first"), leak(4, 60, "second")]
    gone = [replace(event, withdrawn=True) for event in old]
    events = as_told(old, [*gone, replace(leak(3, 58), size=7.0)], TODAY, AWAY)
    assert len(events) == 2
    taken = [event for event in events if not event.withdrawn]
    # Both are within 300 m of it: who was told first keeps the story.
    assert [(e.hypothesis_id, e.index, e.pipe, e.onset, e.size) for e in taken] == [
        ("first", 0, 3, 58, 7.0)
    ]


def test_what_has_nothing_near_is_over_and_people_hear_of_it() -> None:
    """A told leak ends today; one that nobody knew of goes without a word."""
    old = [leak(0, 50, "told"), leak(1, 60)]
    events = as_told(old, [replace(event, withdrawn=True) for event in old], TODAY, AWAY)
    assert [(e.withdrawn, e.last_day, e.ended_known_on) for e in events] == [
        (True, TODAY, TODAY),
        (True, TODAY, None),
    ]


def test_an_end_that_is_no_end_is_taken_back() -> None:
    """A leak that was held to be repaired and runs on is open again, under its name."""
    ended = replace(leak(0, 50, "told", last=80), ended_known_on=81, repair=0)
    (again,) = as_told([ended], [replace(ended, last_day=None, repair=None)], TODAY, AWAY)
    assert again.hypothesis_id == "told"
    assert again.is_active(TODAY)
    assert again.ended_known_on is None


def test_a_new_leak_close_behind_a_known_one_is_its_growth() -> None:
    """Within 100 m and 45 days after it; farther off, or later, it is a leak of its own."""
    old = [leak(0, 40, "told")]
    found = [leak(1, 60), leak(2, 60), leak(1, 95), replace(leak(1, 60), last_day=90)]
    events = as_told(old, [*old, *found], TODAY, AWAY)
    assert [event.part_of for event in events[1:]] == [0, None, None, None]
