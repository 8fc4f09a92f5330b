"""The days as evidence: prepared once a day, then asked for fits and changes.

Questions to the data and their answers; what is believed because of them is `history`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .coordinates import Coordinates
from .days import Days
from .explanations import Explanations
from .fit import Fit, Known, fit
from .noise import Noise
from .placing import Placed, place
from .state import Event
from .timeline import Timeline

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Growth of leaks that is looked for, days until they are whole; 1 is sudden.
GROWTHS_DAYS = (1, 10, 20, 35, 60, 90)
# A growing leak shows its growth after this many days only.
LEAST_DAYS_OF_GROWTH = 5
# Log prior of a growing leak against a sudden one, over its many possible courses.
GROWTH_PENALTY = 2.0
# Beginnings that are weighed each day: all of the last days, fewer of those longer ago.
_ALL_OF_DAYS, _SECOND_OF_DAYS, _FOURTH_OF_DAYS, _SIXTH = 12, 60, 160, 6


@dataclass(frozen=True, eq=False)
class Changes:
    """Evidence for something new that began on some day and has not ended.

    Parameters
    ----------
    information, score
        Of an effect at its full size (O × J).
    starts
        Onset and growth in days (O).
    growth
        Part of the full size now (O).
    """

    information: Floats
    score: Floats
    starts: tuple[tuple[float, float], ...]
    growth: Floats

    @property
    def is_sudden(self) -> NDArray[np.bool_]:
        """Which begin at once (O)."""
        return np.array([days == 1 for _, days in self.starts])

    def ratios(self, directions: Floats) -> tuple[Floats, Floats]:
        """Return twice the log likelihood ratio of fixed directions (O × N), signed, and sizes."""
        known = self.information @ (directions**2).T
        score = self.score @ directions.T
        size = np.divide(score, known, out=np.zeros(score.shape), where=known > 0)
        return size * score * np.sign(size), size


class Estimate:
    """What the days so far say.

    Parameters
    ----------
    days
        Daily values and what is known of the days.
    explanations, noise
        Of the network.
    """

    def __init__(self, days: Days, explanations: Explanations, noise: Noise) -> None:
        self.days = days
        self.explanations = explanations
        self._noise = noise
        self._timelines: dict[tuple[object, ...], tuple[Timeline, Floats]] = {}

    @property
    def today(self) -> int:
        """Number of the last day."""
        return self.days.last

    # ------------------------------------------------------------------ fits
    def coordinates(self, events: Iterable[Event]) -> Coordinates:
        """Return the coordinates of the channels that can be believed."""
        lost = {e.index for e in events if e.kind == "fault" and e.known_on is not None}
        count = self.explanations.pressures
        used = [i for i in self.days.usable if i not in lost]
        if not any(i < count for i in used):
            used = list(self.days.usable)
        return Coordinates.of(self.explanations, self._noise, tuple(used))

    def seen(
        self, events: Sequence[Event], more: frozenset[int]
    ) -> tuple[Coordinates, Timeline, Floats]:
        """Return coordinates, the days but those of sudden changes, and their white values."""
        coordinates = self.coordinates(events)
        masked = self.mixed(events) | more
        local = frozenset(d - self.days.first for d in masked if d >= self.days.first)
        local |= self.days.empty
        key = (tuple(coordinates.channels), local)
        if key not in self._timelines:
            timeline = Timeline(self.days.load, local, coordinates.groups)
            values = self.days.values[:, coordinates.channels] @ coordinates.turn.T
            self._timelines[key] = timeline, timeline.white(values)
        return coordinates, *self._timelines[key]

    @staticmethod
    def mixed(events: Iterable[Event]) -> frozenset[int]:
        """Return the days on which a known event began or ended within the day."""
        live = [event for event in events if not event.withdrawn]
        begun = {int(event.onset) for event in live if event.growth_days == 1}
        return frozenset(begun | {e.last_day for e in live if e.last_day is not None})

    def fitted(self, events: Sequence[Event]) -> list[int]:
        """Return the numbers of the events that are fitted.

        A pressure sensor of which people were told is left out: nothing is left to be fitted. So
        is a sudden leak that began today: the day is a mixture.
        """
        count = self.explanations.pressures
        return [
            number
            for number, event in enumerate(events)
            if not event.withdrawn
            and not (event.kind == "fault" and event.index < count and event.known_on is not None)
            and not (event.kind == "leak" and event.growth_days == 1 and event.onset >= self.today)
        ]

    def fit(self, events: Sequence[Event], more: frozenset[int] = frozenset()) -> Fit:
        """Return all events that are believed, fitted together, in their order."""
        coordinates, timeline, white = self.seen(events, more)
        known = [self._known(events[number]) for number in self.fitted(events)]
        return fit(
            coordinates,
            timeline,
            white,
            known,
            self.days.disturbances,
            self.explanations.flow_scale,
        )

    def _known(self, event: Event) -> Known:
        first = self.days.first
        last = None if event.last_day is None else event.last_day - first
        index = event.pipe if event.kind == "leak" else event.index
        return Known(
            event.kind, index, event.sign, event.onset - first, event.growth_days, last, event.size
        )

    # ------------------------------------------------------------------ changes
    def changes(self, events: Sequence[Event], fitted: Fit, *, of_all_days: bool) -> Changes | None:
        """Return the evidence for something new, None before there is any."""
        coordinates, timeline, _ = self.seen(events, frozenset())
        starts: list[tuple[float, float]] = []
        information, score = [], []
        for growth_days in GROWTHS_DAYS:
            onsets = self._onsets(growth_days, of_all_days=of_all_days)
            if not len(onsets):
                continue
            columns = timeline.beginnings(onsets - self.days.first, growth_days)
            known, said = fitted.evidence(coordinates, columns)
            information.append(known)
            score.append(said)
            # A course by its values at the days' begins is the daily mean of half a day later.
            starts += [start_of(int(onset), growth_days) for onset in onsets]
        if not starts:
            return None
        growth = np.array([min((self.today - o) / days, 1.0) ** 2 for o, days in starts])
        return Changes(np.concatenate(information), np.concatenate(score), tuple(starts), growth)

    def _onsets(self, growth_days: int, *, of_all_days: bool) -> Ints:
        today, first = self.today, max(self.days.learned - 1, self.days.first)
        least = 1 if growth_days == 1 else LEAST_DAYS_OF_GROWTH
        return np.array(
            [
                day
                for day in range(first, today - least + 1)
                if today - day < _ALL_OF_DAYS
                or (today - day < _SECOND_OF_DAYS and day % 2 == 0)
                or (today - day < _FOURTH_OF_DAYS and day % 4 == 0)
                or (of_all_days and day % _SIXTH == 0)
            ],
            dtype=np.int64,
        )

    def placed(self, events: Sequence[Event], changes: Changes, number: int) -> Placed:
        """Return the leak that explains a change; its gain is charged for a growing course."""
        found = place(
            self.coordinates(events),
            self.explanations,
            changes.information[number],
            changes.score[number],
            float(changes.growth[number]),
        )
        return charged(found, changes.starts[number][1])

    def effect(self, events: Sequence[Event], information: Floats, score: Floats) -> Floats:
        """Return an effect on the channels (S), zero on those that are not believed."""
        return self.on_channels(events, score / information)

    def on_channels(self, events: Sequence[Event], turned: Floats) -> Floats:
        """Return what a vector of the coordinates is in the channels (S)."""
        coordinates = self.coordinates(events)
        out = np.zeros(self.explanations.leaks.shape[1])
        out[coordinates.channels] = coordinates.back @ turned
        return out


def start_of(onset: int, growth_days: float) -> tuple[float, float]:
    """Return onset and growth of a course by its values at the begins of days.

    The daily means of a growing one are those of one that begins half a day later.
    """
    return (onset, growth_days) if growth_days == 1 else (onset + 0.5, growth_days)


def charged(found: Placed, growth_days: float) -> Placed:
    """Return a placed leak whose gain is charged for the choice of a growing course."""
    if growth_days == 1:
        return found
    gain = found.gain - GROWTH_PENALTY
    return replace(found, gain=gain)
